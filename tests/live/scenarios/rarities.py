"""Conditions that are rarer: processes that are frozen or traced, peers that misbehave, bridges, full pairs, clients at limits."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import socket
import struct
import time

from tests.live.scenarios.acceptors import accept_one, connect, waiting
from tests.live.scenarios.condition import bad, healthy
from tests.live.scenarios.links import FAR, NEAR, Far, far_server, line
from tests.live.scenarios.load import (
    COUNTS,
    KEPT,
    blame,
    client,
    command,
    fill_to,
    forever,
    fork,
    keep,
    listener,
    pair,
    state,
    sysctl,
    udp,
    until,
)
from tests.live.scenarios.readers import drain, paced
from tests.live.scenarios.wire import _scripted
from tests.live.world.netdev import add_ipv4, link_up
from tests.live.world.scripted_peer import ACK, PSH

V4, V6 = socket.AF_INET, socket.AF_INET6
_FULL = "UDP_RECEIVE_BUFFER_FULL"


def traced(pid: int) -> None:
    """Stop a process as a debugger does."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.ptrace(16, pid, None, None) == 0, os.strerror(ctypes.get_errno())  # PTRACE_ATTACH
    until(lambda: state(pid) == "t")


@bad("stalled", "UDP reader", _FULL, also=("at_risk",), culprit=True)
def udp_reader_in_a_debugger_at_half() -> None:
    receiver, sender = udp(size=212992)
    pid = fork(signal.pause, receiver)
    traced(pid)
    blame(pid)
    fill_to(receiver, sender, 0.6)
    KEPT.remove(receiver)
    receiver.close()


@bad("dropping", "UDP reader", _FULL, culprit=True, truth=("Udp.RcvbufErrors",), never="SO_RCVBUF|larger buffer")
def udp_reader_in_a_debugger_that_loses() -> None:
    receiver, sender = udp(size=65536)
    pid = fork(signal.pause, receiver)
    traced(pid)
    blame(pid)
    KEPT.remove(receiver)
    receiver.close()
    paced(lambda: sender.send(b"x" * 500), 300)


@bad("stalled", "descriptors", "ACCEPT_QUEUE_FULL", also=("at_risk",), culprit=True)
def server_in_a_debugger_at_half() -> None:
    server = listener(31)
    pid = fork(signal.pause, server)
    traced(pid)
    blame(pid)
    for _ in range(18):
        client(server)
    KEPT.remove(server)
    server.close()


@bad(
    "at_risk",
    "descriptors",
    "FD_LIMIT",
    culprit=True,
    why="a client cannot open another socket; the kernel counts nothing",
)
def client_at_its_descriptor_limit() -> None:
    server = listener(128)

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        held = []
        while True:
            try:
                held.append(socket.create_connection(server.getsockname(), 5))
            except OSError:
                time.sleep(0.05)

    forever(lambda: keep(server.accept()[0]), 0)
    pid = fork(work)
    blame(pid)
    until(lambda: len(os.listdir(f"/proc/{pid}/fd")) >= 64)


# Peers that misbehave


@healthy("TCP refuses")
def tcp_peer_that_sends_old_segments() -> None:
    """Now and then a segment comes twice, as a retransmission that was not needed."""
    sock, peer = _scripted()
    forever(lambda: sock.recv(1 << 16), 0.001)

    def again() -> None:
        peer.send(ACK | PSH, b"x" * 100)
        peer.send(ACK | PSH, b"x" * 100)
        peer.skip(100)

    paced(again, 5)


@bad(
    "dropping",
    "resets",
    says="keep ?alive|timed? ?out|AbortOnTimeout|vanished|dead",
    also=("stalled",),
    truth=("TcpExt.TCPAbortOnTimeout",),
    fresh=True,
)
def tcp_keepalive_finds_dead_peers() -> None:
    """Keep-alive ends connections whose peers are gone, five a second."""
    command("nft add table inet scenario")
    command("nft add chain inet scenario input { type filter hook input priority 0; }")
    server = listener(256)
    ends = []
    for _ in range(120):
        one, _other = pair(server)
        ends.append(one)
    command(f"nft add rule inet scenario input tcp dport {server.getsockname()[1]} drop")

    def step() -> None:
        if ends:
            one = ends.pop()
            for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 1)):
                one.setsockopt(socket.IPPROTO_TCP, option, value)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    paced(step, 5)


# UDP senders


@bad(
    "dropping",
    "shapers",
    "IP_DISCARD",
    "QDISC_DROP",
    says="send buffer|SndbufErrors",
    also=("at_risk",),
    truth=("app.unsent",),
)
def udp_sender_whose_buffer_is_full() -> None:
    """A slow line holds what is sent; the sender's own buffer is full, and its send fails with EAGAIN."""
    command("tc qdisc add dev lo root tbf rate 200kbit burst 5kb limit 1000000")
    receiver, sender = udp()
    forever(lambda: drain(receiver), 0.01)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)

    def send() -> None:
        try:
            sender.send(b"x" * 1000, socket.MSG_DONTWAIT)
        except OSError:
            COUNTS["unsent"] += 1

    paced(send, 200)


@healthy("shapers")
def udp_sender_that_waits_for_room() -> None:
    """The same line, and a sender that sleeps until there is room: nothing is lost."""
    command("tc qdisc add dev lo root tbf rate 2mbit burst 5kb limit 1000000")
    receiver, sender = udp()
    forever(lambda: drain(receiver), 0.01)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    forever(lambda: sender.send(b"x" * 1000), 0)


# netlink and unix


@healthy("netlink")
def netlink_socket_that_only_asks() -> None:
    """Requests and answers: dumps of all links, ten a second."""
    sock = keep(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
    sock.bind((0, 0))
    request = struct.pack("=IHHIIBxHiII", 32, 18, 0x301, 1, 0, 0, 0, 0, 0, 0)  # RTM_GETLINK, NLM_F_DUMP

    def ask() -> None:
        sock.send(request)
        time.sleep(0.01)
        drain(sock)

    paced(ask, 10)


@bad("stalled", "unix", says="unix|not read|UNIX", culprit=True)
def unix_pair_full_both_ways() -> None:
    """Two processes that write to each other and do not read: a deadlock."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    KEPT.extend((one, other))

    def write(sock: socket.socket) -> None:
        while True:
            sock.send(b"x" * 4000)

    blame(fork(lambda: write(one), one))
    blame(fork(lambda: write(other), other))
    for sock in (one, other):
        KEPT.remove(sock)
        sock.close()
    time.sleep(1)


@healthy("unix")
def unix_many_pairs_talking() -> None:
    for _ in range(20):
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        KEPT.extend((one, other))

        def answer(other: socket.socket = other) -> None:
            other.send(other.recv(1000))

        def ask(one: socket.socket = one) -> None:
            one.send(b"x" * 300)
            one.recv(1000)

        forever(answer, 0)
        forever(ask, 0.02)


# Bridges, as containers have them


@healthy("lines")
def bridge_between_two_containers() -> None:
    """Two more namespaces on a bridge of this one, which talk to each other through it."""
    ends = [Far(), Far()]
    KEPT.extend(ends)
    command("ip link add br0 type bridge")
    sysctl("net.ipv6.conf.br0.disable_ipv6", 1)
    for number, far in enumerate(ends):
        command(f"ip link add port{number} type veth peer name eth0 netns {far.thread}")
        sysctl(f"net.ipv6.conf.port{number}.disable_ipv6", 1)
        command(f"ip link set port{number} master br0 up")

        def setup(number: int = number) -> None:
            sysctl("net.ipv6.conf.eth0.disable_ipv6", 1)
            add_ipv4("eth0", f"10.4.0.{number + 1}", "255.255.255.0")
            link_up("eth0")

        far.do(setup)
    command("ip link set br0 up")

    def serve() -> socket.socket:
        server = keep(socket.socket(V4, socket.SOCK_STREAM))
        server.bind(("10.4.0.1", 7))
        server.listen(16)
        return server

    server: socket.socket = ends[0].do(serve)
    one: socket.socket = ends[1].do(lambda: keep(socket.create_connection(("10.4.0.1", 7), 5)))
    other = keep(server.accept()[0])
    forever(lambda: one.send(b"x" * 20_000), 0.01)
    forever(lambda: other.recv(1 << 18), 0)


@healthy("lines")
def veth_both_ways_and_many_connections() -> None:
    far_server(line())
    for _ in range(30):
        one = keep(socket.create_connection((FAR, 7), 5))
        forever(lambda one=one: one.send(b"x" * 3000), 0.05)


@bad("dropping", "lines", _FULL, truth=("Udp.RcvbufErrors",))
def veth_sender_too_fast_for_its_reader() -> None:
    far = line()
    receiver = keep(socket.socket(V4, socket.SOCK_DGRAM))
    receiver.bind((NEAR, 9))
    sender: socket.socket = far.do(lambda: keep(socket.socket(V4, socket.SOCK_DGRAM)))
    paced(lambda: sender.sendto(b"x" * 1000, (NEAR, 9)), 800)
    paced(lambda: drain(receiver, 1), 100)


@bad("dropping", "lines", says="down|route|unreach|network", truth=("app.unsent",))
def near_link_down_and_no_route() -> None:
    """The device of this end goes down: its route goes with it, and sends fail with ENETUNREACH."""
    line()
    sender = keep(socket.socket(V4, socket.SOCK_DGRAM))
    command("ip link set near0 down")

    def send() -> None:
        try:
            sender.sendto(b"x" * 100, (FAR, 9))
        except OSError as error:
            COUNTS["unsent"] += error.errno == errno.ENETUNREACH

    paced(send, 100)


# Listeners in odd states


@healthy("accept queue", also=("stalled",), why="one that waits for long is a note, and no alarm")
def listener_with_one_client_that_waits() -> None:
    """One connection in a queue of 128, for a moment too long."""
    client(listener(128))


@healthy("accept queue")
def accept_one_at_a_time() -> None:
    """A server that serves one client at a time, 20 ms each; three wait at most."""
    server = listener(16)

    def serve() -> None:
        accept_one(server)
        time.sleep(0.02)

    forever(serve, 0)
    paced(lambda: connect(server) if waiting(server.getsockname()[1]) < 3 else None, 40)


@bad("at_risk", "accept queue", "ACCEPT_QUEUE_FULL", also=("stalled",))
def accept_queue_exactly_full() -> None:
    """The last place is taken, and nobody knocks: the next client will be refused."""
    server = listener(8)
    for _ in range(9):
        client(server)


@healthy("TCP data")
def tcp_connections_of_short_lives() -> None:
    """Each connection carries 50 kB and ends; forty a second."""
    server = listener(64)

    def serve() -> None:
        with server.accept()[0] as sock:
            while sock.recv(1 << 16):
                pass

    def send() -> None:
        with socket.create_connection(server.getsockname(), 5) as sock:
            sock.sendall(b"x" * 50_000)

    for _ in range(2):
        forever(serve, 0)
        paced(send, 20)
