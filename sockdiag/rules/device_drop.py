"""DEVICE_DROP."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Explained, Hit, Threshold
from sockdiag.judging.magnitude import THRESHOLDS, severity_of, share_of
from sockdiag.model.finding import CRITICAL, DROPPING, INFO, NAMESPACE, OK, Advice, Evidence, Finding, Subject
from sockdiag.model.quantity import counted, part_of, rate, share

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

RULE = DeclaredRule(
    "DEVICE_DROP",
    CRITICAL,
    (DROPPING, OK),
    "A network device dropped packets: its ring or the CPU's input queue was full, or its driver could not send.",
    "rx_fifo: the device overran. rx_drop: its ring or the queue behind that was full, or no protocol takes the frame. "
    "tx_drop: the driver could not send.",
    "dev_get_stats(), struct rtnl_link_stats64",
    ("dev rx_drop, rx_fifo, tx_drop, rx_packets, tx_packets",),
    ("/proc/net/dev",),
    (
        Threshold("least", 5, "on receipt: the kernel drops frames of protocols that this host does not use"),
        Threshold("share", 0.001, "the same, with much traffic"),
        *THRESHOLDS,
    ),
    ("a larger ring (ethtool -G)", "net.core.netdev_max_backlog if the CPU's queue is full"),
    explained_by=(Explained("SOFTNET_BACKLOG_DROP"),),
    counters=tuple(f"dev.*.{column}" for column in ("rx_drop", "rx_fifo", "tx_drop", "rx_packets", "tx_packets")),
    drop_reasons=("UNHANDLED_PROTO", "FULL_RING", "DEV_READY"),
)

_WAYS = (
    (
        "rx_fifo",
        "rx_packets",
        "received: its ring was full",
        "ethtool -G {} rx N",
        "Packets arrive faster than the CPU takes them from the ring.",
    ),
    (
        "rx_drop",
        "rx_packets",
        "received, before a protocol saw them",
        "ip -s -s link show {}",
        "missed: the ring was full (ethtool -G); dropped: by driver or CPU queue (SOFTNET_BACKLOG_DROP), or unwanted.",
    ),
    (
        "tx_drop",
        "tx_packets",
        "that it was to send",
        "ip -s link show {}",
        "The driver had no room, or the link or its other end is down.",
    ),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge each device, by how much of its traffic was lost."""
    for device in case.device_counters("rx_packets"):
        for column, packets, why, command, reason in _WAYS:
            lost = case.moved(f"dev.{device}.{column}")
            if not lost or lost < 0:
                continue
            whole = (case.moved(f"dev.{device}.{packets}") or 0) + lost
            # What is dropped before a protocol saw it may be of a protocol that nobody wants.
            bad = column != "rx_drop" or (
                lost >= case.threshold(RULE, "least") and lost / whole >= case.threshold(RULE, "share")
            )
            passed = whole - lost
            severity = severity_of(lost, passed, case.seconds, RULE.severity) if bad else INFO
            of = f"all of {counted(whole, 'packet')}" if not passed else part_of(lost, whole, "packets", "packet")
            said = f"{device} dropped {of}"
            said += f" {why} ({rate(case.rate(lost))}, {share(lost / whole)})"
            evidence = {
                column: Evidence(lost, "packets", None, "/proc/net/dev"),
                packets: Evidence(whole, "packets", None, "/proc/net/dev"),
                "share": Evidence(round(share_of(lost, passed) or 0.0, 4), "ratio"),
            }
            advice = Advice(f"Check the device {device}.", command and command.format(device), reason)
            yield Hit(
                Finding(
                    RULE.code,
                    severity,
                    Subject(NAMESPACE, device),
                    said,
                    evidence,
                    None,
                    None,
                    (advice,),
                    DROPPING if bad else OK,
                    loss_per_s=case.rate(lost) if bad else None,
                ),
                device=device,
            )
