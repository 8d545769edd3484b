"""CHECKSUM_ERRORS."""

from __future__ import annotations

from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import Advice
from sockdiag.rules._counters import counter_rule, lost_in_interval

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit

_NAMES = (
    "Tcp.InCsumErrors",
    "Udp.InCsumErrors",
    "Udp6.InCsumErrors",
    "UdpLite.InCsumErrors",
    "UdpLite6.InCsumErrors",
    "Icmp.InCsumErrors",
    "Icmp6.InCsumErrors",
    "IpExt.InCsumErrors",
)
_PASSED = ("Ip.InReceives", "Ip6.InReceives")

RULE = counter_rule(
    "CHECKSUM_ERRORS",
    "The kernel drops packets with a wrong checksum: something on the path damages them, or a sender computes it "
    "wrongly.",
    "The checksum of IP, TCP, UDP or ICMP does not match when the kernel verifies it.",
    _NAMES,
    _PASSED,
    ("the device, cable, tunnel or virtual switch that damages packets", "checksum offload of the sender"),
    guard(1, 0, 0, "none: a wrong checksum is a damaged packet"),
    drop_reasons=("UDP_CSUM", "TCP_CSUM", "ICMP_CSUM", "SKB_CSUM"),
)

_ADVICE = (
    Advice(
        "Find out where packets are damaged: a device, cable or memory on the path, a tunnel, or checksum offload "
        "of a virtual device.",
        "ethtool -k DEVICE",
        "TCP sends such segments again and becomes slow; a damaged UDP datagram is lost.",
    ),
)


# What a checksum is of, by the first part of the counters' names.
_OF = {
    "IpExt": "IPv4 header",
    "Tcp": "TCP",
    "Udp": "UDP",
    "Udp6": "UDP over IPv6",
    "UdpLite": "UDP-Lite",
    "UdpLite6": "UDP-Lite over IPv6",
    "Icmp": "ICMP",
    "Icmp6": "ICMPv6",
}


def judge(case: Case) -> Iterator[Hit]:
    """Judge the counters against the traffic, and say of what the checksums are."""
    wrong = [_OF[name.partition(".")[0]] for name in _NAMES if case.moved(name)]
    yield from lost_in_interval(
        case,
        RULE,
        _NAMES,
        "receive",
        "packet",
        f"dropped: wrong {' or '.join(wrong)} checksum",
        _ADVICE,
        passed=case.sum_moved(*_PASSED),
        of="packets received",
        guarded=True,
    )
