"""FRAGMENTATION_FAILED."""

from __future__ import annotations

from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import Advice
from sockdiag.rules._counters import counter_rule, judge_by_share

_NAMES = ("Ip.FragFails", "Ip6.FragFails")
_PASSED = ("Ip.OutRequests", "Ip.ForwDatagrams", "Ip6.OutRequests", "Ip6.OutForwDatagrams")

RULE = counter_rule(
    "FRAGMENTATION_FAILED",
    "The kernel drops packets that are larger than the MTU of the link and must not be fragmented.",
    "A packet with DF is to leave over a link with a smaller MTU. The sender gets 'fragmentation needed'.",
    _NAMES,
    _PASSED,
    ("the MTU of tunnels and links", "TCP MSS clamping", "a firewall that drops ICMP"),
    guard(5, 1, 0.01, "path MTU discovery loses one packet per path on purpose"),
)

_ADVICE = (
    Advice(
        "Compare the MTU of the links; clamp the MSS at tunnels, and let ICMP 'fragmentation needed' through.",
        "ip link; nft add rule ... tcp option maxseg size set rt mtu",
        "Senders that get the ICMP message adapt after one packet. These senders did not, so they do not get the "
        "message or ignore it.",
    ),
)

judge = judge_by_share(
    RULE,
    _NAMES,
    _PASSED,
    "IP",
    "packet",
    "dropped: larger than the MTU and not to be fragmented",
    _ADVICE,
    of="packets sent",
)
