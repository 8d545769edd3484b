"""What IP throws away or cannot send: routes, addresses, headers, filters, neighbours, fragments."""

from __future__ import annotations

import os
import socket
import struct
import time

from tests.live.scenarios.condition import bad, healthy
from tests.live.scenarios.load import COUNTS, KEPT, command, forever, keep, listener, pair, sysctl, udp
from tests.live.scenarios.readers import drain, paced
from tests.live.scenarios.refusals import _sum as checksum
from tests.live.world.netdev import open_tun

V4, V6 = socket.AF_INET, socket.AF_INET6


def _send(sender: socket.socket, address: str, data: bytes = b"x" * 100, port: int = 9) -> None:
    try:
        sender.sendto(data, (address, port))
    except OSError:
        COUNTS["unsent"] += 1
    else:
        COUNTS["sent"] += 1


def _sender(family: int = V4) -> socket.socket:
    return keep(socket.socket(family, socket.SOCK_DGRAM))


@bad("dropping", "routes", says="route", truth=("app.unsent",), quick=True)
def no_route() -> None:
    """A hundred datagrams a second that no route leads anywhere for."""
    sender = _sender()
    paced(lambda: _send(sender, "203.0.113.9"), 100)


@bad("dropping", "routes", says="route", truth=("app.unsent",))
def no_route6() -> None:
    sender = _sender(V6)
    paced(lambda: _send(sender, "2001:db8::9"), 100)


@bad(
    "dropping",
    "routes",
    says="route|unreachable|blackhole",
    truth=("app.unsent",),
    why="the sender gets EHOSTUNREACH, and the kernel counts OutNoRoutes only where there is no route at all",
)
def unreachable_route() -> None:
    command("ip route add unreachable 203.0.113.0/24")
    sender = _sender()
    paced(lambda: _send(sender, "203.0.113.9"), 100)


@healthy("routes", noise=("Ip.OutNoRoutes", "Ip6.OutNoRoutes", "app.*"))
def one_packet_without_a_route_now_and_then() -> None:
    """Happy eyeballs: each few seconds something tries IPv6 first, which is not there."""
    sender = _sender(V6)
    paced(lambda: _send(sender, "2001:db8::9"), 0.5)
    receiver, good = udp()
    paced(lambda: good.send(b"x" * 100), 300)
    forever(lambda: drain(receiver), 0.005)


# Packets that come in through a tun device whose far end this process is.


def _tun(address: str = "10.7.0.1/24", name: str = "tun0") -> int:
    fd = open_tun(name)
    KEPT.append(fd)
    command(f"ip link set {name} up")
    command(f"ip addr add {address} dev {name}")
    return fd


def _datagram(source: str, target: str, *, version: int = 0x45, ttl: int = 64, spoil: int = 0, port: int = 9) -> bytes:
    ends = socket.inet_aton(source) + socket.inet_aton(target)
    header = struct.pack("!BBHHHBBH", version, 0, 128, 0, 0, ttl, 17, 0) + ends
    check = checksum(header) ^ spoil
    return header[:10] + struct.pack("!H", check) + header[12:] + struct.pack("!HHHH", 4000, port, 108, 0) + b"x" * 100


@bad(
    "dropping",
    "IP receipt",
    says="reverse|rp_filter|IPReversePathFilter",
    truth=("TcpExt.IPReversePathFilter",),
    quick=True,
)
def reverse_path_filter() -> None:
    """Packets from an address to which another device leads."""
    fd = _tun()
    other = _tun("10.6.0.1/24", "tun1")
    sysctl("net.ipv4.conf.all.rp_filter", 1)
    sysctl("net.ipv4.conf.tun0.rp_filter", 1)
    receiver = keep(socket.socket(V4, socket.SOCK_DGRAM))
    receiver.bind(("10.7.0.1", 9))
    paced(lambda: os.write(fd, _datagram("10.6.0.7", "10.7.0.1")), 100)
    assert other


@bad("dropping", "IP receipt", says="header|InHdrErrors|checksum", truth=("Ip.InHdrErrors",))
def bad_ip_headers() -> None:
    fd = _tun()
    paced(lambda: os.write(fd, _datagram("10.7.0.2", "10.7.0.1", spoil=0x5555)), 100)


@bad("dropping", "IP receipt", says="address|InAddrErrors|forward", truth=("Ip.InAddrErrors",))
def packets_for_another_host() -> None:
    """They come here, and this host does not forward."""
    fd = _tun()
    sysctl("net.ipv4.ip_forward", 0)
    paced(lambda: os.write(fd, _datagram("10.7.0.2", "10.9.9.9")), 100)


@bad("dropping", "IP receipt", says="route|InNoRoutes", truth=("IpExt.InNoRoutes",))
def forwarded_without_a_route() -> None:
    fd = _tun()
    sysctl("net.ipv4.ip_forward", 1)
    paced(lambda: os.write(fd, _datagram("10.7.0.2", "203.0.113.7")), 100)


@bad("dropping", "IP receipt", says="TTL|hop|InHdrErrors|header|time exceeded", truth=("Ip.InHdrErrors",))
def forwarding_loop_ends_by_ttl() -> None:
    fd = _tun()
    _tun("10.6.0.1/24", "tun1")
    sysctl("net.ipv4.ip_forward", 1)
    paced(lambda: os.write(fd, _datagram("10.7.0.2", "10.6.0.7", ttl=1)), 100)


@healthy("IP receipt")
def packets_through_tun() -> None:
    """A tunnel that works, both ways."""
    fd = _tun()
    receiver = keep(socket.socket(V4, socket.SOCK_DGRAM))
    receiver.bind(("10.7.0.1", 9))
    paced(lambda: os.write(fd, _datagram("10.7.0.2", "10.7.0.1")), 200)
    forever(lambda: drain(receiver), 0.02)
    sender = _sender()
    paced(lambda: _send(sender, "10.7.0.2"), 100)

    def far() -> None:
        while os.read(fd, 2000):
            pass

    forever(far, 0.002)


@healthy("IP receipt", noise=("Udp.NoPorts",))
def forwarding_router() -> None:
    """A router between two tunnels."""
    fd = _tun()
    other = _tun("10.6.0.1/24", "tun1")
    sysctl("net.ipv4.ip_forward", 1)
    paced(lambda: os.write(fd, _datagram("10.7.0.2", "10.6.0.7")), 200)

    def far() -> None:
        while os.read(other, 2000):
            pass

    forever(far, 0.002)


# Filters


def _chain(hook: str = "input") -> None:
    command("nft add table inet scenario")
    command(f"nft add chain inet scenario {hook} {{ type filter hook {hook} priority 0; }}")


def _lossy_service(rule: str, per_s: float = 300) -> None:
    receiver = keep(socket.socket(V4, socket.SOCK_DGRAM))
    receiver.bind(("127.0.0.1", 5000))
    sender = _sender()
    sender.connect(("127.0.0.1", 5000))
    _chain()
    command(f"nft add rule inet scenario input {rule}")

    def send() -> None:
        sender.send(b"x" * 100)
        COUNTS["sent"] += 1
        COUNTS["lost"] = COUNTS["sent"] - COUNTS["received"]

    paced(send, per_s)
    forever(lambda: drain(receiver), 0.002)


@bad("dropping", "filters", says="nft|firewall|netfilter|filter", truth=("app_lost.lost",), quick=True)
def nft_drops_a_third_of_a_service() -> None:
    _lossy_service("udp dport 5000 numgen random mod 10 < 3 counter drop")


@bad(
    "dropping",
    "filters",
    says="nft|firewall|netfilter|filter",
    truth=("app_lost.lost",),
    why="the kernel counts what a rule drops only if the rule has a counter",
)
def nft_drops_without_a_counter() -> None:
    """The rule does not count: the kernel hides what it drops, but not that it is there."""
    _lossy_service("udp dport 5000 numgen random mod 10 < 3 drop")


@bad("dropping", "filters", says="nft|firewall|netfilter|filter", truth=("app_lost.lost",))
def nft_rate_limit_of_a_service() -> None:
    _lossy_service("udp dport 5000 limit rate over 100/second counter drop")


@bad("dropping", "filters", says="nft|firewall|netfilter|filter|not permitted|EPERM", truth=("app.unsent",))
def nft_drops_what_is_sent() -> None:
    """Drops on the way out fail in sendto(2) with EPERM."""
    _chain("output")
    command("nft add rule inet scenario output udp dport 5001 counter drop")
    sender = _sender()
    paced(lambda: _send(sender, "127.0.0.1", port=5001), 100)


@healthy("filters")
def nft_accepts_and_counts() -> None:
    _chain()
    command("nft add rule inet scenario input udp dport 5000 counter accept")
    receiver = keep(socket.socket(V4, socket.SOCK_DGRAM))
    receiver.bind(("127.0.0.1", 5000))
    sender = _sender()
    paced(lambda: _send(sender, "127.0.0.1", port=5000), 300)
    forever(lambda: drain(receiver), 0.002)


@healthy("filters")
def nft_drops_a_scanner_now_and_then() -> None:
    """A firewall at work: a packet in two seconds that is not wanted, beside a busy service."""
    _chain()
    command("nft add rule inet scenario input udp dport 5002 counter drop")
    receiver, sender = udp()
    paced(lambda: sender.send(b"x" * 100), 400)
    forever(lambda: drain(receiver), 0.005)
    other = _sender()
    paced(lambda: _send(other, "127.0.0.1", port=5002), 0.5)


@healthy("filters")
def nft_with_connection_tracking() -> None:
    from tests.live.scenarios.acceptors import accept_one, connect

    _chain()
    command("nft add rule inet scenario input ct state established,related counter accept")
    server = listener(64)
    forever(lambda: accept_one(server), 0)
    paced(lambda: connect(server), 50)


@bad("at_risk", "filters", "RETRANSMISSION", also=("dropping",), truth=("Tcp.RetransSegs",), quick=True)
def rpc_clients_that_lose_a_tenth() -> None:
    """Eight clients with few requests a second each, on a line that loses a tenth of all segments."""
    _rpc(8, V4)


@bad("at_risk", "filters", "RETRANSMISSION", also=("dropping",), truth=("Tcp.RetransSegs",))
def rpc6_clients_that_lose_a_tenth() -> None:
    _rpc(8, V6)


def _rpc(clients: int, family: int, loss: int = 10) -> None:
    server = listener(64, family)
    for number in range(clients):
        one, other = pair(server)
        for sock in (one, other):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def answer(other: socket.socket = other) -> None:
            if data := other.recv(1000):
                other.send(data)

        def ask(one: socket.socket = one) -> None:
            one.send(b"x" * 200)
            one.recv(1000)

        forever(answer, 0)
        forever(ask, 0.03)
        assert number < clients
    if loss:
        # On an ingress hook nothing tells the sender, as on a line.
        command("nft add table netdev scenario")
        command("nft add chain netdev scenario input { type filter hook ingress device lo priority 0; }")
        command(f"nft add rule netdev scenario input meta l4proto tcp numgen random mod 100 < {loss} drop")


@healthy("filters")
def rpc_clients_that_lose_nothing() -> None:
    _rpc(8, V4, 0)


@healthy("filters", why="one in a hundred is a usual line")
def rpc_clients_that_lose_one_in_two_hundred() -> None:
    _rpc(8, V4, 0)
    command("nft add table netdev scenario")
    command("nft add chain netdev scenario input { type filter hook ingress device lo priority 0; }")
    command("nft add rule netdev scenario input meta l4proto tcp numgen random mod 200 < 1 drop")


# Fragments


@bad("dropping", "IP receipt", "IP_REASSEMBLY", says="fragment|reassembl", truth=("Ip6.ReasmFails",))
def fragments6_lost() -> None:
    sysctl("net.ipv6.ip6frag_time", 1)
    sender = keep(socket.socket(V6, socket.SOCK_RAW, socket.IPPROTO_RAW))
    numbers = iter(range(1, 1 << 30))
    local = socket.inet_pton(V6, "::1")

    def first_only() -> None:
        fragment = struct.pack("!BBHI", 17, 0, 1, next(numbers)) + b"x" * 8
        header = struct.pack("!IHBB", 6 << 28, len(fragment), 44, 64) + local + local
        sender.sendto(header + fragment, ("::1", 0))

    paced(first_only, 50)
    time.sleep(1.2)


@bad(
    "dropping",
    "IP receipt",
    says="fragment|MTU|FragFails|too big|message",
    truth=("app.unsent",),
    why="EMSGSIZE is told to the sender; whether the kernel counts it depends on the path",
)
def datagrams_that_must_not_be_fragmented() -> None:
    fd = _tun()
    command("ip link set tun0 mtu 1000")
    sender = _sender()
    sender.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO
    paced(lambda: _send(sender, "10.7.0.2", b"x" * 1200), 100)
    assert fd


@healthy("IP receipt")
def fragments6_complete() -> None:
    command("ip link set lo mtu 1500")
    receiver, sender = udp(V6)
    paced(lambda: sender.send(b"x" * 6000), 100)
    forever(lambda: drain(receiver), 0.005)
