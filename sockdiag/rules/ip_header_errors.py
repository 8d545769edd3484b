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
    "The kernel drops IP packets whose header is damaged or truncated, or whose TTL expired on this host.",
    "Wrong version, length or options; a packet shorter than its header states; a packet to forward with a TTL of 1.",
    _NAMES,
    _PASSED,
    ("the device, tunnel or sender that damages packets", "a routing loop, if this host forwards"),
    guard(5, 1, 0.001, "traceroute through a router makes TTLs expire"),
    beside=(_CHECKSUM,),
    drop_reasons=("IP_CSUM", "IP_INHDR", "PKT_TOO_SMALL", "HDR_TRUNC", "IPV6_BAD_EXTHDR"),
)

_ADVICE = (
    Advice(
        "Capture a few of them to find out where they are damaged. If this host forwards, check for a routing loop.",
        "tcpdump -nvc 20 ip or ip6",
        "An expired TTL counts here too; the kernel answers it with 'time exceeded' (Icmp.OutTimeExcds).",
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
        "dropped: bad header, truncated, or TTL expired",
        _ADVICE,
        lost=max(0, (case.sum_moved(*_NAMES) or 0) - (case.moved(_CHECKSUM) or 0)),
        passed=case.sum_moved(*_PASSED),
        of="packets received",
        guarded=True,
    )
