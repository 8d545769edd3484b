"""AF_UNIX sockets, from unix_diag."""

from __future__ import annotations

from sockdiag.errors import ParseError
from sockdiag.kernel.byte_order import low_first
from sockdiag.kernel.netlink import NLMSG_HDRLEN
from sockdiag.kernel.sock_diag import AF_UNIX, TYPE_NAMES
from sockdiag.kernel.tcp_states import LISTEN, state_name
from sockdiag.kernel.unix_diag import (
    ICONS,
    MEMINFO,
    MINORBITS,
    MSG,
    MSG_LEN,
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
    SHOW_UID,
    SHOW_VFS,
    SHUTDOWN,
    UID,
    VFS,
    VFS_STRUCT,
)
from sockdiag.model.address import Endpoint
from sockdiag.model.local_attrs import UnixAttrs
from sockdiag.model.query import DETAILS, SKMEM
from sockdiag.model.socket import IN_CONNECTIONS, Socket
from sockdiag.sources.netlink.attributes import attributes, fields, number, skmem, words
from sockdiag.sources.netlink.records import read_records
from sockdiag.sources.system.transport import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockdiag.model.query import Query
    from sockdiag.sources.reading import Reading
    from sockdiag.sources.system.machine import System

SOURCE = "netlink:unix_diag"

_HEAD = NLMSG_HDRLEN + MSG_LEN

# A host may have very many of these: a row starts as a copy, and keeps these values for members that its message lacks.
_BLANK = Socket(netid="unix", family="AF_UNIX", unix=UnixAttrs())._values()
_NO_DETAILS = UnixAttrs()
_TYPE, _STATE, _LOCAL, _RECV_Q, _SEND_Q, _UNIT, _UID, _INODE, _COOKIE, _SHUTDOWN, _SKMEM, _UNIX, _UNKNOWN = (
    Socket.__match_args__.index(name)
    for name in (
        "type",
        "state",
        "local",
        "recv_q",
        "send_q",
        "recv_q_unit",
        "uid",
        "inode",
        "cookie",
        "shutdown",
        "skmem",
        "unix",
        "unknown_attributes",
    )
)


def requests(query: Query) -> tuple[Request, ...]:
    """Return the request for the unix sockets that *query* wants, and for no more than it shows."""
    show = SHOW_NAME | SHOW_PEER | SHOW_RQLEN | SHOW_UID
    if SKMEM in query.needs:
        show |= SHOW_MEMINFO
    if DETAILS in query.needs:
        show |= SHOW_VFS | SHOW_ICONS
    payload = REQ.pack(AF_UNIX, 0, 0, query.states & 0xFFFFFFFF, 0, show, 0xFFFFFFFF, 0xFFFFFFFF)
    return (Request("unix_diag", payload, states=query.states),)


def read(system: System, query: Query) -> Reading:
    """Read the unix sockets of the current network namespace.

    Source: ``unix_diag_dump()``, net/unix/diag.c.

    Raises:
        SourceUnavailable: the kernel has no unix_diag.
        SourceDenied: it may not be read.
    """
    (request,) = requests(query)
    return read_records(system.netlink, request, decode)


def decode(message: bytes) -> Socket:
    """Make a socket of one message.

    Source: ``sk_diag_fill()``, net/unix/diag.c.
    Units: queues in bytes; on a listener connections waiting in accept(2), and its backlog. A datagram socket shows the
    size of the first datagram that waits, not of all.

    Raises:
        ParseError: the message or an attribute is shorter than its struct.
    """
    if len(message) < _HEAD:
        raise ParseError(SOURCE, 0, "nlmsg_len", f"at least {_HEAD}", str(len(message)))
    family, kind, state, inode, cookie = MSG.unpack_from(message, NLMSG_HDRLEN)
    if family != AF_UNIX:
        raise ParseError(SOURCE, NLMSG_HDRLEN, "udiag_family", str(AF_UNIX), str(family))
    found = attributes(message, _HEAD, SOURCE)
    take = found.pop
    row: list[Any] = [*_BLANK]
    row[_TYPE] = TYPE_NAMES.get(kind) or f"SOCK_{kind}"
    row[_STATE] = state_name(state)
    row[_INODE] = inode
    row[_COOKIE] = low_first(cookie)
    if state == LISTEN:
        row[_UNIT] = IN_CONNECTIONS
    if name := take(NAME, b""):
        row[_LOCAL] = Endpoint._make((bound_name(name), None, None))
    if (queues := take(RQLEN, None)) is not None:
        row[_RECV_Q], row[_SEND_Q] = fields(RQLEN_STRUCT, queues, "UNIX_DIAG_RQLEN", SOURCE)
    if (memory := take(MEMINFO, None)) is not None:
        row[_SKMEM] = skmem(memory, "UNIX_DIAG_MEMINFO", SOURCE)
    if (shutdown := take(SHUTDOWN, None)) is not None:
        row[_SHUTDOWN] = number(shutdown, 1, "UNIX_DIAG_SHUTDOWN", SOURCE)
    if (uid := take(UID, None)) is not None and inode:
        row[_UID] = number(uid, 4, "UNIX_DIAG_UID", SOURCE)
    row[_UNIX] = _details(found)
    if found:
        row[_UNKNOWN] = tuple(found.items())
    return Socket._make(row)


def _details(found: dict[int, bytes]) -> UnixAttrs:
    # Takes what it understands out of *found*.
    peer, vfs, icons = found.pop(PEER, None), found.pop(VFS, None), found.pop(ICONS, None)
    if peer is None and vfs is None and icons is None:
        return _NO_DETAILS
    ino, dev = fields(VFS_STRUCT, vfs, "UNIX_DIAG_VFS", SOURCE) if vfs is not None else (None, None)
    return UnixAttrs(
        peer_inode=number(peer, 4, "UNIX_DIAG_PEER", SOURCE) if peer is not None else None,
        vfs_ino=ino,
        vfs_dev=(dev >> MINORBITS, dev & (1 << MINORBITS) - 1) if dev is not None else None,
        icons=words(icons, "UNIX_DIAG_ICONS", SOURCE) if icons is not None else None,
    )


def bound_name(sun_path: bytes) -> bytes:
    """Return the address that a socket is bound to."""
    # A path ends at its NUL; an abstract name begins with one, and all of its bytes count.
    return sun_path if sun_path[0] == 0 else sun_path.split(b"\0", 1)[0]
