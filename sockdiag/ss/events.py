"""-E: report sockets as they are destroyed.

**Source:** the multicast groups SKNLGRP_INET_TCP_DESTROY and the like of NETLINK_SOCK_DIAG.
"""

from __future__ import annotations

from sockdiag.errors import SourceError
from sockdiag.kernel.inet_diag import MSG_ATTRIBUTES
from sockdiag.kernel.netlink import NLMSG_DONE, NLMSG_ERROR, NLMSGHDR, align4
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6
from sockdiag.ss import inet
from sockdiag.ss.answers import kernel
from sockdiag.ss.output import Stop
from sockdiag.ss.tables import TCP, UDP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from sockdiag.ss.listing import Listing

# Family, table, bit of the group SKNLGRP_INET_TCP_DESTROY, …_INET_UDP_…, …_INET6_TCP_…, …_INET6_UDP_…
_GROUPS = ((AF_INET, TCP, 1), (AF_INET, UDP, 2), (AF_INET6, TCP, 4), (AF_INET6, UDP, 8))


def follow(listing: Listing) -> NoReturn:
    """Print destroyed sockets until the program is ended.

    Raises:
        Stop: nothing that is selected can be followed, or the kernel refuses.
    """
    selection = listing.settings.selection
    groups = 0
    for family, table, bit in _GROUPS:
        if selection.families >> family & 1 and selection.tables & table:
            groups |= bit
    if not groups:
        raise Stop(255)
    try:
        for datagram in kernel().events("inet_diag", groups):
            _datagram(listing, datagram)
    except SourceError as error:
        raise Stop(255, f"ss: {error}") from None
    raise Stop(0)


def _datagram(listing: Listing, data: bytes) -> None:
    offset = 0
    selection = listing.settings.selection
    # -K shows what it could destroy: nothing, for these sockets are gone.
    kill = listing.settings.kill
    while len(data) - offset >= MSG_ATTRIBUTES:
        length, kind, _flags, _seq, _pid = NLMSGHDR.unpack_from(data, offset)
        if not MSG_ATTRIBUTES <= length <= len(data) - offset:
            return
        message = data[offset : offset + length]
        offset += align4(length)
        if kind in (NLMSG_DONE, NLMSG_ERROR):
            continue
        row = inet.decode(message, 0, "netlink:inet_diag")
        if selection.families >> row.family & 1 and (listing.accepts is None or listing.accepts(row)) and not kill:
            listing.layout.row(inet.show(row, listing))
        # Also without a row: the header comes with the first event.
        listing.layout.render()
