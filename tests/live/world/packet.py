"""Packet sockets."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
from typing import TYPE_CHECKING, Any

from tests.live.world.facts import factory, wait_until
from tests.live.world.observe import table

if TYPE_CHECKING:
    from tests.live.world.facts import Fact, Maker

ETH_P_IP, ETH_P_ALL, ETH_P_IPV6, ETH_P_LOOP = 0x0800, 0x0003, 0x86DD, 0x0060
SOL_PACKET = 263
PACKET_RX_RING, PACKET_VERSION, PACKET_FANOUT = 5, 10, 18
TPACKET_V2, TPACKET_V3 = 1, 2
SO_ATTACH_FILTER = 26
BPF_RET_K = 0x06


def drop_all(sock: socket.socket) -> None:
    """Attach a classic BPF filter of one instruction: ret #0."""
    program = ctypes.create_string_buffer(struct.pack("=HBBI", BPF_RET_K, 0, 0, 0))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", 1, ctypes.addressof(program)))


def tap(made: Maker, type: int, protocol: int, device: str = "", silent: bool = True) -> socket.socket:
    """Create a packet socket; a silent one hears nothing."""
    sock = made.open(socket.AF_PACKET, type, 0 if device else socket.htons(protocol))
    if silent:
        drop_all(sock)
    if device:
        sock.bind((device, protocol))
    if silent and not device:
        with contextlib.suppress(BlockingIOError):  # what came before the filter
            while True:
                sock.recv(1, socket.MSG_DONTWAIT)
    return sock


def packet(made: Maker, role: str, sock: socket.socket, **expect: Any) -> Fact:
    """Record a packet socket; its local end is the ethertype and the interface index, both 0 where unbound."""
    device, protocol, *_ = sock.getsockname()
    index = socket.if_nametoindex(device) if device else 0
    return made.fact(role, "packet", "CLOSE", sock, (protocol, index), **expect)


@factory(
    {"type": socket.SOCK_RAW, "protocol": ETH_P_ALL, "device": "lo"},
    {"type": socket.SOCK_RAW, "protocol": ETH_P_IP, "device": "lo"},
    {"type": socket.SOCK_DGRAM, "protocol": ETH_P_IPV6, "device": "lo"},
    {"type": socket.SOCK_RAW, "protocol": ETH_P_LOOP, "device": ""},
    {"type": socket.SOCK_DGRAM, "protocol": ETH_P_ALL, "device": ""},
)
def packet_filtered(made: Maker, type: int, protocol: int, device: str) -> None:
    """Bind to an ethertype, and to a device or to all, with a filter that takes nothing."""
    packet(made, "tap", tap(made, type, protocol, device), rmem=0, filter=True)


@factory()
def packet_unbound(made: Maker) -> None:
    """Create and do nothing."""
    packet(made, "tap", tap(made, socket.SOCK_RAW, 0, silent=False), rmem=0, running=0)


@factory({"version": TPACKET_V2}, {"version": TPACKET_V3})
def packet_ring(made: Maker, version: int) -> None:
    """Share a ring of 4 blocks with the kernel."""
    sock = tap(made, socket.SOCK_RAW, 0)
    sock.setsockopt(SOL_PACKET, PACKET_VERSION, version)
    frame, block, blocks = 2048, 16384, 4
    request = struct.pack("=4I", block, blocks, frame, block // frame * blocks)
    sock.setsockopt(
        SOL_PACKET, PACKET_RX_RING, request + (struct.pack("=3I", 60, 0, 0) if version == TPACKET_V3 else b"")
    )
    sock.bind(("lo", ETH_P_LOOP))
    packet(made, "ring", sock, rmem=0, ring=(block, blocks, frame))


@factory()
def packet_fanout(made: Maker) -> None:
    """Share what arrives between two sockets of a fanout group (hash)."""
    for role in ("first", "second"):
        sock = tap(made, socket.SOCK_RAW, ETH_P_LOOP, "lo")
        sock.setsockopt(SOL_PACKET, PACKET_FANOUT, 77)
        packet(made, role, sock, rmem=0, fanout=77)


@factory()
def packet_unread(made: Maker) -> None:
    """Hear one frame of a private ethertype and do not read it."""
    ethertype = 0x88B5  # IEEE 802.1 local experimental
    sock = tap(made, socket.SOCK_RAW, ethertype, "lo", silent=False)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.sendto(bytes(12) + struct.pack("!H", ethertype) + b"x" * 100, ("lo", ethertype))
    inode = str(packet(made, "tap", sock, heard=True).inode)
    wait_until(lambda: [row for row in table("packet") if row["Inode"] == inode and int(row["Rmem"])], made.name)


@factory()
def packet_dropped(made: Maker) -> None:
    """Hear more frames of a private ethertype than the receive buffer holds."""
    ethertype = 0x88B6
    sock = tap(made, socket.SOCK_DGRAM, 0, silent=False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    sock.bind(("lo", ethertype))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        for _ in range(20):
            sender.sendto(bytes(12) + struct.pack("!H", ethertype) + b"x" * 1000, ("lo", ethertype))
    inode = str(packet(made, "tap", sock, heard=True, dropped=True).inode)
    wait_until(lambda: [row for row in table("packet") if row["Inode"] == inode and int(row["Rmem"])], made.name)
