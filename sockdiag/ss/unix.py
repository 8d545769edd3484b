"""Unix domain sockets.

**Source:** struct unix_diag_msg, include/uapi/linux/unix_diag.h.
"""

from __future__ import annotations

from sockdiag.kernel.byte_order import integer, low_first
from sockdiag.kernel.netlink import NLMSG_HDRLEN
from sockdiag.kernel.sock_diag import AF_UNIX, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM
from sockdiag.kernel.unix_diag import (
    ICONS,
    MEMINFO,
    MSG,
    NAME,
    PEER,
    REQ,
    RQLEN,
    RQLEN_STRUCT,
    SHOW_ICONS,
    SHOW_MEMINFO,
    SHOW_NAME,
    SHOW_PEER,
    SHOW_RQLEN,
    SHOW_VFS,
    SHUTDOWN,
    VFS,
    VFS_STRUCT,
)
from sockdiag.sources.system.transport import Request
from sockdiag.ss.details import arrows, memory
from sockdiag.ss.output import safe_text
from sockdiag.ss.row import SocketRow, queue, state_word
from sockdiag.ss.tables import UNIX_DGRAM, UNIX_SEQPACKET, UNIX_STREAM, UNIX_TABLES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.ss.listing import Listing

_NETIDS = {SOCK_STREAM: "u_str", SOCK_SEQPACKET: "u_seq"}
_TABLES = {SOCK_STREAM: UNIX_STREAM, SOCK_DGRAM: UNIX_DGRAM, SOCK_SEQPACKET: UNIX_SEQPACKET}


def request(listing: Listing) -> Request:
    """Return what to ask."""
    show = SHOW_NAME | SHOW_PEER | SHOW_RQLEN
    if listing.settings.memory:
        show |= SHOW_MEMINFO
    if listing.settings.details:
        show |= SHOW_VFS | SHOW_ICONS
    return Request("unix_diag", REQ.pack(AF_UNIX, 0, 0, listing.settings.selection.states, 0, show, 0, 0))


def table(kind: int) -> int:
    """Return the table of a socket type; other types are in all."""
    return _TABLES.get(kind, UNIX_TABLES)


def decode(message: bytes, found: dict[int, bytes]) -> SocketRow:
    """Decode one message of a unix_diag answer."""
    family, kind, state, ino, cookie = MSG.unpack_from(message, NLMSG_HDRLEN)
    row = SocketRow(family, kind, state)
    row.lport = row.ino = ino
    row.sk = low_first(cookie)
    row.attributes = found
    if len(found.get(RQLEN, b"")) >= RQLEN_STRUCT.size:
        row.rq, row.wq = RQLEN_STRUCT.unpack_from(found[RQLEN])
    name = found.get(NAME)
    if name is not None:
        row.local = name.replace(b"\0", b"@") if name[:1] == b"\0" else name.split(b"\0", 1)[0]
    if PEER in found:
        row.rport = integer(found[PEER])
    return row


def cells(row: SocketRow, listing: Listing) -> list[str]:
    """Return the fixed columns, the extended one empty."""
    old = listing.settings.old
    return [
        _NETIDS.get(row.type, "u_dgr"),
        state_word(row.state),
        queue(row.rq),
        queue(row.wq),
        f"{safe_text(row.local) if row.local is not None else '*'} ",
        _inode(row.lport, old=old),
        f"{safe_text(row.remote) if row.remote is not None else '*'} ",
        _inode(row.rport, old=old),
        listing.owners_text(row),
        "",
    ]


def _inode(number: int, *, old: bool) -> str:
    return str(number - (1 << 32) if old and number & 1 << 31 else number)


def show(row: SocketRow, listing: Listing) -> list[str]:
    """Return all columns of a message of a unix_diag answer."""
    columns = cells(row, listing)
    found = row.attributes
    ext = memory(found, MEMINFO) if listing.settings.memory else ""
    if listing.settings.details:
        if SHUTDOWN in found:
            ext += arrows(integer(found[SHUTDOWN][:1]))
        if len(found.get(VFS, b"")) >= VFS_STRUCT.size:
            ino, device = VFS_STRUCT.unpack_from(found[VFS])
            # As makedev(3) splits it, although the kernel's own dev_t has twenty minor bits.
            major, minor = device >> 8 & 0xFFF, device & 0xFF | device >> 12 & 0xFFF00
            ext += f" ino:{ino} dev:{major}/{minor}"
        if ICONS in found:
            data = found[ICONS]
            ext += " peers:" + "".join([f" {integer(data[i : i + 4])}" for i in range(0, len(data) - 3, 4)])
    columns[-1] = ext
    return columns
