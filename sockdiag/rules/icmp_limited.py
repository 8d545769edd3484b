"""ICMP_LIMITED."""

from __future__ import annotations

from sockdiag.judging.case import Explained
from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import INFO, OK, Advice
from sockdiag.rules._counters import counter_rule, lost_in_interval

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit

_NAMES = (
    "Icmp.OutRateLimitGlobal",
    "Icmp.OutRateLimitHost",
    "Icmp6.OutRateLimitHost",
    "Icmp.OutErrors",
    "Icmp6.OutErrors",
    "TcpExt.LockDroppedIcmps",
)
_PASSED = ("Icmp.OutMsgs", "Icmp6.OutMsgs")

RULE = counter_rule(
    "ICMP_LIMITED",
    "ICMP errors are not sent because of the kernel's rate limits, or could not be sent or handled. Peers then wait for a timeout instead of learning at once.",
    "More than icmp_msgs_per_sec of the host (1000), or more than one per icmp_ratelimit (1 s) and peer; 'fragmentation needed' is never limited.",
    _NAMES,
    _PASSED,
    ("what causes so many errors: closed ports, no routes",),
    guard(20, 10, 0.1, "port scans and traceroute"),
    severity=INFO,
    verdicts=(OK,),
    explained_by=(
        Explained("UDP_CLOSED_PORT"),
        Explained("UNKNOWN_PROTOCOL"),
        Explained("NEIGHBOUR_FAILED"),
        Explained("NO_ROUTE"),
    ),
)

_ADVICE = (
    Advice(
        "Look for what causes the errors: datagrams to closed ports, packets without a route, neighbours that do not answer.",
        "sockdiag path --interval 2",
        "The limit itself protects this host and its links.",
    ),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge the counters against the traffic."""
    yield from lost_in_interval(
        case,
        RULE,
        _NAMES,
        "ICMP",
        "ICMP error",
        "not sent or not handled",
        _ADVICE,
        passed=case.sum_moved(*_PASSED),
        of="ICMP messages",
        guarded=True,
        verdict=OK,
        severity=INFO,
    )
