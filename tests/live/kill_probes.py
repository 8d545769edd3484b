"""Sockets to close, made in a namespace's process; they are kept in the process by name."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct

SO_COOKIE = 57
KEPT: dict[str, list[socket.socket]] = {}


def cookie(one: socket.socket) -> int:
    return int(struct.unpack("=Q", one.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))[0])


def listener(family: int, address: str, port: int = 0, *, reuse: bool = False) -> tuple[int, int]:
    """Keep a listener under its port; return its port and cookie."""
    one = socket.socket(family, socket.SOCK_STREAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    one.bind((address, port))
    one.listen(64)
    port = one.getsockname()[1]
    KEPT.setdefault(f"listener {port}", []).append(one)
    return port, cookie(one)


def connect(family: int, address: str, port: int, *, local_port: int = 0, name: str = "client") -> tuple[int, int, int]:
    """Connect to a kept listener; return the client's port, its cookie and that of the accepted socket."""
    client = socket.socket(family, socket.SOCK_STREAM)
    if local_port:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind((address, local_port))
    client.connect((address, port))
    server, _ = KEPT[f"listener {port}"][0].accept()
    KEPT.setdefault(name, []).append(client)
    KEPT.setdefault("server", []).append(server)
    return client.getsockname()[1], cookie(client), cookie(server)


def udp(family: int, address: str, peer: tuple[str, int] | None = None) -> tuple[int, int]:
    """Keep a UDP socket, bound to a port or connected; return its port and cookie."""
    one = socket.socket(family, socket.SOCK_DGRAM)
    if address:
        one.bind((address, 5353))
    if peer:
        one.connect(peer)
    KEPT.setdefault("udp", []).append(one)
    return one.getsockname()[1], cookie(one)


def raw(protocol: int) -> int:
    one = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
    KEPT.setdefault("raw", []).append(one)
    return cookie(one)


def time_wait(address: str, port: int) -> int:
    """Leave a client in TIME_WAIT; return its port."""
    client = socket.create_connection((address, port))
    server, _ = KEPT[f"listener {port}"][0].accept()
    local = client.getsockname()[1]
    client.close()
    server.recv(1)
    server.close()
    return int(local)


def half_open(address: str) -> int:
    """Leave a request socket at a listener that waits for data first; return its port."""
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 30)
    one.bind((address, 0))
    one.listen(8)
    port = one.getsockname()[1]
    KEPT.setdefault("half open", []).extend((one, socket.create_connection((address, port))))
    return int(port)


def errors(name: str) -> list[int]:
    """Return SO_ERROR of the kept sockets of a name."""
    return [one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) for one in KEPT.get(name, [])]


def reconnect(port: int, local_port: int) -> int:
    """Close the client and connect a new one from the same port; return its cookie."""
    for one in [*KEPT.pop("client", []), *KEPT.pop("server", [])]:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()
    return connect(socket.AF_INET, "127.0.0.1", port, local_port=local_port)[1]


def alive(name: str) -> list[bool]:
    """Return for each kept socket whether it is still connected."""
    found = []
    for one in KEPT.get(name, []):
        try:
            one.getpeername()
            found.append(True)
        except OSError:
            found.append(False)
    return found


def call(*words: str, **environment: str) -> tuple[int, str, str]:
    """Run sockdiag as a child of this process, in its namespace."""
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "sockdiag", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


def through_stdin(port: int, *words: str) -> tuple[int, str, str]:
    """Run sockdiag with a connection as its standard input, as inetd would."""
    import subprocess
    import sys

    client = socket.create_connection(("127.0.0.1", port))
    server, _ = KEPT[f"listener {port}"][0].accept()
    with contextlib.ExitStack() as stack:
        stack.callback(client.close)
        stack.callback(server.close)
        done = subprocess.run(
            [sys.executable, "-m", "sockdiag", *words],
            capture_output=True,
            text=True,
            check=False,
            stdin=server.fileno(),
            timeout=60,
        )
    return done.returncode, done.stdout, done.stderr


def churn(port: int) -> int:
    """Open and close connections to a listener until standard input ends; return how many failed."""
    failed = 0
    while not select.select([0], [], [], 0)[0]:
        try:
            client = socket.create_connection(("127.0.0.1", port))
            server, _ = KEPT[f"listener {port}"][0].accept()
            client.sendall(b"x")
            if server.recv(1) != b"x":
                failed += 1
            client.close()
            server.close()
        except OSError:
            failed += 1
    return failed


def bound_to_device(device: str) -> tuple[int, int]:
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    one.bind(("127.0.0.1", 0))
    one.listen(1)
    KEPT.setdefault("bound", []).append(one)
    return one.getsockname()[1], cookie(one)
