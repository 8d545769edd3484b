"""TTL_TOO_LOW."""

from __future__ import annotations

from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import Advice
from sockdiag.rules._counters import counter_rule, judge_by_share

_NAMES = ("TcpExt.TCPMinTTLDrop",)
_PASSED = ("Tcp.InSegs",)

RULE = counter_rule(
    "TTL_TOO_LOW",
    "TCP drops segments that came over more hops than the process allows (IP_MINTTL, IPV6_MINHOPCOUNT).",
    "The TTL of the segment is below the minimum of the socket, which BGP daemons set (GTSM, RFC 5082).",
    _NAMES,
    _PASSED,
    ("ttl-security or multihop of the routing daemon", "the sender, if it is not the neighbour"),
    guard(1, 0, 0, "none: the process set a minimum, and a peer is below it"),
    drop_reasons=("TCP_MINTTL",),
)

_ADVICE = (
    Advice(
        "Compare the number of hops with the minimum in the daemon's configuration (ttl-security, multihop).",
        "tcpdump -nvc 20 tcp port bgp",
        "TCP silently drops segments of a neighbour that is not directly connected, or of a sender with a small TTL.",
    ),
)

judge = judge_by_share(
    RULE,
    _NAMES,
    _PASSED,
    "TCP",
    "segment",
    "dropped: TTL below the minimum set by the process",
    _ADVICE,
    of="segments received",
)
