"""Conditions that documents show: each fills a network namespace, on ports and in processes with names of their own."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from tests.live.scenarios.load import KEPT, fill_to, forever, keep


def process(name: str, role: str) -> None:
    """Call a function of this module in a process called *name*, which holds what it makes until this one ends."""
    program = f"from tests.documents.conditions import act; act({name!r}, {role!r})"
    child = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"made\n"
    KEPT.append(child)  # its standard input closes when this process ends, and it ends too


def act(name: str, role: str) -> None:
    """Be a process of process()."""
    Path("/proc/self/comm").write_text(name)
    globals()[role]()
    print("made", flush=True)
    sys.stdin.read()


def _udp(port: int) -> tuple[socket.socket, socket.socket]:
    receiver, sender = (keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2))
    receiver.bind(("127.0.0.1", port))
    sender.bind(("127.0.0.1", port + 1))
    sender.connect(receiver.getsockname())
    return receiver, sender


def _listener(port: int, backlog: int) -> socket.socket:
    server = keep(socket.socket())
    server.bind(("127.0.0.1", port))
    server.listen(backlog)
    return server


def _client(server: socket.socket, port: int) -> socket.socket:
    one = keep(socket.socket())
    one.bind(("127.0.0.1", port))
    one.connect(server.getsockname())
    return one


def _statsd() -> None:
    receiver, sender = _udp(8125)
    fill_to(receiver, sender, 0.95)
    forever(lambda: [sender.send(b"x" * 500) for _ in range(5)], 0.01)


def _api() -> None:
    server = _listener(8080, 50)
    for n in range(20):
        one = _client(server, 7000 + n)
        keep(server.accept()[0])
        if n == 0:
            one.send(b"x" * 20_000)
        one.close()


def _pooler() -> None:
    server = _listener(5432, 5)
    for n in range(6):
        _client(server, 6000 + n)


def busy() -> None:
    """Three programs in trouble: one reads too slowly, one does not close, one does not accept."""
    process("statsd", "_statsd")
    process("api", "_api")
    process("pooler", "_pooler")


def udp_overflow() -> None:
    """A program does not read its UDP socket, and more comes."""
    process("statsd", "_statsd")


def accept_queue_full() -> None:
    """A program does not accept connections."""
    process("pooler", "_pooler")
