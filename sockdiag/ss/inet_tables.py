"""The inet_diag tables, from netlink or from /proc, and -K, which closes their sockets (SOCK_DESTROY)."""

from __future__ import annotations

import errno
import os

from sockdiag.errors import SourceDenied, SourceError
from sockdiag.kernel.inet_diag import (
    EXT_CONG,
    EXT_INFO,
    EXT_MEMINFO,
    EXT_SKMEMINFO,
    EXT_TCLASS,
    EXT_TOS,
    EXT_VEGASINFO,
    MSG_ATTRIBUTES,
    MSG_FAMILY,
    MSG_SOCKID,
)
from sockdiag.kernel.sock_diag import (
    AF_INET,
    AF_INET6,
    IPPROTO_DCCP,
    IPPROTO_MPTCP,
    IPPROTO_RAW,
    IPPROTO_SCTP,
    IPPROTO_TCP,
    IPPROTO_UDP,
    SOCK_DESTROY,
)
from sockdiag.sources.netlink.inet_request import request as dump_request
from sockdiag.sources.system.transport import KernelTransport
from sockdiag.ss.answers import REFUSED, dumped, report, split
from sockdiag.ss.listing import redirected
from sockdiag.ss.output import complain
from sockdiag.ss.tables import DCCP, MPTCP, RAW, SCTP, TCP, UDP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.system.transport import Request
    from sockdiag.ss.bulk import Bulk
    from sockdiag.ss.listing import Listing
    from sockdiag.ss.row import SocketRow
    from sockdiag.ss.settings import Settings


class TableEnd(Exception):
    """A table ends before its last socket."""


# Table, name, protocol, database of service names, whether /proc has it too; in the order of the output.
_INET = {
    RAW: ("raw", IPPROTO_RAW, "raw", True),
    UDP: ("udp", IPPROTO_UDP, "udp", True),
    TCP: ("tcp", IPPROTO_TCP, "tcp", True),
    DCCP: ("dccp", IPPROTO_DCCP, "", False),
    SCTP: ("sctp", IPPROTO_SCTP, "", False),
    MPTCP: ("mptcp", IPPROTO_MPTCP, "", False),
}


def show_table(listing: Listing, table: int) -> None:
    """Show one of the tables, from the first source that has it."""
    name, protocol, services, in_proc = _INET[table]
    settings = listing.settings
    from sockdiag.ss.bulk import Bulk, possible

    if services:
        listing.names.protocol = services
    if redirected(f"PROC_NET_{name.upper()}"):
        if in_proc:
            _inet_proc(listing, name, protocol)
        return
    if listing.refused:
        _fall_back(listing, table, os.strerror(errno.EINVAL))
        return
    bulk: Bulk | None = None
    if possible(listing, protocol):
        bulk = Bulk(listing, protocol)
    for number, request in enumerate(inet_requests(settings, table, listing.bytecode)):
        try:
            for datagram in dumped(listing, request):
                if bulk is None or not bulk.take(datagram):
                    show_inet(listing, datagram, protocol, request.name)
        except TableEnd:
            return
        except REFUSED as error:
            report(error, listing, table)
            if not number:
                _fall_back(listing, table, error.reason if isinstance(error, SourceDenied) else "")
            return


def _fall_back(listing: Listing, table: int, reason: str) -> None:
    """Show the table from /proc, if it has it; with -K nothing, for what is listed there was not closed.

    Args:
        listing: the run.
        table: the table.
        reason: why the kernel does not answer; "" where it has no handler.
    """
    name, protocol, _services, in_proc = _INET[table]
    if in_proc and listing.settings.kill:
        if reason:
            complain(f"SOCK_DESTROY answers: {reason}\n")
    elif in_proc:
        _inet_proc(listing, name, protocol)


def inet_requests(settings: Settings, table: int, bytecode: bytes | None) -> list[Request]:
    """Return what to ask for one table: the preferred family, or IPv4 and then IPv6."""
    extensions = 0
    if settings.memory:
        extensions |= EXT_MEMINFO | EXT_SKMEMINFO
    if settings.info:
        extensions |= EXT_INFO | EXT_VEGASINFO | EXT_CONG
    if settings.tos:
        extensions |= EXT_TOS | EXT_TCLASS
    name, protocol, _services, _in_proc = _INET[table]
    preferred, states = settings.selection.preferred, settings.selection.states
    families = (preferred,) if preferred in (AF_INET, AF_INET6) else (AF_INET, AF_INET6)
    requests = [
        # Error messages name the table, not the family.
        dump_request(family, protocol, states, extensions, bytecode or b"")._replace(name=f"inet_diag_{name}")
        for family in families
    ]
    if settings.storages is not None:
        wanted = settings.storages.request()
        requests = [request._replace(payload=request.payload + wanted) for request in requests]
    return requests


def _inet_proc(listing: Listing, name: str, protocol: int) -> None:
    from sockdiag.ss.proc_inet import table

    table(listing, name, protocol if protocol != IPPROTO_RAW else 0)


def show_inet(listing: Listing, datagram: bytes, protocol: int, name: str) -> None:
    """Show the messages of an inet_diag datagram."""
    from sockdiag.ss.inet import decode, show

    families, accepts = listing.settings.selection.families, listing.accepts
    source = f"netlink:{name}"
    for message in split(datagram, name):
        if len(message) < MSG_ATTRIBUTES:
            continue
        if not families >> message[MSG_FAMILY] & 1:
            continue
        row = decode(message, protocol, source)
        if accepts is not None and not accepts(row):
            continue
        if listing.settings.kill and not _destroy(row, message, protocol):
            continue
        listing.layout.row(show(row, listing))


def _destroy(row: SocketRow, message: bytes, protocol: int) -> bool:
    """Ask the kernel to close a socket; return whether it did.

    Raises:
        TableEnd: it may not be closed.
    """
    # What has listed the socket is loaded.
    request = dump_request(row.family, protocol, 1 << row.state, identity=message[MSG_SOCKID])
    try:
        KernelTransport().command(request._replace(name="inet_diag", type=SOCK_DESTROY))
    except SourceError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.ENOENT):
            return False
        complain(f"SOCK_DESTROY answers: {error.reason}\n")
        raise TableEnd from None
    return True
