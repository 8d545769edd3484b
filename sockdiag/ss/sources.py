"""The tables in the order in which they are shown, each from netlink, from files, or not at all."""

from __future__ import annotations

import os

from sockdiag.kernel.netlink import NLMSG_HDRLEN
from sockdiag.kernel.sock_diag import AF_NETLINK, AF_PACKET, AF_TIPC, AF_UNIX, AF_VSOCK, AF_XDP
from sockdiag.ss.answers import REFUSED, dumped, records, report, split
from sockdiag.ss.listing import redirected
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
    from sockdiag.ss.listing import Listing


def show(listing: Listing) -> None:
    """Show every selected table."""
    selection = listing.settings.selection
    tables, families = selection.tables, selection.families
    if not selection.states & CLOSED:
        # These have no other state.
        tables &= ~(NETLINK | PACKET_TABLES | XDP)
    if tables & NETLINK and families >> AF_NETLINK & 1:
        _netlink(listing)
    if tables & PACKET_TABLES and families >> AF_PACKET & 1:
        _packet(listing)
    if tables & UNIX_TABLES and families >> AF_UNIX & 1:
        _unix(listing)
    if tables & INET_TABLES and families & INET_FAMILIES:
        for table in (RAW, UDP, TCP, DCCP, SCTP):
            if tables & table:
                _inet(listing, table)
    if tables & VSOCK_TABLES and families >> AF_VSOCK & 1:
        _vsock(listing)
    if tables & TIPC and families >> AF_TIPC & 1:
        _tipc(listing)
    if tables & XDP and families >> AF_XDP & 1:
        _xdp(listing)
    if tables & MPTCP and families & INET_FAMILIES:
        _inet(listing, MPTCP)


def _inet(listing: Listing, table: int) -> None:
    if table == TCP and "TCPDIAG_FILE" in os.environ:
        from sockdiag.ss.diag_file import show_file

        show_file(listing)
    else:
        from sockdiag.ss.inet_tables import show_table

        show_table(listing, table)


def _netlink(listing: Listing) -> None:
    from sockdiag.kernel.netlink_diag import MSG_LEN
    from sockdiag.ss import netlink

    if not redirected("PROC_NET_NETLINK"):
        try:
            for message, found in records(listing, netlink.request(), NLMSG_HDRLEN + MSG_LEN):
                row, peer, details = netlink.decode(message, found)
                if listing.accepts is None or listing.accepts(row):
                    netlink.put(row, peer, details, listing)
        except REFUSED as error:
            report(error, listing, NETLINK)
        else:
            return
    from sockdiag.ss.proc_others import netlink_table

    netlink_table(listing)


def _packet(listing: Listing) -> None:
    from sockdiag.kernel.packet_diag import MSG_LEN
    from sockdiag.ss import packet

    if not redirected("PROC_NET_PACKET"):
        try:
            for message, found in records(listing, packet.request(), NLMSG_HDRLEN + MSG_LEN):
                row = packet.decode(message, found)
                if listing.accepts is None or listing.accepts(row):
                    listing.layout.row(packet.show(row, listing))
        except REFUSED as error:
            report(error, listing, PACKET_TABLES)
        else:
            return
    from sockdiag.ss.proc_others import packet_table

    packet_table(listing)


def _unix(listing: Listing) -> None:
    from sockdiag.kernel.unix_diag import MSG_LEN
    from sockdiag.ss import unix

    if not redirected("PROC_NET_UNIX"):
        tables = listing.settings.selection.tables
        try:
            for message, found in records(listing, unix.request(listing), NLMSG_HDRLEN + MSG_LEN):
                row = unix.decode(message, found)
                if tables & unix.table(row.type) and (listing.accepts is None or listing.accepts(row)):
                    listing.layout.row(unix.show(row, listing))
        except REFUSED as error:
            report(error, listing, UNIX_TABLES)
        else:
            return
    from sockdiag.ss.proc_others import unix_table

    unix_table(listing)


def _vsock(listing: Listing) -> None:
    from sockdiag.kernel.vsock_diag import MSG_LEN
    from sockdiag.ss.others import vsock_cells, vsock_request, vsock_row, vsock_table

    tables = listing.settings.selection.tables
    try:
        for datagram in dumped(listing, vsock_request(listing)):
            for message in split(datagram, "vsock_diag"):
                if len(message) >= NLMSG_HDRLEN + MSG_LEN:
                    row = vsock_row(message)
                    if tables & vsock_table(row.type) and (listing.accepts is None or listing.accepts(row)):
                        listing.layout.row(vsock_cells(row, listing))
    except REFUSED as error:
        report(error, listing, VSOCK_TABLES)


def _tipc(listing: Listing) -> None:
    from sockdiag.ss.others import tipc_cells, tipc_request

    try:
        for datagram in dumped(listing, tipc_request(listing)):
            for message in split(datagram, "tipc_diag"):
                columns = tipc_cells(message, listing)
                if columns is not None:
                    listing.layout.row(columns)
    except REFUSED as error:
        report(error, listing, TIPC)


def _xdp(listing: Listing) -> None:
    from sockdiag.kernel.xdp_diag import MSG_LEN
    from sockdiag.ss.others import xdp_cells, xdp_request, xdp_row

    try:
        for message, found in records(listing, xdp_request(), NLMSG_HDRLEN + MSG_LEN):
            row = xdp_row(message, found)
            if listing.accepts is None or listing.accepts(row):
                listing.layout.row(xdp_cells(row, listing))
    except REFUSED as error:
        report(error, listing, XDP)
