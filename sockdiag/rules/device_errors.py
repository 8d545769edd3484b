"""DEVICE_ERRORS."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule
from sockdiag.judging.magnitude import THRESHOLDS, guard
from sockdiag.model.finding import CRITICAL, DROPPING, Advice
from sockdiag.rules._counters import lost_in_interval

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit

# What one direction counts: all errors, and the columns that are kinds of them.
_WAYS = (
    ("rx_errs", "rx_packets", "received damaged or not accepted by the device", ("rx_frame",)),
    ("tx_errs", "tx_packets", "that the device could not send", ("tx_carrier", "tx_fifo")),
)
_COLUMNS = tuple(name for errors, packets, _what, kinds in _WAYS for name in (errors, packets, *kinds))

RULE = DeclaredRule(
    "DEVICE_ERRORS",
    CRITICAL,
    (DROPPING,),
    "A network device counts errors: frames arrive damaged, or it cannot send packets because there is no carrier "
    "or no route to the other end.",
    "On receipt, a wrong checksum, length or framing; on sending, no carrier, an aborted transmission, or no route "
    "to the other end of a tunnel.",
    "dev_get_stats(), struct rtnl_link_stats64",
    ("dev rx_errs, rx_frame, rx_packets, tx_errs, tx_carrier, tx_fifo, tx_packets",),
    ("/proc/net/dev",),
    (*guard(3, 0.1, 0.0001, "a link coming up, or a single damaged frame"), *THRESHOLDS),
    ("cable, transceiver and duplex", "the route to the other end of a tunnel"),
    counters=tuple(f"dev.*.{column}" for column in _COLUMNS),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge each device and direction."""
    for device in case.device_counters("rx_errs"):
        for errors, packets, what, kinds in _WAYS:
            names = tuple(f"dev.{device}.{column}" for column in (errors, *kinds))
            lost = max((case.moved(one) or 0 for one in names), default=0)
            advice = Advice(
                f"Check the error counters of {device}.",
                f"ip -s -s link show {device}",
                "Frame and CRC errors come from the cable, the transceiver or a duplex mismatch; carrier errors "
                "from a link or tunnel that is down.",
            )
            for hit in lost_in_interval(
                case,
                RULE,
                names,
                device,
                "packet",
                f"of {device} lost: {what}",
                (advice,),
                lost=lost,
                passed=case.moved(f"dev.{device}.{packets}"),
                of="packets",
                guarded=True,
            ):
                hit.device = device
                yield hit
