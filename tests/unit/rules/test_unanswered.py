"""Peers that do not answer: who waits for them, and whether only large segments are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sockdiag.model.address import Endpoint
from sockdiag.model.socket import Owner, Timer
from sockdiag.model.tcp_info import TcpInfo
from tests.unit.rules.samples import found, sample, sock

if TYPE_CHECKING:
    from collections.abc import Collection

PEER = Endpoint("10.0.0.9", 5432)


def waiting(n: int, state: str = "ESTABLISHED") -> list[Any]:
    timer = Timer("retransmit", 100, 4)
    return [sock("tcp", 1 + i, state, peer=PEER, send_q=45000, timer=timer) for i in range(n)]


def info(**of_first: Any) -> Any:
    def read(socket: Any) -> TcpInfo:
        return TcpInfo(**of_first) if socket.cookie < 90 else TcpInfo(last_ack_recv_ms=100)

    return read


def test_process_peer_and_port_are_named() -> None:
    """Both for connections that were established and for those that were not."""
    for code, state in (("PEER_SILENT", "ESTABLISHED"), ("SYN_SENT_UNANSWERED", "SYN_SENT")):
        (finding,) = found(code, sample(waiting(3, state)))
        assert finding.summary.startswith("server(7): 10.0.0.9:5432 is not answering: 3 connection")
        assert [one.pid for one in finding.suspects] == [7]


def test_holders_of_all_peers_are_looked_up_at_once() -> None:
    """To find them takes a scan of all processes, however many peers there are."""
    scans: list[set[int]] = []

    def owners(inodes: Collection[int]) -> dict[int, tuple[Owner, ...]]:
        scans.append(set(inodes))
        return {}

    silent = [one._replace(peer=Endpoint(f"10.0.0.{i}", 80)) for i, one in enumerate(waiting(9))]
    assert len(found("PEER_SILENT", sample(silent), owners=owners)) == 9
    assert scans == [{one.inode for one in silent}]


def test_path_mtu() -> None:
    """Small segments behind a large one are acknowledged, or the peer answers elsewhere: it is no dead peer."""
    now = sample(waiting(3))
    (dead,) = found("PEER_SILENT", now, info=info(snd_mss=1448, sacked=0))
    assert "is not answering" in dead.summary
    (hole,) = found("PEER_SILENT", now, info=info(snd_mss=1448, unacked=32, sacked=1))
    assert "MTU" in hole.summary
    assert "1448 bytes" in hole.cause
    assert hole.advice[0].command == "sysctl -w net.ipv4.tcp_mtu_probing=1"
    other = sock("tcp", 90, "ESTABLISHED", peer=PEER._replace(port=22))
    for sign in ({"bytes_acked": 101}, {"backoff": 5}):
        (hole,) = found("PEER_SILENT", sample([*waiting(3), other]), info=info(snd_mss=1448, sacked=0, **sign))
        assert "MTU" in hole.summary
    (dead,) = found("PEER_SILENT", sample([*waiting(3), other]), info=info(snd_mss=1448, sacked=0, bytes_acked=9_999))
    assert "is not answering" in dead.summary
    (either,) = found("PEER_SILENT", now, info=info(snd_mss=1448, sacked=0, bytes_acked=101, pmtu=1500))
    assert "no full-sized segment" in either.summary
    assert "or the peer vanished" in either.cause
    assert either.advice[0].command == "ping -c 3 -M do -s 1472 10.0.0.9; ping -c 3 10.0.0.9"
    # The first thing that a web server sends is a large segment.
    (first,) = found("PEER_SILENT", now, info=info(snd_mss=1448, sacked=0, bytes_acked=0, pmtu=1500))
    assert "no full-sized segment" in first.summary
    assert first.cause.startswith("only the handshake has been acknowledged")
    (small,) = found("PEER_SILENT", now, info=info(snd_mss=64000, unacked=1, sacked=1))
    assert "is not answering" in small.summary


def test_random_loss() -> None:
    """A peer that acknowledges full-sized segments behind the gap, lately, answers; it did, if that was long ago."""
    seen = {"snd_mss": 1448, "unacked": 31, "sacked": 28, "bytes_acked": 900_000, "backoff": 3, "rto_us": 1_600_000}
    now = sample(waiting(3))
    assert found("PEER_SILENT", now, info=info(last_ack_recv_ms=1_390, **seen)) == []
    (silent,) = found("PEER_SILENT", now, info=info(last_ack_recv_ms=1_410, **seen))
    assert "is not answering" in silent.summary


def test_command_for_a_peer() -> None:
    """It asks whether the peer can be reached; a peer of this host is a listener."""
    for address, command in (
        ("10.0.0.9", "ip route get 10.0.0.9; ping -c 3 10.0.0.9"),
        ("::ffff:10.0.0.9", "ip route get 10.0.0.9; ping -c 3 10.0.0.9"),
        ("2001:db8::9", "ip route get 2001:db8::9; ping -c 3 2001:db8::9"),
        ("fe80::1%eth0", "ip route get fe80::1 dev eth0; ping -c 3 fe80::1%eth0"),
        ("127.0.0.1", "sockdiag port 5432"),
        ("::1", "sockdiag port 5432"),
        ("::12", "ip route get ::12; ping -c 3 ::12"),
    ):
        rows = [one._replace(peer=Endpoint(address, 5432)) for one in waiting(2, "SYN_SENT")]
        (finding,) = found("SYN_SENT_UNANSWERED", sample(rows))
        assert finding.advice[0].command == command
    (finding,) = found("PEER_SILENT", sample(waiting(2)))
    assert finding.advice[0].command == "ip route get 10.0.0.9; ping -c 3 10.0.0.9"


def test_refused_attempts_that_were_under_way() -> None:
    """Their peers and processes are named, or that there are several; one that gets no answer is another problem."""
    asked = [
        sock("tcp", 1 + i, "SYN_SENT", peer=PEER._replace(port=80 + (i > 2)), timer=Timer("retransmit", 9, 0))
        for i in range(4)
    ]
    lost = sock("tcp", 9, "SYN_SENT", peer=PEER._replace(port=443), timer=Timer("retransmit", 9, 2))
    moved = {"Tcp.AttemptFails": 200, "Tcp.ActiveOpens": 210}
    none = dict.fromkeys(moved, 0)
    before, now = sample(counters=none), sample([*asked, lost], at=10.0, counters=moved)
    (finding,) = found("CONNECTIONS_REFUSED", now, before)
    assert finding.summary.endswith("; seen under way: to 10.0.0.9:80, 10.0.0.9:81")
    assert [one.pid for one in finding.suspects] == [7]
    (finding,) = found("CONNECTIONS_REFUSED", sample(asked[:1], at=10.0, counters=moved), sample([], counters=none))
    assert finding.subject.peer == PEER._replace(port=80)
    (finding,) = found("CONNECTIONS_REFUSED", sample([lost], at=10.0, counters=moved), sample([], counters=none))
    assert "under way" not in finding.summary
