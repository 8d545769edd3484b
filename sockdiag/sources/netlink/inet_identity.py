"""The identity of an IP socket as the kernel looks one up by: struct inet_diag_sockid, from a record of the model."""

from __future__ import annotations

from _socket import AF_INET6 as _PYTHON_AF_INET6  # start-up: docs/rejected.md
from _socket import inet_aton, inet_pton  # start-up: docs/rejected.md

from sockdiag.kernel.byte_order import U32
from sockdiag.kernel.inet_diag import SOCKID
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6
from sockdiag.sources.system.interfaces import interface_index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.model.socket import Socket


def family_of(socket: Socket) -> int:
    """Return the kernel's number of a socket's family."""
    return AF_INET6 if socket.family == "AF_INET6" else AF_INET


def identity(socket: Socket, peer_port: int | None = None) -> bytes:
    """Return struct inet_diag_sockid of a socket that has a cookie.

    Args:
        socket: the socket as netlink showed it.
        peer_port: for a socket without a peer, the port to look it up from.
    """
    assert socket.cookie is not None
    family = family_of(socket)
    local, peer = socket.local, socket.peer
    return SOCKID.pack(
        _port(local.port),
        _port(peer_port or peer.port),
        _address(local.address, family),
        _address(peer.address, family),
        _interface(local.interface),
        cookie_words(socket.cookie),
    )


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


def cookie_words(cookie: int) -> bytes:
    """Return a cookie as two words, the low one first, each in the machine's order."""
    return U32.pack(cookie & 0xFFFFFFFF) + U32.pack(cookie >> 32)
