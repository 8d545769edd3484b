"""What `trace` is to see, made in a namespace's process."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import struct
import time
from typing import Any

from tests.live.world import netdev

KEPT: list[socket.socket] = []


def catches(pid: int, number: int) -> bool:
    """Return whether a process has a handler for a signal."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        (mask,) = [line.split()[1] for line in file if line.startswith("SigCgt:")]
    return bool(int(mask, 16) >> (number - 1) & 1)


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
    listen_at("127.0.0.1", port)


def listen_at(address: str, port: int) -> None:
    one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind((address, port))
    one.listen(128)
    KEPT.append(one)


def connections(port: int, number: int) -> list[int]:
    """Open and close so many connections to the last listener; return their ports."""
    return connections_to("127.0.0.1", port, number)


def connections_to(address: str, port: int, number: int) -> list[int]:
    ports = []
    for _ in range(number):
        client = socket.create_connection((address, port))
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
    _send(port, source, 1, 0, _SYN)


def answered_handshake(port: int) -> socket.socket:
    """Connect to a peer behind the line, which answers the SYN and is silent from then on."""
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex((_THERE, port))
    syn = _tcp_packet(_LINES[-1], port)
    assert syn.flags & _SYN
    _send(syn.sport, port, _PEER_ISN, syn.seq + 1, _SYN | _ACK)
    deadline = time.monotonic() + 30
    while one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) != b"\1" and time.monotonic() < deadline:
        time.sleep(0.01)
    KEPT.append(one)
    return one


def silent_peer_keepalive(port: int) -> int:
    """Ask a silent peer by keepalive until the kernel gives the connection up; return its port."""
    one = answered_handshake(port)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT):
        one.setsockopt(socket.IPPROTO_TCP, option, 1)
    return _until_it_fails(one)


def silent_peer_user_timeout(port: int) -> int:
    """Ask a silent peer by keepalive, up to TCP_USER_TIMEOUT; return the port of the connection."""
    one = answered_handshake(port)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 500)
    return _until_it_fails(one)


def silent_peer_data(port: int) -> int:
    """Send data to a silent peer until TCP_USER_TIMEOUT is over; return the port of the connection."""
    one = answered_handshake(port)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 500)
    one.send(b"x")
    return _until_it_fails(one)


def _until_it_fails(one: socket.socket) -> int:
    port = one.getsockname()[1]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        number = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            assert number == errno.ETIMEDOUT
            return int(port)
        time.sleep(0.05)
    raise AssertionError("the kernel does not give it up")


def lossy_transfer(port: int, segments: int) -> int:
    """Send so many segments to a peer that loses every third; return the port of the connection."""
    one = answered_handshake(port)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    mine = one.getsockname()[1]
    expected = end = None
    seen = sent = 0
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if sent < segments and sent <= seen + 5:
            one.send(bytes(10))
            sent += 1
        packet = _tcp_packet(_LINES[-1], port, 0.01)
        if packet is None:
            continue
        if expected is None:
            expected, end = packet.seq, packet.seq + 10 * segments
        if not packet.length:
            continue
        seen += 1
        if seen % 3 == 1:
            continue  # it is lost
        if packet.seq <= expected < packet.seq + packet.length:
            expected = packet.seq + packet.length
        # Data is taken in order only: what follows a loss is acknowledged again and again.
        _send(mine, port, _PEER_ISN + 1, expected, _ACK)
        if expected == end:
            return int(mine)
    raise AssertionError("the transfer does not end")


_SYN, _ACK, _PEER_ISN = 2, 16, 1000


class _Packet:
    def __init__(self, sport: int, seq: int, flags: int, length: int) -> None:
        self.sport, self.seq, self.flags, self.length = sport, seq, flags, length


def _tcp_packet(line: int, port: int, seconds: float = 30.0) -> Any:
    """Return the next TCP packet to a port of the peer that comes along the line; None after some time."""
    deadline = time.monotonic() + seconds
    while select.select([line], [], [], max(0.0, deadline - time.monotonic()))[0]:
        data = os.read(line, 65536)
        if data[0] >> 4 != 4 or data[9] != socket.IPPROTO_TCP:
            continue
        head = (data[0] & 15) * 4
        sport, dport, seq, _ack, offset, flags = struct.unpack_from("!HHIIBB", data, head)
        if dport == port:
            return _Packet(sport, seq, flags, int.from_bytes(data[2:4], "big") - head - (offset >> 4) * 4)
    return None


def _send(to: int, port: int, seq: int, ack: int, flags: int) -> None:
    """Have the peer send a segment without data."""
    ends = socket.inet_aton(_THERE) + socket.inet_aton(_HERE)
    tcp = struct.pack("!HHIIBBHHH", port, to, seq, ack & 0xFFFFFFFF, 5 << 4, flags, 65535, 0, 0)
    tcp = tcp[:16] + _checksum(ends + struct.pack("!HH", 6, len(tcp)) + tcp) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0) + ends
    os.write(_LINES[-1], ip[:10] + _checksum(ip) + ip[12:] + tcp)


def _checksum(data: bytes) -> bytes:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)
