"""`sockdiag check` at cron's pace: a reader that works in batches raises no alert, a queue that nobody serves does.

The runs are made to look an hour or a minute apart by ageing the entries of the state file.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.plugin import Said, check, older

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.world.namespace import Namespace

RULES = ("--rule", "UDP_RECEIVE_BUFFER_FULL,ACCEPT_QUEUE_FULL,UNIX_LISTENER_FULL")
HELD: dict[str, Any] = {}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a path for a state file."""
    return tmp_path / "state"


def run(file: Path, namespace: Namespace, seconds: float = 60.0) -> Said:
    if file.exists():
        older(file, seconds)
    return check(*RULES, "--state", str(file), namespace=namespace)


# What the process of a namespace does.


def udp_reader(period_s: float | None, per_s: float, size: int) -> int:
    """Send datagrams to a socket that is drained each *period_s*, or never; return its port."""
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.setblocking(False)
    HELD["receiver"] = receiver
    HELD["stop"] = stop = threading.Event()

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not stop.wait(1 / per_s):
                sender.sendto(bytes(size), receiver.getsockname())

    def drain() -> None:
        while not stop.wait(period_s):
            try:
                while True:
                    receiver.recv(65536)
            except BlockingIOError:
                continue

    for target in (send, *((drain,) if period_s else ())):
        threading.Thread(target=target, daemon=True).start()
    return int(receiver.getsockname()[1])


def accept_loop(period_s: float, per_s: float) -> int:
    """Connect to a listener that accepts all that wait each *period_s*; return its port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    listener.setblocking(False)
    HELD["listener"] = listener
    HELD["stop"] = stop = threading.Event()

    def connect() -> None:
        while not stop.wait(1 / per_s):
            client = socket.create_connection(listener.getsockname())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\\1\\0\\0\\0\\0\\0\\0\\0")
            client.close()

    def accept() -> None:
        while not stop.wait(period_s):
            try:
                while True:
                    listener.accept()[0].close()
            except BlockingIOError:
                continue

    for target in (connect, accept):
        threading.Thread(target=target, daemon=True).start()
    return int(listener.getsockname()[1])


def stop() -> None:
    HELD["stop"].set()


def test_a_reader_in_batches(file: Path, empty_netns: Namespace) -> None:
    """A buffer that is drained every 120 ms, at any phase of two runs, an hour or a minute apart."""
    empty_netns.call(udp_reader, 0.12, 400.0, 500)
    chance = random.Random(7)
    for seconds in (60.0, 3600.0, 60.0, 300.0, 60.0, 3600.0):
        said = run(file, empty_netns, seconds)
        assert said.status == 0, said.out
        time.sleep(chance.random() * 0.12)
    empty_netns.call(stop)


def test_an_accept_loop_in_batches(file: Path, empty_netns: Namespace) -> None:
    """An accept queue that is emptied every 200 ms."""
    empty_netns.call(accept_loop, 0.2, 200.0)
    chance = random.Random(8)
    for seconds in (60.0, 3600.0, 60.0, 300.0, 60.0):
        said = run(file, empty_netns, seconds)
        assert said.status == 0, said.out
        time.sleep(chance.random() * 0.2)
    empty_netns.call(stop)


def test_a_queue_that_nobody_serves(file: Path, empty_netns: Namespace) -> None:
    """A buffer that fills slowly is found before it is full, while another socket of the namespace is read."""
    empty_netns.call(udp_reader, 0.05, 100.0, 100)
    port = empty_netns.call(fill, 0.4)
    assert run(file, empty_netns).status in {0, 1}
    said = run(file, empty_netns)
    empty_netns.call(stop)
    assert said.status == 1, said.out
    assert said.line.startswith(f"SOCKDIAG WARNING - UDP_RECEIVE_BUFFER_FULL: udp 127.0.0.1:{port} ")


def fill(share: float) -> int:
    """Fill a part of a buffer that nobody reads; return the port of its socket."""
    HELD["unread"] = unread = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    unread.bind(("127.0.0.1", 0))
    size = unread.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        # truesize of a datagram of 700 bytes
        for _ in range(int(share * size / 1280)):
            sender.sendto(bytes(700), unread.getsockname())
    return int(unread.getsockname()[1])


def test_a_stopped_reader_is_named(file: Path, empty_netns: Namespace) -> None:
    """The line names the process that does not read, and that it is stopped."""
    pid = empty_netns.call(stopped_reader)
    run(file, empty_netns)
    said = run(file, empty_netns)
    os.kill(pid, signal.SIGKILL)
    assert said.status in {1, 2}, said.out
    assert f"({pid}), stopped" in said.line


def stopped_reader() -> int:
    fill(0.6)
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    HELD.pop("unread").close()
    os.kill(pid, signal.SIGSTOP)
    return pid
