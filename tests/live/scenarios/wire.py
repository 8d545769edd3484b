"""TCP conditions that need a say in what is on the wire: lost segments, peers that follow a script, a locked receiver."""

from __future__ import annotations

import atexit
import itertools
import os
import select
import socket
import struct
import threading
import time
from pathlib import Path

from tests.live import locked
from tests.live.scenarios.load import KEPT, SILENCE_S, forever, keep
from tests.live.world.netdev import add_ipv4, add_ipv6, link_up, open_tun, unshare_network
from tests.live.world.scripted_peer import ACK, FIN, PSH, RST, ScriptedPeer, ScriptedPeers

V4 = socket.AF_INET
V6 = socket.AF_INET6
# TEST-NET-2 (RFC 5737) and the documentation prefix (RFC 3849)
_NEAR = {V4: "198.51.100.1", V6: "2001:db8:2::1"}
_FAR = {V4: "198.51.100.2", V6: "2001:db8:2::2"}
_TCP_CLOSE_WAIT = 8


# A line that loses


def _line(every: int, family: int = V4) -> None:
    """Send to a namespace behind a line that loses one in *every* segments with data, or none where that is 0.

    Nothing that the kernel counts here is lost: only the sender's retransmissions tell.
    """
    ready = threading.Event()
    far: list[int] = []

    def serve() -> None:
        # This thread alone lives in the far namespace.
        unshare_network()
        far.append(_end("far0", _FAR))
        door = keep(socket.socket(family, socket.SOCK_STREAM))
        _bind(door, _FAR[family], 7)
        door.listen(16)
        ready.set()
        readers = [door]
        while True:
            for sock in select.select(readers, [], [])[0]:
                if sock is door:
                    readers.append(keep(door.accept()[0]))
                elif not sock.recv(1 << 20):
                    readers.remove(sock)

    near = _end("near0", _NEAR)
    threading.Thread(target=serve, daemon=True).start()
    assert ready.wait(5)
    numbers = itertools.count(1)

    def carry() -> None:
        while True:
            for one in select.select([near, far[0]], [], [])[0]:
                packet = os.read(one, 65536)
                # Headers of IP and TCP with timestamps are 52 bytes, 72 of IPv6.
                if one == near and every and len(packet) > 100 and not next(numbers) % every:
                    continue
                os.write(far[0] if one == near else near, packet)

    threading.Thread(target=carry, daemon=True).start()
    for _ in range(4):
        sock = keep(socket.create_connection((_FAR[family], 7), 5))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        # 1200 segments a second on all of them: enough to judge, little enough not to be held back by the losses.
        forever(lambda sock=sock: [sock.send(b"x" * 1000) for _ in range(3)], 0.01)


def _end(device: str, addresses: dict[int, str]) -> int:
    fd = open_tun(device)
    add_ipv4(device, addresses[V4], "255.255.255.0")
    link_up(device)
    add_ipv6(device, addresses[V6], 64)
    return fd


def _bind(sock: socket.socket, address: str, port: int) -> None:
    # The kernel's worker thread decides that a new IPv6 address needs no DAD.
    deadline = time.monotonic() + 5
    while True:
        try:
            sock.bind((address, port))
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.001)
        else:
            return


def line_loses_a_tenth() -> None:
    _line(10)


def line6_loses_a_tenth() -> None:
    _line(10, V6)


def line6_loses_nothing() -> None:
    _line(0, V6)


def line_loses_little() -> None:
    _line(200)


def line_loses_nothing() -> None:
    _line(0)


# Peers that follow a script


def _peers() -> ScriptedPeers:
    peers = ScriptedPeers()
    KEPT.append(peers)
    return peers


def _scripted(family: int = V4, peers: ScriptedPeers | None = None) -> tuple[socket.socket, ScriptedPeer]:
    peers = peers or _peers()
    sock, peer = keep(socket.socket(family, socket.SOCK_STREAM)), peers.peer(family)
    peer.connected(sock)
    return sock, peer


def peer_vanishes() -> None:
    sock, _peer = _scripted()
    sock.send(b"x" * 500)
    # A probe after 0.2 s, then timeouts of 0.2, 0.4 and 0.8 s: the third is over after 1.6 s, the fourth after 3.2 s.
    time.sleep(1.8)


def peer6_vanishes() -> None:
    sock, _peer = _scripted(V6)
    sock.send(b"x" * 500)
    time.sleep(1.8)


def peer_closes_its_window() -> None:
    sock, peer = _scripted()
    sock.send(b"x" * 500)
    peer.receive(PSH)
    sock.send(b"x" * 500)
    peer.send(ACK, window=0)

    def keep_it_closed() -> None:
        # What was sent into the old window is not taken, nor are the probes.
        peer.receive(ACK)
        peer.send(ACK, window=0, ack=first)

    first = peer.received
    forever(keep_it_closed, 0)
    time.sleep(SILENCE_S)


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


def closed_towards(closed: int, opened: int = 0) -> list[socket.socket]:
    """Close connections to peers that acknowledge nothing any more; return as many open ones as are asked for."""
    peers = _peers()
    pairs = [_scripted(peers=peers) for _ in range(closed + opened)]
    socks = [sock for sock, _peer in pairs]
    for sock in socks:
        sock.send(b"x" * 500)
    for sock in socks[:closed]:
        KEPT.remove(sock)
        sock.close()

    @atexit.register
    def reset() -> None:
        # Else they keep the namespace, and count as the host's orphans, for minutes.
        for _sock, peer in pairs:
            peer.send(RST)

    forever(peers.discard, 0.05)
    return socks[closed:]


# Segments out of order


def _small_connection() -> tuple[ScriptedPeers, ScriptedPeer]:
    # A buffer whose size is not set grows up to tcp_rmem[2] to hold them (tcp_clamp_window()).
    peers = _peers()
    sock, peer = _scripted(peers=peers)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    return peers, peer


def out_of_order_pruned() -> None:
    peers, peer = _small_connection()
    # Each byte costs a whole buffer, and none is next to another; the latest come first, so that they are thrown away again.
    offsets = itertools.cycle(range(8001, 0, -2))

    def step() -> None:
        for _ in range(40):
            peer.send_at(next(offsets), b"x")
        peers.discard()

    forever(step, 0.01)


def out_of_order_dropped() -> None:
    peers, peer = _small_connection()
    # The earliest come first: what comes when all is full is the latest, and not let in.
    offsets = itertools.cycle(range(1, 8001, 2))

    def step() -> None:
        for _ in range(40):
            peer.send_at(next(offsets), b"x")
        peers.discard()

    forever(step, 0.01)


def out_of_order_joined() -> None:
    peers = _peers()
    sock, peer = _scripted(peers=peers)
    sock.setblocking(False)

    def step() -> None:
        for offset in (3000, 1000, 2000):
            peer.send_at(offset, b"x" * 1000)
        peer.send(ACK, b"x" * 1000)
        peer.skip(3000)
        peers.discard()

    forever(step, 0.005)
    forever(lambda: sock.recv(1 << 16), 0.001)


def held_connection() -> tuple[ScriptedPeers, ScriptedPeer]:
    """Connect to a peer that does what it is told; nobody reads what it sends."""
    peers = _peers()
    return peers, _scripted(peers=peers)[1]


def in_order(peer: ScriptedPeer, peers: ScriptedPeers) -> None:
    """Send the next segments of a stream again and again, as a sender does whose segments are dropped."""

    def step() -> None:
        for offset in range(0, 20_000, 1000):
            peer.send_at(offset, b"x" * 1000)
        peers.discard()

    forever(step, 0.02)


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
