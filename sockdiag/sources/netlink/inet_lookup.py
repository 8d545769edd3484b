"""Read one IP socket with everything that inet_diag reports, without reading that for any other socket.

tcp_info takes the socket lock, so it is not requested for a whole table: the kernel compares the ports of the wanted
socket before it fills anything, and the request goes through the guard.
"""

from __future__ import annotations

from struct import pack

from sockdiag.errors import ParseError, SourceDenied, SourceError, SourceUnavailable
from sockdiag.kernel.inet_diag import BC_D_COND, BC_HOSTCOND, BC_OP, BC_S_COND
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6
from sockdiag.model.query import INET, SKMEM, TCP_INFO
from sockdiag.sources.netlink.inet_diag import PROTOCOLS, decode, extensions
from sockdiag.sources.netlink.inet_request import request
from sockdiag.sources.netlink.records import read_records
from sockdiag.sources.netlink.tcp_info_guard import GuardedTransport
from sockdiag.sources.system.interfaces import interface_names
from sockdiag.sources.system.kernel_version import kernel_version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.model.socket import Socket
    from sockdiag.sources.system.machine import System

TABLES = frozenset(PROTOCOLS)
_ALL = 0xFFFFFFFF


def read_one(system: System, wanted: Socket) -> tuple[Socket | None, list[SourceError | ParseError]]:
    """Read one socket again, with memory, options and tcp_info.

    Args:
        system: the running system.
        wanted: the socket as a listing showed it; it is found by its cookie.

    Returns:
        The socket, None where it is gone, and what could not be asked of it.

    Raises:
        SourceUnavailable: the kernel has no handler for its table.
        SourceDenied: it may not be asked.
    """
    names, version = interface_names(system.files), kernel_version(system.files)
    table = wanted.netid
    ext = extensions((SKMEM, INET, TCP_INFO))
    family = AF_INET6 if wanted.family == "AF_INET6" else AF_INET
    code = b"" if table in ("raw", "mptcp") else _ports(wanted)
    asked = request(family, PROTOCOLS[table], _ALL, ext, code)
    guard = system.guard or GuardedTransport(system.netlink)
    try:
        try:
            reading = read_records(
                guard, asked, lambda message: decode(message, table, names, asked.source, version), _identity
            )
        except (SourceUnavailable, SourceDenied):
            if not code:
                raise
            # A socket of a kernel that refuses the filter: the whole table then.
            asked = request(family, PROTOCOLS[table], _ALL, ext)
            reading = read_records(
                guard, asked, lambda message: decode(message, table, names, asked.source, version), _identity
            )
        errors = [*reading.errors, *guard.take_errors()]
    finally:
        if guard is not system.guard:
            guard.close()
    found = [s for s in reading.sockets if same(s, wanted)]
    return (found[0] if found else None), errors


def same(one: Socket, other: Socket) -> bool:
    """Return whether two records are of one socket: by cookie, else by inode and addresses."""
    if one.cookie is not None and other.cookie is not None:
        return one.cookie == other.cookie
    return (one.netid, one.family, one.inode, one.local, one.peer) == (
        other.netid,
        other.family,
        other.inode,
        other.local,
        other.peer,
    )


def _identity(socket: Socket) -> int | None:
    return socket.cookie


def _ports(wanted: Socket) -> bytes:
    # Two conditions without an address: a filter by address would not see an IPv4-mapped peer of another form.
    size = BC_OP.size + BC_HOSTCOND.size
    reject = BC_OP.size
    ends = (wanted.local.port or 0, wanted.peer.port or 0)
    code = b""
    for i, (operation, port) in enumerate(zip((BC_S_COND, BC_D_COND), ends, strict=True)):
        rest = (1 - i) * size
        code += BC_OP.pack(operation, size, size + rest + reject) + pack(BC_HOSTCOND.format, 0, 0, port)
    return code
