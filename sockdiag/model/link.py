"""A network device: its kind, its state and its counters."""

from __future__ import annotations

from sockdiag.kernel.rtnetlink import LINK_FLAGS
from sockdiag.model.record import BYTES, COUNT, COUNTER, FLAGS, ID, LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _counter(help: str, member: str, unit: str = COUNT) -> Any:
    return field(
        help,
        default=None,
        unit=unit,
        kind=COUNTER,
        kernel=f"rtnl_link_stats64.{member}",
        sources=(f"IFLA_STATS64.{member}",),
    )


class Link(Record):
    """A network device. Source: ``rtnl_fill_ifinfo()``, net/core/rtnetlink.c."""

    name: str = field("Name.", kind=LABEL, kernel="dev->name", sources=("IFLA_IFNAME",))
    index: int = field("Index.", kind=ID, kernel="dev->ifindex", sources=("ifi_index",))
    kind: str | None = field(
        "Kind of a virtual device: veth, bridge, vlan, …; null for the driver of a real one.",
        default=None,
        kind=LABEL,
        kernel="dev->rtnl_link_ops->kind",
        sources=("IFLA_INFO_KIND",),
    )
    operstate: str | None = field(
        "Operational state as of RFC 2863: UP, DOWN, LOWERLAYERDOWN, DORMANT, …; UNKNOWN where the driver sets none.",
        default=None,
        kind=LABEL,
        kernel="dev->operstate",
        sources=("IFLA_OPERSTATE",),
    )
    flags: int | None = field(
        "Flags; LOWER_UP: it has a carrier.",
        default=None,
        kind=FLAGS,
        words=LINK_FLAGS,
        kernel="dev_get_flags(dev)",
        sources=("ifi_flags",),
    )
    mtu: int | None = field(
        "Largest packet that it sends.", default=None, unit=BYTES, kernel="dev->mtu", sources=("IFLA_MTU",)
    )
    txqlen: int | None = field(
        "Packets that a queue of its default queueing discipline may hold.",
        default=None,
        unit=COUNT,
        kernel="dev->tx_queue_len",
        sources=("IFLA_TXQLEN",),
    )
    carrier_changes: int | None = field(
        "Times that the carrier came or went.",
        default=None,
        unit=COUNT,
        kind=COUNTER,
        kernel="dev->carrier_up_count + dev->carrier_down_count",
        sources=("IFLA_CARRIER_CHANGES",),
    )
    rx_bytes: int | None = _counter("Bytes received.", "rx_bytes", BYTES)
    rx_packets: int | None = _counter("Packets received.", "rx_packets")
    rx_errors: int | None = _counter("Bad packets received.", "rx_errors")
    rx_dropped: int | None = _counter("Packets received and dropped before a protocol saw them.", "rx_dropped")
    rx_missed_errors: int | None = _counter("Packets lost because the device had no room for them.", "rx_missed_errors")
    tx_bytes: int | None = _counter("Bytes sent.", "tx_bytes", BYTES)
    tx_packets: int | None = _counter("Packets sent.", "tx_packets")
    tx_errors: int | None = _counter("Packets that could not be sent.", "tx_errors")
    tx_dropped: int | None = _counter("Packets dropped by the driver instead of sent.", "tx_dropped")
    tx_carrier_errors: int | None = _counter("Packets that could not be sent: no carrier.", "tx_carrier_errors")
    collisions: int | None = _counter("Collisions.", "collisions")
