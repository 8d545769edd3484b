"""UDP and UDP-Lite."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from tests.live.world.facts import ANY, BOTH_FAMILIES, Unavailable, factory, wait_until
from tests.live.world.observe import inet_rows

if TYPE_CHECKING:
    from tests.live.world.facts import Maker
    from tests.live.world.observe import InetRow

IPPROTO_UDPLITE, UDP_CORK = 136, 1


def row_of(sock: socket.socket, netid: str = "udp") -> InetRow:
    """Find a bound socket in /proc by its port."""
    return next(row for row in inet_rows(netid) if row.local[1] == sock.getsockname()[1])


@factory(*BOTH_FAMILIES)
def udp_unconnected(made: Maker, family: int) -> None:
    """Bind to loopback."""
    made.inet_fact("bound", "udp", "CLOSE", made.bound(family, socket.SOCK_DGRAM), recv_q=0, send_q=0, drops=0)


@factory(*BOTH_FAMILIES)
def udp_unconnected_any(made: Maker, family: int) -> None:
    """Bind to all addresses; that of AF_INET6 also takes IPv4."""
    sock = made.bound(family, socket.SOCK_DGRAM, address=ANY[family])
    made.inet_fact("bound", "udp", "CLOSE", sock, recv_q=0, send_q=0, drops=0)


@factory()
def udp_v6only(made: Maker) -> None:
    """Bind to all IPv6 addresses without IPv4."""
    sock = made.open(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind(("::", 0))
    made.inet_fact("bound", "udp", "CLOSE", sock, v6only=1)


@factory(*BOTH_FAMILIES)
def udp_connected(made: Maker, family: int) -> None:
    """Connect two sockets to each other."""
    first, second = made.bound(family, socket.SOCK_DGRAM), made.bound(family, socket.SOCK_DGRAM)
    first.connect(second.getsockname())
    second.connect(first.getsockname())
    made.inet_fact("first", "udp", "ESTABLISHED", first, recv_q=0, send_q=0, drops=0)
    made.inet_fact("second", "udp", "ESTABLISHED", second, recv_q=0, send_q=0, drops=0)


@factory(*({**family, "count": 3, "size": 500} for family in BOTH_FAMILIES))
def udp_queued(made: Maker, family: int, count: int, size: int) -> None:
    """Send datagrams that are not read; the queue is charged more than their payload."""
    receiver = made.bound(family, socket.SOCK_DGRAM)
    sender = made.open(family, socket.SOCK_DGRAM)
    sender.connect(receiver.getsockname())
    for _ in range(count):
        sender.send(b"x" * size)
    wait_until(lambda: row_of(receiver).recv_q >= count * size, f"{made.name}: queued")
    made.inet_fact("receiver", "udp", "CLOSE", receiver, recv_q=row_of(receiver).recv_q, send_q=0, drops=0)
    made.inet_fact("sender", "udp", "ESTABLISHED", sender, recv_q=0, send_q=0, drops=0)


@factory(*({**family, "count": 50} for family in BOTH_FAMILIES))
def udp_dropped(made: Maker, family: int, count: int) -> None:
    """Send more datagrams than the receive buffer holds."""
    receiver = made.bound(family, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sender = made.open(family, socket.SOCK_DGRAM)
    for _ in range(count):
        sender.sendto(b"x" * 500, receiver.getsockname())
    wait_until(lambda: row_of(receiver).drops, f"{made.name}: dropped")
    row = row_of(receiver)
    made.inet_fact("receiver", "udp", "CLOSE", receiver, recv_q=row.recv_q, send_q=0, drops=row.drops)
    made.inet_fact("sender", "udp", "CLOSE", sender, recv_q=0, send_q=0, drops=0)


@factory()
def udp_corked(made: Maker) -> None:
    """Hold a datagram back with UDP_CORK: the send queue is charged."""
    receiver = made.bound(socket.AF_INET, socket.SOCK_DGRAM)
    sender = made.bound(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect(receiver.getsockname())
    sender.setsockopt(socket.IPPROTO_UDP, UDP_CORK, 1)
    sender.send(b"x" * 500)
    made.inet_fact("sender", "udp", "ESTABLISHED", sender, recv_q=0, send_q=row_of(sender).send_q, corked=True)
    made.inet_fact("receiver", "udp", "CLOSE", receiver, recv_q=0, send_q=0, drops=0)


@factory(*BOTH_FAMILIES)
def udplite(made: Maker, family: int) -> None:
    """Bind one UDP-Lite socket, and connect another to it with a datagram unread."""
    try:
        receiver = made.bound(family, socket.SOCK_DGRAM, IPPROTO_UDPLITE)
    except OSError as error:
        if error.errno == errno.EPROTONOSUPPORT:  # some kernels are without
            raise Unavailable("socket(IPPROTO_UDPLITE): not built") from None
        raise
    sender = made.bound(family, socket.SOCK_DGRAM, IPPROTO_UDPLITE)
    sender.connect(receiver.getsockname())
    sender.send(b"x" * 500)
    wait_until(lambda: row_of(receiver, "udplite").recv_q, f"{made.name}: queued")
    made.inet_fact("receiver", "udplite", "CLOSE", receiver, recv_q=row_of(receiver, "udplite").recv_q, drops=0)
    made.inet_fact("sender", "udplite", "ESTABLISHED", sender, recv_q=0, send_q=0, drops=0)
