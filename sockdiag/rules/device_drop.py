"""DEVICE_DROP."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit, Threshold, per_second
from sockdiag.model.finding import DROPPING, INFO, NAMESPACE, OK, WARNING, Advice, Evidence, Finding, Subject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

RULE = DeclaredRule(
    "DEVICE_DROP",
    WARNING,
    (DROPPING, OK),
    "A network device lost packets: its ring or the CPU's queue was full on receipt, or its driver could not send.",
    "rx_fifo: the ring overran. rx_drop: no room behind it, or nobody wanted the frame (an unknown protocol counts too). "
    "tx_drop: the driver dropped instead of sending.",
    "dev_get_stats(), struct rtnl_link_stats64",
    ("dev rx_drop, rx_fifo, tx_drop, rx_packets, tx_packets",),
    ("/proc/net/dev",),
    (
        Threshold("least", 5, "frames of protocols that nobody speaks here are dropped one by one"),
        Threshold("share", 0.001, "the same, of many packets"),
    ),
    ("a larger ring (ethtool -G)", "net.core.netdev_max_backlog where the CPU's queue is full"),
    counters=tuple(f"dev.*.{column}" for column in ("rx_drop", "rx_fifo", "tx_drop", "rx_packets", "tx_packets")),
)

_WAYS = (
    (
        "rx_fifo",
        "rx_packets",
        "its ring was full",
        "ethtool -G {} rx N",
        "Packets arrive faster than the CPU takes them out of the ring.",
    ),
    (
        "rx_drop",
        "rx_packets",
        "before a protocol saw them",
        None,
        "See SOFTNET_BACKLOG_DROP where the CPU's queue is full.",
    ),
    (
        "tx_drop",
        "tx_packets",
        "instead of sent",
        "ip -s link show {}",
        "The driver had no room, or the link or its other end is down.",
    ),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge each device, by how much of its traffic was lost."""
    for name in case.now.counters:
        if not name.startswith("dev.") or not name.endswith(".rx_packets"):
            continue
        device = name[4:-11]
        for column, packets, why, command, reason in _WAYS:
            lost = case.moved(f"dev.{device}.{column}")
            if not lost or lost < 0:
                continue
            whole = (case.moved(f"dev.{device}.{packets}") or 0) + lost
            bad = column == "rx_fifo" or (
                lost >= case.threshold(RULE, "least") and lost / whole >= case.threshold(RULE, "share")
            )
            said = f"{device} lost {lost} of {whole} packets{per_second(case.rate(lost))}: {why}"
            evidence = {
                column: Evidence(lost, "packets", None, "/proc/net/dev"),
                packets: Evidence(whole, "packets", None, "/proc/net/dev"),
            }
            advice = Advice(f"Look at the device {device}.", command and command.format(device), reason)
            yield Hit(
                Finding(
                    RULE.code,
                    WARNING if bad else INFO,
                    Subject(NAMESPACE, device),
                    said,
                    evidence,
                    None,
                    None,
                    (advice,),
                    DROPPING if bad else OK,
                )
            )
