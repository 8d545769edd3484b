"""Devices and lines: two namespaces over veth, shapers, neighbours, links that are down, path MTU."""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from tests.live.scenarios.condition import bad, healthy
from tests.live.scenarios.load import COUNTS, KEPT, SILENCE_S, command, forever, keep, sysctl, udp, until
from tests.live.scenarios.readers import drain, paced
from tests.live.scenarios.routes import _send, _sender, _tun
from tests.live.world.netdev import add_ipv4, link_up, unshare_network

if TYPE_CHECKING:
    from collections.abc import Callable

V4, V6 = socket.AF_INET, socket.AF_INET6
NEAR, FAR = "198.51.100.1", "198.51.100.2"


class Far:
    """Another network namespace, in which a thread of this process does what it is told."""

    def __init__(self) -> None:
        self._calls: queue.Queue[tuple[Callable[[], Any], queue.Queue[Any]]] = queue.Queue()
        ready: queue.Queue[int] = queue.Queue()
        threading.Thread(target=self._live, args=(ready,), daemon=True).start()
        self.thread = ready.get(timeout=5)

    def _live(self, ready: queue.Queue[int]) -> None:
        unshare_network()
        link_up("lo")
        ready.put(threading.get_native_id())
        while True:
            work, answer = self._calls.get()
            try:
                answer.put(work())
            except Exception as error:
                answer.put(error)

    def do(self, work: Callable[[], Any]) -> Any:
        """Do something there: sockets that it makes are of that namespace."""
        answer: queue.Queue[Any] = queue.Queue()
        self._calls.put((work, answer))
        result = answer.get(timeout=10)
        if isinstance(result, Exception):
            raise result
        return result


def line(mtu: int = 1500, *, ipv6_far: bool = False) -> Far:
    """Connect this namespace with another one by a pair of veth devices, which speak IPv4 alone."""
    far = Far()
    command("ip link add near0 type veth peer name far0")
    command(f"ip link set far0 netns {far.thread}")
    command(f"ip link set near0 mtu {mtu}")
    sysctl("net.ipv6.conf.near0.disable_ipv6", 1)
    add_ipv4("near0", NEAR, "255.255.255.0")
    link_up("near0")
    if not ipv6_far:
        far.do(lambda: sysctl("net.ipv6.conf.far0.disable_ipv6", 1))
    far.do(lambda: (add_ipv4("far0", FAR, "255.255.255.0"), link_up("far0")))
    KEPT.append(far)
    return far


def far_server(far: Far, read: float = 0.0) -> socket.socket:
    """Listen in the far namespace; what connects is read, every *read* seconds."""

    def make() -> socket.socket:
        server = keep(socket.socket(V4, socket.SOCK_STREAM))
        server.bind((FAR, 7))
        server.listen(64)
        return server

    server: socket.socket = far.do(make)

    def serve() -> None:
        sock = keep(server.accept()[0])
        forever(lambda: sock.recv(1 << 18), read)

    forever(serve, 0)
    return server


@healthy("lines", quick=True)
def veth_transfer() -> None:
    far_server(line())
    one = keep(socket.create_connection((FAR, 7), 5))
    forever(lambda: one.send(b"x" * 100_000), 0.005)


@healthy("lines", noise=("Ip6.InDiscards",))
def veth_with_ipv6_off_at_this_end() -> None:
    """The neighbour's router solicitations are thrown away, one a second."""
    far_server(line(ipv6_far=True))
    one = keep(socket.create_connection((FAR, 7), 5))
    forever(lambda: one.send(b"x" * 10_000), 0.01)


@healthy("lines")
def veth_requests() -> None:
    far = line()

    def make() -> socket.socket:
        server = keep(socket.socket(V4, socket.SOCK_STREAM))
        server.bind((FAR, 8))
        server.listen(64)
        return server

    server: socket.socket = far.do(make)

    def serve() -> None:
        with server.accept()[0] as sock:
            sock.send(sock.recv(100))

    def ask() -> None:
        with socket.create_connection((FAR, 8), 5) as sock:
            sock.send(b"q" * 50)
            sock.recv(100)

    forever(serve, 0)
    forever(ask, 0.01)


@healthy("lines")
def veth_datagrams_in_batches() -> None:
    far = line()
    receiver = keep(socket.socket(V4, socket.SOCK_DGRAM))
    receiver.bind((NEAR, 9))
    sender: socket.socket = far.do(lambda: keep(socket.socket(V4, socket.SOCK_DGRAM)))
    paced(lambda: sender.sendto(b"x" * 300, (NEAR, 9)), 250)
    forever(lambda: drain(receiver), 0.3)


@healthy("lines")
def veth_slow_reader_far_away() -> None:
    """The peer reads a little at a time: its window opens and closes, data flows."""
    far_server(line(), 0.05)
    one = keep(socket.create_connection((FAR, 7), 5))
    forever(lambda: one.send(b"x" * 100_000), 0.005)


@bad(
    "stalled",
    "lines",
    "PEER_SILENT",
    "DEVICE_DROP",
    also=("dropping",),
    says="PEER_SILENT|down",
    fresh=True,
)
def veth_peer_gone() -> None:
    """The other end's device goes down with four connections that have something to send."""
    far = line()
    far_server(far)
    ends = [keep(socket.create_connection((FAR, 7), 5)) for _ in range(4)]
    time.sleep(0.2)
    far.do(lambda: command("ip link set far0 down"))
    for sock in ends:
        sock.send(b"x" * 20_000)
    time.sleep(3)


@bad("stalled", "lines", "PEER_SILENT", also=("at_risk", "dropping"), fresh=True)
def veth_peer_stops_answering() -> None:
    """A firewall at the other end drops everything from one moment on."""
    far = line()
    far_server(far)
    ends = [keep(socket.create_connection((FAR, 7), 5)) for _ in range(4)]

    def block() -> None:
        command("nft add table inet scenario")
        command("nft add chain inet scenario input { type filter hook input priority 0; policy drop; }")

    time.sleep(0.2)
    far.do(block)
    for sock in ends:
        sock.send(b"x" * 500)
    time.sleep(3)


@bad("stalled", "lines", says="MTU|large|black ?hole", also=("at_risk", "dropping"), fresh=True)
def path_mtu_black_hole() -> None:
    """Small segments pass, large ones vanish, and no ICMP error comes back."""
    far = line()
    far_server(far)

    def block() -> None:
        command("nft add table inet scenario")
        command("nft add chain inet scenario input { type filter hook input priority 0; }")
        command("nft add rule inet scenario input meta length > 1000 drop")

    ends = [keep(socket.create_connection((FAR, 7), 5)) for _ in range(4)]
    far.do(block)
    for sock in ends:
        sock.send(b"x" * 100)
    time.sleep(0.3)
    for sock in ends:
        sock.send(b"x" * 20_000)
    time.sleep(3)


@bad("stalled", "lines", "ZERO_WINDOW_FROM_PEER")
def veth_peer_does_not_read() -> None:
    """The peer's process sleeps: its window is closed."""
    far = line()

    def make() -> socket.socket:
        server = keep(socket.socket(V4, socket.SOCK_STREAM))
        server.bind((FAR, 7))
        server.listen(64)
        return server

    far.do(make)
    one = keep(socket.create_connection((FAR, 7), 5))
    one.setblocking(False)
    until(lambda: not _takes(one))
    time.sleep(SILENCE_S)


def _takes(sock: socket.socket) -> bool:
    time.sleep(0.05)
    with contextlib.suppress(BlockingIOError):
        sock.send(b"x" * 100_000)
        return True
    return False


@bad("dropping", "lines", "UDP_CLOSED_PORT", says="peer rejects", truth=("Icmp.InDestUnreachs",), quick=True)
def name_server_that_is_down() -> None:
    """Resolvers ask, wait and ask again; the host answers by ICMP that nothing listens, as several would, each once a second."""
    line().do(lambda: sysctl("net.ipv4.icmp_ratelimit", 100))
    for _ in range(5):

        def ask() -> None:
            with socket.socket(V4, socket.SOCK_DGRAM) as sock:
                sock.connect((FAR, 53))
                sock.settimeout(0.3)
                sock.send(b"q" * 40)
                with contextlib.suppress(OSError):
                    sock.recv(100)

        forever(ask, 0.3)
    time.sleep(3)


@bad(
    "dropping",
    "lines",
    "NEIGHBOUR_FAILED",
    "CONNECTIONS_REFUSED",
    also=("stalled",),
    says="neighbour|unreachable",
    never="the service",
    why="connect(2) fails with EHOSTUNREACH, which counts as a failed attempt like a refused one",
)
def gateway_that_connections_need_is_gone() -> None:
    line()
    command("ip route add default via 198.51.100.99")

    def connect() -> None:
        with socket.socket(V4, socket.SOCK_STREAM) as sock:
            sock.settimeout(5)
            with contextlib.suppress(OSError):
                sock.connect(("203.0.113.9", 80))

    for _ in range(20):
        forever(connect, 0.5)
        time.sleep(0.2)


@bad(
    "dropping",
    "lines",
    says="neighbo|ARP|IP_DISCARD|resol",
    truth=("app.asked",),
    quick=True,
    why="the kernel counts what waits for a neighbour that does not answer in its neighbour table alone",
)
def neighbour_that_does_not_answer() -> None:
    """Two hundred datagrams a second to an address that nobody has."""
    line()
    sender = _sender()

    def send() -> None:
        COUNTS["asked"] += 1
        _send(sender, "198.51.100.77")

    paced(send, 200)
    time.sleep(1.5)


@bad(
    "dropping",
    "lines",
    says="neighbo|NDP|discovery|resol",
    truth=("app.asked",),
    why="the kernel gives up on a neighbour after three seconds; in a shorter interval only what waits for it may show",
)
def neighbour6_that_does_not_answer() -> None:
    line()
    sysctl("net.ipv6.conf.near0.disable_ipv6", 0)
    command("ip addr add 2001:db8:5::1/64 dev near0 nodad")
    sender = _sender(V6)

    def send() -> None:
        COUNTS["asked"] += 1
        _send(sender, "2001:db8:5::77")

    paced(send, 200)
    time.sleep(1.5)


@healthy("lines")
def neighbour_that_answers_late() -> None:
    """A new neighbour each second, which answers."""
    far = line()
    numbers = iter(range(100, 250))

    def renew() -> None:
        command("ip neigh flush dev near0")
        next(numbers)

    receiver: socket.socket = far.do(lambda: keep(socket.socket(V4, socket.SOCK_DGRAM)))
    far.do(lambda: receiver.bind((FAR, 9)))
    forever(lambda: drain(receiver), 0.01)
    sender = _sender()
    paced(lambda: _send(sender, FAR), 100)
    forever(renew, 1.0)


# Shapers


@bad("dropping", "shapers", "QDISC_DROP", truth=("qdisc.dropped",), severity="critical", quick=True)
def tbf_that_loses_nine_tenths() -> None:
    command("tc qdisc add dev lo root tbf rate 400kbit burst 5kb limit 6000")
    receiver, sender = udp()
    forever(lambda: drain(receiver), 0.01)
    paced(lambda: sender.send(b"x" * 1000), 500)


@bad("dropping", "shapers", "QDISC_DROP", truth=("qdisc.dropped",))
def tbf_that_loses_some_of_what_tcp_sends() -> None:
    from tests.live.scenarios.load import listener, pair

    command("ip link set lo mtu 1500")
    command("tc qdisc add dev lo root tbf rate 4mbit burst 10kb limit 15000")
    server = listener(10)
    for _ in range(6):
        one, other = pair(server)
        forever(lambda one=one: one.send(b"x" * 30_000), 0)
        forever(lambda other=other: other.recv(1 << 18), 0)


@healthy("shapers")
def tbf_below_its_rate() -> None:
    command("tc qdisc add dev lo root tbf rate 20mbit burst 50kb limit 200000")
    receiver, sender = udp()
    forever(lambda: drain(receiver), 0.01)
    paced(lambda: sender.send(b"x" * 1000), 300)


@bad("dropping", "shapers", "DEVICE_DROP", truth=("dev.tun0.tx_drop",), severity="critical", quick=True)
def tun_that_loses_everything() -> None:
    """Nobody reads what a tunnel is to carry."""
    _tun()
    command("ip link set tun0 txqueuelen 5")
    sender = _sender()
    paced(lambda: _send(sender, "10.7.0.2"), 300)


@bad("dropping", "shapers", "DEVICE_DROP", truth=("dev.tun0.tx_drop",))
def tun_whose_reader_is_slow() -> None:
    fd = _tun()
    command("ip link set tun0 txqueuelen 10")
    sender = _sender()
    paced(lambda: _send(sender, "10.7.0.2"), 400)

    def read() -> None:
        for _ in range(5):
            os.read(fd, 2000)

    forever(read, 0.05)


@bad("dropping", "shapers", "IP_DISCARD", "QDISC_DROP", truth=("Ip.OutDiscards", "qdisc.dropped"))
def pfifo_of_ten_packets() -> None:
    """Bursts of eighty into a queue of ten, on a line of 2 Mbit/s."""
    command("tc qdisc add dev lo root handle 1: tbf rate 2mbit burst 5kb limit 100000")
    command("tc qdisc add dev lo parent 1: pfifo limit 10")
    receiver, sender = udp()
    forever(lambda: drain(receiver), 0.01)
    forever(lambda: [sender.send(b"x" * 500) for _ in range(80)], 0.2)


@bad("dropping", "shapers", says="htb|class|QDISC|qdisc", truth=("qdisc.dropped",))
def htb_class_that_drops() -> None:
    command("tc qdisc add dev lo root handle 1: htb default 10")
    command("tc class add dev lo parent 1: classid 1:10 htb rate 500kbit ceil 500kbit burst 5kb")
    command("tc qdisc add dev lo parent 1:10 pfifo limit 5")
    receiver, sender = udp()
    forever(lambda: drain(receiver), 0.01)
    paced(lambda: sender.send(b"x" * 1000), 300)
