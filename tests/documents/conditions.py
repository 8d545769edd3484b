"""Conditions that documents show: each fills a network namespace, on ports and in processes with names of their own."""

from __future__ import annotations

import atexit
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

from tests.live.scenarios.load import fill_to, forever, keep, meminfo, reject_all


def process(name: str, role: str) -> None:
    """Call a function of this module in a process called *name*, which holds what it makes until this one ends."""
    program = f"from tests.documents.conditions import act; act({name!r}, {role!r})"
    child = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"made\n"
    atexit.register(child.communicate)  # closes its standard input, and waits for it to end


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
        one = _accepted(server, 7000 + n)[0]
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


def accept_queue_full() -> None:
    """A program does not accept connections."""
    process("pooler", "_pooler")


def _accepted(server: socket.socket, port: int) -> tuple[socket.socket, socket.socket]:
    one = _client(server, port)
    return one, keep(server.accept()[0])


def queues() -> None:
    """1000 bytes that nobody reads, at sockets of several kinds; a listener and a name with a connection in their queues."""
    server = _listener(5432, 5)
    _accepted(server, 6000)[0].send(b"x" * 1000)
    closed = _accepted(server, 6001)[0]
    closed.send(b"x" * 1000)
    closed.close()
    _client(server, 6002)
    _udp(5353)[1].send(b"x" * 1000)
    keep(socket.socket(socket.AF_INET, socket.SOCK_RAW, 253))
    raw = keep(socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW))
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 1020, 0, 0, 64, 253, 0, *[socket.inet_aton("127.0.0.1")] * 2)
    raw.sendto(header + b"x" * 1000, ("127.0.0.1", 0))
    stream = keep(socket.socket(socket.AF_UNIX))
    stream.bind("\0stream")
    stream.listen(5)
    first, second = (keep(socket.socket(socket.AF_UNIX)) for _ in range(2))
    first.connect("\0stream")
    second.connect("\0stream")
    keep(stream.accept()[0])
    first.send(b"x" * 1000)
    unread, sender = (keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) for _ in range(2))
    unread.bind("\0datagrams")
    sender.connect("\0datagrams")
    for _ in range(10):
        sender.send(b"x" * 100)


def one_datagram_each() -> None:
    """UDP sockets with one datagram each, of as many bytes as the number of their port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for size in (1, 100, 300, 1000, 1400, 4000, 8000, 30000, 65000):
            receiver = keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            receiver.bind(("127.0.0.1", size))
            sender.sendto(b"x" * size, receiver.getsockname())


def buffer_sizes() -> None:
    """Sockets that asked for receive buffers of different sizes."""
    for port, asked in ((5001, None), (5002, 0), (5003, 100_000), (5004, 100_000_000)):
        sock = keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        if asked is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, asked)
        sock.bind(("127.0.0.1", port))


def given_back_late() -> None:
    """A full UDP buffer, of which some datagrams were read."""
    receiver, sender = _udp(5353)
    fill_to(receiver, sender, 1)
    for _ in range(30):
        receiver.recv(2000)


def filter_rejects() -> None:
    """A UDP socket whose own filter lets nothing in."""
    receiver, sender = _udp(5353)
    reject_all(receiver)
    for _ in range(10):
        sender.send(b"x")


def keepalive() -> None:
    """A connection that is idle and well, after two keep-alive probes."""
    one, other = _accepted(_listener(5432, 5), 6000)
    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
        one.setsockopt(socket.IPPROTO_TCP, option, 1)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    while meminfo(other)[8] < 2:
        time.sleep(0.05)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)


def closed_after_loss() -> None:
    """A UDP socket that overflowed and is closed."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        receiver.bind(("127.0.0.1", 5353))
        for _ in range(50):
            sender.sendto(b"x" * 500, receiver.getsockname())
