"""TCP connections: data that flows, slowly or in batches, ends that were closed, readers that are stopped."""

from __future__ import annotations

import os
import select
import signal
import socket
import time

from tests.live.scenarios.acceptors import accept_all, accept_one, connect
from tests.live.scenarios.condition import bad, healthy
from tests.live.scenarios.load import (
    COUNTS,
    KEPT,
    SILENCE_S,
    blame,
    fill_stream,
    forever,
    fork,
    keep,
    listener,
    pair,
    state,
    sysctl,
    until,
)
from tests.live.scenarios.readers import paced

V4, V6 = socket.AF_INET, socket.AF_INET6
STALLED = "TCP_RECEIVER_STALLED"


def _consumer(pause: float, chunk: int, *, size: int = 0, family: int = V4) -> None:
    """Read a chunk, work, read the next, while the other end writes as much as it may."""
    one, other = pair(listener(5, family))
    if size:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    one.setblocking(False)
    forever(lambda: one.send(b"x" * 65536), 0.002)
    other.setblocking(False)

    def read() -> None:
        COUNTS["received"] += len(other.recv(chunk))

    forever(read, pause)


@healthy("TCP data", quick=True)
def tcp_consumer_of_700_ms_batches() -> None:
    _consumer(0.7, 1 << 24)


@healthy("TCP data", why="players fetch the next part of a film when their buffer has room for it")
def films_fetched_in_parts() -> None:
    """Each of eight readers takes 6 MiB and then nothing for three seconds."""
    server = listener(16)
    for i in range(8):
        one, other = pair(server)
        forever(lambda one=one: one.send(b"x" * (1 << 20)), 0)

        def fetch(other: socket.socket = other) -> None:
            taken = 0
            while taken < 6 << 20:
                taken += len(other.recv(1 << 18))
            COUNTS["received"] += taken

        time.sleep(0.2 * (i > 0))
        forever(fetch, 3)


@healthy("TCP data")
def tcp_consumer_of_300_ms_batches() -> None:
    _consumer(0.3, 1 << 20)


@healthy("TCP data")
def tcp_consumer_of_50_ms_batches() -> None:
    _consumer(0.05, 1 << 18)


@healthy("TCP data")
def tcp6_consumer_of_200_ms_batches() -> None:
    _consumer(0.2, 1 << 20, family=V6)


@healthy("TCP data")
def tcp_consumer_with_a_small_fixed_buffer() -> None:
    _consumer(0.1, 1 << 16, size=16384)


@healthy("TCP data")
def tcp_slow_but_steady_reader() -> None:
    """A rate-limited download: the buffer is full whenever one looks, and a tenth of it is read ten times a second."""
    _consumer(0.1, 20_000)


@healthy("TCP data")
def tcp_large_transfer() -> None:
    one, other = pair(listener(5))
    forever(lambda: one.send(b"x" * (1 << 20)), 0)
    forever(lambda: other.recv(1 << 20), 0)


@healthy("TCP data")
def tcp_both_ways() -> None:
    one, other = pair(listener(5))
    for sock in (one, other):
        forever(lambda sock=sock: sock.send(b"x" * 50_000), 0.01)
        forever(lambda sock=sock: sock.recv(1 << 20), 0)


@healthy("TCP data")
def tcp_requests_and_answers() -> None:
    server = listener(64)
    for _ in range(20):
        one, other = pair(server)
        one.settimeout(5)

        def answer(other: socket.socket = other) -> None:
            if data := other.recv(1000):
                other.send(data * 10)

        def ask(one: socket.socket = one) -> None:
            one.send(b"x" * 100)
            one.recv(2000)

        forever(answer, 0)
        forever(ask, 0.05)


@healthy("TCP data")
def tcp_many_idle_connections() -> None:
    server = listener(1000)
    for _ in range(300):
        pair(server)


@healthy("TCP data")
def tcp_long_polls() -> None:
    """Clients that have asked and wait, for as long as it takes."""
    server = listener(100)
    for _ in range(40):
        one, other = pair(server)
        one.send(b"GET /events")
        other.recv(100)


@healthy("TCP data")
def tcp_pings_of_an_idle_pool() -> None:
    server = listener(100)
    for _ in range(30):
        one, other = pair(server)
        for sock in (one, other):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)


@healthy("TCP data")
def tcp_proxy_between_two() -> None:
    """Client, proxy, server, each with a full pipe now and then."""
    front, back = pair(listener(5)), pair(listener(5))
    forever(lambda: front[0].send(b"x" * 100_000), 0.01)
    forever(lambda: back[0].sendall(front[1].recv(1 << 16)), 0)
    forever(lambda: back[1].recv(1 << 20), 0)


@healthy("TCP data")
def tcp_small_bursts_that_wait_a_moment() -> None:
    """Lines of a log: read every 400 ms."""
    one, other = pair(listener(5))
    paced(lambda: one.send(b"x" * 200), 100)
    forever(lambda: other.recv(1 << 16), 0.4)


def _stopped_reader(family: int, server: socket.socket) -> socket.socket:
    one, other = pair(server)
    pid = fork(signal.pause, other)
    os.kill(pid, signal.SIGSTOP)
    until(lambda: state(pid) == "T")
    blame(pid)
    KEPT.remove(other)
    other.close()
    return one


@bad("stalled", "TCP data", STALLED, culprit=True, quick=True)
def tcp_stopped_reader() -> None:
    one = _stopped_reader(V4, listener(5))
    fill_stream(one)


@bad("stalled", "TCP data", STALLED, culprit=True)
def tcp6_stopped_reader() -> None:
    one = _stopped_reader(V6, listener(5, V6))
    fill_stream(one)


@bad("stalled", "TCP data", STALLED)
def tcp_reader_stuck_among_forty() -> None:
    """One of forty connections is not read; the others are busy."""
    server = listener(100)
    one, _other = pair(server)
    fill_stream(one)
    for _ in range(39):
        left, right = pair(server)
        right.setblocking(False)
        forever(lambda left=left: left.send(b"x" * 2000), 0.05)
        forever(lambda right=right: right.recv(1 << 16), 0.02)
    time.sleep(SILENCE_S)


@bad("stalled", "TCP data", STALLED, says="stopped|not read", culprit=True, why="little waits, but of all clients")
def tcp_stopped_server_with_requests_waiting() -> None:
    """Thirty clients have asked; the server is stopped, and their requests wait in its sockets."""
    server = listener(64)
    ends = [pair(server) for _ in range(30)]
    pid = fork(signal.pause, *(other for _one, other in ends))
    os.kill(pid, signal.SIGSTOP)
    until(lambda: state(pid) == "T")
    blame(pid)
    for one, other in ends:
        KEPT.remove(other)
        other.close()
        one.send(b"GET /" + b"x" * 200)


# Ends that were closed


@healthy("TCP states", quick=True)
def churn_with_close_wait_passing() -> None:
    """250 connections a second; the server closes 60 ms after its client did."""
    server = listener(128)
    pending: list[tuple[float, socket.socket]] = []

    def serve() -> None:
        accept_all(server, lambda sock: pending.append((time.monotonic(), sock)))
        while pending and pending[0][0] < time.monotonic() - 0.06:
            pending.pop(0)[1].close()

    forever(serve, 0.01)
    for _ in range(4):
        paced(lambda: connect(server), 62)


@healthy("TCP states")
def churn_with_close_wait_of_half_a_second() -> None:
    server = listener(128)
    pending: list[tuple[float, socket.socket]] = []

    def serve() -> None:
        accept_all(server, lambda sock: pending.append((time.monotonic(), sock)))
        while pending and pending[0][0] < time.monotonic() - 0.5:
            pending.pop(0)[1].close()

    forever(serve, 0.02)
    paced(lambda: connect(server), 80)


@healthy("TCP states")
def churn_seen_with_the_first_look() -> None:
    """Connections that clients close, and the server at once: CLOSE_WAIT for microseconds, 300 times a second."""
    server = listener(128)

    def serve() -> None:
        with server.accept()[0] as sock:
            sock.recv(10)

    for _ in range(2):
        forever(serve, 0)
        paced(lambda: connect(server), 150)


@healthy("TCP states", quick=True)
def half_closed_with_data_flowing() -> None:
    """Clients have sent their request and shut down; the answer is on its way."""
    server = listener(50)
    for _ in range(6):
        one, other = pair(server)
        one.shutdown(socket.SHUT_WR)
        other.setblocking(False)
        paced(lambda other=other: other.send(b"x" * 2000), 50)
        forever(lambda one=one: one.recv(1 << 16), 0.02)


@healthy("TCP states")
def half_closed_while_the_answer_is_computed() -> None:
    """Shut down after the request; the answer takes two seconds, and three are under way."""
    server = listener(50)

    def serve() -> None:
        with server.accept()[0] as sock:
            while sock.recv(100):
                pass
            time.sleep(2)
            sock.send(b"done")

    def ask() -> None:
        with socket.create_connection(server.getsockname(), 10) as sock:
            sock.send(b"q")
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(100):
                pass

    for _ in range(3):
        forever(serve, 0)
        forever(ask, 0.1)


@healthy("TCP states", quick=True, why="an idle pool of eight, which the next use renews; worth a note")
def idle_pool_that_the_server_closed() -> None:
    server = listener(50)
    for _ in range(8):
        _one, other = pair(server)
        KEPT.remove(other)
        other.close()


@healthy("TCP states")
def connections_reaped_in_batches() -> None:
    """A pool whose server closes what is idle, 20 connections a second; a reaper closes its ends every four seconds."""
    server = listener(128)
    idle: list[socket.socket] = []
    KEPT.append(idle)

    def use() -> None:
        one, other = pair(server)
        KEPT.remove(one)
        KEPT.remove(other)
        idle.append(one)
        other.close()

    def reap() -> None:
        ended = idle[:]
        del idle[: len(ended)]
        for one in ended:
            one.close()

    paced(use, 20)
    forever(reap, 4)


@healthy("TCP states")
def clients_of_a_server_that_restarts() -> None:
    """Two hundred connections that end together, every five seconds; the clients notice two seconds later."""
    server = listener(256)

    def restart() -> None:
        ends = [pair(server) for _ in range(200)]
        for _one, other in ends:
            other.close()
            KEPT.remove(other)
        time.sleep(2)
        for one, _other in ends:
            one.close()
            KEPT.remove(one)

    forever(restart, 3)


@healthy("TCP states")
def many_time_wait() -> None:
    server = listener(128)
    forever(lambda: accept_one(server), 0)
    for _ in range(2):
        paced(lambda: connect(server), 200)
    time.sleep(3)


@bad("leaking", "TCP states", "CLOSE_WAIT_LEAK", quick=True, fresh=True)
def close_wait_that_grows() -> None:
    """A server that forgets one connection in ten."""
    server = listener(128)
    numbers = iter(range(1 << 30))
    lost: list[socket.socket] = []
    KEPT.append(lost)
    ends = [pair(server)[0] for _ in range(10)]
    for one in ends:
        KEPT.remove(one)
        one.close()

    def serve() -> None:
        sock = server.accept()[0]
        if next(numbers) % 10:
            sock.close()
        else:
            lost.append(sock)

    forever(serve, 0)
    paced(lambda: connect(server), 60)
    # Until then the process may be one that closes them in batches.
    time.sleep(7)


@bad("leaking", "TCP states", "CLOSE_WAIT_LEAK", says="CLOSE_WAIT")
def close_wait_half_of_the_descriptors() -> None:
    """Sixty of a hundred and twenty descriptors are connections that their peers have closed, for ever."""
    import resource

    server = listener(128)

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (120, 120))
        held = [server.accept()[0] for _ in range(60)]
        while held:
            time.sleep(60)

    child = fork(work, server)
    blame(child)
    for _ in range(60):
        connect(server)
    until(lambda: len(os.listdir(f"/proc/{child}/fd")) > 60)


@bad("leaking", "TCP states", "FIN_WAIT2_LEAK", "CLOSE_WAIT_LEAK")
def fin_wait2_that_grows() -> None:
    """Connections shut down for writing and kept, four more each second."""
    server = listener(256)

    def leak() -> None:
        one, _other = pair(server)
        one.shutdown(socket.SHUT_WR)

    for _ in range(60):
        leak()
    paced(leak, 4)


@healthy("TCP states", why="a handful that stays as it is costs nothing; worth a note")
def fin_wait2_of_six() -> None:
    """Shut down for writing, and waiting for peers that have not closed: it does not grow."""
    server = listener(50)
    for _ in range(6):
        one, _other = pair(server)
        one.shutdown(socket.SHUT_WR)


@healthy("TCP states")
def keep_alive_off_and_peers_gone_quietly_for_minutes() -> None:
    """Connections on which nothing was said for long: nothing tells whether anybody is there, and nothing waits."""
    server = listener(64)
    for _ in range(12):
        pair(server)
    time.sleep(1)


@healthy("TCP states")
def few_ports_used() -> None:
    """Six of ten local ports for one destination are in use, and stay so."""
    sysctl("net.ipv4.ip_local_port_range", "40000 40099")
    server = listener(100)
    for _ in range(60):
        pair(server)


@healthy("TCP data")
def tcp_urgent_and_pushes() -> None:
    one, other = pair(listener(5))
    paced(lambda: one.send(b"!", socket.MSG_OOB), 20)
    paced(lambda: one.send(b"x" * 50), 50)

    def read() -> None:
        select.select([other], [], [], 1)
        other.recv(4096)

    forever(read, 0)


@healthy("TCP data")
def tcp_zero_copy_like_large_writes_on_a_shaped_line() -> None:
    """A line of 20 Mbit/s whose queue has room for what TCP has under way."""
    from tests.live.scenarios.load import command

    command("tc qdisc add dev lo root tbf rate 20mbit burst 100kb limit 20000000")
    one, other = pair(listener(5))
    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 100_000)
    forever(lambda: one.send(b"x" * 30_000), 0)
    forever(lambda: other.recv(1 << 20), 0)


@bad("stalled", "TCP data", "ZERO_WINDOW_FROM_PEER", STALLED)
def tcp_window_closed_for_long_on_a_small_buffer() -> None:
    """Both ends are here: the reader of a connection with a fixed small buffer sleeps."""
    server = listener(5)
    for _ in range(3):
        one, other = pair(server)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        fill_stream(one)
    keep(socket.socket())
    time.sleep(SILENCE_S)
