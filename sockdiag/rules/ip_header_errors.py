"""IP_HEADER_ERRORS."""

from __future__ import annotations

from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import Advice
from sockdiag.rules._counters import counter_rule, lost_in_interval

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit

_NAMES = ("Ip.InHdrErrors", "Ip6.InHdrErrors", "IpExt.InTruncatedPkts", "Ip6.InTruncatedPkts")
_PASSED = ("Ip.InReceives", "Ip6.InReceives")

# Ip.InHdrErrors counts them too, and CHECKSUM_ERRORS reports them.
_CHECKSUM = "IpExt.InCsumErrors"

RULE = counter_rule(
    "IP_HEADER_ERRORS",
    "IP packets are dropped because their header is damaged or cut off, or because their TTL ran out on this host.",
    "Wrong version, length or options; the packet is shorter than its header states; a packet to be forwarded has a TTL of 1.",
    _NAMES,
    _PASSED,
    ("the device, tunnel or sender that damages packets", "a routing loop, if this host forwards"),
    guard(5, 1, 0.001, "traceroute through a router makes TTLs run out"),
    beside=(_CHECKSUM,),
)

_ADVICE = (
    Advice(
        "Capture a few of them, and look for what damages them; if this host forwards, look for a routing loop.",
        "tcpdump -nvc 20 ip or ip6",
        "A used-up TTL counts here too, and is answered with 'time exceeded' (Icmp.OutTimeExcds).",
    ),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge the counters against the traffic."""
    yield from lost_in_interval(
        case,
        RULE,
        _NAMES,
        "IP receive",
        "packet",
        "dropped: bad header, truncated, or TTL used up",
        _ADVICE,
        lost=max(0, (case.sum_moved(*_NAMES) or 0) - (case.moved(_CHECKSUM) or 0)),
        passed=case.sum_moved(*_PASSED),
        of="packets received",
        guarded=True,
    )
