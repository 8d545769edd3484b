"""SOCK_DESTROY: have the kernel close one IP socket, the one with the given cookie and no other.

Source: ``sock_diag_destroy()``, net/core/sock_diag.c; ``tcp_abort()``, ``udp_abort()``, ``raw_abort()``. The kernel finds a socket by its
addresses, and then compares the cookie: a socket that has taken over the addresses is left alone. Linux 4.9 and later, if
built with CONFIG_INET_DIAG_DESTROY.
"""

from __future__ import annotations

import errno
from _socket import AF_INET6 as _PYTHON_AF_INET6  # start-up: docs/rejected.md
from _socket import inet_aton, inet_pton  # start-up: docs/rejected.md

from sockdiag.errors import SourceError, SourceUnavailable
from sockdiag.kernel.byte_order import U32
from sockdiag.kernel.inet_diag import REQ_V2, SOCKID
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6, SOCK_DESTROY
from sockdiag.sources.netlink.inet_diag import PROTOCOLS
from sockdiag.sources.system.interfaces import interface_index
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
        kernel.command(_request(socket, socket.cookie, peer_port))
    except SourceError as error:
        if error.errno in (errno.ENOENT, errno.ESTALE):
            raise NotThere(SOURCE, error.reason, error.errno) from None
        raise


def closes(kernel: Commander, table: str) -> bool:
    """Return whether the kernel closes sockets of a table at all; asks for one that does not exist."""
    identity = SOCKID.pack(bytes(2), bytes(2), bytes(16), bytes(16), 0, _cookie(_NO_COOKIE))
    payload = REQ_V2.pack(AF_INET, PROTOCOLS[table], 0, 0, _ANY_STATE, identity)
    try:
        kernel.command(Request("inet_diag_destroy", payload, SOCK_DESTROY))
    except SourceUnavailable as error:
        return error.errno == errno.ENOENT
    except SourceError:
        return True
    return True


def _request(socket: Socket, cookie: int, peer_port: int | None) -> Request:
    family = AF_INET6 if socket.family == "AF_INET6" else AF_INET
    local, peer = socket.local, socket.peer
    # The port of a raw socket is its protocol, which the request has where the padding of other requests is.
    raw = (local.port or 0) & 0xFF if socket.netid == "raw" else 0
    identity = SOCKID.pack(
        _port(local.port),
        _port(peer_port or peer.port),
        _address(local.address, family),
        _address(peer.address, family),
        _interface(local.interface),
        _cookie(cookie),
    )
    payload = REQ_V2.pack(family, PROTOCOLS[socket.netid], 0, raw, _ANY_STATE, identity)
    return Request("inet_diag_destroy", payload, SOCK_DESTROY)


def _port(port: int | None) -> bytes:
    return (port or 0).to_bytes(2, "big")


def _address(address: str | bytes | None, family: int) -> bytes:
    if not isinstance(address, str):
        return bytes(16)
    plain = address.partition("%")[0]
    packed = inet_pton(_PYTHON_AF_INET6, plain) if family == AF_INET6 else inet_aton(plain)
    return packed.ljust(16, b"\0")


def _interface(name: str | None) -> int:
    if name is None:
        return 0
    index = interface_index(name)
    # The model names one without a name (any more) by its index.
    return index or (int(name[2:]) if name[:2] == "if" and name[2:].isdecimal() else 0)


def _cookie(cookie: int) -> bytes:
    # Two words, the low one first, each in the machine's order.
    return U32.pack(cookie & 0xFFFFFFFF) + U32.pack(cookie >> 32)
