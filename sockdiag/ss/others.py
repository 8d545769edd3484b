"""vsock, XDP and TIPC sockets.

**Source:** struct vsock_diag_msg, include/uapi/linux/vm_sockets_diag.h; struct xdp_diag_msg,
include/uapi/linux/xdp_diag.h; struct tipc_sock_diag_req, include/uapi/linux/tipc_sockets_diag.h.
"""

from __future__ import annotations

from struct import Struct

from sockdiag.errors import ParseError
from sockdiag.kernel import vsock_diag, xdp_diag
from sockdiag.kernel.byte_order import ORDER, U32, integer, low_first
from sockdiag.kernel.netlink import NLMSG_HDRLEN
from sockdiag.kernel.sock_diag import AF_TIPC, AF_VSOCK, AF_XDP, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM
from sockdiag.kernel.tcp_states import CLOSE
from sockdiag.sources.netlink.attributes import attributes
from sockdiag.sources.system.transport import Request
from sockdiag.ss.details import memory, sock_details
from sockdiag.ss.row import SocketRow, queue, state_word
from sockdiag.ss.tables import VSOCK_DGRAM, VSOCK_STREAM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.ss.listing import Listing

_VSOCK_NETIDS = {SOCK_STREAM: "v_str", SOCK_DGRAM: "v_dgr"}
_TIPC_NETIDS = {SOCK_STREAM: "ti_st", SOCK_DGRAM: "ti_dg", 4: "ti_rd", SOCK_SEQPACKET: "ti_sq"}
_TIPC_TYPES = {SOCK_STREAM: "STREAM", SOCK_DGRAM: "DGRAM", 4: "RDM", SOCK_SEQPACKET: "SEQPACKET"}

# TIPC_NLA_SOCK and its nested attributes, include/uapi/linux/tipc_netlink.h
_TIPC_SOCK = 2
(
    _ADDR,
    _REF,
    _CON,
    _HAS_PUBL,
    _STAT,
    _TYPE,
    _INO,
    _UID,
    _TIPC_STATE,
    _COOKIE,
) = range(1, 11)
_CON_FLAG, _CON_NODE, _CON_SOCK, _CON_TYPE, _CON_INST = range(1, 6)
_STAT_RCVQ, _STAT_SENDQ, _LINK_CONG, _CONN_CONG, _STAT_DROP = range(5)  # from 0, unlike the others
_TIPC_REQ = Struct(f"{ORDER}BBHI")


def vsock_request(listing: Listing) -> Request:
    """Return what to ask."""
    return Request("vsock_diag", vsock_diag.REQ.pack(AF_VSOCK, 0, 0, listing.settings.selection.states, 0, 0, 0, 0))


def vsock_row(message: bytes) -> SocketRow:
    """Decode one message of a vsock_diag answer."""
    family, kind, state, _shutdown, src_cid, src_port, dst_cid, dst_port, ino, _cookie = vsock_diag.MSG.unpack_from(
        message, NLMSG_HDRLEN
    )
    row = SocketRow(family, kind, state)
    row.lport, row.rport, row.ino = src_port, dst_port, ino
    row.local, row.remote = U32.pack(src_cid), U32.pack(dst_cid)
    return row


def vsock_table(kind: int) -> int:
    """Return the table of a socket type."""
    return VSOCK_DGRAM if kind == SOCK_DGRAM else VSOCK_STREAM


def vsock_cells(row: SocketRow, listing: Listing) -> list[str]:
    """Return the columns of a vsock socket."""
    return [
        _VSOCK_NETIDS.get(row.type, "???"),
        state_word(row.state),
        queue(0),
        queue(0),
        f"{_any(integer(row.local or b''))}:",
        _any(row.lport),
        f"{_any(integer(row.remote or b''))}:",
        _any(row.rport),
        listing.owners_text(row),
        "",
    ]


def _any(number: int) -> str:
    return "*" if number == vsock_diag.ANY else str(number)


def xdp_request() -> Request:
    """Return what to ask."""
    show = xdp_diag.SHOW_INFO | xdp_diag.SHOW_RING_CFG | xdp_diag.SHOW_UMEM | xdp_diag.SHOW_MEMINFO
    return Request("xdp_diag", xdp_diag.REQ.pack(AF_XDP, 0, 0, 0, show | xdp_diag.SHOW_STATS, 0, 0))


def xdp_row(message: bytes, found: dict[int, bytes]) -> SocketRow:
    """Decode one message of an xdp_diag answer."""
    family, kind, ino, cookie = xdp_diag.MSG.unpack_from(message, NLMSG_HDRLEN)
    row = SocketRow(family, kind, CLOSE)
    row.ino, row.sk, row.attributes = ino, low_first(cookie), found
    if len(found.get(xdp_diag.MEMINFO, b"")) >= 4:
        row.rq = integer(found[xdp_diag.MEMINFO][:4])
    if len(found.get(xdp_diag.INFO, b"")) >= xdp_diag.INFO_STRUCT.size:
        row.iface, row.lport = xdp_diag.INFO_STRUCT.unpack_from(found[xdp_diag.INFO])
    if xdp_diag.UID in found:
        row.uid = integer(found[xdp_diag.UID])
    return row


def xdp_cells(row: SocketRow, listing: Listing) -> list[str]:
    """Return the columns of an XDP socket."""
    settings, found = listing.settings, row.attributes
    bound = bool(row.iface)
    ext = ""
    if settings.details:
        ext += sock_details(row, listing.names)
        for number, name in ((xdp_diag.RX_RING, "rx"), (xdp_diag.TX_RING, "tx")):
            ext += _entries(found, number, name, listing)
        if len(found.get(xdp_diag.UMEM, b"")) >= xdp_diag.UMEM_STRUCT.size:
            size, number, pages, chunk, headroom, ifindex, queue_id, flags, refs = xdp_diag.UMEM_STRUCT.unpack_from(
                found[xdp_diag.UMEM]
            )
            # The blank and the t are what the program prints with -O.
            ext += " tumem(" if settings.oneline else "\n\tumem("
            ext += (
                f"id:{number},size:{size},num_pages:{pages},chunk_size:{chunk},headroom:{headroom},ifindex:{ifindex},"
                f"qid:{queue_id},zc:{flags & 1},refs:{refs})"
            )
        for number, name in ((xdp_diag.UMEM_FILL_RING, "fr"), (xdp_diag.UMEM_COMPLETION_RING, "cr")):
            ext += _entries(found, number, name, listing)
        if len(found.get(xdp_diag.STATS, b"")) >= xdp_diag.STATS_STRUCT.size:
            ext += (
                f"{listing.item}stats(rx dropped:%d,rx invalid:%d,rx queue full:%d,rx fill ring empty:%d,tx invalid:%d,"
                "tx ring empty:%d)" % xdp_diag.STATS_STRUCT.unpack_from(found[xdp_diag.STATS])
            )
    if settings.memory:
        ext += memory(found, xdp_diag.MEMINFO)
    return [
        "xdp",
        state_word(row.state),
        queue(row.rq),
        queue(0),
        f"{listing.names.device(row.iface)}:" if bound else "",
        f"q{row.lport}" if bound else "*",
        "*",
        "",
        listing.owners_text(row),
        ext,
    ]


def _entries(found: object, number: int, name: str, listing: Listing) -> str:
    data = found.get(number, b"")  # type: ignore[attr-defined]
    return f"{listing.item}{name}(entries:{integer(data[:4])})" if len(data) >= 4 else ""


def tipc_request(listing: Listing) -> Request:
    """Return what to ask."""
    return Request("tipc_diag", _TIPC_REQ.pack(AF_TIPC, 0, 0, listing.settings.selection.states))


def tipc_cells(message: bytes, listing: Listing) -> list[str] | None:
    """Return the columns of a message of a tipc_diag answer; None if it has no attributes."""
    settings = listing.settings
    try:
        outer = attributes(message, NLMSG_HDRLEN, "netlink:tipc_diag")
        found = attributes(outer.get(_TIPC_SOCK, b""), 0, "netlink:tipc_diag")
        stat = attributes(found.get(_STAT, b""), 0, "netlink:tipc_diag")
        connection = attributes(found.get(_CON, b""), 0, "netlink:tipc_diag")
    except ParseError:
        return None
    if not found:
        return None
    kind = integer(found.get(_TYPE, b""))
    row = SocketRow(AF_TIPC, kind, integer(found.get(_TIPC_STATE, b"")))
    row.ino, row.uid = integer(found.get(_INO, b"")), integer(found.get(_UID, b""))
    row.sk = integer(found.get(_COOKIE, b""))
    peer = ["-", ""]
    if _CON_NODE in connection:
        peer = [f"{integer(connection[_CON_NODE])}:", str(integer(connection.get(_CON_SOCK, b"")))]
    # Details go to the column that is current, the processes': without -p they are lost.
    process = sock_details(row, listing.names) if settings.details else ""
    process += listing.owners_text(row)
    if settings.tipcinfo:
        congested = "link" if _LINK_CONG in stat else "conn" if _CONN_CONG in stat else "none"
        process += "" if settings.oneline else "\n"
        process += f" type:{_TIPC_TYPES.get(kind, '')} cong:{congested}  drop:{integer(stat.get(_STAT_DROP, b''))} "
        process += " publ" if _HAS_PUBL in found else ""
        if _CON_FLAG in connection:
            process += f" via {{{integer(connection.get(_CON_TYPE, b''))},{integer(connection.get(_CON_INST, b''))}}} "
    return [
        _TIPC_NETIDS.get(kind, "???"),
        state_word(row.state),
        queue(integer(stat.get(_STAT_RCVQ, b""))),
        queue(integer(stat.get(_STAT_SENDQ, b""))),
        f"{integer(found.get(_ADDR, b''))}:",
        str(integer(found.get(_REF, b""))),
        *peer,
        process,
        "",
    ]
