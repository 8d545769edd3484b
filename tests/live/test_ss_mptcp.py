"""What the kernel's own selftest of MPTCP diagnostics looks for in the output of ss, with connections in a named namespace."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.live.world.namespace import Namespace
from tests.program import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.live, pytest.mark.needs("ip")]

_MPTCP = 262
_KEPT: list[socket.socket] = []
_CONNECTIONS = 8


def listen() -> str:
    """Listen over MPTCP; return why that cannot be done here."""
    try:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, _MPTCP)
    except OSError as error:
        return str(error)
    listener.bind(("127.0.0.1", 0))
    listener.listen(20)
    _KEPT.append(listener)
    return ""


def connect(protocol: int, count: int) -> None:
    """Connect over MPTCP to a listener that speaks it, or only plain TCP."""
    listener = _KEPT[0]
    if protocol != _MPTCP:
        listener = socket.create_server(("127.0.0.1", 0))
        _KEPT.append(listener)
    for _ in range(count):
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, _MPTCP)
        client.connect(listener.getsockname())
        server, _address = listener.accept()
        client.send(b"a")
        server.recv(1)
        server.send(b"b")
        client.recv(1)
        _KEPT.extend((client, server))


def disconnect(left: int = 1) -> None:
    """Close all but the first *left*."""
    while len(_KEPT) > left:
        _KEPT.pop().close()


@pytest.fixture
def named() -> Iterator[tuple[Namespace, str]]:
    namespace = Namespace()
    reason = namespace.call(listen)
    if reason:
        namespace.close()
        pytest.skip(f"no MPTCP here: {reason}")
    name = f"sockdiag-{uuid.uuid4().hex[:8]}"
    if subprocess.run(["ip", "netns", "attach", name, str(namespace.pid)], capture_output=True, check=False).returncode:
        namespace.close()
        pytest.skip("named network namespaces cannot be made here")
    yield namespace, name
    subprocess.run(["ip", "netns", "del", name], check=True)
    namespace.call(disconnect, 0)
    namespace.close()


def ss(*words: str) -> str:
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    done = subprocess.run(
        [sys.executable, "-m", "sockdiag", "ss", *words],
        env=env,
        capture_output=True,
        text=True,
        check=True,
        cwd=PROJECT,
    )
    return done.stdout


def sockets(name: str, word: str) -> int:
    """Count the lines of MPTCP internals that hold a word."""
    return sum(word in line for line in ss("-inmHMN", name).splitlines())


def wait_for(name: str, word: str, count: int) -> None:
    deadline = time.monotonic() + 20
    while sockets(name, word) != count:
        assert time.monotonic() < deadline, ss("-inmHMN", name)
        time.sleep(0.1)


def test_help_names_it() -> None:
    """Without that the selftest skips itself."""
    assert "MPTCP" in ss("-h")


def test_life_of_connections(named: tuple[Namespace, str]) -> None:
    """Listeners, tokens, keys of the peer, fallback to TCP, and nothing left behind."""
    namespace, name = named
    assert sockets(name, "token:") == 0
    assert [len(ss(option, name).splitlines()) for option in ("-nlHMON", "-nlHtON")] == [1, 1]
    namespace.call(connect, _MPTCP, 1)
    wait_for(name, "token:", 2)
    assert (sockets(name, "remote_key"), sockets(name, "fallback")) == (2, 0)
    tokens = [word for line in ss("-inmHMN", name).splitlines() for word in line.split() if word.startswith("token:")]
    assert len({int(token.removeprefix("token:"), 16) for token in tokens}) == 2
    subflows = ss("-tinHN", name)
    assert subflows.count("tcp-ulp-mptcp flags:") == 2
    for token in tokens:
        assert token.removeprefix("token:") in subflows
    namespace.call(disconnect)
    wait_for(name, "token:", 0)
    namespace.call(connect, socket.IPPROTO_TCP, 1)
    # The client's socket is MPTCP's, but speaks plain TCP.
    assert (sockets(name, "remote_key"), sockets(name, "fallback")) == (0, 1)
    namespace.call(disconnect)
    wait_for(name, "fallback", 0)
    namespace.call(connect, _MPTCP, _CONNECTIONS)
    wait_for(name, "token:", 2 * _CONNECTIONS)
    rows = [line for line in ss("-HMN", name).splitlines() if "ESTAB" in line]
    assert len(rows) == 2 * _CONNECTIONS


def test_times_since_the_last_segment(named: tuple[Namespace, str]) -> None:
    """Milliseconds, which pass."""
    namespace, name = named
    namespace.call(connect, _MPTCP, 1)
    looks = []
    for _look in range(2):
        text = ss("-inmHMN", name)
        if "last_data_sent:" not in text and "last_ack_recv:" not in text:
            pytest.skip("the kernel does not tell")
        looks.append([int(w.partition(":")[2]) for w in text.split() if w.startswith("last_data_sent:")])
        time.sleep(0.3)
    assert all(later - sooner >= 250 for sooner, later in zip(*looks, strict=True))
