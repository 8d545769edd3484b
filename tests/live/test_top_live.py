"""``top`` on real sockets: what it shows of a loss, that it closes exactly the socket it names, and that it follows namespaces."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.live import kill_probes as probes
from tests.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live.world.namespace import Namespace

KEPT: list[socket.socket] = []


def full_receiver() -> int:
    """Fill the buffer of a UDP socket that nobody reads; return its port."""
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect(receiver.getsockname())
    KEPT.extend((receiver, sender))
    lose()
    return int(receiver.getsockname()[1])


def lose() -> None:
    for _ in range(3000):
        KEPT[-1].send(b"x" * 500)


def drops(port: int) -> int:
    with open("/proc/net/udp", encoding="ascii") as file:
        for line in file:
            cells = line.split()
            if cells[1].endswith(f":{port:04X}"):
                return int(cells[-1])
    raise LookupError(port)


@pytest.fixture
def terminal(empty_netns: Namespace) -> Iterator[Terminal]:
    made = Terminal("--netns", empty_netns.path, "-d", "0.5", size=(140, 30))
    yield made
    made.close()


def test_loss_is_shown_with_its_socket(empty_netns: Namespace, terminal: Terminal) -> None:
    port = empty_netns.call(full_receiver)
    until = time.monotonic() + 60
    at = terminal.wait_for("1 problems")
    while "DROPPING" not in terminal.written and time.monotonic() < until:
        empty_netns.call(lose)
        time.sleep(0.1)
        at = terminal.wait_for("1 problems", at)
    assert "DROPPING" in terminal.written
    assert "UDP_RECEIVE_BUFFER_FULL" in terminal.written
    terminal.press("2")
    # The socket that loses comes first, with more than nothing.
    terminal.wait_for(rf"LOST/S[^\n]*\r\n[^\n]*udp[^\n]*127\.0\.0\.1:{port}", at)
    assert empty_netns.call(drops, port) > 0
    terminal.press("q")
    assert terminal.end() == 0
    assert terminal.restored()


def test_k_closes_the_socket_that_it_names(empty_netns: Namespace) -> None:
    port, listening = empty_netns.call(probes.listener, socket.AF_INET, "127.0.0.1")
    local, _client, _server = empty_netns.call(probes.connect, socket.AF_INET, "127.0.0.1", port)
    empty_netns.call(probes.connect, socket.AF_INET, "127.0.0.1", port, name="other")
    terminal = Terminal("--netns", empty_netns.path, "-d", "0.5", "--where", f"sport = :{local}", size=(140, 30))
    try:
        at = terminal.wait_for("1 problems")
        terminal.press("2")
        at = terminal.wait_for(rf"127\.0\.0\.1:{local}", at)
        terminal.press("K")
        at = terminal.wait_for(rf"Close tcp ESTABLISHED 127\.0\.0\.1:{local} 127\.0\.0\.1:{port}", at)
        terminal.press("n")
        at = terminal.wait_for("nothing was closed", at)
        assert empty_netns.call(probes.errors, "client") == [0]
        terminal.press("K")
        at = terminal.wait_for(r"Close tcp", at)
        terminal.press("y")
        terminal.wait_for(rf"closed: tcp 127\.0\.0\.1:{local}", at)
        assert empty_netns.call(probes.errors, "client") == [103]
        assert empty_netns.call(probes.errors, "other") == [0]
        terminal.press("q")
        assert terminal.end() == 0
    finally:
        terminal.close()
    assert f"sk:{listening:x}" in " ".join(empty_netns.ss("-Htlne"))
