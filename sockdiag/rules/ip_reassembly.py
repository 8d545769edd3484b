"""IP_REASSEMBLY."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit, Threshold
from sockdiag.judging.magnitude import THRESHOLDS
from sockdiag.model.finding import AT_RISK, CRITICAL, DROPPING, NAMESPACE, WARNING, Advice, Evidence, Finding, Subject
from sockdiag.model.quantity import part_of, size
from sockdiag.rules._counters import lost_in_interval

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

_PUT_TOGETHER = ("Ip.ReasmOKs", "Ip6.ReasmOKs")

RULE = DeclaredRule(
    "IP_REASSEMBLY",
    CRITICAL,
    (DROPPING, AT_RISK),
    "Fragmented datagrams could not be reassembled: a fragment is missing, or the memory for incomplete datagrams "
    "is used up.",
    "The kernel discards a datagram ipfrag_time seconds after its first fragment, or when incomplete datagrams hold "
    "ipfrag_high_thresh bytes.",
    "ip_expire(), ip_defrag(), inet_frag_alloc(), net/ipv4/*frag*.c",
    (
        "Ip.ReasmFails",
        "Ip6.ReasmFails",
        "sockstat FRAG memory",
        "net.ipv4.ipfrag_high_thresh",
        "net.ipv6.ip6frag_high_thresh",
    ),
    ("/proc/net/snmp",),
    (Threshold("fill_ratio", 0.8, "above the limit the kernel drops every new fragmented datagram"), *THRESHOLDS),
    ("net.ipv4.ipfrag_high_thresh if memory is the limit", "datagrams that fit the path MTU"),
    partly=("/proc/net/snmp6", "/proc/net/sockstat", "/proc/net/sockstat6"),
    sysctls=("net.ipv4.ipfrag_high_thresh", "net.ipv6.ip6frag_high_thresh"),
    counters=("Ip.ReasmFails", "Ip6.ReasmFails", *_PUT_TOGETHER),
    parts=("sockstat", "sockstat6"),
    drop_reasons=("FRAG_REASM_TIMEOUT", "FRAG_TOO_FAR", "DUP_FRAG"),
)

_NAMES = ("Ip.ReasmFails", "Ip6.ReasmFails")


def judge(case: Case) -> Iterator[Hit]:
    """Judge failures, and the memory of what is incomplete."""
    near, hidden = [], ""
    four, six = case.now.sockstat, case.now.sockstat6
    for used, name in (
        (four.frag_memory_bytes if four is not None else None, "net.ipv4.ipfrag_high_thresh"),
        (six.frag6_memory_bytes if six is not None else None, "net.ipv6.ip6frag_high_thresh"),
    ):
        limit = case.now.limits.number(name)
        if used and limit is not None and used >= case.threshold(RULE, "fill_ratio") * limit:
            near.append((used, limit, name))
        elif used and limit is None:
            hidden = name
    more = {
        name: Evidence(used, "bytes", limit, "/proc/net/sockstat, /proc/net/sockstat6: FRAG memory")
        for used, limit, name in near
    }
    advice = (
        *(
            Advice(f"Raise {name}.", f"sysctl -w {name}={4 * limit}", f"Incomplete datagrams hold {size(used)}.")
            for used, limit, name in near
        ),
        Advice(
            "Let the senders send datagrams that fit the path MTU.",
            None,
            "A lost fragment loses the whole datagram.",
        ),
    )
    lost = list(
        lost_in_interval(
            case,
            RULE,
            _NAMES,
            "IP",
            "fragmented datagram",
            "could not be reassembled",
            advice,
            more,
            passed=case.sum_moved(*_PUT_TOGETHER),
            of="fragmented datagrams",
        )
    )
    yield from lost
    if near and not lost:
        used, limit, name = near[0]
        said = f"incomplete datagrams hold {part_of(used, limit, 'bytes')} ({name})"
        room = max(0.0, round(1 - used / limit, 4)) if limit else 0.0
        yield Hit(Finding(RULE.code, WARNING, Subject(NAMESPACE, "IP"), said, more, room, None, advice, AT_RISK))
    if hidden:
        case.limit(hidden)
