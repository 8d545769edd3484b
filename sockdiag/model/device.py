"""A network device's traffic."""

from __future__ import annotations

from sockdiag.model.record import BYTES, COUNT, COUNTER, LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _counter(help: str, column: str, kernel: str, unit: str = COUNT) -> Any:
    return field(
        help,
        default=None,
        unit=unit,
        kind=COUNTER,
        kernel=f"rtnl_link_stats64.{kernel}",
        sources=(f"/proc/net/dev: {column}",),
    )


class Device(Record):
    """Traffic of one network device of the namespace since it was made.

    Source: ``dev_seq_printf_stats()``, net/core/net-procfs.c. The counters are 64 bits wide; a driver may fill them from
    hardware that has fewer.
    """

    name: bytes = field("Name of the device.", kind=LABEL, kernel="dev->name", sources=("/proc/net/dev: face",))
    rx_bytes: int | None = _counter("Bytes received.", "Receive bytes", "rx_bytes", BYTES)
    rx_packets: int | None = _counter("Packets received.", "Receive packets", "rx_packets")
    rx_errs: int | None = _counter("Bad packets received.", "Receive errs", "rx_errors")
    rx_drop: int | None = _counter(
        "Packets received and dropped before a protocol saw them: no room in the CPU's queue or in the device's ring.",
        "Receive drop",
        "rx_dropped + rx_missed_errors",
    )
    rx_fifo: int | None = _counter("Overruns of the device's FIFO.", "Receive fifo", "rx_fifo_errors")
    rx_frame: int | None = _counter(
        "Framing, length, overrun and checksum errors.",
        "Receive frame",
        "rx_length_errors + rx_over_errors + rx_crc_errors + rx_frame_errors",
    )
    rx_compressed: int | None = _counter("Compressed packets received.", "Receive compressed", "rx_compressed")
    rx_multicast: int | None = _counter("Multicast packets received.", "Receive multicast", "multicast")
    tx_bytes: int | None = _counter("Bytes sent.", "Transmit bytes", "tx_bytes", BYTES)
    tx_packets: int | None = _counter("Packets sent.", "Transmit packets", "tx_packets")
    tx_errs: int | None = _counter("Packets that could not be sent.", "Transmit errs", "tx_errors")
    tx_drop: int | None = _counter("Packets dropped by the driver instead of sent.", "Transmit drop", "tx_dropped")
    tx_fifo: int | None = _counter("Underruns of the device's FIFO.", "Transmit fifo", "tx_fifo_errors")
    tx_colls: int | None = _counter("Collisions.", "Transmit colls", "collisions")
    tx_carrier: int | None = _counter(
        "Carrier lost, aborted, late and heartbeat errors.",
        "Transmit carrier",
        "tx_carrier_errors + tx_aborted_errors + tx_window_errors + tx_heartbeat_errors",
    )
    tx_compressed: int | None = _counter("Compressed packets sent.", "Transmit compressed", "tx_compressed")
    more: tuple[tuple[str, int], ...] = field("Columns that are not declared here, by name.", default=())
