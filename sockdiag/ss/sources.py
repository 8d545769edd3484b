"""The tables in the order in which they are shown, each from netlink, from files, or not at all."""

from __future__ import annotations

from sockdiag.errors import SourceUnavailable
from sockdiag.kernel.netlink import NLMSG_HDRLEN
from sockdiag.kernel.sock_diag import AF_NETLINK, AF_PACKET, AF_TIPC, AF_UNIX, AF_VSOCK, AF_XDP
from sockdiag.ss.answers import dumped, records, split, tell
from sockdiag.ss.context import redirected
from sockdiag.ss.tables import (
    CLOSED,
    DCCP,
    INET_FAMILIES,
    INET_TABLES,
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
    from sockdiag.ss.context import Context


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
    if tables & INET_TABLES and families & INET_FAMILIES:
        from sockdiag.ss.inet_tables import show_table

        for table in (RAW, UDP, TCP, DCCP, SCTP):
            if tables & table:
                show_table(context, table)
    if tables & VSOCK_TABLES and families >> AF_VSOCK & 1:
        _vsock(context)
    if tables & TIPC and families >> AF_TIPC & 1:
        _tipc(context)
    if tables & XDP and families >> AF_XDP & 1:
        _xdp(context)
    if tables & MPTCP and families & INET_FAMILIES:
        from sockdiag.ss.inet_tables import show_table

        show_table(context, MPTCP)


def _netlink(context: Context) -> None:
    from sockdiag.kernel.netlink_diag import MSG_LEN
    from sockdiag.ss import netlink

    if not redirected("PROC_NET_NETLINK"):
        try:
            for message, found in records(context, "netlink_diag", netlink.request(context), NLMSG_HDRLEN + MSG_LEN):
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
            for message, found in records(context, "packet_diag", packet.request(context), NLMSG_HDRLEN + MSG_LEN):
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
            for message, found in records(context, "unix_diag", unix.request(context), NLMSG_HDRLEN + MSG_LEN):
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
        for message, found in records(context, "xdp_diag", xdp_request(context), NLMSG_HDRLEN + MSG_LEN):
            row = xdp_row(message, found)
            if context.accepts is None or context.accepts(row):
                context.layout.row(xdp_cells(row, context))
    except SourceUnavailable as error:
        tell(error, context)
