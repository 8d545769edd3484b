"""What `trace` is to see, made in a namespace's process."""

from __future__ import annotations

import contextlib
import socket
import struct

KEPT: list[socket.socket] = []


def receiver(port: int) -> None:
    """Keep a UDP socket that nobody reads."""
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", port))
    KEPT.append(one)


def flood(port: int, datagrams: int) -> int:
    """Send datagrams; return the port they come from."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for _ in range(datagrams):
            one.sendto(bytes(1000), ("127.0.0.1", port))
        return int(one.getsockname()[1])


def listen(port: int) -> None:
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("127.0.0.1", port))
    one.listen(128)
    KEPT.append(one)


def connections(port: int, number: int) -> list[int]:
    """Open and close so many connections to the last listener; return their ports."""
    ports = []
    for _ in range(number):
        client = socket.create_connection(("127.0.0.1", port))
        server, _ = KEPT[-1].accept()
        ports.append(client.getsockname()[1])
        client.close()
        server.recv(1)
        server.close()
    return ports


def unread(port: int) -> int:
    """Close with unread data."""
    client = socket.create_connection(("127.0.0.1", port))
    server, _ = KEPT[-1].accept()
    server.sendall(b"x")
    while not client.recv(1, socket.MSG_PEEK):
        pass
    local = client.getsockname()[1]
    client.close()
    server.close()
    return int(local)


def abort(port: int) -> int:
    """Close with SO_LINGER 0."""
    client = socket.create_connection(("127.0.0.1", port))
    server, _ = KEPT[-1].accept()
    local = client.getsockname()[1]
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    server.close()
    return int(local)


def refused(port: int) -> None:
    """Connect to a closed port."""
    with contextlib.suppress(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
