"""Packet sockets from /proc/net/packet."""

from __future__ import annotations

from sockdiag.kernel.sock_diag import TYPE_NAMES
from sockdiag.kernel.tcp_states import ALL_STATES, CLOSE
from sockdiag.model.address import Endpoint
from sockdiag.model.link_attrs import PacketAttrs
from sockdiag.model.proc_attrs import ProcAttrs
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Socket
from sockdiag.sources.proc.table import (
    DIGITS,
    HEX,
    cell,
    decimal,
    hexadecimal,
    parse_headed,
    pointer,
    read_tables,
    signed,
)
from sockdiag.sources.reading import Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.sources.system.proc_root import ProcRoot

_HEADING = "sk RefCnt Type Proto Iface R Rmem User Inode"


def parse_packet(body: bytes, interfaces: Callable[[int], str | None], states: int = ALL_STATES) -> Reading:
    """Parse the text of ``/proc/net/packet``.

    Source: ``packet_seq_show()``, net/packet/af_packet.c.
    Units: Rmem in bytes of memory, overhead included.
    Shape: all are in state CLOSE. An interface that was deleted has index -1.

    Args:
        body: the whole file.
        interfaces: name of an interface by index, None where it has none.
        states: mask of ``1 << state``; without CLOSE there are no rows.

    Returns:
        Sockets in file order; a ParseError for each malformed row (bounded), or one for an unknown heading.
    """
    reading = parse_headed(body, "/proc/net/packet", _HEADING, lambda columns: _socket(columns, interfaces))
    return reading if states >> CLOSE & 1 else Reading([], reading.errors)


def read_packet(files: ProcRoot, interfaces: Callable[[int], str | None], states: int = ALL_STATES) -> Reading:
    """Read and parse /proc/net/packet; if it cannot be read, that is the error of the reading."""
    return read_tables(files, ("packet",), lambda body, _name: parse_packet(body, interfaces, states))


def _socket(columns: dict[str, bytes], interfaces: Callable[[int], str | None]) -> Socket:
    kind = cell("Type", columns["type"], decimal, DIGITS)
    protocol = cell("Proto", columns["proto"], hexadecimal, HEX)
    index = cell("Iface", columns["iface"], signed, DIGITS) & 0xFFFFFFFF
    rmem = cell("Rmem", columns["rmem"], decimal, DIGITS)
    return Socket(
        netid="packet",
        family="AF_PACKET",
        type=TYPE_NAMES.get(kind) or f"SOCK_{kind}",
        protocol=f"0x{protocol:04x}",
        state="CLOSE",
        local=Endpoint(interface=interfaces(index) if index else None),
        recv_q=rmem,
        uid=cell("User", columns["user"], decimal, DIGITS),
        inode=cell("Inode", columns["inode"], decimal, DIGITS),
        skmem=SkMem(rmem_alloc=rmem),
        packet=PacketAttrs(
            ifindex=index,
            running=cell("R", columns["r"], decimal, DIGITS) != 0,
            refs=cell("RefCnt", columns["refcnt"], decimal, DIGITS),
        ),
        proc=ProcAttrs(cell("sk", columns["sk"], pointer, HEX)),
        source="proc",
    )
