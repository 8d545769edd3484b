"""Netlink messages in files: -D writes them, TCPDIAG_FILE reads them."""

from __future__ import annotations

import os

from sockdiag.errors import SourceError, strerror
from sockdiag.kernel.byte_order import S32
from sockdiag.kernel.inet_diag import MSG_ATTRIBUTES
from sockdiag.kernel.netlink import NLM_F_MULTI, NLMSG_DONE, NLMSG_ERROR, NLMSG_HDRLEN, NLMSGHDR, align4
from sockdiag.kernel.sock_diag import IPPROTO_TCP
from sockdiag.sources.system.proc_root import pieces
from sockdiag.ss.output import Stop, complain
from sockdiag.ss.tables import TCP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.system.transport import Transport
    from sockdiag.ss.listing import Listing
    from sockdiag.ss.settings import Settings


def dump(settings: Settings, transport: Transport | None) -> None:
    """Write the answers about TCP sockets to the file of -D, each with the NLMSG_DONE that ends it.

    Raises:
        Stop: there is nothing to write, or the file cannot be written.
    """
    from sockdiag.ss.answers import REFUSED, dumped, report
    from sockdiag.ss.inet_tables import inet_requests
    from sockdiag.ss.layout import RowLayout
    from sockdiag.ss.listing import Listing

    if not settings.selection.tables & TCP:
        raise Stop(0, "ss: tcpdiag dump requested and no tcp in filter.")
    listing = Listing(settings, RowLayout((), old=settings.old, screen=None), transport)
    path = settings.diag or ""
    to_stdout = path.startswith("-")
    try:
        fd = 1 if to_stdout else os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise Stop(255, f"fopen dump file: {os.strerror(error.errno or 0)}") from None
    try:
        for request in inet_requests(settings, TCP, None):
            header = bytes(NLMSG_HDRLEN)
            try:
                for datagram in dumped(listing, request):
                    header = datagram[:NLMSG_HDRLEN]
                    _write_all(fd, datagram)
            except REFUSED as error:
                report(error, listing, TCP)
                continue
            seq, portid = NLMSGHDR.unpack(header)[3:]
            done = NLMSGHDR.pack(NLMSG_HDRLEN + 4, NLMSG_DONE, NLM_F_MULTI, seq, portid)
            _write_all(fd, done + bytes(4))
    except OSError as error:
        name = "standard output" if to_stdout else path
        raise Stop(1, f"ss: write to {name}: {os.strerror(error.errno or 0)}") from None
    finally:
        if not to_stdout:
            os.close(fd)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def show_file(listing: Listing) -> None:
    """Show the rows of $TCPDIAG_FILE up to its first NLMSG_DONE; neither states nor families are applied."""
    from sockdiag.ss import inet

    listing.names.protocol = "tcp"
    try:
        fd = os.open(os.environ["TCPDIAG_FILE"], os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        complain(f"fopen($TCPDIAG_FILE): {os.strerror(error.errno or 0)}\n")
        return
    try:
        data = b"".join(pieces(fd, "$TCPDIAG_FILE"))
    except SourceError as error:
        complain(f"Reading header from $TCPDIAG_FILE: {error.reason}\n")
        return
    offset = 0
    while True:
        if len(data) - offset < NLMSG_HDRLEN:
            complain("Unexpected EOF reading $TCPDIAG_FILE")
            return
        length, kind, _flags, _seq, _pid = NLMSGHDR.unpack_from(data, offset)
        end = offset + NLMSG_HDRLEN + align4(max(length - NLMSG_HDRLEN, 0))
        if end > len(data):
            complain("Unexpected EOF reading $TCPDIAG_FILE")
            return
        if kind == NLMSG_DONE:
            return
        message = data[offset : offset + length]
        offset = end
        if kind == NLMSG_ERROR:
            _tell_error(message)
            return
        row = inet.decode(message.ljust(MSG_ATTRIBUTES, b"\0"), IPPROTO_TCP, "$TCPDIAG_FILE")
        if listing.accepts is None or listing.accepts(row):
            listing.layout.row(inet.show(row, listing))


def _tell_error(message: bytes) -> None:
    if len(message) < NLMSG_HDRLEN + 20:
        complain("ERROR truncated\n")
        return
    number = -S32.unpack_from(message, NLMSG_HDRLEN)[0]
    complain(f"TCPDIAG answered: {strerror(number)}\n")
