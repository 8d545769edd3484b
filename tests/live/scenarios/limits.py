"""Limits of processes, namespaces and cgroups: descriptors, ports, memory."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import socket
import time

from tests.live.scenarios.acceptors import accept_one, connect
from tests.live.scenarios.condition import bad, healthy
from tests.live.scenarios.load import COUNTS, KEPT, blame, forever, fork, keep, listener, pair, sysctl, until
from tests.live.scenarios.readers import paced

V4 = socket.AF_INET
PORTS = "EPHEMERAL_PORTS"


def _fixed_listener(port: int = 30001) -> socket.socket:
    server = keep(socket.socket(V4, socket.SOCK_STREAM))
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", port))
    server.listen(512)
    return server


def _try(address: tuple[str, int], *, hold: bool) -> None:
    sock = socket.socket(V4, socket.SOCK_STREAM)
    try:
        sock.connect(address)
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            COUNTS["no_port"] += 1
        sock.close()
        return
    if hold:
        keep(sock)
    else:
        sock.close()


def _wait_for_end(server: socket.socket) -> None:
    """Accept a connection that its client ends first, so that the client has the TIME_WAIT."""
    with server.accept()[0] as sock:
        sock.recv(1)


@bad(
    "at_risk",
    "ports",
    PORTS,
    also=("dropping",),
    truth=("app.no_port",),
    severity="critical",
    never="keep-alive|keep connections open|tcp_tw_reuse",
    culprit=True,
    quick=True,
)
def ports_all_open() -> None:
    """A hundred of a hundred ports are open connections; more fail with EADDRNOTAVAIL."""
    sysctl("net.ipv4.ip_local_port_range", "40000 40099")
    server = _fixed_listener()
    for _ in range(100):
        with contextlib.suppress(OSError):
            pair(server)
    blame(os.getpid())
    paced(lambda: _try(("127.0.0.1", 30001), hold=True), 20)


@bad("at_risk", "ports", PORTS, also=("dropping",), truth=("app.no_port",), severity="critical")
def ports_all_in_time_wait() -> None:
    """Two hundred connections that ended hold their ports for a minute."""
    sysctl("net.ipv4.ip_local_port_range", "40000 40199")
    sysctl("net.ipv4.tcp_tw_reuse", 0)
    server = _fixed_listener()
    forever(lambda: _wait_for_end(server), 0)
    paced(lambda: _try(("127.0.0.1", 30001), hold=False), 150)
    until(lambda: COUNTS["no_port"] > 5)


@healthy("ports")
def ports_in_time_wait_that_are_used_again() -> None:
    """tcp_tw_reuse lets new connections take them: none fails."""
    sysctl("net.ipv4.ip_local_port_range", "40000 40999")
    server = _fixed_listener()
    forever(lambda: _wait_for_end(server), 0)
    paced(lambda: _try(("127.0.0.1", 30001), hold=False), 100)
    time.sleep(2)


@healthy("ports")
def ports_of_many_destinations() -> None:
    """As many connections as ports, to four destinations: each has most of the range left."""
    sysctl("net.ipv4.ip_local_port_range", "40000 40099")
    for port in range(30001, 30005):
        server = _fixed_listener(port)
        for _ in range(25):
            pair(server)


@bad("at_risk", "ports", PORTS)
def ports_nearly_all_open() -> None:
    sysctl("net.ipv4.ip_local_port_range", "40000 40099")
    server = _fixed_listener()
    for _ in range(95):
        pair(server)


# Descriptors


def _server_with_few_files(limit: int, used: int) -> tuple[socket.socket, int]:
    server = _fixed_listener()

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        held = []
        server.setblocking(True)
        while True:
            try:
                held.append(server.accept()[0])
            except OSError:
                time.sleep(0.05)

    pid = fork(work, server)
    KEPT.remove(server)
    server.close()
    for _ in range(used):
        keep(socket.create_connection(("127.0.0.1", 30001), 5))
    return server, pid


@bad("at_risk", "descriptors", "FD_LIMIT", also=("stalled", "dropping"), culprit=True, quick=True)
def server_at_its_descriptor_limit() -> None:
    """accept(2) fails with EMFILE, and connections wait."""
    _server, pid = _server_with_few_files(64, 80)
    until(lambda: len(os.listdir(f"/proc/{pid}/fd")) >= 64)
    blame(pid)


@bad("at_risk", "descriptors", "FD_LIMIT", culprit=True)
def server_near_its_descriptor_limit() -> None:
    _server, pid = _server_with_few_files(100, 85)
    until(lambda: len(os.listdir(f"/proc/{pid}/fd")) >= 88)
    blame(pid)


@healthy("descriptors")
def server_with_two_thirds_of_its_descriptors() -> None:
    _server, pid = _server_with_few_files(200, 120)
    until(lambda: len(os.listdir(f"/proc/{pid}/fd")) >= 120)


@bad("dropping", "descriptors", "FD_LIMIT", "ACCEPT_QUEUE_OVERFLOW", culprit=True, truth=("TcpExt.ListenOverflows",))
def server_at_its_descriptor_limit_that_refuses() -> None:
    server = _fixed_listener(30002)
    server.listen(8)

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        held = []
        server.setblocking(True)
        while True:
            try:
                held.append(server.accept()[0])
            except OSError:
                time.sleep(0.05)

    pid = fork(work, server)
    KEPT.remove(server)
    server.close()

    def knock() -> None:
        sock = keep(socket.socket(V4, socket.SOCK_STREAM))
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", 30002))

    for _ in range(80):
        knock()
        time.sleep(0.005)
    until(lambda: len(os.listdir(f"/proc/{pid}/fd")) >= 64)
    blame(pid)
    paced(knock, 10)


@healthy("descriptors")
def server_whose_connections_come_and_go() -> None:
    """Thirty at a time, each for half a second."""
    server = listener(64)
    held: list[tuple[socket.socket, socket.socket]] = []
    KEPT.append(held)

    def step() -> None:
        held.append(pair(server))
        if len(held) > 30:
            for sock in held.pop(0):
                KEPT.remove(sock)
                sock.close()

    paced(step, 60)


@healthy("SYN queue")
def syn_queue_of_slow_clients() -> None:
    """Few handshakes are incomplete at any moment."""
    server = listener(128)
    forever(lambda: accept_one(server), 0)
    paced(lambda: connect(server), 120)


@healthy("SYN queue")
def listener_without_clients_for_long() -> None:
    for _ in range(5):
        listener(128)


@healthy("ports")
def bound_ports_inside_the_range() -> None:
    """Listeners and UDP sockets that sit in the range of ephemeral ports are no connections of a destination."""
    sysctl("net.ipv4.ip_local_port_range", "40000 40063")
    for port in range(40000, 40040):
        sock = keep(socket.socket(V4, socket.SOCK_DGRAM))
        sock.bind(("127.0.0.1", port))
    server = _fixed_listener()
    for _ in range(8):
        pair(server)
