"""Conditions that counters of the namespace show: what IP, TCP, UDP and the firewall drop or refuse.

A function makes one and returns; what goes on after that goes on in threads of its process.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import random
import select
import socket
import struct
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.live.scenarios.load import KEPT, command, forever, keep, listener, nowhere, reject_all, sysctl, udp
from tests.live.world.netdev import open_tun
from tests.live.world.scripted_peer import ACK, SYN, ScriptedPeers

if TYPE_CHECKING:
    from collections.abc import Callable

V4, V6 = socket.AF_INET, socket.AF_INET6
HERE, THERE = "10.8.0.1", "10.8.0.2"
_TCP, _UDP = socket.IPPROTO_TCP, socket.IPPROTO_UDP


# Packets from a tun device


def _tun() -> int:
    """Create a device with a network behind it; what is sent there is taken away."""
    fd = open_tun("tun0")
    KEPT.append(fd)
    sysctl("net.ipv6.conf.tun0.disable_ipv6", 1)
    command("ip link set tun0 up")
    command(f"ip addr add {HERE}/24 dev tun0")
    sysctl("net.ipv4.conf.tun0.rp_filter", 0)
    sysctl("net.ipv4.conf.all.rp_filter", 0)

    def drain() -> None:
        while True:
            select.select([fd], [], [])
            os.read(fd, 65536)

    threading.Thread(target=drain, daemon=True).start()
    return fd


def _checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def ip(
    payload: bytes, protocol: int, source: str = THERE, target: str = HERE, *, flags: int = 0, bad: int = 0
) -> bytes:
    """Build an IPv4 packet; *bad* is added to its checksum."""
    ends = socket.inet_aton(source) + socket.inet_aton(target)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, flags, 64, protocol, 0) + ends
    return header[:10] + struct.pack("!H", (_checksum(header) + bad) & 0xFFFF) + header[12:] + payload


def datagram(port: int, data: bytes = b"x" * 20) -> bytes:
    """Build a UDP datagram without a checksum."""
    return struct.pack("!HHHH", 4000, port, 8 + len(data), 0) + data


def segment(
    port: int,
    flags: int,
    source: str = THERE,
    target: str = HERE,
    sport: int = 5000,
    seq: int = 1,
    data: bytes = b"",
    bad: int = 0,
) -> bytes:
    """Build a TCP segment; *bad* is added to its checksum."""
    plain = struct.pack("!HHIIBBHHH", sport, port, seq, 1, 0x50, flags, 65535, 0, 0) + data
    ends = socket.inet_aton(source) + socket.inet_aton(target)
    check = (_checksum(ends + struct.pack("!BBH", 0, _TCP, len(plain)) + plain) + bad) & 0xFFFF
    return plain[:16] + struct.pack("!H", check) + plain[18:]


def _inject(build: Callable[[int], bytes], pause: float = 0.01) -> None:
    fd = _tun()
    numbers = itertools.count(1)
    forever(lambda: os.write(fd, build(next(numbers))), pause)


def _listens(address: str, port: int = 7000) -> socket.socket:
    sock = keep(socket.socket(V4, socket.SOCK_STREAM))
    sock.bind((address, port))
    sock.listen(64)
    return sock


def source_is_elsewhere() -> None:
    fd = _tun()
    sysctl("net.ipv4.conf.all.rp_filter", 1)
    forever(lambda: os.write(fd, ip(datagram(9), _UDP, source="203.0.113.9")), 0.01)


def header_damaged() -> None:
    # A length of the header of 16 bytes.
    _inject(lambda _n: b"\x44" + ip(datagram(9), _UDP)[1:])


def header_checksum_wrong() -> None:
    _inject(lambda _n: ip(datagram(9), _UDP, bad=1))


def packet_cut_off() -> None:
    _inject(lambda _n: ip(datagram(9), _UDP)[:-10])


def address_is_not_ours() -> None:
    _inject(lambda _n: ip(datagram(9), _UDP, target="198.51.100.7"))


def address_is_not_ours_once() -> None:
    _inject(lambda _n: ip(datagram(9), _UDP, target="198.51.100.7"), 2.0)


def protocol_without_handler() -> None:
    _inject(lambda _n: ip(b"x" * 20, 200))


def tcp_checksum_wrong() -> None:
    _inject(lambda _n: ip(segment(7000, ACK, bad=1), _TCP))


def udp_checksum_wrong() -> None:
    receiver = keep(socket.socket(V4, socket.SOCK_DGRAM))
    receiver.bind(("0.0.0.0", 7000))
    wrong = struct.pack("!HHHH", 4000, 7000, 28, 0x1234) + b"x" * 20
    _inject(lambda _n: ip(wrong, _UDP))


def clients_find_a_closed_port() -> None:
    _inject(lambda n: ip(segment(7000, SYN, sport=5000 + n % 50000, seq=n), _TCP))


def scan_of_five_ports() -> None:
    fd = _tun()

    def scan() -> None:
        for port in range(7001, 7006):
            os.write(fd, ip(segment(port, SYN), _TCP))

    forever(scan, 10)


def icmp_is_limited() -> None:
    fd = _tun()
    command("nft add table ip t")
    command("nft add chain ip t c { type filter hook input priority 0 ; }")
    command("nft add rule ip t c udp dport 7000 reject")
    forever(lambda: os.write(fd, ip(datagram(7000), _UDP)), 0.005)


def icmp_about_no_connection() -> None:
    server = _listens("127.0.0.1")
    client = keep(socket.create_connection(server.getsockname()))
    keep(server.accept()[0])
    sender = keep(socket.socket(V4, socket.SOCK_RAW, socket.IPPROTO_ICMP))
    reject_all(sender)
    quoted = struct.pack("!HHI", client.getsockname()[1], 7000, 0)

    def send() -> None:
        # The sequence number is none that is under way.
        inner = ip(quoted[:4] + random.randbytes(4), _TCP, "127.0.0.1", "127.0.0.1")
        message = struct.pack("!BBHI", 3, 0, 0, 0) + inner
        sender.sendto(message[:2] + struct.pack("!H", _checksum(message)) + message[4:], ("127.0.0.1", 0))

    forever(send, 0.005)


def too_large_to_forward() -> None:
    fd = _tun()
    other = open_tun("tun1")
    KEPT.append(other)
    sysctl("net.ipv6.conf.tun1.disable_ipv6", 1)
    command("ip link set tun1 mtu 600 up")
    command("ip addr add 10.7.0.1/24 dev tun1")
    sysctl("net.ipv4.ip_forward", 1)
    forever(lambda: os.write(fd, ip(datagram(9, b"x" * 1000), _UDP, target="10.7.0.2", flags=0x4000)), 0.01)


def frames_damaged() -> None:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC) if Path("/dev/net/tun").exists() else open_tun("tunx")
    # IFF_TUN, IFF_NO_PI, IFF_VNET_HDR
    fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", b"tun0", 0x0001 | 0x1000 | 0x4000))
    KEPT.append(fd)
    sysctl("net.ipv6.conf.tun0.disable_ipv6", 1)
    command("ip link set tun0 up")
    # A type of segmentation that does not exist.
    header = struct.pack("=BBHHHH", 0, 77, 20, 100, 0, 0)

    def send() -> None:
        os.write(fd, header + ip(datagram(9), _UDP))

    forever(send, 0.01)


def acknowledgements_without_cookie() -> None:
    nowhere()
    sysctl("net.ipv4.conf.all.rp_filter", 0)
    server = keep(socket.socket(V4, socket.SOCK_STREAM))
    server.bind(("10.9.0.1", 7000))
    server.listen(16)
    sender = keep(socket.socket(V4, socket.SOCK_RAW, socket.IPPROTO_RAW))

    def send(flags: int, n: int) -> None:
        source = f"10.9.0.{2 + n % 200}"
        part = segment(7000, flags, source, "10.9.0.1", 1024 + n % 60000, n)
        sender.sendto(ip(part, _TCP, source, "10.9.0.1"), ("10.9.0.1", 0))

    for n in range(40):
        send(SYN, n)
    numbers = itertools.count(1000)
    forever(lambda: send(ACK, next(numbers)), 0.01)


def fast_open_queue_full() -> None:
    nowhere()
    sysctl("net.ipv4.conf.all.rp_filter", 0)
    # Server, and SYNs with data are accepted without a cookie.
    sysctl("net.ipv4.tcp_fastopen", 0x2 | 0x200)
    server = keep(socket.socket(V4, socket.SOCK_STREAM))
    server.bind(("10.9.0.1", 7000))
    server.setsockopt(_TCP, 23, 1)  # TCP_FASTOPEN
    server.listen(1000)
    sender = keep(socket.socket(V4, socket.SOCK_RAW, socket.IPPROTO_RAW))
    numbers = itertools.count(1)

    def send() -> None:
        n = next(numbers)
        source = f"10.9.0.{2 + n % 200}"
        part = segment(7000, SYN, source, "10.9.0.1", 1024 + n % 60000, n, b"hello")
        sender.sendto(ip(part, _TCP, source, "10.9.0.1"), ("10.9.0.1", 0))

    forever(send, 0.02)


# Routes and neighbours


def no_route() -> None:
    sender = keep(socket.socket(V4, socket.SOCK_DGRAM))
    forever(lambda: sender.sendto(b"x", ("192.0.2.1", 9)), 0.005)


def no_route6() -> None:
    sender = keep(socket.socket(V6, socket.SOCK_DGRAM))
    forever(lambda: sender.sendto(b"x", ("2001:db8::1", 9)), 0.005)


def ipv6_is_tried_first() -> None:
    server = listener(64)

    def connect() -> None:
        with socket.socket(V6, socket.SOCK_STREAM) as first:
            first.connect_ex(("2001:db8::1", 80))
        with socket.create_connection(server.getsockname()) as second:
            accepted = server.accept()[0]
            second.shutdown(socket.SHUT_WR)
            accepted.recv(10)
            accepted.close()

    forever(connect, 0.02)


def _link_without_answers() -> None:
    nowhere()
    for device in ("void0", "void1"):
        command(f"ip link set {device} arp on")


def neighbour_is_silent() -> None:
    _link_without_answers()
    sender = keep(socket.socket(V4, socket.SOCK_DGRAM))
    forever(lambda: sender.sendto(b"x", ("10.9.0.2", 9)), 0.005)
    time.sleep(3.0)


def neighbour_was_silent() -> None:
    _link_without_answers()
    sender = keep(socket.socket(V4, socket.SOCK_DGRAM))
    sender.sendto(b"x", ("10.9.0.2", 9))
    time.sleep(4.0)


def device_that_drops_everything() -> None:
    """A connection over a tun device that nobody reads any more, and whose queue is full."""
    fd = open_tun("tun0")
    KEPT.append(fd)
    sysctl("net.ipv6.conf.tun0.disable_ipv6", 1)
    command("ip link set tun0 txqueuelen 1 up")
    command(f"ip addr add {HERE}/24 dev tun0")
    sender = keep(socket.socket(V4, socket.SOCK_DGRAM))
    for _ in range(4):
        sock = keep(socket.socket(V4, socket.SOCK_STREAM))
        sock.setblocking(False)
        sock.connect_ex((THERE, 7000))
    forever(lambda: sender.sendto(b"x" * 100, (THERE, 9)), 0.02)
    time.sleep(3.2)


# Connections


def service_is_down() -> None:
    def connect() -> None:
        with socket.socket(V4, socket.SOCK_STREAM) as sock:
            sock.connect_ex(("127.0.0.1", 9))

    forever(connect, 0.02)


def health_check_fails() -> None:
    """A service that is down is asked for once a second, among many that are up."""
    connections_close_in_order()

    def check() -> None:
        with socket.socket(V4, socket.SOCK_STREAM) as sock:
            sock.connect_ex(("127.0.0.1", 9))

    forever(check, 1.0)


def connections_close_in_order() -> None:
    server = listener(64)

    def connect() -> None:
        with socket.create_connection(server.getsockname()) as one:
            other = server.accept()[0]
            one.send(b"x")
            other.recv(10)
            other.close()
            one.recv(10)

    forever(connect, 0.01)


def _talk(step: Callable[[socket.socket, socket.socket], None], pause: float) -> None:
    server = listener(64)

    def connect() -> None:
        with socket.create_connection(server.getsockname()) as one, server.accept()[0] as other:
            step(one, other)

    forever(connect, pause)


def closed_with_data_unread() -> None:
    def step(one: socket.socket, other: socket.socket) -> None:
        one.send(b"x" * 100)
        time.sleep(0.002)
        other.close()

    _talk(step, 0.01)


def closed_with_data_unread_once() -> None:
    """A load generator ends: a hundred connections at once, with answers under way."""
    connections_close_in_order()
    server = listener(128)

    def burst() -> None:
        # While it is looked at.
        time.sleep(0.9)
        pairs = [(socket.create_connection(server.getsockname()), server.accept()[0]) for _ in range(100)]
        for one, other in pairs:
            other.send(b"x" * 100)
            one.close()
            other.close()

    forever(burst, 30)


def closed_by_reset_on_purpose() -> None:
    def step(one: socket.socket, _other: socket.socket) -> None:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    _talk(step, 0.01)


def connections_given_up() -> None:
    nowhere()

    def connect() -> None:
        sock = keep(socket.socket(V4, socket.SOCK_STREAM))
        sock.setsockopt(_TCP, 18, 400)  # TCP_USER_TIMEOUT
        sock.setblocking(False)
        sock.connect_ex(("10.9.0.2", 7000))

    forever(connect, 0.05)
    time.sleep(2.0)


def ttl_is_too_small() -> None:
    server = _listens("127.0.0.1")
    server.setsockopt(socket.IPPROTO_IP, 21, 255)  # IP_MINTTL
    _knock("127.0.0.1")


def _sign(sock: socket.socket) -> None:
    address = struct.pack("=H2s4s8x", V4, b"\0\0", socket.inet_aton("127.0.0.1")) + bytes(112)
    sock.setsockopt(_TCP, 14, address + struct.pack("=xxHI", 6, 0) + b"secret" + bytes(74))  # TCP_MD5SIG


def signature_is_missing() -> None:
    _sign(_listens("127.0.0.1"))
    _knock("127.0.0.1")


def signature_is_right() -> None:
    server = _listens("127.0.0.1")
    _sign(server)

    def connect() -> None:
        with socket.socket(V4, socket.SOCK_STREAM) as one:
            _sign(one)
            one.connect(("127.0.0.1", 7000))
            other = server.accept()[0]
            other.close()
            one.recv(1)

    forever(connect, 0.02)


def _knock(address: str) -> None:
    def connect() -> None:
        sock = keep(socket.socket(V4, socket.SOCK_STREAM))
        sock.setblocking(False)
        sock.connect_ex((address, 7000))

    forever(connect, 0.05)


def beyond_the_window() -> None:
    peers = ScriptedPeers()
    KEPT.append(peers)
    sock, peer = keep(socket.socket(V4, socket.SOCK_STREAM)), peers.peer(V4)
    peer.connected(sock)

    def step() -> None:
        peer.send_at(100_000_000, b"x" * 1000)
        peers.discard()

    forever(step, 0.005)


def fell_back_from_mptcp() -> None:
    server = listener(64)

    def connect() -> None:
        with socket.socket(V4, socket.SOCK_STREAM, 262) as one:  # IPPROTO_MPTCP
            one.connect(server.getsockname())
            server.accept()[0].close()

    forever(connect, 0.02)


def retransmission_fails() -> None:
    peers = ScriptedPeers()
    KEPT.append(peers)
    socks = []
    for _ in range(60):
        sock, peer = keep(socket.socket(V4, socket.SOCK_STREAM)), peers.peer(V4)
        peer.connected(sock)
        socks.append(sock)
    network = peer.address[0].rpartition(".")[0]
    command("nft add table ip t")
    command("nft add chain ip t c { type filter hook output priority 0 ; }")
    for sock in socks:
        sock.send(b"x" * 500)
    command(f"nft add rule ip t c ip daddr {network}.0/24 drop")


def blocked_by_ipsec() -> None:
    nowhere()
    command("ip xfrm policy add src 0.0.0.0/0 dst 10.9.0.2/32 dir out action block")
    sender = keep(socket.socket(V4, socket.SOCK_DGRAM))
    forever(lambda: sender.sendto(b"x", ("10.9.0.2", 9)), 0.01)


# Firewall and connection tracking


def _filtered(share: int) -> None:
    receiver, sender = udp()
    receiver.setblocking(False)
    command("nft add table inet t")
    command("nft add chain inet t c { type filter hook input priority 0 ; }")
    port = receiver.getsockname()[1]
    command(f"nft add rule inet t c udp dport {port} numgen random mod 1000 < {share} counter drop")
    forever(lambda: [sender.send(b"x" * 100) for _ in range(5)], 0.01)
    forever(lambda: [receiver.recv(200) for _ in range(1000)], 0.001)


def firewall_drops_a_third() -> None:
    _filtered(300)


def firewall_drops_little() -> None:
    _filtered(1)


def ports_clash_after_nat() -> None:
    """All datagrams get one source port, and connection tracking can enter only one flow."""
    receiver, _sender = udp()
    receiver.setblocking(False)
    port = receiver.getsockname()[1]
    command("nft add table ip t")
    command("nft add chain ip t c { type nat hook postrouting priority 100 ; }")
    command(f"nft add rule ip t c udp dport {port} snat to 127.0.0.1:40000")

    def send() -> None:
        with socket.socket(V4, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", ("127.0.0.1", port))

    forever(send, 0.01)
    forever(lambda: [receiver.recv(200) for _ in range(1000)], 0.001)


# Mechanism, condition, verdict, code.
ROWS: tuple[tuple[str, Callable[[], None], str, str], ...] = (
    ("routes", no_route, "dropping", "NO_ROUTE"),
    ("routes", no_route6, "dropping", "NO_ROUTE"),
    ("routes", ipv6_is_tried_first, "ok", ""),
    ("routes", source_is_elsewhere, "dropping", "REVERSE_PATH_FILTER"),
    ("IP receive", header_damaged, "dropping", "IP_HEADER_ERRORS"),
    ("IP receive", header_checksum_wrong, "dropping", "CHECKSUM_ERRORS"),
    ("IP receive", packet_cut_off, "dropping", "IP_HEADER_ERRORS"),
    ("IP receive", address_is_not_ours, "dropping", "IP_ADDRESS_ERRORS"),
    ("IP receive", address_is_not_ours_once, "ok", ""),
    ("IP receive", protocol_without_handler, "dropping", "UNKNOWN_PROTOCOL"),
    ("IP receive", tcp_checksum_wrong, "dropping", "CHECKSUM_ERRORS"),
    ("IP receive", udp_checksum_wrong, "dropping", "CHECKSUM_ERRORS"),
    ("IP receive", frames_damaged, "dropping", "DEVICE_ERRORS"),
    ("IP receive", too_large_to_forward, "dropping", "FRAGMENTATION_FAILED"),
    ("IP receive", icmp_is_limited, "ok", "ICMP_LIMITED"),
    ("neighbours", neighbour_is_silent, "dropping", "NEIGHBOUR_FAILED"),
    ("neighbours", neighbour_was_silent, "ok", ""),
    ("neighbours", device_that_drops_everything, "dropping", "DEVICE_DROP"),
    ("refusals", service_is_down, "dropping", "CONNECTIONS_REFUSED"),
    ("refusals", clients_find_a_closed_port, "dropping", "CONNECTIONS_REFUSED"),
    ("refusals", health_check_fails, "ok", ""),
    ("refusals", scan_of_five_ports, "ok", ""),
    ("resets", closed_with_data_unread, "dropping", "CONNECTIONS_RESET"),
    ("resets", closed_with_data_unread_once, "ok", ""),
    ("resets", closed_by_reset_on_purpose, "ok", "CONNECTIONS_RESET"),
    ("resets", connections_close_in_order, "ok", ""),
    ("resets", connections_given_up, "dropping", "CONNECTIONS_TIMED_OUT"),
    ("segments", ttl_is_too_small, "dropping", "TTL_TOO_LOW"),
    ("segments", signature_is_missing, "dropping", "TCP_AUTHENTICATION"),
    ("segments", signature_is_right, "ok", ""),
    ("segments", beyond_the_window, "dropping", "TCP_OUT_OF_WINDOW"),
    ("segments", icmp_about_no_connection, "dropping", "TCP_INVALID_SEGMENTS"),
    ("segments", acknowledgements_without_cookie, "dropping", "SYN_COOKIES_FAILED"),
    ("segments", fast_open_queue_full, "at_risk", "TCP_FAST_OPEN"),
    ("segments", retransmission_fails, "stalled", "TCP_SEND_FAILED"),
    ("segments", fell_back_from_mptcp, "ok", "MPTCP_ERRORS"),
    ("firewall", blocked_by_ipsec, "dropping", "CRYPTO_ERRORS"),
    ("firewall", firewall_drops_a_third, "dropping", "NFT_DROP"),
    ("firewall", firewall_drops_little, "ok", ""),
    ("firewall", ports_clash_after_nat, "dropping", "CONNTRACK_INSERT"),
)
