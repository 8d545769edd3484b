"""TCP conditions that need a say in what is on the wire: lost segments, peers that follow a script, a locked receiver."""

from __future__ import annotations

import itertools
import os
import select
import socket
import struct
import threading
import time
from pathlib import Path

from tests.live import locked
from tests.live.scenarios.load import KEPT, forever, keep
from tests.live.world.netdev import add_ipv4, link_up, open_tun, unshare_network
from tests.live.world.scripted_peer import ACK, FIN, PSH, ScriptedPeer, ScriptedPeers

V4 = socket.AF_INET
_NEAR, _FAR, _MASK = "198.51.100.1", "198.51.100.2", "255.255.255.0"  # TEST-NET-2 (RFC 5737)
_TCP_CLOSE_WAIT = 8


# A line that loses


def _line(every: int) -> None:
    """Send to a namespace behind a line that loses one in *every* segments with data, or none where that is 0.

    Nothing that the kernel counts here is lost: only the sender's retransmissions tell.
    """
    ready = threading.Event()
    far: list[int] = []

    def serve() -> None:
        # This thread alone lives in the far namespace.
        unshare_network()
        far.append(open_tun("far0"))
        add_ipv4("far0", _FAR, _MASK)
        link_up("far0")
        door = keep(socket.socket(V4, socket.SOCK_STREAM))
        door.bind((_FAR, 7))
        door.listen(16)
        ready.set()
        readers = [door]
        while True:
            for sock in select.select(readers, [], [])[0]:
                if sock is door:
                    readers.append(keep(door.accept()[0]))
                elif not sock.recv(1 << 20):
                    readers.remove(sock)

    near = open_tun("near0")
    add_ipv4("near0", _NEAR, _MASK)
    link_up("near0")
    threading.Thread(target=serve, daemon=True).start()
    assert ready.wait(5)
    numbers = itertools.count(1)

    def carry() -> None:
        while True:
            for one in select.select([near, far[0]], [], [])[0]:
                packet = os.read(one, 65536)
                # Headers of IP and TCP with timestamps are 52 bytes.
                if one == near and every and len(packet) > 100 and not next(numbers) % every:
                    continue
                os.write(far[0] if one == near else near, packet)

    threading.Thread(target=carry, daemon=True).start()
    for _ in range(4):
        sock = keep(socket.create_connection((_FAR, 7), 5))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        # 1200 segments a second on all of them: enough to judge, little enough not to be held back by the losses.
        forever(lambda sock=sock: [sock.send(b"x" * 1000) for _ in range(3)], 0.01)


def line_loses_a_tenth() -> None:
    _line(10)


def line_loses_little() -> None:
    _line(200)


def line_loses_nothing() -> None:
    _line(0)


# Peers that follow a script


def _scripted() -> tuple[socket.socket, ScriptedPeer]:
    peers = ScriptedPeers()
    KEPT.append(peers)
    sock, peer = keep(socket.socket(V4, socket.SOCK_STREAM)), peers.peer(V4)
    peer.connected(sock)
    return sock, peer


def peer_vanishes() -> None:
    sock, _peer = _scripted()
    sock.send(b"x" * 500)
    # A probe after 0.2 s, then timeouts of 0.2, 0.4 and 0.8 s: the third is over after 1.6 s, the fourth after 3.2 s.
    time.sleep(1.8)


def peer_answers() -> None:
    sock, peer = _scripted()
    forever(lambda: sock.send(b"x" * 100), 0.01)

    def answer() -> None:
        peer.receive(PSH)
        peer.send(ACK)

    forever(answer, 0)


def _closed_by_both() -> ScriptedPeer:
    sock, peer = _scripted()
    peer.send(FIN | ACK)
    while sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) != bytes([_TCP_CLOSE_WAIT]):
        time.sleep(0.001)
    KEPT.remove(sock)
    sock.close()
    return peer


def last_ack_unanswered() -> None:
    _closed_by_both()
    time.sleep(1.5)


def last_ack_answered() -> None:
    peer = _closed_by_both()
    peer.receive(FIN)
    peer.send(ACK)


# A receiver that sleeps with the socket lock held


def _segment(source: tuple[str, int], target: tuple[str, int], number: int, payload: bytes) -> bytes:
    ends = socket.inet_aton(source[0]) + socket.inet_aton(target[0])
    segment = struct.pack("!HHIIBBHHH", source[1], target[1], number, 0, 0x50, ACK, 65535, 0, 0) + payload
    data = ends + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(segment)) + segment
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0, 64, socket.IPPROTO_TCP, 0) + ends
    return header + segment[:16] + struct.pack("!H", ~total & 0xFFFF) + segment[18:]


def _locked_receiver() -> locked.Locked | None:
    made = locked.lock(1, V4)
    # Its owner is released when this process, and with it the other end of a pipe, ends.
    return made[1][0] if made is not None else None


def backlog_of_a_locked_socket() -> None:
    receiver = _locked_receiver()
    assert receiver is not None
    sender = keep(socket.socket(V4, socket.SOCK_RAW, socket.IPPROTO_RAW))
    numbers = itertools.count(1 << 20, 1 << 16)

    def flood() -> None:
        # No window holds these back: the backlog takes them before any sequence number is looked at.
        sender.sendto(
            _segment(receiver.peer, receiver.local, next(numbers) & 0xFFFFFFFF, b"x" * 30000), ("127.0.0.1", 0)
        )

    # A hundred times what its buffers hold, at most.
    for _ in range(10_000):
        flood()
        if _dropped():
            break
    forever(flood, 0.01)


def _dropped() -> int:
    names, values = (
        line.split()
        for line in Path("/proc/thread-self/net/netstat").read_text().splitlines()
        if line.startswith("TcpExt:")
    )
    return int(values[names.index("TCPBacklogDrop")])
