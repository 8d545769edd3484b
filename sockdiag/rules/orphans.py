"""ORPHANS."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit, Threshold, Unseen
from sockdiag.model.finding import AT_RISK, CRITICAL, DROPPING, HOST_KIND, WARNING, Advice, Evidence, Finding, Subject
from sockdiag.model.quantity import part_of
from sockdiag.model.record import HOST
from sockdiag.rules._counters import lost_in_interval

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

RULE = DeclaredRule(
    "ORPHANS",
    CRITICAL,
    (DROPPING, AT_RISK),
    "TCP sockets that their processes have closed still have unsent or unacknowledged data. Above a limit the "
    "kernel resets connections when they are closed, and their unsent data is lost.",
    "The orphans of the whole host exceed tcp_max_orphans. Orphans whose peer does not answer count twice or four "
    "times.",
    "tcp_check_oom(), tcp_out_of_resources(), net/ipv4/tcp*.c",
    ("sockstat TCP orphan", "net.ipv4.tcp_max_orphans", "TcpExt.TCPAbortOnMemory"),
    ("/proc/net/sockstat", "/proc/net/netstat"),
    (
        Threshold("warning_ratio", 0.25, "with the fourfold penalty resets begin at a quarter of the limit"),
        Threshold("critical_ratio", 0.5, "with the twofold penalty they begin at half"),
    ),
    ("the peers that do not answer", "net.ipv4.tcp_max_orphans: each may pin 64 kB and more"),
    sysctls=("net.ipv4.tcp_max_orphans",),
    counters=("TcpExt.TCPAbortOnMemory", "Tcp.ActiveOpens", "Tcp.PassiveOpens"),
    parts=("sockstat",),
    earlier_parts=("sockstat",),
)

_ADVICE = (
    Advice(
        "Check the peers of closed connections: sockdiag list --where 'inode = 0 and state = fin-wait-1'.",
        "sockdiag states",
        "Orphans stay until their peers acknowledge.",
    ),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge resets for want of memory or of room among the orphans, and the level."""
    yield from lost_in_interval(
        case,
        RULE,
        ("TcpExt.TCPAbortOnMemory",),
        "TCP",
        "connection",
        "reset: too many orphans, or no memory",
        _ADVICE,
        passed=case.sum_moved("Tcp.ActiveOpens", "Tcp.PassiveOpens"),
        of="connections",
    )
    orphans = None if case.now.sockstat is None else case.now.sockstat.tcp_orphan
    if orphans is None:
        raise Unseen("/proc/net/sockstat", "the number of orphans is not known")
    if not orphans:
        return
    limit = case.limit("net.ipv4.tcp_max_orphans")
    ratio = orphans / limit if limit else 1.0
    if ratio < case.threshold(RULE, "warning_ratio"):
        return
    earlier = None if case.before is None or case.before.sockstat is None else case.before.sockstat.tcp_orphan
    severity = CRITICAL if ratio >= case.threshold(RULE, "critical_ratio") else WARNING
    said = f"{part_of(orphans, limit, 'orphans', 'orphan')} that the whole host may have; resets can begin at a quarter of the limit"
    evidence = {"orphans": Evidence(orphans, "sockets", limit, "/proc/net/sockstat: TCP orphan", HOST)}
    yield Hit(
        Finding(
            RULE.code,
            severity,
            Subject(HOST_KIND, "TCP"),
            said,
            evidence,
            max(0.0, round(1 - ratio, 4)),
            case.eta_s(orphans, earlier, limit),
            _ADVICE,
            AT_RISK,
        )
    )
