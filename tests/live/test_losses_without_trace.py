"""Losses that no counter of the namespace shows, as docs/explain/drops.md says: the same counters move as without loss."""

from __future__ import annotations

import errno
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.live.scenarios.load import listener, meminfo, sysctl
from tests.live.world.netdev import set_mtu

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.world.namespace import Namespace

ROOM = 1 << 20
NONE = 2304  # the least that SO_RCVBUF gives
SENT = 20


def counters() -> dict[str, int]:
    """Return every counter of the namespace but IPv6's, which neighbours move."""
    found: dict[str, int] = {}
    for table in ("snmp", "netstat"):
        lines = Path("/proc/thread-self/net", table).read_text().splitlines()
        for names, values in zip(lines[::2], lines[1::2], strict=True):
            prefix = names.partition(":")[0]
            found |= {f"{prefix}.{n}": int(v) for n, v in zip(names.split()[1:], values.split()[1:], strict=True)}
    return found


def moved(act: Callable[[], int]) -> tuple[dict[str, int], int]:
    """Return which counters an act moved and by how much, and what the act lost."""
    before = counters()
    lost = act()
    after = counters()
    return {name: after[name] - value for name, value in before.items() if after[name] != value}, lost


def raw(size: int, protocol: int = socket.IPPROTO_ICMP) -> int:
    """Send packets to a raw socket with a buffer of *size*; return its drops."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sender,
    ):
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        address = socket.inet_aton("127.0.0.1")
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 520, 0, 0, 64, protocol, 0, address, address)
        for _ in range(SENT):
            sender.sendto(header + b"\0\0\xff\xff" + bytes(500), ("127.0.0.1", 0))
        return meminfo(receiver)[8]


def raw_of_no_handler(size: int) -> int:
    """Do the same with a protocol that the kernel does not handle."""
    return raw(size, 253)


def packet(size: int) -> int:
    """Send datagrams past a packet socket with a buffer of *size*; return its drops."""
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as sniffer,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        receiver.bind(("127.0.0.1", 0))
        for _ in range(SENT):
            sender.sendto(b"x" * 500, receiver.getsockname())
        return meminfo(sniffer)[8]


def netlink(size: int) -> int:
    """Change a link before a netlink socket with a buffer of *size*; return its drops."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as watcher:
        watcher.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        watcher.bind((0, 1))
        for _ in range(SENT // 2):
            set_mtu("lo", 65535)
            set_mtu("lo", 65536)
        return meminfo(watcher)[8]


def pair_of_looks(act: Callable[[int], int]) -> tuple[tuple[dict[str, int], int], tuple[dict[str, int], int]]:
    """Return what an act moves with room for everything, and without."""
    act(ROOM)  # some counters have no column until they move
    return moved(lambda: act(ROOM)), moved(lambda: act(NONE))


@pytest.mark.parametrize("act", [raw, packet, netlink], ids=lambda act: act.__name__)
def test_drops_that_only_the_socket_counts(empty_netns: Namespace, act: Callable[[int], int]) -> None:
    """Where the buffer has no room the same counters move by as much as where it has."""
    (without, none), (with_loss, lost) = empty_netns.call(pair_of_looks, act)
    assert none == 0
    assert lost > SENT // 2
    assert with_loss == without


def test_raw_drops_of_a_protocol_without_handler(empty_netns: Namespace) -> None:
    """A packet that only a raw socket would have taken counts as one of an unknown protocol, and ICMP tells the sender."""
    (without, _none), (with_loss, lost) = empty_netns.call(pair_of_looks, raw_of_no_handler)
    assert without.get("Ip.InUnknownProtos", 0) == 0
    assert lost > SENT // 2
    assert (with_loss["Ip.InUnknownProtos"], with_loss["Icmp.OutDestUnreachs"]) == (lost, lost)


def ports() -> tuple[dict[str, int], int]:
    """Connect until no port is left; return what the attempt that fails moves, and its errno."""
    server = listener(10)
    sysctl("net.ipv4.ip_local_port_range", "20000 20003")
    clients = [socket.create_connection(server.getsockname()) for _ in range(4)]

    def connect() -> int:
        with socket.socket() as one:
            return one.connect_ex(server.getsockname())

    found = moved(connect)
    for one in clients:
        one.close()
    return found


def test_ports_used_up(empty_netns: Namespace) -> None:
    """connect(2) without a port to use fails, and no counter moves."""
    assert empty_netns.call(ports) == ({}, errno.EADDRNOTAVAIL)


def unix() -> tuple[dict[str, int], int]:
    """Send to a unix datagram socket until it takes no more; return what the last attempt moves, and its errno."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.setblocking(False)

    def send() -> int:
        try:
            one.send(b"x")
        except BlockingIOError as error:
            return error.errno or 0
        return 0

    while send() == 0:
        pass
    found = moved(send)
    one.close()
    other.close()
    return found


def test_unix_queue_full(empty_netns: Namespace) -> None:
    """A full unix queue refuses, and no counter moves."""
    assert empty_netns.call(unix) == ({}, errno.EAGAIN)
