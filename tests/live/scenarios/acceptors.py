"""Listeners and those that accept: in batches, in bursts, stopped, of TCP; those of unix are in messages.py."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING

from tests.live.scenarios.condition import bad, healthy
from tests.live.scenarios.load import COUNTS, KEPT, LOOPBACK, blame, client, forever, fork, keep, listener, state, until
from tests.live.scenarios.readers import paced

if TYPE_CHECKING:
    from collections.abc import Callable

V4, V6 = socket.AF_INET, socket.AF_INET6
FULL, OVERFLOW = "ACCEPT_QUEUE_FULL", "ACCEPT_QUEUE_OVERFLOW"


def accept_all(server: socket.socket, then: Callable[[socket.socket], None] = socket.socket.close) -> None:
    """Accept what waits."""
    server.setblocking(False)
    while True:
        try:
            sock = server.accept()[0]
        except BlockingIOError:
            return
        COUNTS["accepted"] += 1
        then(sock)


def accept_one(server: socket.socket) -> None:
    """Wait for a connection, and close it."""
    server.accept()[0].close()


def connect(server: socket.socket) -> None:
    """Connect and close again."""
    with socket.socket(server.family, socket.SOCK_STREAM) as sock:
        sock.settimeout(5)
        try:
            sock.connect((LOOPBACK[server.family], server.getsockname()[1]))
        except OSError:
            COUNTS["lost_connects"] += 1


def waiting(port: int) -> int:
    """Return how many connections wait in a listener's accept queue."""
    with open("/proc/thread-self/net/tcp") as one, open("/proc/thread-self/net/tcp6") as other:
        rows = [line.split() for line in (*one, *other)]
    return sum(int(w[4].partition(":")[2], 16) for w in rows if w[1].endswith(f":{port:04X}") and w[3] == "0A")


def _batches(period: float, peak: int, backlog: int = 128, family: int = V4) -> None:
    server = listener(backlog, family)
    port = server.getsockname()[1]

    def step() -> None:
        if waiting(port) < peak * 1.2:
            connect(server)

    for _ in range(3):
        paced(step, peak / period / 3, catch_up=10)
    forever(lambda: accept_all(server), period)


@healthy("accept queue", quick=True)
def accept_batches_of_200_ms() -> None:
    _batches(0.2, 70)


@healthy("accept queue")
def accept6_batches_of_200_ms() -> None:
    _batches(0.2, 70, family=V6)


@healthy("accept queue")
def accept_batches_of_50_ms() -> None:
    _batches(0.05, 25)


@healthy("accept queue", quick=True)
def accept_batches_of_700_ms() -> None:
    _batches(0.7, 80)


@healthy("accept queue")
def accept_batches_of_350_ms_to_four_fifths() -> None:
    _batches(0.35, 100)


@healthy("accept queue")
def accept_batches_of_two_seconds() -> None:
    _batches(2.0, 60)


@healthy("accept queue")
def accept_standing_queue() -> None:
    """Forty always wait, none of them for long."""
    server = listener(128)
    clients = [client(server) for _ in range(40)]

    def step() -> None:
        clients.append(client(server))
        server.accept()[0].close()
        # Its client goes when it has been served.
        old = clients.pop(0)
        KEPT.remove(old)
        old.close()

    forever(step, 0.004)


@healthy("accept queue")
def accept_bursts() -> None:
    """A burst of SYNs each second, accepted at once."""
    server = listener(128)
    server.settimeout(None)

    def burst() -> None:
        made = [socket.socket(V4, socket.SOCK_STREAM) for _ in range(60)]
        for sock in made:
            sock.setblocking(False)
            sock.connect_ex(server.getsockname())
        time.sleep(0.3)
        for sock in made:
            sock.close()

    forever(burst, 0.7)
    forever(lambda: accept_one(server), 0)


@healthy("accept queue")
def accept_late_bursts_to_a_slow_loop() -> None:
    """Bursts that take a loop with 5 ms of work for each connection half a second."""
    server = listener(128)

    def serve() -> None:
        sock = server.accept()[0]
        time.sleep(0.005)
        sock.close()

    def burst() -> None:
        made = [socket.socket(V4, socket.SOCK_STREAM) for _ in range(60)]
        for sock in made:
            sock.setblocking(False)
            sock.connect_ex(server.getsockname())
        time.sleep(0.8)
        for sock in made:
            sock.close()

    forever(serve, 0)
    forever(burst, 0.2)


@healthy("accept queue")
def accept_by_four_processes() -> None:
    """A listener that four processes share."""
    server = listener(64)
    for _ in range(4):
        fork(lambda: _accept_forever(server), server)
    paced(lambda: connect(server), 150)


def _accept_forever(server: socket.socket) -> None:
    server.setblocking(True)
    while True:
        server.accept()[0].close()


@healthy("accept queue", noise=("drops.own.*",))
def accept_deferred_until_data_comes() -> None:
    """TCP_DEFER_ACCEPT: the listener drops each handshake's last ACK, as it was told to, and takes the data instead."""
    server = listener(64)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)

    def serve() -> None:
        with server.accept()[0] as sock:
            sock.recv(100)

    def ask() -> None:
        with socket.create_connection(server.getsockname(), 5) as sock:
            sock.send(b"GET /")
            sock.recv(10)

    forever(serve, 0)
    forever(ask, 0.01)


@healthy("accept queue")
def accept_loop_with_gc_pauses() -> None:
    server = listener(128)
    rounds = iter(range(1 << 30))

    def serve() -> None:
        accept_all(server)
        if next(rounds) % 100 == 99:
            time.sleep(0.4)

    forever(serve, 0.01)
    paced(lambda: connect(server), 120)


@bad(
    "stalled",
    "accept queue",
    FULL,
    also=("at_risk",),
    says="not accept|nobody accepts|stopped|accepts none",
    quick=True,
)
def accept_loop_stuck_at_half() -> None:
    server = listener(63)
    for _ in range(32):
        client(server)


@bad("stalled", "accept queue", FULL, also=("at_risk",), says="not accept|nobody accepts|stopped|accepts none")
def accept_loop_stuck_for_long_at_a_deep_queue() -> None:
    """Ten clients wait for a server that is deadlocked, which leaves nearly all of 2048 places free."""
    server = listener(2047)
    for _ in range(10):
        client(server)
    time.sleep(6.5)


@bad("stalled", "accept queue", FULL, also=("at_risk",), says="not accept|nobody accepts|stopped|accepts none")
def accept6_loop_stuck_at_half() -> None:
    server = listener(63, V6)
    for _ in range(32):
        client(server)


def _stopped_acceptor(server: socket.socket) -> int:
    pid = fork(lambda: _accept_forever(server), server)
    os.kill(pid, signal.SIGSTOP)
    until(lambda: state(pid) == "T")
    blame(pid)
    return pid


@bad(
    "stalled",
    "accept queue",
    FULL,
    also=("at_risk",),
    says="not accept|nobody accepts|stopped|accepts none",
    culprit=True,
)
def accept_loop_stopped_at_half() -> None:
    server = listener(63)
    _stopped_acceptor(server)
    for _ in range(32):
        client(server)
    KEPT.remove(server)
    server.close()


def _knock(address: tuple[str, int], per_s: float = 20) -> None:
    held: list[socket.socket] = []
    KEPT.append(held)

    def knock() -> None:
        sock = socket.socket(V6 if ":" in address[0] else V4, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.connect_ex(address)
        held.append(sock)
        if len(held) > 200:
            held.pop(0).close()

    paced(knock, per_s)


@bad(
    "dropping",
    "accept queue",
    OVERFLOW,
    truth=("TcpExt.ListenOverflows",),
    culprit=True,
    severity="critical",
    quick=True,
    fresh=True,
)
def accept_loop_stopped_and_refusing() -> None:
    server = listener(16)
    _stopped_acceptor(server)
    address = server.getsockname()[:2]
    for _ in range(17):
        client(server)
    KEPT.remove(server)
    server.close()
    _knock(address)


@bad("dropping", "accept queue", OVERFLOW, truth=("TcpExt.ListenOverflows",), severity="critical")
def accept_loop_too_slow() -> None:
    """Twenty a second are accepted of a hundred that come."""
    server = listener(16)

    def serve() -> None:
        sock = server.accept()[0]
        time.sleep(0.05)
        sock.close()

    forever(serve, 0)
    _knock(server.getsockname()[:2], 100)


@bad("dropping", "accept queue", OVERFLOW, truth=("TcpExt.ListenOverflows",), severity="critical")
def accept6_loop_too_slow() -> None:
    server = listener(16, V6)

    def serve() -> None:
        sock = server.accept()[0]
        time.sleep(0.05)
        sock.close()

    forever(serve, 0)
    _knock(server.getsockname()[:2], 100)


@bad("dropping", "accept queue", OVERFLOW, truth=("TcpExt.ListenOverflows",))
def accept_one_worker_of_four_stuck() -> None:
    """SO_REUSEPORT: a fourth of all connections goes to a listener whose process does not accept."""
    port = 0
    for number in range(4):
        sock = keep(socket.socket(V4, socket.SOCK_STREAM))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen(8)
        port = sock.getsockname()[1]
        if number:
            threading.Thread(target=_accept_quietly, args=(sock,), daemon=True).start()
    _knock(("127.0.0.1", port), 40)


def _accept_quietly(server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        _accept_forever(server)


@bad("dropping", "accept queue", OVERFLOW, truth=("TcpExt.ListenOverflows",), severity="critical")
def accept_backlog_of_one() -> None:
    """Bursts of twelve to a listener that asked for room for one."""
    server = listener(1)

    def burst() -> None:
        made = [socket.socket(V4, socket.SOCK_STREAM) for _ in range(12)]
        for sock in made:
            sock.setblocking(False)
            sock.connect_ex(server.getsockname())
        time.sleep(0.1)
        for sock in made:
            sock.close()

    forever(burst, 0.02)
    forever(lambda: accept_all(server), 0.05)


@bad("at_risk", "accept queue", FULL, also=("stalled", "dropping"), fresh=True)
def accept_queue_filling() -> None:
    """Eight more wait each second, and nobody accepts: full in some seconds."""
    server = listener(200)
    for _ in range(90):
        client(server)
    paced(lambda: client(server), 8)


@bad("dropping", "accept queue", "LISTEN_DROP", says="filter", truth=("drops.own.*",))
def listener_with_a_filter_that_rejects() -> None:
    """A socket filter lets no SYN in: clients wait, nothing but the listener's drops shows it."""
    from tests.live.scenarios.load import reject_all

    server = listener(16)
    reject_all(server)
    _knock(server.getsockname()[:2], 20)
