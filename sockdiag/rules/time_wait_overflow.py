"""TIME_WAIT_OVERFLOW."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit, Threshold, Unseen, per_second
from sockdiag.model.finding import AT_RISK, INFO, NAMESPACE, WARNING, Advice, Evidence, Finding, Subject
from sockdiag.model.quantity import counted, part_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

RULE = DeclaredRule(
    "TIME_WAIT_OVERFLOW",
    WARNING,
    (AT_RISK,),
    "The kernel closes connections without TIME_WAIT because too many sockets are in that state. No data is lost, "
    "but a late segment of an old connection may reach a new one with the same ports.",
    "The namespace has tcp_max_tw_buckets sockets in TIME_WAIT.",
    "inet_twsk_alloc(), net/ipv4/inet_timewait_sock.c",
    ("sockstat TCP tw", "net.ipv4.tcp_max_tw_buckets", "TcpExt.TCPTimeWaitOverflow"),
    ("/proc/net/sockstat",),
    (Threshold("fill_ratio", 0.9, "each costs about 200 bytes, and nothing changes before the limit"),),
    ("keep connections open (keep-alive, pools)", "net.ipv4.tcp_max_tw_buckets"),
    partly=("/proc/net/netstat",),
    sysctls=("net.ipv4.tcp_max_tw_buckets",),
    counters=("TcpExt.TCPTimeWaitOverflow",),
    parts=("sockstat",),
    earlier_parts=("sockstat",),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge the level and the counter."""
    if case.now.sockstat is None or case.now.sockstat.tcp_tw is None:
        raise Unseen("/proc/net/sockstat", "the number of TIME_WAIT sockets is not known")
    waiting, limit = case.now.sockstat.tcp_tw, case.limit("net.ipv4.tcp_max_tw_buckets")
    refused = case.moved("TcpExt.TCPTimeWaitOverflow") or 0
    ratio = waiting / limit if limit else 1.0
    if not refused and (ratio < case.threshold(RULE, "fill_ratio") or not waiting):
        return
    said = f"{part_of(waiting, limit, 'sockets', 'socket')} in TIME_WAIT"
    if refused:
        said += f"; {counted(refused, 'connection')}{per_second(case.rate(refused))} ended without TIME_WAIT"
    earlier = None if case.before is None or case.before.sockstat is None else case.before.sockstat.tcp_tw
    evidence = {
        "time_wait": Evidence(waiting, "sockets", limit, "/proc/net/sockstat: TCP tw"),
        "TCPTimeWaitOverflow": case.counter_evidence("TcpExt.TCPTimeWaitOverflow"),
    }
    advice = Advice(
        "Raise net.ipv4.tcp_max_tw_buckets, or let the processes keep connections open.",
        f"sysctl -w net.ipv4.tcp_max_tw_buckets={2 * max(limit, waiting)}",
        "A TIME_WAIT socket costs about 200 bytes.",
    )
    yield Hit(
        Finding(
            RULE.code,
            WARNING if refused else INFO,
            Subject(NAMESPACE, "TCP"),
            said,
            evidence,
            max(0.0, round(1 - ratio, 4)),
            case.eta_s(waiting, earlier, limit),
            (advice,),
            AT_RISK,
        )
    )
