"""TCP peers that do exactly what a script says, at the far end of a tun device.

A state such as SYN_RECV or CLOSING lasts a round trip with a peer that behaves. These do not: nothing answers on their
addresses but the segments that a factory sends.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import time
from dataclasses import dataclass

from tests.live.world import netdev

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

DEVICE = "script0"
# TEST-NET-1 (RFC 5737) and the documentation prefix (RFC 3849)
OURS: dict[int, str] = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
_NETWORK: dict[int, str] = {socket.AF_INET: "192.0.2.", socket.AF_INET6: "2001:db8::"}
_ISN = 1_000_000


@dataclass(frozen=True)
class Segment:
    """What of a TCP segment a script needs."""

    source: tuple[str, int]
    destination: tuple[str, int]
    seq: int
    ack: int
    flags: int
    payload: bytes


class ScriptedPeers:
    """The device, and as many peers behind it as are asked for."""

    def __init__(self) -> None:
        self._fd = netdev.open_tun(DEVICE)
        netdev.add_ipv4(DEVICE, OURS[socket.AF_INET], "255.255.255.0")
        netdev.link_up(DEVICE)
        netdev.add_ipv6(DEVICE, OURS[socket.AF_INET6], 64)
        while not _may_bind(OURS[socket.AF_INET6]):  # the kernel's worker thread decides that no DAD is needed
            time.sleep(0.001)
        self._next = 10

    def peer(self, family: int, port: int = 7) -> ScriptedPeer:
        """Give a peer on an address of its own."""
        self._next += 1
        return ScriptedPeer(self, family, (f"{_NETWORK[family]}{self._next}", port))

    def write(self, family: int, source: str, destination: str, segment: bytes) -> None:
        """Put a segment on the wire, with its checksum and IP header."""
        ends = socket.inet_pton(family, source) + socket.inet_pton(family, destination)
        if family == socket.AF_INET:
            pseudo = ends + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(segment))
            header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0, 64, socket.IPPROTO_TCP, 0) + ends
            header = header[:10] + _checksum(header) + header[12:]
        else:
            pseudo = ends + struct.pack("!II", len(segment), socket.IPPROTO_TCP)
            header = struct.pack("!IHBB", 6 << 28, len(segment), socket.IPPROTO_TCP, 64) + ends
        segment = segment[:16] + _checksum(pseudo + segment) + segment[18:]
        os.write(self._fd, header + segment)

    def discard(self) -> None:
        """Take what waits off the wire, so that the device has room."""
        while select.select([self._fd], [], [], 0)[0]:
            os.read(self._fd, 65536)

    def read(self, peer: tuple[str, int], seconds: float = 5) -> Segment:
        """Take packets off the wire until one is TCP to *peer*; the others are lost, as on a bad line."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self._fd], [], [], left)[0]:
                segment = _parse(os.read(self._fd, 65536))
                if segment and segment.destination == peer:
                    return segment
        raise TimeoutError(f"no segment to {peer}")


class ScriptedPeer:
    """One peer and its one connection.

    Attributes:
        address: printable address and port.
    """

    def __init__(self, peers: ScriptedPeers, family: int, address: tuple[str, int]) -> None:
        self._peers = peers
        self.family = family
        self.address = address
        self._seq = _ISN
        self._ack = 0
        self._other: tuple[str, int] = ("", 0)

    @property
    def received(self) -> int:
        """Sequence number up to which all was received."""
        return self._ack

    def receive(self, flags: int) -> Segment:
        """Wait for a segment that has all of *flags*, and remember what acknowledges it."""
        while True:
            segment = self._peers.read(self.address)
            if segment.flags & flags == flags:
                length = len(segment.payload) + bool(segment.flags & SYN) + bool(segment.flags & FIN)
                self._ack = (segment.seq + length) & 0xFFFFFFFF
                self._other = segment.source
                return segment

    def send(self, flags: int, payload: bytes = b"", window: int = 65535, ack: int | None = None) -> None:
        """Send a segment that acknowledges what was received, or *ack*."""
        self.send_at(0, payload, flags, window, ack)
        self._seq = (self._seq + len(payload) + bool(flags & SYN) + bool(flags & FIN)) & 0xFFFFFFFF

    def send_at(
        self, offset: int, payload: bytes, flags: int = ACK, window: int = 65535, ack: int | None = None
    ) -> None:
        """Send a segment *offset* bytes after what was sent so far, which does not count as sent."""
        header = struct.pack(
            "!HHIIBBHHH",
            self.address[1],
            self._other[1],
            (self._seq + offset) & 0xFFFFFFFF,
            self._ack if ack is None else ack,
            5 << 4,
            flags,
            window,
            0,
            0,
        )
        self._peers.write(self.family, self.address[0], self._other[0], header + payload)

    def skip(self, length: int) -> None:
        """Count bytes as sent that were sent ahead."""
        self._seq = (self._seq + length) & 0xFFFFFFFF

    def knock(self, listener: tuple[str, int]) -> None:
        """Send a SYN to a listener, and let its SYN-ACKs go nowhere."""
        self._other = listener
        self.send(SYN, ack=0)

    def connected(self, sock: socket.socket) -> None:
        """Have *sock* connect here, and complete the handshake."""
        sock.setblocking(False)
        sock.bind((OURS[self.family], 0))
        sock.connect_ex(self.address)
        self.receive(SYN)
        self.send(SYN | ACK)
        self.receive(ACK)


def _may_bind(address: str) -> bool:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                return False
            raise
        return True


def _checksum(data: bytes) -> bytes:
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)


def _parse(packet: bytes) -> Segment | None:
    if packet[0] >> 4 == 4:
        family, start, protocol, addresses = socket.AF_INET, (packet[0] & 15) * 4, packet[9], packet[12:20]
    else:
        family, start, protocol, addresses = socket.AF_INET6, 40, packet[6], packet[8:40]
    if protocol != socket.IPPROTO_TCP:
        return None
    half = len(addresses) // 2
    sport, dport, seq, ack, offset, flags = struct.unpack_from("!HHIIBB", packet, start)
    return Segment(
        (socket.inet_ntop(family, addresses[:half]), sport),
        (socket.inet_ntop(family, addresses[half:]), dport),
        seq,
        ack,
        flags,
        packet[start + (offset >> 4) * 4 :],
    )
