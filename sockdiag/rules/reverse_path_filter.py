"""REVERSE_PATH_FILTER."""

from __future__ import annotations

from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import Advice
from sockdiag.rules._counters import counter_rule, judge_by_share

_NAMES = ("TcpExt.IPReversePathFilter",)
_PASSED = ("Ip.InReceives",)

RULE = counter_rule(
    "REVERSE_PATH_FILTER",
    "The kernel drops IPv4 packets because the route back to their sender uses another device than the one they "
    "arrived on.",
    "rp_filter is on (1: strict, 2: loose), and the route back to the sender uses another device or does not exist.",
    _NAMES,
    _PASSED,
    ("net.ipv4.conf.DEVICE.rp_filter=2 if routes are asymmetric", "a route back to the sender"),
    guard(5, 1, 0.001, "stray packets with forged or foreign senders"),
    drop_reasons=("IP_RPFILTER",),
)

_ADVICE = (
    Advice(
        "Add a route to the sender over that device, or set the filter to loose if routes are asymmetric.",
        "ip route get ADDRESS; sysctl net.ipv4.conf.all.rp_filter",
        "The kernel uses the larger of net.ipv4.conf.all.rp_filter and the value of the device; 2 accepts any route "
        "back.",
    ),
)

judge = judge_by_share(
    RULE,
    _NAMES,
    _PASSED,
    "IPv4 receive",
    "packet",
    "dropped: the route back to the sender uses another device",
    _ADVICE,
    of="packets received",
)
