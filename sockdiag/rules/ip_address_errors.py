"""IP_ADDRESS_ERRORS."""

from __future__ import annotations

from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import Advice
from sockdiag.rules._counters import counter_rule, judge_by_share

_NAMES = ("Ip.InAddrErrors", "Ip6.InAddrErrors")
_PASSED = ("Ip.InReceives", "Ip6.InReceives")

RULE = counter_rule(
    "IP_ADDRESS_ERRORS",
    "Packets arrive for an address that this host does not have, and this host does not forward them.",
    "The destination is not local and forwarding is off, or the address is not valid on the receiving device.",
    _NAMES,
    _PASSED,
    (
        "the sender's route or neighbour entry",
        "a missing address on this host",
        "net.ipv4.ip_forward, if this host should forward",
    ),
    guard(5, 1, 0.001, "switches flood packets to all ports"),
    drop_reasons=("IP_INADDRERRORS", "IP_INVALID_DEST", "IP_INVALID_SOURCE", "IP_LOCAL_SOURCE", "IP_LOCALNET"),
)

_ADVICE = (
    Advice(
        "Check the destination of the packets: this host may lack an address, or the sender has a wrong route.",
        "ip addr; sysctl net.ipv4.ip_forward",
        "The frames carry this host's link-layer address, so the sender uses this host as the gateway to that "
        "destination.",
    ),
)

judge = judge_by_share(
    RULE,
    _NAMES,
    _PASSED,
    "IP receive",
    "packet",
    "dropped: addressed to another host, and forwarding is off",
    _ADVICE,
    of="packets received",
)
