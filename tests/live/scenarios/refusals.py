"""Connections refused and reset, segments that TCP throws away, datagrams to ports that nobody listens at."""

from __future__ import annotations

import contextlib
import ctypes
import random
import socket
import struct
import time

from tests.live.scenarios.acceptors import accept_all, accept_one, connect
from tests.live.scenarios.condition import bad, healthy
from tests.live.scenarios.load import (
    COUNTS,
    KEPT,
    LOOPBACK,
    command,
    forever,
    keep,
    listener,
    nowhere,
    pair,
    sysctl,
)
from tests.live.scenarios.readers import drain, paced

V4, V6 = socket.AF_INET, socket.AF_INET6
_REFUSED = r"refus|AttemptFails"
_RESET = r"reset|AbortOnClose|EstabResets|RST"


def _refused(family: int = V4, port: int = 81) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(2)
        try:
            sock.connect((LOOPBACK[family], port))
        except ConnectionRefusedError:
            COUNTS["refused"] += 1


@bad("dropping", "refused", says=_REFUSED, truth=("Tcp.AttemptFails",), quick=True)
def tcp_refused() -> None:
    """A service that is down: thirty attempts a second end with a reset."""
    paced(_refused, 30)


@bad("dropping", "refused", says=_REFUSED, truth=("Tcp.AttemptFails",))
def tcp6_refused() -> None:
    paced(lambda: _refused(V6), 30)


@bad("dropping", "refused", says=_REFUSED, truth=("Tcp.AttemptFails",))
def tcp_refused_beside_a_busy_service() -> None:
    """A host that works, but for one service whose clients are all refused."""
    server = listener(64)
    forever(lambda: accept_one(server), 0)
    paced(lambda: connect(server), 100)
    paced(_refused, 40)


@bad("dropping", "refused", says=_REFUSED, truth=("Tcp.AttemptFails",))
def tcp_refused_by_a_firewall() -> None:
    command("nft add table inet scenario")
    command("nft add chain inet scenario input { type filter hook input priority 0; }")
    command("nft add rule inet scenario input tcp dport 82 counter reject with tcp reset")
    server = keep(socket.socket(V4, socket.SOCK_STREAM))
    server.bind(("127.0.0.1", 82))
    server.listen(10)
    paced(lambda: _refused(V4, 82), 30)


@healthy("refused")
def tcp_refused_once_in_three_seconds() -> None:
    """A health check of something that is not there, beside a service that works."""
    server = listener(64)
    forever(lambda: accept_one(server), 0)
    paced(lambda: connect(server), 60)
    paced(_refused, 0.3)


# Resets


def _with_unread_data(per_s: float) -> None:
    """A server that closes without having read the request: its client gets a reset."""
    server = listener(128)

    def serve() -> None:
        sock = server.accept()[0]
        sock.recv(1, socket.MSG_PEEK)
        sock.close()
        COUNTS["reset"] += 1

    def ask() -> None:
        with socket.create_connection(server.getsockname(), 5) as sock:
            sock.send(b"x" * 1000)
            with contextlib.suppress(ConnectionResetError):
                sock.recv(10)

    for _ in range(3):
        forever(serve, 0)
        paced(ask, per_s / 3)


@bad("dropping", "resets", says=_RESET, truth=("TcpExt.TCPAbortOnClose",), quick=True)
def tcp_closed_with_unread_data() -> None:
    _with_unread_data(65)


@bad(
    "dropping",
    "resets",
    says=_RESET,
    truth=("Tcp.EstabResets",),
    why="the kernel counts a health check that ends its connections by a reset in the same way; it is told as info",
)
def tcp_reset_by_a_peer_with_linger_zero() -> None:
    """Connections that are ended with a reset in the middle, fifty a second, data under way."""
    server = listener(128)
    forever(lambda: accept_all(server, lambda sock: KEPT.append(sock) if len(KEPT) < 400 else sock.close()), 0.002)

    def ask() -> None:
        with socket.create_connection(server.getsockname(), 5) as sock:
            sock.send(b"x" * 20_000)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    paced(ask, 50)


@healthy("resets", noise=("app.*",))
def tcp_reset_now_and_then() -> None:
    """Browsers that go elsewhere in the middle of a page: one reset a second beside two hundred good connections."""
    server = listener(128)
    forever(lambda: accept_one(server), 0)
    paced(lambda: connect(server), 200)
    other = listener(16)

    def serve() -> None:
        with other.accept()[0] as sock, contextlib.suppress(OSError):
            for _ in range(5):
                sock.send(b"x" * 1000)
                time.sleep(0.01)

    def leave() -> None:
        with socket.create_connection(other.getsockname(), 5) as sock:
            sock.recv(10)

    forever(serve, 0)
    paced(leave, 1)


@healthy("resets")
def http_clients_that_close_after_half_an_answer() -> None:
    """Two a second: a peer that has enough is not a loss, as long as they are few."""
    server = listener(64)

    def serve() -> None:
        with server.accept()[0] as sock, contextlib.suppress(OSError):
            sock.send(b"x" * 3000)

    def ask() -> None:
        with socket.create_connection(server.getsockname(), 5) as sock:
            sock.recv(100)

    forever(serve, 0)
    paced(ask, 2)
    paced(lambda: None, 1)


# UDP without a listener


@bad(
    "dropping",
    "UDP refused",
    says=r"NoPorts|closed port|no(body| process) listens|no socket|not listen",
    truth=("Udp.NoPorts",),
    never="neighbour",
    quick=True,
)
def udp_to_a_closed_port() -> None:
    """A service that is down: 250 datagrams a second, each answered with an ICMP error."""
    sender = keep(socket.socket(V4, socket.SOCK_DGRAM))
    sender.connect(("127.0.0.1", 5300))
    paced(lambda: sender.send(b"x" * 100), 500)


@bad(
    "dropping",
    "UDP refused",
    says=r"NoPorts|closed port|no(body| process) listens|no socket|not listen",
    truth=("Udp6.NoPorts",),
    never="neighbour",
)
def udp6_to_a_closed_port() -> None:
    sender = keep(socket.socket(V6, socket.SOCK_DGRAM))
    paced(lambda: sender.sendto(b"x" * 100, ("::1", 5300)), 200)


@bad(
    "dropping",
    "UDP refused",
    says=r"NoPorts|closed port|no(body| process) listens|no socket|not listen",
    truth=("Udp.NoPorts",),
    never="neighbour",
)
def udp_to_a_closed_port_beside_a_good_service() -> None:
    from tests.live.scenarios.load import udp

    receiver, sender = udp()
    paced(lambda: sender.send(b"x" * 100), 300)
    forever(lambda: drain(receiver), 0.005)
    other = keep(socket.socket(V4, socket.SOCK_DGRAM))
    paced(lambda: other.sendto(b"x" * 100, ("127.0.0.1", 5300)), 200)


# What TCP and UDP throw away on receipt


def _inject(protocol: int, segment: bytes) -> None:
    local = socket.inet_aton("127.0.0.1")
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0, 64, protocol, 0, local, local)
    _SENDERS[0].sendto(header + segment, ("127.0.0.1", 0))


_SENDERS: list[socket.socket] = []


def _injector() -> None:
    _SENDERS.append(keep(socket.socket(V4, socket.SOCK_RAW, socket.IPPROTO_RAW)))


@bad("dropping", "checksums", says="checksum|InCsumErrors", truth=("Tcp.InCsumErrors",), quick=True)
def tcp_bad_checksums() -> None:
    server = listener(16)
    _injector()
    port = server.getsockname()[1]
    segment = struct.pack("!HHIIBBHHH", 40000, port, 1, 0, 0x50, 2, 65535, 0x1234, 0)
    paced(lambda: _inject(6, segment), 80)


@bad("dropping", "checksums", says="checksum|InCsumErrors", truth=("Udp.InCsumErrors",))
def udp_bad_checksums() -> None:
    receiver = keep(socket.socket(V4, socket.SOCK_DGRAM))
    receiver.bind(("127.0.0.1", 0))
    _injector()
    port = receiver.getsockname()[1]
    datagram = struct.pack("!HHHH", 40000, port, 108, 0x1234) + b"x" * 100
    paced(lambda: _inject(17, datagram), 80)
    forever(lambda: drain(receiver), 0.01)


@bad("dropping", "TCP refuses", says="MinTTL|TTL|hop", truth=("TcpExt.TCPMinTTLDrop",))
def tcp_below_the_minimum_ttl() -> None:
    """A BGP-like listener that takes segments with a TTL of 255 only; its clients send 64."""
    server = listener(16)
    server.setsockopt(socket.IPPROTO_IP, 21, 255)  # IP_MINTTL

    def knock() -> None:
        sock = socket.socket(V4, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.connect_ex(server.getsockname())
        KEPT.append(sock)

    paced(knock, 20)


class _Md5(ctypes.Structure):
    _fields_ = (
        ("address", ctypes.c_ubyte * 128),
        ("flags", ctypes.c_uint8),
        ("prefix", ctypes.c_uint8),
        ("length", ctypes.c_uint16),
        ("ifindex", ctypes.c_int),
        ("key", ctypes.c_ubyte * 80),
    )


@bad("dropping", "TCP refuses", says="MD5", truth=("TcpExt.TCPMD5NotFound",))
def tcp_without_the_md5_signature_that_is_wanted() -> None:
    server = listener(16)
    key = _Md5(length=6)
    packed = struct.pack("=HH4s", socket.AF_INET, 0, socket.inet_aton("127.0.0.1"))
    ctypes.memmove(key.address, packed, len(packed))
    ctypes.memmove(key.key, b"secret", 6)
    server.setsockopt(socket.IPPROTO_TCP, 14, bytes(key))  # TCP_MD5SIG

    def knock() -> None:
        sock = socket.socket(V4, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.connect_ex(server.getsockname())
        KEPT.append(sock)

    paced(knock, 20)


@bad("stalled", "refused", "SYN_SENT_UNANSWERED", also=("at_risk", "dropping"), says="SYN|unanswered")
def tcp_firewall_that_drops_syns() -> None:
    """A firewall on this host drops every SYN to one port."""
    command("nft add table inet scenario")
    command("nft add chain inet scenario input { type filter hook input priority 0; }")
    command("nft add rule inet scenario input tcp dport 83 counter drop")
    for _ in range(5):
        sock = keep(socket.socket(V4, socket.SOCK_STREAM))
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", 83))
    time.sleep(1.5)


@bad("stalled", "refused", "SYN_SENT_UNANSWERED")
def tcp6_no_answer_to_syn() -> None:
    nowhere()
    for device in ("void0", "void1"):
        sysctl(f"net.ipv6.conf.{device}.disable_ipv6", 0)
    command("ip addr add 2001:db8:9::1/64 dev void0 nodad")
    for _ in range(5):
        sock = keep(socket.socket(V6, socket.SOCK_STREAM))
        sock.setblocking(False)
        sock.connect_ex(("2001:db8:9::2", 80))
    time.sleep(1.5)


@bad(
    "dropping",
    "resets",
    says="timed? ?out|AbortOnTimeout|silent|unanswered|abort",
    also=("stalled",),
    truth=("TcpExt.TCPAbortOnTimeout",),
    fresh=True,
)
def tcp_user_timeouts() -> None:
    """Connections to a peer that vanished end by TCP_USER_TIMEOUT, ten a second, with what they had to send."""
    command("nft add table inet scenario")
    command("nft add chain inet scenario input { type filter hook input priority 0; }")
    server = listener(128)
    port = server.getsockname()[1]
    ends = []
    for _ in range(120):
        one, other = pair(server)
        one.setsockopt(socket.IPPROTO_TCP, 18, 1000)  # TCP_USER_TIMEOUT
        ends.append((one, other))
    command(f"nft add rule inet scenario input tcp dport {port} counter drop")

    def step() -> None:
        if ends:
            one, _other = ends.pop()
            one.send(b"x" * 100)

    paced(step, 5)


@healthy("TCP refuses")
def tcp_stray_segments() -> None:
    """Segments of connections that are long gone, a few a second: each is answered with a reset."""
    _injector()
    local = socket.inet_aton("127.0.0.1")

    def stray() -> None:
        ports = random.randrange(1024, 60000), 4444
        segment = struct.pack("!HHIIBBHHH", *ports, 1, 1, 0x50, 0x10, 1000, 0, 0)
        pseudo = local + local + struct.pack("!BBH", 0, 6, len(segment))
        check = _sum(pseudo + segment)
        _inject(6, segment[:16] + struct.pack("!H", check) + segment[18:])

    paced(stray, 2)


def _sum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
