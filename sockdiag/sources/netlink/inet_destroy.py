"""SOCK_DESTROY: have the kernel close one IP socket, the one with the given cookie and no other.

Source: ``sock_diag_destroy()``, net/core/sock_diag.c; ``tcp_abort()``, ``udp_abort()``, ``raw_abort()``. The kernel finds a socket by its
addresses, and then compares the cookie: a socket that has taken over the addresses is left alone. Linux 4.9 and later, if
built with CONFIG_INET_DIAG_DESTROY.
"""

from __future__ import annotations

import errno

from sockdiag.errors import SourceError, SourceUnavailable
from sockdiag.kernel.inet_diag import REQ_V2, SOCKID
from sockdiag.kernel.sock_diag import AF_INET, SOCK_DESTROY
from sockdiag.sources.netlink.inet_diag import PROTOCOLS
from sockdiag.sources.netlink.inet_identity import cookie_words, family_of, identity
from sockdiag.sources.system.transport import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from sockdiag.model.socket import Socket

    class Commander(Protocol):
        """Sends a request that changes something."""

        def command(self, request: Request) -> None:
            """Send it and wait for the acknowledgement; SourceError if the kernel refuses it."""
            ...


# Tables whose protocols have a diag_destroy.
TABLES = ("tcp", "udp", "udplite", "raw")
SOURCE = "netlink:inet_diag_destroy"
# No socket has it: cookies count up from 1.
_NO_COOKIE = 0xFFFFFFFF_FFFFFFFE
_ANY_STATE = 0xFFFFFFFF


class NotThere(SourceError):
    """No socket has these addresses and this cookie."""


def destroy(kernel: Commander, socket: Socket, peer_port: int | None = None) -> None:
    """Close a socket.

    Args:
        kernel: where the request goes.
        socket: the socket as netlink showed it, with its cookie.
        peer_port: for a socket without a peer, the port to look it up from: of listeners that share a port
            (SO_REUSEPORT) the kernel finds one that depends on it.

    Raises:
        NotThere: it is gone, or the kernel finds another one at its addresses.
        SourceDenied: it needs CAP_NET_ADMIN in the user namespace that owns the network namespace.
        SourceUnavailable: the kernel does not close such sockets.
    """
    assert socket.cookie is not None
    try:
        kernel.command(_request(socket, peer_port))
    except SourceError as error:
        if error.errno in (errno.ENOENT, errno.ESTALE):
            raise NotThere(SOURCE, error.reason, error.errno) from None
        raise


def closes(kernel: Commander, table: str) -> bool:
    """Return whether the kernel closes sockets of a table at all; asks for one that does not exist."""
    nobody = SOCKID.pack(bytes(2), bytes(2), bytes(16), bytes(16), 0, cookie_words(_NO_COOKIE))
    payload = REQ_V2.pack(AF_INET, PROTOCOLS[table], 0, 0, _ANY_STATE, nobody)
    try:
        kernel.command(Request("inet_diag_destroy", payload, SOCK_DESTROY))
    except SourceUnavailable as error:
        return error.errno == errno.ENOENT
    except SourceError:
        return True
    return True


def _request(socket: Socket, peer_port: int | None) -> Request:
    # The port of a raw socket is its protocol, which the request has where the padding of other requests is.
    raw = (socket.local.port or 0) & 0xFF if socket.netid == "raw" else 0
    payload = REQ_V2.pack(family_of(socket), PROTOCOLS[socket.netid], 0, raw, _ANY_STATE, identity(socket, peer_port))
    return Request("inet_diag_destroy", payload, SOCK_DESTROY)
