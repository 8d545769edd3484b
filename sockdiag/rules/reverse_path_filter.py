"""REVERSE_PATH_FILTER."""

from __future__ import annotations

from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import Advice
from sockdiag.rules._counters import counter_rule, lost_in_interval

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit

_NAMES = ("TcpExt.IPReversePathFilter",)
_PASSED = ("Ip.InReceives",)

RULE = counter_rule(
    "REVERSE_PATH_FILTER",
    "The kernel drops IPv4 packets because their sender would be reached through another device than the one they came from.",
    "rp_filter is on (1: strict, 2: loose) and the route back to the sender does not lead to the device, or there is none.",
    _NAMES,
    _PASSED,
    ("net.ipv4.conf.DEVICE.rp_filter=2 where routes are asymmetric", "a route back to the sender"),
    guard(5, 1, 0.001, "stray packets with forged or foreign senders"),
)

_ADVICE = (
    Advice(
        "Add a route to the sender over that device, or make the filter loose where routes are asymmetric.",
        "ip route get ADDRESS; sysctl net.ipv4.conf.all.rp_filter",
        "The larger of net.ipv4.conf.all.rp_filter and that of the device applies; 2 accepts any route back.",
    ),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge the counters against the traffic."""
    yield from lost_in_interval(
        case,
        RULE,
        _NAMES,
        "IPv4 receive",
        "packet",
        "dropped: the route back to the sender does not lead to the device that they came from",
        _ADVICE,
        passed=case.sum_moved(*_PASSED),
        of="packets received",
        guarded=True,
    )
