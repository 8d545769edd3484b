"""Packet sockets.

**Source:** struct packet_diag_msg, include/uapi/linux/packet_diag.h.
"""

from __future__ import annotations

from sockdiag.kernel.byte_order import integer, low_first
from sockdiag.kernel.netlink import NLMSG_HDRLEN
from sockdiag.kernel.packet_diag import (
    FANOUT,
    FILTER,
    FILTER_STRUCT,
    FLAG_RUNNING,
    INFO,
    INFO_STRUCT,
    MEMINFO,
    MSG,
    REQ,
    RING_STRUCT,
    RX_RING,
    SHOW_FANOUT,
    SHOW_FILTER,
    SHOW_INFO,
    SHOW_MEMINFO,
    SHOW_RING_CFG,
    TX_RING,
    UID,
)
from sockdiag.kernel.sock_diag import AF_PACKET, SOCK_RAW
from sockdiag.kernel.tcp_states import CLOSE
from sockdiag.sources.system.transport import Request
from sockdiag.ss.details import memory, sock_details
from sockdiag.ss.row import SocketRow, queue, state_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.ss.listing import Listing

_ALL_PROTOCOLS = 3
_CFM = 0x8902
_FLAGS = (FLAG_RUNNING, "running"), (2, " auxdata"), (4, " origdev"), (8, " vnethdr"), (16, " loss")
_FANOUT_TYPES = ("hash", "lb", "cpu", "roll", "random", "qm")


def request() -> Request:
    """Return what to ask."""
    show = SHOW_INFO | SHOW_MEMINFO | SHOW_FILTER | SHOW_RING_CFG | SHOW_FANOUT
    return Request("packet_diag", REQ.pack(AF_PACKET, 0, 0, 0, show, 0, 0))


def decode(message: bytes, found: dict[int, bytes]) -> SocketRow:
    """Decode one message of a packet_diag answer."""
    family, kind, number, ino, cookie = MSG.unpack_from(message, NLMSG_HDRLEN)
    row = SocketRow(family, kind, CLOSE)
    row.number, row.ino, row.sk, row.attributes = number, ino, low_first(cookie), found
    if len(found.get(MEMINFO, b"")) >= 4:
        row.rq = integer(found[MEMINFO][:4])
    if len(found.get(INFO, b"")) >= INFO_STRUCT.size:
        row.lport = row.iface = INFO_STRUCT.unpack_from(found[INFO])[0]
    if UID in found:
        row.uid = integer(found[UID])
    return row


def cells(row: SocketRow, listing: Listing) -> list[str]:
    """Return the fixed columns, and uid, inode and cookie with -e."""
    if row.number == _ALL_PROTOCOLS:
        protocol = "*"
    else:
        protocol = f"[{row.number}]"
        if not listing.settings.numeric:
            from sockdiag.kernel.ether_types import ETHER_TYPES

            # 6.1 does not know the newest one.
            if not (listing.settings.old and row.number == _CFM):
                protocol = ETHER_TYPES.get(row.number, protocol)
    return [
        "p_raw" if row.type == SOCK_RAW else "p_dgr",
        state_word(row.state),
        queue(row.rq),
        queue(row.wq),
        f"{protocol}:",
        listing.names.device(row.iface) if row.iface else "*",
        "*",
        "",
        listing.owners_text(row),
        sock_details(row, listing.names) if listing.settings.details else "",
    ]


def show(row: SocketRow, listing: Listing) -> list[str]:
    """Return all columns of a message of a packet_diag answer."""
    columns = cells(row, listing)
    found, settings, item = row.attributes, listing.settings, listing.item
    ext = columns[-1]
    if settings.details:
        if len(found.get(INFO, b"")) >= INFO_STRUCT.size:
            _index, version, _reserve, threshold, _tstamp, flags = INFO_STRUCT.unpack_from(found[INFO])
            words = "".join([word for bit, word in _FLAGS if flags & bit]) if flags else "0"
            ext += f"{item}ver:{version} cpy_thresh:{threshold} flags( {words} )"
        for number, name in ((RX_RING, "ring_rx"), (TX_RING, "ring_tx")):
            if len(found.get(number, b"")) >= RING_STRUCT.size:
                ext += f"{item}{name}({_ring(found[number])})"
        if FANOUT in found:
            fanout = integer(found[FANOUT])
            kind = fanout >> 16
            name = _FANOUT_TYPES[kind] if kind < len(_FANOUT_TYPES) else f"0x{kind:x}"
            ext += f"{item}fanout(id:{fanout & 0xFFFF},type:{name})"
    if settings.bpf and FILTER in found:
        ext += item + classic_bpf(found[FILTER])
    if settings.memory:
        ext += memory(found, MEMINFO)
    columns[-1] = ext
    return columns


def _ring(data: bytes) -> str:
    block_size, block_nr, frame_size, frame_nr, retire, _private, features = RING_STRUCT.unpack_from(data)
    return (
        f"blk_size:{block_size},blk_nr:{block_nr},frm_size:{frame_size},frm_nr:{frame_nr},tmo:{retire},"
        f"features:0x{features:x}"
    )


def classic_bpf(data: bytes) -> str:
    """Print the instructions of a classic BPF filter."""
    size = FILTER_STRUCT.size
    program = [FILTER_STRUCT.unpack_from(data, i) for i in range(0, len(data) - size + 1, size)]
    return f"bpf filter ({len(program)}): " + "".join([f" 0x{code:02x} {jt} {jf} {k}," for code, jt, jf, k in program])
