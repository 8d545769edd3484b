"""AF_XDP sockets, from xdp_diag."""

from __future__ import annotations

from sockdiag.errors import ParseError
from sockdiag.kernel.byte_order import low_first
from sockdiag.kernel.netlink import NLMSG_HDRLEN
from sockdiag.kernel.sock_diag import AF_XDP, TYPE_NAMES
from sockdiag.kernel.tcp_states import CLOSE
from sockdiag.kernel.xdp_diag import (
    INFO,
    INFO_STRUCT,
    MEMINFO,
    MSG,
    MSG_LEN,
    REQ,
    RING_STRUCT,
    RX_RING,
    SHOW_INFO,
    SHOW_MEMINFO,
    SHOW_RING_CFG,
    SHOW_STATS,
    SHOW_UMEM,
    STATS,
    STATS_STRUCT,
    TX_RING,
    UID,
    UMEM,
    UMEM_COMPLETION_RING,
    UMEM_FILL_RING,
    UMEM_STRUCT,
)
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

    from sockdiag.model.link_attrs import XdpAttrs, XdpUmem
    from sockdiag.model.query import Query
    from sockdiag.sources.system.machine import System

SOURCE = "netlink:xdp_diag"

_HEAD = NLMSG_HDRLEN + MSG_LEN


def requests(query: Query) -> tuple[Request, ...]:  # noqa: ARG001  # the kernel has few of them: all is asked for
    """Return the request for the XDP sockets."""
    show = SHOW_INFO | SHOW_RING_CFG | SHOW_UMEM | SHOW_MEMINFO | SHOW_STATS
    return (Request("xdp_diag", REQ.pack(AF_XDP, 0, 0, 0, show, 0xFFFFFFFF, 0xFFFFFFFF)),)


def read(system: System, query: Query) -> Reading:
    """Read the XDP sockets of the current network namespace; all are in state CLOSE.

    Source: ``xsk_diag_dump()``, net/xdp/xsk_diag.c.

    Raises:
        SourceUnavailable: the kernel has no xdp_diag.
        SourceDenied: it may not be read.
    """
    if not query.states >> CLOSE & 1:
        return Reading([])
    (request,) = requests(query)
    interfaces = interface_names(system.files)
    return read_records(system.netlink, request, lambda message: decode(message, interfaces))


def decode(message: bytes, interfaces: Callable[[int], str | None]) -> Socket:
    """Make a socket of one message.

    Source: ``xsk_diag_fill()``, net/xdp/xsk_diag.c.
    Units: queues in bytes of memory, overhead included; the rings are not part of them.

    Args:
        message: with its header.
        interfaces: name of an interface by index.

    Raises:
        ParseError: the message or an attribute is shorter than its struct.
    """
    if len(message) < _HEAD:
        raise ParseError(SOURCE, 0, "nlmsg_len", f"at least {_HEAD}", str(len(message)))
    family, kind, inode, cookie = MSG.unpack_from(message, NLMSG_HDRLEN)
    if family != AF_XDP:
        raise ParseError(SOURCE, NLMSG_HDRLEN, "xdiag_family", str(AF_XDP), str(family))
    found = attributes(message, _HEAD, SOURCE)
    uid, memory = found.pop(UID, None), found.pop(MEMINFO, None)
    details = _details(found)
    mem = skmem(memory, "XDP_DIAG_MEMINFO", SOURCE) if memory is not None else None
    return Socket(
        netid="xdp",
        family="AF_XDP",
        type=TYPE_NAMES.get(kind, f"SOCK_{kind}"),
        state="CLOSE",
        local=Endpoint(interface=interfaces(details.ifindex) if details.ifindex else None),
        recv_q=mem.rmem_alloc if mem else None,
        send_q=mem.wmem_alloc if mem else None,
        uid=number(uid, 4, "XDP_DIAG_UID", SOURCE) if uid is not None else None,
        inode=inode,
        cookie=low_first(cookie),
        skmem=mem,
        xdp=details,
        unknown_attributes=tuple(found.items()),
    )


def _details(found: dict[int, bytes]) -> XdpAttrs:
    # Takes what it understands out of *found*. Most hosts have no XDP socket, and start without these records.
    from sockdiag.model.link_attrs import XdpAttrs, XdpStats

    info, umem, stats = found.pop(INFO, None), found.pop(UMEM, None), found.pop(STATS, None)
    ifindex, queue_id = fields(INFO_STRUCT, info, "XDP_DIAG_INFO", SOURCE) if info is not None else (None, None)
    return XdpAttrs(
        ifindex=ifindex,
        queue_id=queue_id,
        rx_entries=_entries(found.pop(RX_RING, None), "XDP_DIAG_RX_RING"),
        tx_entries=_entries(found.pop(TX_RING, None), "XDP_DIAG_TX_RING"),
        umem=_umem(umem) if umem is not None else None,
        fill_entries=_entries(found.pop(UMEM_FILL_RING, None), "XDP_DIAG_UMEM_FILL_RING"),
        completion_entries=_entries(found.pop(UMEM_COMPLETION_RING, None), "XDP_DIAG_UMEM_COMPLETION_RING"),
        stats=XdpStats._make(fields(STATS_STRUCT, stats, "XDP_DIAG_STATS", SOURCE)) if stats is not None else None,
    )


def _entries(payload: bytes | None, name: str) -> int | None:
    if payload is None:
        return None
    (entries,) = fields(RING_STRUCT, payload, name, SOURCE)
    return int(entries)


def _umem(payload: bytes) -> XdpUmem:
    from sockdiag.model.link_attrs import XdpUmem

    size, umem_id, *rest = fields(UMEM_STRUCT, payload, "XDP_DIAG_UMEM", SOURCE)
    return XdpUmem._make((umem_id, size, *rest))
