"""ICMP_LIMITED."""

from __future__ import annotations

from sockdiag.judging.case import Explained
from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import INFO, OK, Advice
from sockdiag.rules._counters import counter_rule, judge_by_share

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
    "The kernel does not send ICMP errors because of its rate limits, or could not send or handle them. Peers then "
    "wait for a timeout instead of failing at once.",
    "The host exceeds icmp_msgs_per_sec (1000), or one message per icmp_ratelimit (1 s) and peer. 'Fragmentation "
    "needed' is never limited.",
    _NAMES,
    _PASSED,
    ("the cause of the errors: closed ports, missing routes",),
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
        "Find the cause of the errors: datagrams to closed ports, packets without a route, or neighbours that do "
        "not answer.",
        "sockdiag path --interval 2",
        "The limit protects this host and its links.",
    ),
)

judge = judge_by_share(
    RULE,
    _NAMES,
    _PASSED,
    "ICMP",
    "ICMP error",
    "not sent or not handled",
    _ADVICE,
    of="ICMP messages",
)
