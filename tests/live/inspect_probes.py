"""Sockets with every option set that can be set from outside; runs in the process that holds them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import struct
import time
from pathlib import Path
from typing import Any

SO_RCVBUFFORCE, SO_SNDBUFFORCE, SO_BUF_LOCK, SO_PREFER_BUSY_POLL = 33, 32, 72, 69
SO_MARK, SO_INCOMING_CPU, SO_BUSY_POLL, SO_COOKIE, SO_MEMINFO = 36, 49, 46, 57, 55
SO_MAX_PACING_RATE = 47
TCP_USER_TIMEOUT, TCP_NOTSENT_LOWAT, TCP_CONGESTION = 18, 25, 13

_kept: list[Any] = []

# Name, level, number, value that is set.
_SOCKET = (
    ("SO_RCVLOWAT", socket.SOL_SOCKET, socket.SO_RCVLOWAT, 7),
    ("SO_KEEPALIVE", socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    ("SO_REUSEADDR", socket.SOL_SOCKET, socket.SO_REUSEADDR, 1),
    ("SO_REUSEPORT", socket.SOL_SOCKET, socket.SO_REUSEPORT, 1),
    ("SO_OOBINLINE", socket.SOL_SOCKET, socket.SO_OOBINLINE, 1),
    ("SO_PRIORITY", socket.SOL_SOCKET, socket.SO_PRIORITY, 5),
    ("SO_MARK", socket.SOL_SOCKET, SO_MARK, 0x5EED),
    ("SO_BUSY_POLL", socket.SOL_SOCKET, SO_BUSY_POLL, 50),
    ("SO_INCOMING_CPU", socket.SOL_SOCKET, SO_INCOMING_CPU, 1),
    ("SO_DONTROUTE", socket.SOL_SOCKET, socket.SO_DONTROUTE, 1),
    ("SO_RXQ_OVFL", socket.SOL_SOCKET, 40, 1),
)
_IP = (
    ("IP_TOS", socket.IPPROTO_IP, socket.IP_TOS, 0x28),
    ("IP_TTL", socket.IPPROTO_IP, socket.IP_TTL, 17),
    ("IP_FREEBIND", socket.IPPROTO_IP, 15, 1),
    ("IP_TRANSPARENT", socket.IPPROTO_IP, 19, 1),
    ("IP_RECVERR", socket.IPPROTO_IP, 11, 1),
    ("IP_MINTTL", socket.IPPROTO_IP, 21, 3),
)
_IP6 = (
    ("IPV6_V6ONLY", socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1),
    ("IPV6_TCLASS", socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0x48),
    ("IPV6_UNICAST_HOPS", socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 9),
)
_TCP = (
    ("IP_BIND_ADDRESS_NO_PORT", socket.IPPROTO_IP, 24, 1),  # a UDP socket would stay without a port
    ("TCP_USER_TIMEOUT", socket.IPPROTO_TCP, TCP_USER_TIMEOUT, 12345),
    ("TCP_NODELAY", socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    ("TCP_DEFER_ACCEPT", socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 3),
    ("TCP_NOTSENT_LOWAT", socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, 65536),
    ("TCP_MAXSEG", socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000),
    ("TCP_SYNCNT", socket.IPPROTO_TCP, socket.TCP_SYNCNT, 2),
    ("TCP_LINGER2", socket.IPPROTO_TCP, socket.TCP_LINGER2, 11),
    ("TCP_KEEPIDLE", socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 100),
    ("TCP_KEEPINTVL", socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 20),
    ("TCP_KEEPCNT", socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    ("TCP_WINDOW_CLAMP", socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, 20000),
)
_UDP = (
    ("SO_BROADCAST", socket.SOL_SOCKET, socket.SO_BROADCAST, 1),
    ("IP_MULTICAST_TTL", socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 5),
    ("UDP_CORK", socket.IPPROTO_UDP, 1, 1),
    ("UDP_GRO", socket.IPPROTO_UDP, 104, 1),
)


def optioned(family: int, kind: int) -> tuple[int, int, dict[str, Any]]:
    """Make a socket, set every option, and return pid, descriptor and what its owner is told of each."""
    sock = socket.socket(family, kind)
    wanted = list(_SOCKET)
    if family in (socket.AF_INET, socket.AF_INET6):
        wanted += _IP
    if family == socket.AF_INET6:
        wanted += _IP6
    stream = kind == socket.SOCK_STREAM
    if family != socket.AF_UNIX:
        wanted += _TCP if stream else _UDP
    told: dict[str, Any] = {}
    for name, level, number, value in wanted:
        try:
            sock.setsockopt(level, number, value)
        except OSError:
            continue  # not for such a socket
        told[name] = None
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 9))
    told["SO_LINGER"] = [1, 9]
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 2, 500000))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", 3, 0))
    told["SO_RCVTIMEO"], told["SO_SNDTIMEO"] = _time(sock, socket.SO_RCVTIMEO), _time(sock, socket.SO_SNDTIMEO)
    if family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        told["SO_BINDTODEVICE"] = "lo"
        sock.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, 125000)
        told["SO_MAX_PACING_RATE"] = 125000
    if stream and family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, b"reno")
        told["TCP_CONGESTION"] = "reno"
        sock.bind(("", 0) if family == socket.AF_INET else ("::", 0))
        sock.listen(3)
    elif family != socket.AF_UNIX:
        sock.bind(("", 0) if family == socket.AF_INET else ("::", 0))
    else:
        sock.bind(b"\0sockdiag-optioned-%d-%d" % (os.getpid(), kind))
    for name, level, number, _value in wanted:
        # One option may change another: IP_TOS sets the priority.
        if name in told:
            told[name] = sock.getsockopt(level, number)
            assert told[name], name
    told["SO_COOKIE"] = f"{int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), 'little'):x}"
    told["SO_MEMINFO"] = list(memoryview(sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 64)).cast("I"))
    for name in ("SO_RCVBUF", "SO_SNDBUF", "SO_TYPE", "SO_ACCEPTCONN"):
        told[name] = sock.getsockopt(socket.SOL_SOCKET, getattr(socket, name))
    _kept.append(sock)
    return os.getpid(), sock.fileno(), told


def _time(sock: socket.socket, number: int) -> int:
    seconds, micro = struct.unpack("@ll", sock.getsockopt(socket.SOL_SOCKET, number, 16))
    return seconds * 1_000_000 + micro


def buffered(kind: str, how: str, sending: bool) -> tuple[int, int, int, int | None]:
    """Make a socket whose buffer came to be in one way.

    Returns:
        pid, descriptor, what SO_RCVBUF or SO_SNDBUF tells, and SO_BUF_LOCK (None before Linux 5.15).
    """
    families = {
        "tcp": (socket.AF_INET, socket.SOCK_STREAM),
        "udp": (socket.AF_INET, socket.SOCK_DGRAM),
        "unix": (socket.AF_UNIX, socket.SOCK_DGRAM),
    }
    sock = socket.socket(*families[kind])
    option = socket.SO_SNDBUF if sending else socket.SO_RCVBUF
    force = SO_SNDBUFFORCE if sending else SO_RCVBUFFORCE
    cap = cap_of(sending)
    if how == "forced":
        sock.setsockopt(socket.SOL_SOCKET, force, 2 * cap)
    elif how != "default":
        # At the cap: asked for more, or for exactly that.
        asked = {"set": 20000, "unlocked": 20000, "clamped": cap + 1, "at-cap": cap, "raised": 1}[how]
        sock.setsockopt(socket.SOL_SOCKET, option, asked)
    if how == "unlocked":
        sock.setsockopt(socket.SOL_SOCKET, SO_BUF_LOCK, 0)
    if kind == "unix":
        sock.bind(b"\0sockdiag-buffered-%d-%s-%d" % (os.getpid(), how.encode(), sending))
    else:
        sock.bind(("127.0.0.1", 0))
        if kind == "tcp":
            sock.listen(1)
    try:
        lock: int | None = sock.getsockopt(socket.SOL_SOCKET, SO_BUF_LOCK)
    except OSError:
        lock = None
    _kept.append(sock)
    return os.getpid(), sock.fileno(), sock.getsockopt(socket.SOL_SOCKET, option), lock


def cap_of(sending: bool) -> int:
    """Return rmem_max or wmem_max."""
    return int(Path(f"/proc/sys/net/core/{'wmem_max' if sending else 'rmem_max'}").read_text())


def tuned() -> tuple[int, int, int]:
    """Move data until the kernel has made a receive buffer larger; return pid, descriptor and SO_RCVBUF."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        sender = socket.create_connection(listener.getsockname())
        reader, _address = listener.accept()
    start = reader.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    data = bytes(1 << 20)
    sender.setblocking(False)
    deadline = time.monotonic() + 10
    while reader.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == start:
        assert time.monotonic() < deadline
        with contextlib.suppress(BlockingIOError):
            sender.send(data)
        reader.recv(1 << 20)
    reader.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while reader.recv(1 << 20):
            time.sleep(0.01)
    _kept.extend((sender, reader))
    return os.getpid(), reader.fileno(), reader.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def watched() -> dict[str, int]:
    """Make a socket with two descriptors, O_NONBLOCK and without O_CLOEXEC, watched by an epoll instance."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    os.set_inheritable(sock.fileno(), True)
    sock.bind(("127.0.0.1", 0))
    other = os.dup(sock.fileno())
    poller = select.epoll()
    poller.register(sock, select.EPOLLIN | select.EPOLLET | select.EPOLLRDHUP)
    plain, end = os.pipe()
    poller.register(plain, select.EPOLLIN)
    _kept.extend((sock, poller))
    return {
        "pid": os.getpid(),
        "fd": sock.fileno(),
        "other": other,
        "epoll": poller.fileno(),
        "pipe": plain,
        "end": end,
    }


def unbound(family: int, kind: int, protocol: int = 0) -> tuple[int, int]:
    """Make a socket and do nothing with it."""
    sock = socket.socket(family, kind, protocol)
    _kept.append(sock)
    return os.getpid(), sock.fileno()


def packet_drops() -> tuple[int, int]:
    """Make a packet socket that loses a packet; return pid and descriptor. Reading its statistics would reset them."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.bind(("lo", 0))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(50):
            sender.sendto(bytes(1000), ("127.0.0.1", 9))
    _kept.append(sock)
    return os.getpid(), sock.fileno()


def packet_statistics() -> tuple[int, int]:
    """Read, and so reset, PACKET_STATISTICS of the last socket: packets and drops."""
    packets, drops = struct.unpack("=II", _kept[-1].getsockopt(263, 6, 8))
    return packets, drops


def state_of(fd: int) -> tuple[int, int, int]:
    """Return what an onlooker could disturb: file flags, descriptor flags, number of open descriptors."""
    return fcntl.fcntl(fd, fcntl.F_GETFL), fcntl.fcntl(fd, fcntl.F_GETFD), len(os.listdir("/proc/self/fd"))


def same_address(port: int, kept: int) -> int:
    """Listen on 127.0.0.1:*port* with a backlog that tells namespaces apart; return the inode."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", port))
    sock.listen(kept)
    _kept.append(sock)
    return os.fstat(sock.fileno()).st_ino
