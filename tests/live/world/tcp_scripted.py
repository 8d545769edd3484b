"""TCP states that last a round trip, held by a peer that does not answer."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from tests.live.world.facts import BOTH_FAMILIES, endpoint, factory
from tests.live.world.scripted_peer import ACK, FIN, OURS, SYN
from tests.live.world.tcp import settle

if TYPE_CHECKING:
    from tests.live.world.facts import Maker
    from tests.live.world.scripted_peer import ScriptedPeer


def connect(made: Maker, family: int) -> tuple[socket.socket, ScriptedPeer]:
    """Connect a socket to a scripted peer."""
    sock, peer = made.open(family, socket.SOCK_STREAM), made.peers.peer(family)
    peer.connected(sock)
    settle(made, family, endpoint(sock.getsockname()), peer.address, "ESTABLISHED")
    return sock, peer


@factory(*BOTH_FAMILIES)
def tcp_syn_sent(made: Maker, family: int) -> None:
    """Connect to an address where nobody answers."""
    sock, peer = made.open(family, socket.SOCK_STREAM), made.peers.peer(family)
    sock.setblocking(False)
    sock.bind((OURS[family], 0))
    assert sock.connect_ex(peer.address) == errno.EINPROGRESS
    peer.receive(SYN)
    made.tcp("client", "SYN_SENT", sock, peer=peer.address, timer="retransmit")


@factory(*({**family, "count": 3} for family in BOTH_FAMILIES))
def tcp_syn_recv(made: Maker, family: int, count: int) -> None:
    """Send SYNs to a listener and never acknowledge its answers."""
    listener = made.listener(family, 16, OURS[family])
    address = endpoint(listener.getsockname())
    for number in range(count):
        peer = made.peers.peer(family)
        peer.knock(address)
        peer.receive(SYN | ACK)
        settle(made, family, address, peer.address, "SYN_RECV")
        made.fileless(f"request-{number}", "tcp", family, "SYN_RECV", address, peer.address, timer="retransmit")
    made.tcp("listener", "LISTEN", listener, recv_q=0, send_q=16)


@factory(*BOTH_FAMILIES)
def tcp_established_unacked(made: Maker, family: int) -> None:
    """Send to a peer that vanished: bytes unacknowledged, and the retransmission timer."""
    sock, peer = connect(made, family)
    sock.send(b"x" * 500)
    peer.receive(ACK)
    made.tcp("client", "ESTABLISHED", sock, recv_q=0, send_q=500, timer="retransmit")


@factory(*BOTH_FAMILIES)
def tcp_fin_wait1(made: Maker, family: int) -> None:
    """Shut down one direction towards a peer that vanished."""
    sock, peer = connect(made, family)
    sock.shutdown(socket.SHUT_WR)
    settle(made, family, endpoint(sock.getsockname()), peer.address, "FIN_WAIT1")
    made.tcp("client", "FIN_WAIT1", sock, timer="retransmit")


@factory(*BOTH_FAMILIES)
def tcp_fin_wait1_orphan(made: Maker, family: int) -> None:
    """Close towards a peer that vanished."""
    sock, peer = connect(made, family)
    local = endpoint(sock.getsockname())
    sock.close()
    settle(made, family, local, peer.address, "FIN_WAIT1")
    made.fileless("client", "tcp", family, "FIN_WAIT1", local, peer.address, timer="retransmit")


@factory(*BOTH_FAMILIES)
def tcp_last_ack(made: Maker, family: int) -> None:
    """Close after the peer did, which then vanished."""
    sock, peer = connect(made, family)
    local = endpoint(sock.getsockname())
    peer.send(FIN | ACK)
    settle(made, family, local, peer.address, "CLOSE_WAIT")
    sock.close()
    settle(made, family, local, peer.address, "LAST_ACK")
    made.fileless("client", "tcp", family, "LAST_ACK", local, peer.address, timer="retransmit")


@factory(*BOTH_FAMILIES)
def tcp_closing(made: Maker, family: int) -> None:
    """Close at the same time as the peer, which does not acknowledge."""
    sock, peer = connect(made, family)
    local = endpoint(sock.getsockname())
    before = peer.received
    sock.close()
    peer.receive(FIN)
    peer.send(FIN | ACK, ack=before)
    settle(made, family, local, peer.address, "CLOSING")
    made.fileless("client", "tcp", family, "CLOSING", local, peer.address, timer="retransmit")


@factory(*BOTH_FAMILIES)
def tcp_closing_owned(made: Maker, family: int) -> None:
    """Shut down at the same time as the peer: CLOSING with an owner."""
    sock, peer = connect(made, family)
    before = peer.received
    sock.shutdown(socket.SHUT_WR)
    peer.receive(FIN)
    peer.send(FIN | ACK, ack=before)
    settle(made, family, endpoint(sock.getsockname()), peer.address, "CLOSING")
    made.tcp("client", "CLOSING", sock, timer="retransmit")
