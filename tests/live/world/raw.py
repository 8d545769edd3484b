"""Raw and ping sockets. /proc shows the protocol, or the ping identifier, where other tables have the local port."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from tests.live.world.facts import ANY, BOTH_FAMILIES, LOOPBACK, factory, wait_until
from tests.live.world.observe import inet_rows

if TYPE_CHECKING:
    from tests.live.world.facts import Fact, Maker

EXPERIMENT_1, EXPERIMENT_2 = 253, 254  # RFC 3692
ICMP: dict[int, int] = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}


def raw(made: Maker, role: str, state: str, sock: socket.socket, peer: str | None = None, **expect: Any) -> Fact:
    """Record a raw socket; the ports of its ends are the protocol, and 0."""
    where = ("proc",) if sock.family in (socket.AF_INET, socket.AF_INET6) else ()
    return made.fact(
        role, "raw", state, sock, (sock.getsockname()[0], sock.proto), (peer or ANY[sock.family], 0), where, **expect
    )


@factory(*BOTH_FAMILIES)
def raw_icmp(made: Maker, family: int) -> None:
    """Open a raw ICMP or ICMPv6 socket (it hears every ICMP message of the namespace)."""
    raw(made, "raw", "CLOSE", made.open(family, socket.SOCK_RAW, ICMP[family]))


@factory(*BOTH_FAMILIES)
def raw_ip(made: Maker, family: int) -> None:
    """Open a raw socket of protocol 255, which only sends."""
    raw(made, "raw", "CLOSE", made.open(family, socket.SOCK_RAW, socket.IPPROTO_RAW), recv_q=0, drops=0)


@factory(*BOTH_FAMILIES)
def raw_connected(made: Maker, family: int) -> None:
    """Bind and connect raw sockets of protocol 254 on loopback."""
    sock = made.open(family, socket.SOCK_RAW, EXPERIMENT_2)
    sock.bind((LOOPBACK[family], 0))
    sock.connect((LOOPBACK[family], 0))
    raw(made, "raw", "ESTABLISHED", sock, LOOPBACK[family], recv_q=0, drops=0)


@factory(*BOTH_FAMILIES)
def raw_dropped(made: Maker, family: int) -> None:
    """Send more packets of protocol 253 than the receive buffer of the socket holds that hears them unread."""
    sock = made.open(family, socket.SOCK_RAW, EXPERIMENT_1)
    sock.bind((LOOPBACK[family], 0))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    for _ in range(10):
        sock.sendto(b"x" * 500, (LOOPBACK[family], 0))
    inode = raw(made, "raw", "CLOSE", sock, dropped=True).inode
    wait_until(lambda: [row for row in inet_rows("raw") if row.inode == inode and row.drops], f"{made.name}: dropped")


@factory(*BOTH_FAMILIES)
def ping(made: Maker, family: int) -> None:
    """Open a ping socket (net.ipv4.ping_group_range), and leave its answer unread."""
    sock = made.open(family, socket.SOCK_DGRAM, ICMP[family])
    sock.bind((LOOPBACK[family], 0))
    request = bytes((8 if family == socket.AF_INET else 128, 0, 0, 0, 0, 0, 0, 1)) + b"x" * 56
    sock.sendto(request, (LOOPBACK[family], 0))
    inode = made.inet_fact("ping", "icmp", "CLOSE", sock, where=("proc",), heard=True).inode
    wait_until(lambda: [row for row in inet_rows("icmp") if row.inode == inode and row.recv_q], f"{made.name}: answer")
