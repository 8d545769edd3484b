"""UNKNOWN_PROTOCOL."""

from __future__ import annotations

from sockdiag.judging.case import Explained
from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import Advice
from sockdiag.rules._counters import counter_rule, judge_by_share

_NAMES = ("Ip.InUnknownProtos", "Ip6.InUnknownProtos")
_PASSED = ("Ip.InReceives", "Ip6.InReceives")

RULE = counter_rule(
    "UNKNOWN_PROTOCOL",
    "IP packets arrive of a protocol for which this host has neither a handler nor a raw socket.",
    "No module is loaded for the protocol number (GRE, SCTP, ESP, …), and the sender gets 'protocol unreachable'.",
    _NAMES,
    _PASSED,
    ("the module of the protocol, or the sender",),
    guard(5, 1, 0.001, "probes from the Internet"),
    explained_by=(Explained("RAW_RECEIVE_BUFFER_FULL"),),
    drop_reasons=("IP_NOPROTO",),
)

_ADVICE = (
    Advice(
        "Find out the protocol, then load its module or stop the sender.",
        "tcpdump -nvc 20 not tcp and not udp and not icmp",
        "A tunnel or IPsec may be configured at the other end only.",
    ),
)

judge = judge_by_share(
    RULE,
    _NAMES,
    _PASSED,
    "IP receive",
    "packet",
    "dropped: no handler for their protocol",
    _ADVICE,
    of="packets received",
)
