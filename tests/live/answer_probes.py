"""Connections whose other end is known; run in the process that holds it."""

from __future__ import annotations

import os
import socket
from typing import Any

_kept: list[Any] = []


def keep(*sockets: socket.socket) -> list[tuple[int, int, int]]:
    """Keep sockets; return process, descriptor and inode of each."""
    _kept.extend(sockets)
    return [(os.getpid(), one.fileno(), os.fstat(one.fileno()).st_ino) for one in sockets]


def loopback(address: str, served: int, waiting: int) -> list[tuple[int, int, int]]:
    """A listener, connections that it has accepted (client, server), and clients that it has not."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family)
    listener.bind((address, 0))
    listener.listen(waiting)
    ends = []
    for _ in range(served):
        ends += [socket.create_connection(listener.getsockname()[:2]), listener.accept()[0]]
    ends += [socket.create_connection(listener.getsockname()[:2]) for _ in range(waiting)]
    return keep(listener, *ends)


def unix_pair() -> list[tuple[int, int, int]]:
    return keep(*socket.socketpair())


def unix_server(path: str, kind: int) -> list[tuple[int, int, int]]:
    server = socket.socket(socket.AF_UNIX, kind)
    server.bind(path)
    if kind != socket.SOCK_DGRAM:
        server.listen()
    return keep(server)


def unix_client(path: str, kind: int) -> list[tuple[int, int, int]]:
    client = socket.socket(socket.AF_UNIX, kind)
    client.connect(path)
    return keep(client)


def accept_last() -> list[tuple[int, int, int]]:
    """Accept a connection of the socket that was kept last."""
    return keep(_kept[-1].accept()[0])


def udp() -> list[tuple[int, int, int]]:
    """A server that is connected to nobody, and a client."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("0.0.0.0", 0))
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.connect(("127.0.0.1", server.getsockname()[1]))
    return keep(server, client)


def connect(address: str, port: int) -> list[tuple[int, int, int]]:
    return keep(socket.create_connection((address, port)))


def serve(address: str, port: int) -> list[tuple[int, int, int]]:
    return keep(socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET))


def send_unread(count: int) -> int:
    """Send from the second socket that was kept to the third, which does not read."""
    return _kept[1].send(b"x" * count)
