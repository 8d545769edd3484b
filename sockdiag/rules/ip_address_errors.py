"""IP_ADDRESS_ERRORS."""

from __future__ import annotations

from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import Advice
from sockdiag.rules._counters import counter_rule, lost_in_interval

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit

_NAMES = ("Ip.InAddrErrors", "Ip6.InAddrErrors")
_PASSED = ("Ip.InReceives", "Ip6.InReceives")

RULE = counter_rule(
    "IP_ADDRESS_ERRORS",
    "Packets arrive whose destination is no address of this host, and this host does not forward them.",
    "The destination is not local and forwarding is off, or the address is not valid on the device that the packet came from.",
    _NAMES,
    _PASSED,
    (
        "the sender's route or neighbour entry",
        "an address that is missing here",
        "net.ipv4.ip_forward, if this host is to forward",
    ),
    guard(5, 1, 0.001, "packets that a switch floods to all ports"),
)

_ADVICE = (
    Advice(
        "Look at where they are addressed to: an address may be missing here, or the sender has a wrong route.",
        "ip addr; sysctl net.ipv4.ip_forward",
        "The frames carry this host's link-layer address, so somebody takes it for the way to that destination.",
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
        "dropped: not addressed to this host, which does not forward them",
        _ADVICE,
        passed=case.sum_moved(*_PASSED),
        of="packets received",
        guarded=True,
    )
