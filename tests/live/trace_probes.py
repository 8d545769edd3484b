"""What `trace` is to see, made in a namespace's process."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import time

from tests.live.world import netdev

KEPT: list[socket.socket] = []


def receiver(port: int) -> None:
    """Keep a UDP socket that nobody reads."""
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", port))
    KEPT.append(one)


def flood(port: int, datagrams: int) -> int:
    """Send datagrams; return the port they come from."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for _ in range(datagrams):
            one.sendto(bytes(1000), ("127.0.0.1", port))
        return int(one.getsockname()[1])


FLOODS: list[int] = []


def flood_in_background(port: int, per_s: int) -> None:
    """Send datagrams until told to stop, the first ones into an empty buffer until it is full."""
    flood(port, 500)
    child = os.fork()
    if child:
        FLOODS.append(child)
        return
    try:
        while os.getppid() != 1:
            flood(port, 1)
            time.sleep(1 / per_s)
    finally:
        os._exit(0)


def stop_floods() -> None:
    while FLOODS:
        child = FLOODS.pop()
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def listen(port: int) -> None:
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("127.0.0.1", port))
    one.listen(128)
    KEPT.append(one)


def connections(port: int, number: int) -> list[int]:
    """Open and close so many connections to the last listener; return their ports."""
    ports = []
    for _ in range(number):
        client = socket.create_connection(("127.0.0.1", port))
        server, _ = KEPT[-1].accept()
        ports.append(client.getsockname()[1])
        client.close()
        server.recv(1)
        server.close()
    return ports


def unread(port: int) -> int:
    """Close with unread data."""
    client = socket.create_connection(("127.0.0.1", port))
    server, _ = KEPT[-1].accept()
    server.sendall(b"x")
    while not client.recv(1, socket.MSG_PEEK):
        pass
    local = client.getsockname()[1]
    client.close()
    server.close()
    return int(local)


def abort(port: int) -> int:
    """Close with SO_LINGER 0."""
    client = socket.create_connection(("127.0.0.1", port))
    server, _ = KEPT[-1].accept()
    local = client.getsockname()[1]
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    server.close()
    return int(local)


def refused(port: int) -> None:
    """Connect to a closed port."""
    with contextlib.suppress(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def ping_flood(packets: int) -> None:
    """Ping loopback from a socket with a small buffer that nobody reads."""
    with open("/proc/sys/net/ipv4/ping_group_range", "w", encoding="ascii") as file:
        file.write("0 0")
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    KEPT.append(one)
    for number in range(packets):
        one.sendto(struct.pack("!BBHHH", 8, 0, 0, 0, number) + bytes(500), ("127.0.0.1", 0))


_LINES: list[int] = []
_HERE, _THERE = "10.8.0.1", "10.8.0.2"


def silent_line(port: int) -> None:
    """Make a line on which nobody answers, and a listener behind it."""
    _LINES.append(netdev.open_tun("tun0"))
    netdev.link_up("tun0")
    netdev.add_ipv4("tun0", _HERE, "255.255.255.0")
    one = socket.socket()
    one.bind((_HERE, port))
    one.listen()
    KEPT.append(one)


def unanswered(port: int, source: int) -> None:
    """Open a connection that nobody answers, and receive a SYN whose answer nobody acknowledges."""
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex((_THERE, 80))
    KEPT.append(one)
    ends = socket.inet_aton(_THERE) + socket.inet_aton(_HERE)
    tcp = struct.pack("!HHIIBBHHH", source, port, 1, 0, 5 << 4, 2, 1024, 0, 0)
    tcp = tcp[:16] + _checksum(ends + struct.pack("!HH", 6, len(tcp)) + tcp) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0) + ends
    os.write(_LINES[-1], ip[:10] + _checksum(ip) + ip[12:] + tcp)


def _checksum(data: bytes) -> bytes:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)
