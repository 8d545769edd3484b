"""AF_PACKET sockets, from packet_diag."""

from __future__ import annotations

from sockdiag.errors import ParseError
from sockdiag.kernel.byte_order import low_first
from sockdiag.kernel.netlink import NLMSG_HDRLEN
from sockdiag.kernel.packet_diag import (
    FANOUT,
    FILTER,
    FILTER_STRUCT,
    FLAG_RUNNING,
    INFO,
    INFO_STRUCT,
    MCLIST,
    MCLIST_STRUCT,
    MEMINFO,
    MSG,
    MSG_LEN,
    REQ,
    RING_STRUCT,
    RX_RING,
    SHOW_FANOUT,
    SHOW_FILTER,
    SHOW_INFO,
    SHOW_MCLIST,
    SHOW_MEMINFO,
    SHOW_RING_CFG,
    TX_RING,
    UID,
)
from sockdiag.kernel.sock_diag import AF_PACKET, TYPE_NAMES
from sockdiag.kernel.tcp_states import CLOSE
from sockdiag.model.address import Endpoint
from sockdiag.model.socket import Socket
from sockdiag.sources.netlink.attributes import attributes, fields, number, skmem
from sockdiag.sources.netlink.records import read_records
from sockdiag.sources.reading import Reading
from sockdiag.sources.system.interfaces import interface_names
from sockdiag.sources.system.transport import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from struct import Struct
    from typing import Any

    from sockdiag.model.link_attrs import PacketAttrs, PacketMembership, PacketRing
    from sockdiag.model.query import Query
    from sockdiag.sources.system.machine import System

SOURCE = "netlink:packet_diag"

_HEAD = NLMSG_HDRLEN + MSG_LEN


def requests(query: Query) -> tuple[Request, ...]:  # noqa: ARG001  # the kernel has few of them: all is asked for
    """Return the request for the packet sockets."""
    show = SHOW_INFO | SHOW_MCLIST | SHOW_RING_CFG | SHOW_FANOUT | SHOW_MEMINFO | SHOW_FILTER
    return (Request("packet_diag", REQ.pack(AF_PACKET, 0, 0, 0, show, 0xFFFFFFFF, 0xFFFFFFFF)),)


def read(system: System, query: Query) -> Reading:
    """Read the packet sockets of the current network namespace; all are in state CLOSE.

    Source: ``packet_diag_dump()``, net/packet/diag.c.

    Raises:
        SourceUnavailable: the kernel has no packet_diag.
        SourceDenied: it may not be read.
    """
    if not query.states >> CLOSE & 1:
        return Reading([])
    (request,) = requests(query)
    interfaces = interface_names(system.files)
    return read_records(system.netlink, request, lambda message: decode(message, interfaces))


def decode(message: bytes, interfaces: Callable[[int], str | None]) -> Socket:
    """Make a socket of one message.

    Source: ``sk_diag_fill()``, net/packet/diag.c.
    Units: queues in bytes of memory, overhead included.

    Args:
        message: with its header.
        interfaces: name of an interface by index.

    Raises:
        ParseError: the message or an attribute is shorter than its struct.
    """
    if len(message) < _HEAD:
        raise ParseError(SOURCE, 0, "nlmsg_len", f"at least {_HEAD}", str(len(message)))
    family, kind, protocol, inode, cookie = MSG.unpack_from(message, NLMSG_HDRLEN)
    if family != AF_PACKET:
        raise ParseError(SOURCE, NLMSG_HDRLEN, "pdiag_family", str(AF_PACKET), str(family))
    found = attributes(message, _HEAD, SOURCE)
    uid, memory = found.pop(UID, None), found.pop(MEMINFO, None)
    details = _details(found)
    mem = skmem(memory, "PACKET_DIAG_MEMINFO", SOURCE) if memory is not None else None
    return Socket(
        netid="packet",
        family="AF_PACKET",
        type=TYPE_NAMES.get(kind, f"SOCK_{kind}"),
        protocol=f"0x{protocol:04x}",
        state="CLOSE",
        local=Endpoint(interface=interfaces(details.ifindex) if details.ifindex else None),
        recv_q=mem.rmem_alloc if mem else None,
        send_q=mem.wmem_alloc if mem else None,
        uid=number(uid, 4, "PACKET_DIAG_UID", SOURCE) if uid is not None else None,
        inode=inode,
        cookie=low_first(cookie),
        skmem=mem,
        packet=details,
        unknown_attributes=tuple(found.items()),
    )


def _details(found: dict[int, bytes]) -> PacketAttrs:
    # Takes what it understands out of *found*. Most hosts have no packet socket, and start without these records.
    from sockdiag.model.link_attrs import BpfInstruction, PacketAttrs, PacketFanout

    info, fanout = found.pop(INFO, None), found.pop(FANOUT, None)
    index = version = reserve = copy_thresh = timestamp = flags = None
    if info is not None:
        index, version, reserve, copy_thresh, timestamp, flags = fields(INFO_STRUCT, info, "PACKET_DIAG_INFO", SOURCE)
    word = number(fanout, 4, "PACKET_DIAG_FANOUT", SOURCE) if fanout is not None else 0
    return PacketAttrs(
        ifindex=index,
        running=bool(flags & FLAG_RUNNING) if flags is not None else None,
        version=version,
        copy_thresh=copy_thresh,
        timestamp=timestamp,
        reserve=reserve,
        flags=flags,
        rx_ring=_ring(found.pop(RX_RING, None), "PACKET_DIAG_RX_RING"),
        tx_ring=_ring(found.pop(TX_RING, None), "PACKET_DIAG_TX_RING"),
        fanout=PacketFanout(word & 0xFFFF, word >> 16) if fanout is not None else None,
        memberships=_array(MCLIST_STRUCT, found.pop(MCLIST, None), "PACKET_DIAG_MCLIST", _membership),
        filter=_array(FILTER_STRUCT, found.pop(FILTER, None), "PACKET_DIAG_FILTER", BpfInstruction._make),
    )


def _ring(payload: bytes | None, name: str) -> PacketRing | None:
    from sockdiag.model.link_attrs import PacketRing

    return PacketRing._make(fields(RING_STRUCT, payload, name, SOURCE)) if payload is not None else None


def _array(layout: Struct, payload: bytes | None, name: str, make: Callable[[Any], Any]) -> tuple[Any, ...] | None:
    if payload is None:
        return None
    if len(payload) % layout.size:
        raise ParseError(SOURCE, 0, name, f"a multiple of {layout.size} bytes", payload)
    return tuple(map(make, layout.iter_unpack(payload)))


def _membership(values: tuple[int, int, int, int, bytes]) -> PacketMembership:
    from sockdiag.model.link_attrs import PacketMembership

    index, count, kind, length, address = values
    return PacketMembership(index, count, kind, address[:length].hex(":"))
