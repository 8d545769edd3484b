"""The tables in the order in which they are shown, each from netlink, from files, or not at all."""

from __future__ import annotations

import os

from sockdiag.errors import ParseError, SourceError, SourceInterrupted, SourceUnavailable
from sockdiag.kernel.inet_diag import (
    EXT_CONG,
    EXT_INFO,
    EXT_MEMINFO,
    EXT_SKMEMINFO,
    EXT_TCLASS,
    EXT_TOS,
    EXT_VEGASINFO,
    REQ_BYTECODE,
    REQ_PROTOCOL,
    REQ_V2,
)
from sockdiag.kernel.netlink import NLATTR, NLMSG_HDRLEN, align4
from sockdiag.kernel.sock_diag import (
    AF_INET,
    AF_INET6,
    AF_NETLINK,
    AF_PACKET,
    AF_TIPC,
    AF_UNIX,
    AF_VSOCK,
    AF_XDP,
    IPPROTO_DCCP,
    IPPROTO_MPTCP,
    IPPROTO_RAW,
    IPPROTO_SCTP,
    IPPROTO_TCP,
    IPPROTO_UDP,
)
from sockdiag.sources._transport import KernelTransport, Request, messages
from sockdiag.ss.context import redirected
from sockdiag.ss.output import complain
from sockdiag.ss.tables import (
    CLOSED,
    DCCP,
    INET_FAMILIES,
    MPTCP,
    NETLINK,
    PACKET_TABLES,
    RAW,
    SCTP,
    TCP,
    TIPC,
    UDP,
    UNIX_TABLES,
    VSOCK_TABLES,
    XDP,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.sources._transport import Transport
    from sockdiag.sources.tcp_info_guard import GuardedTransport
    from sockdiag.ss.bulk import Bulk
    from sockdiag.ss.context import Context
    from sockdiag.ss.options import Settings


class TableEnd(Exception):
    """A table ends before its last socket."""


INET_MESSAGE = 88  # nlmsghdr and inet_diag_msg

# Table, name, protocol, database of service names, whether /proc has it too; in the order of the output.
_INET = {
    RAW: ("raw", IPPROTO_RAW, "raw", True),
    UDP: ("udp", IPPROTO_UDP, "udp", True),
    TCP: ("tcp", IPPROTO_TCP, "tcp", True),
    DCCP: ("dccp", IPPROTO_DCCP, "", False),
    SCTP: ("sctp", IPPROTO_SCTP, "", False),
    MPTCP: ("mptcp", IPPROTO_MPTCP, "", False),
}


def show(context: Context) -> None:
    """Show every selected table."""
    selection = context.settings.selection
    tables, families = selection.tables, selection.families
    if not selection.states & CLOSED:
        # These have no other state.
        tables &= ~(NETLINK | PACKET_TABLES | XDP)
    if tables & NETLINK and families >> AF_NETLINK & 1:
        _netlink(context)
    if tables & PACKET_TABLES and families >> AF_PACKET & 1:
        _packet(context)
    if tables & UNIX_TABLES and families >> AF_UNIX & 1:
        _unix(context)
    for table in (RAW, UDP, TCP, DCCP, SCTP):
        if tables & table and families & INET_FAMILIES:
            _inet(context, table)
    if tables & VSOCK_TABLES and families >> AF_VSOCK & 1:
        _vsock(context)
    if tables & TIPC and families >> AF_TIPC & 1:
        _tipc(context)
    if tables & XDP and families >> AF_XDP & 1:
        _xdp(context)
    if tables & MPTCP and families & INET_FAMILIES:
        _inet(context, MPTCP)


def inet_payload(settings: Settings, family: int, protocol: int, bytecode: bytes | None) -> bytes:
    """Return the payload of a dump request: struct inet_diag_req_v2 and its attributes."""
    extensions = 0
    if settings.memory:
        extensions |= EXT_MEMINFO | EXT_SKMEMINFO
    if settings.info:
        extensions |= EXT_INFO | EXT_VEGASINFO | EXT_CONG
    if settings.tos:
        extensions |= EXT_TOS | EXT_TCLASS
    payload = REQ_V2.pack(family, protocol & 0xFF, extensions, 0, settings.selection.states, bytes(48))
    if bytecode:
        payload += NLATTR.pack(4 + len(bytecode), REQ_BYTECODE) + bytecode.ljust(align4(len(bytecode)), b"\0")
    if protocol > 0xFF:
        payload += NLATTR.pack(8, REQ_PROTOCOL) + protocol.to_bytes(4, "little")
    return payload


def inet_families(settings: Settings) -> tuple[int, ...]:
    """Return the families that are asked for, in order: the preferred one, or both."""
    preferred = settings.selection.preferred
    return (preferred,) if preferred in (AF_INET, AF_INET6) else (AF_INET, AF_INET6)


def dumped(context: Context, name: str, payload: bytes, *, quiet: bool = False) -> Iterator[bytes]:
    """Yield the datagrams of an answer; tell what went wrong on standard error.

    Args:
        context: the run.
        name: what is asked, for messages.
        payload: the request.
        quiet: raise SourceUnavailable instead of telling it.

    Raises:
        SourceUnavailable: there is no such table, and *quiet*.
    """
    request = Request(name=name, payload=payload)
    transport: Transport = KernelTransport()
    guard: GuardedTransport | None = None
    if context.settings.info:
        # Asking for tcp_info waits, beyond the reach of signals, for an owner that sleeps with its socket locked.
        from sockdiag.sources.tcp_info_guard import GuardedTransport

        transport = guard = GuardedTransport(transport)
    try:
        yield from transport.dump(request)
    except SourceInterrupted:
        complain("Dump was interrupted and may be inconsistent.\n")
    except SourceUnavailable as error:
        if quiet:
            raise
        tell(error, context)
    except SourceError as error:
        complain(f"ss: {error}\n")
    finally:
        if guard is not None:
            for locked in guard.take_errors():
                complain(f"ss: {locked}\n")
            guard.close()


def tell(error: SourceUnavailable, context: Context) -> None:
    """Tell that a table cannot be had, unless nobody asked for it by name."""
    if not context.settings.selection.by_default:
        complain(f"ss: {error}{f': {error.hint}' if error.hint else ''}\n")


def _inet(context: Context, table: int) -> None:
    name, protocol, services, in_proc = _INET[table]
    settings = context.settings
    from sockdiag.ss.bulk import Bulk, possible

    if services:
        context.names.protocol = services
    if table == TCP and "TCPDIAG_FILE" in os.environ:
        from sockdiag.ss.diag_file import show_file

        show_file(context)
        return
    if redirected(f"PROC_NET_{name.upper()}"):
        if in_proc:
            _inet_proc(context, name, protocol)
        return
    bulk: Bulk | None = None
    if possible(context, protocol):
        bulk = Bulk(context, protocol)
    for number, family in enumerate(inet_families(settings)):
        payload = inet_payload(settings, family, protocol, context.bytecode)
        try:
            for datagram in dumped(context, f"inet_diag_{name}", payload, quiet=True):
                if bulk is None or not bulk.take(datagram):
                    show_inet(context, datagram, protocol, f"inet_diag_{name}")
        except TableEnd:
            return
        except SourceUnavailable as error:
            if not number and in_proc:
                _inet_proc(context, name, protocol)
            else:
                tell(error, context)
            return


def _inet_proc(context: Context, name: str, protocol: int) -> None:
    from sockdiag.ss.proc_inet import table

    table(context, name, protocol if protocol != IPPROTO_RAW else 0)


def show_inet(context: Context, datagram: bytes, protocol: int, name: str) -> None:
    """Show the messages of an inet_diag datagram."""
    from sockdiag.ss.inet import decode, show

    families, accepts = context.settings.selection.families, context.accepts
    source = f"netlink:{name}"
    for message in split(datagram, name):
        if len(message) < INET_MESSAGE:
            continue
        if not families >> message[NLMSG_HDRLEN] & 1:
            continue
        row = decode(message, protocol, source)
        if accepts is not None and not accepts(row):
            continue
        if context.settings.kill:
            from sockdiag.ss.kill import destroy

            if not destroy(row, message, protocol):
                continue
        context.layout.row(show(row, context))


def split(datagram: bytes, name: str) -> Iterator[bytes]:
    """Split a datagram into messages; tell on standard error if it does not end where its last message does."""
    try:
        yield from messages(Request(name=name, payload=b""), datagram)
    except SourceError as error:
        complain(f"ss: {error}\n")


def _records(context: Context, name: str, payload: bytes, offset: int) -> Iterator[tuple[bytes, dict[int, bytes]]]:
    """Yield each message of an answer with its attributes; SourceUnavailable as :func:`dumped` if quiet."""
    from sockdiag.sources._attributes import attributes

    for datagram in dumped(context, name, payload, quiet=True):
        for message in split(datagram, name):
            if len(message) < offset:
                continue
            try:
                found = attributes(message, offset, f"netlink:{name}")
            except ParseError as error:
                complain(f"ss: {error}\n")
                found = {}
            yield message, found


def _netlink(context: Context) -> None:
    from sockdiag.kernel.netlink_diag import MSG_LEN
    from sockdiag.ss import netlink

    if not redirected("PROC_NET_NETLINK"):
        try:
            for message, found in _records(context, "netlink_diag", netlink.request(context), NLMSG_HDRLEN + MSG_LEN):
                row, peer, details = netlink.decode(message, found)
                if context.accepts is None or context.accepts(row):
                    netlink.put(row, peer, details, context)
        except SourceUnavailable as error:
            tell(error, context)
        else:
            return
    from sockdiag.ss.proc_others import netlink_table

    netlink_table(context)


def _packet(context: Context) -> None:
    from sockdiag.kernel.packet_diag import MSG_LEN
    from sockdiag.ss import packet

    if not redirected("PROC_NET_PACKET"):
        try:
            for message, found in _records(context, "packet_diag", packet.request(context), NLMSG_HDRLEN + MSG_LEN):
                row = packet.decode(message, found)
                if context.accepts is None or context.accepts(row):
                    context.layout.row(packet.show(row, context))
        except SourceUnavailable as error:
            tell(error, context)
        else:
            return
    from sockdiag.ss.proc_others import packet_table

    packet_table(context)


def _unix(context: Context) -> None:
    from sockdiag.kernel.unix_diag import MSG_LEN
    from sockdiag.ss import unix

    if not redirected("PROC_NET_UNIX"):
        tables = context.settings.selection.tables
        try:
            for message, found in _records(context, "unix_diag", unix.request(context), NLMSG_HDRLEN + MSG_LEN):
                row = unix.decode(message, found)
                if tables & unix.table(row.type) and (context.accepts is None or context.accepts(row)):
                    context.layout.row(unix.show(row, context))
        except SourceUnavailable as error:
            tell(error, context)
        else:
            return
    from sockdiag.ss.proc_others import unix_table

    unix_table(context)


def _vsock(context: Context) -> None:
    from sockdiag.kernel.vsock_diag import MSG_LEN
    from sockdiag.ss.others import vsock_cells, vsock_request, vsock_row, vsock_table

    tables = context.settings.selection.tables
    for datagram in dumped(context, "vsock_diag", vsock_request(context)):
        for message in split(datagram, "vsock_diag"):
            if len(message) >= NLMSG_HDRLEN + MSG_LEN:
                row = vsock_row(message)
                if tables & vsock_table(row.type) and (context.accepts is None or context.accepts(row)):
                    context.layout.row(vsock_cells(row, context))


def _tipc(context: Context) -> None:
    from sockdiag.ss.others import tipc_cells, tipc_request

    for datagram in dumped(context, "tipc_diag", tipc_request(context)):
        for message in split(datagram, "tipc_diag"):
            columns = tipc_cells(message, context)
            if columns is not None:
                context.layout.row(columns)


def _xdp(context: Context) -> None:
    from sockdiag.kernel.xdp_diag import MSG_LEN
    from sockdiag.ss.others import xdp_cells, xdp_request, xdp_row

    try:
        for message, found in _records(context, "xdp_diag", xdp_request(context), NLMSG_HDRLEN + MSG_LEN):
            row = xdp_row(message, found)
            if context.accepts is None or context.accepts(row):
                context.layout.row(xdp_cells(row, context))
    except SourceUnavailable as error:
        tell(error, context)
