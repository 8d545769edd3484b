"""Connections between two network namespaces; runs in the processes that hold them."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

SO_MARK = 36
IP_MTU, IP_MTU_DISCOVER, IP_PMTUDISC_DO = 14, 10, 2
IPV6_MTU = 24

_kept: list[Any] = []


def serve(address: str, port: int) -> None:
    """Listen."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    server = socket.socket(family)
    server.bind((address, port))
    server.listen()
    _kept.append(server)


def connect(
    address: str, port: int, *, kind: int = socket.SOCK_STREAM, mark: int = 0, mapped: bool = False
) -> tuple[str, int, int]:
    """Connect; return the cookie, the local port and what getsockopt(IP_MTU) says."""
    client = socket.socket(socket.AF_INET6 if mapped or ":" in address else socket.AF_INET, kind)
    client.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
    # With the scope of a link-local address.
    place = socket.getaddrinfo(f"::ffff:{address}" if mapped else address, port, client.family, kind)[0][4]
    client.connect(place)
    _kept.append(client)
    return cookie_of(client), client.getsockname()[1], mtu_of(client)


def cookie_of(client: socket.socket) -> str:
    """Return SO_COOKIE as it is shown."""
    return f"{int.from_bytes(client.getsockopt(socket.SOL_SOCKET, 57, 8), 'little'):x}"


def mtu_of(client: socket.socket) -> int:
    """Return the path MTU that the kernel has for a connection."""
    peer = client.getpeername()[0]
    if ":" in peer and not peer.startswith("::ffff:"):
        return client.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU)
    return client.getsockopt(socket.IPPROTO_IP, IP_MTU)


def discover(address: str, size: int) -> tuple[str, int]:
    """Send datagrams that are too large for the path; return the cookie and the MTU that is known then."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
    client.connect((address, 9))
    for _ in range(3):
        with contextlib.suppress(OSError):
            client.send(bytes(size))
    _kept.append(client)
    return cookie_of(client), mtu_of(client)
