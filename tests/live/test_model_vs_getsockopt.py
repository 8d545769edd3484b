"""What the model says of a socket is what its owner is told by getsockopt, ioctl, getsockname and fstat.

The owner is asked before and after. A value that stood still must be the model's; one that only grows lies between; the
others are looked at again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.kernel.families import FAMILY_NAMES
from sockdiag.kernel.netlink import NETLINK_PROTOCOLS
from sockdiag.kernel.sock_diag import IPPROTO_NAMES, SK_MEMINFO, TYPE_NAMES
from sockdiag.model.query import INET, SKMEM, TCP_INFO
from sockdiag.model.tcp_info import LISTEN_FIELDS
from tests.live.world import model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sockdiag.model.socket import Socket
    from tests.live.conftest import World

TABLES = ("tcp", "mptcp", "udp", "udplite", "raw", "icmp", "unix", "netlink", "packet")
INET_TABLES = ("tcp", "mptcp", "udp", "udplite", "raw", "icmp")
ATTEMPTS = 50

Told = dict[str, Any]
# Name of what is compared, what the owner was told, what the model says.
Claim = tuple[str, Any, Any]


def with_file(world: World, table: str) -> list[int]:
    """Return the descriptors of the sockets that a table lists."""
    facts = [fact for fact in world.facts if fact.netid == table and fact.where and fact.fd >= 0]
    if not facts:
        pytest.skip(f"this kernel: {table} is not built")
    return [fact.fd for fact in facts]


def check(
    world: World, table: str, needs: tuple[str, ...], claims: Callable[[Told, Socket], Iterator[Claim]]
) -> set[str]:
    """Compare all sockets of a table until each value stood still once; return the names of what was compared."""
    fds = with_file(world, table)
    waiting: set[tuple[int, str]] | None = None
    names: set[str] = set()
    for _ in range(ATTEMPTS):
        before, sockets, after, gaps = world.namespace.call(model.beside_owner, table, fds, needs)
        assert gaps == []
        # A subflow of MPTCP shares the inode of its parent and has a row in tcp; no table has an inode twice.
        by_inode = {socket.inode: socket for socket in sockets}
        moved = set()
        for fd in fds:
            socket = by_inode[before[fd]["inode"]]
            earlier, later = list(claims(before[fd], socket)), list(claims(after[fd], socket))
            for (name, first, said), (_name, second, _said) in zip(earlier, later, strict=True):
                names.add(name)
                if waiting is not None and (fd, name) not in waiting:
                    continue
                if name in GROWING and first is not None:
                    assert said is None or first <= said <= second or second < first, (
                        name,
                        first,
                        said,
                        second,
                        socket,
                    )
                elif first == second:
                    assert said == first, (name, socket)
                else:
                    moved.add((fd, name))
        waiting = moved
        if not waiting:
            return names
    pytest.fail(f"never steady: {waiting}")


def identity(told: Told, socket: Socket) -> Iterator[Claim]:
    """Compare what a socket is."""
    yield "family", FAMILY_NAMES[told["family"]], socket.family
    if socket.netid != "netlink" or socket.source == "netlink":
        yield "type", TYPE_NAMES[told["type"]], socket.type
    number = told["protocol"]
    if socket.netid == "netlink":
        yield "protocol", NETLINK_PROTOCOLS[number], socket.protocol
    elif socket.netid in INET_TABLES:
        # A TCP row of an MPTCP subflow is not in these tables under a descriptor.
        yield "protocol", IPPROTO_NAMES.get(number, str(number)), socket.protocol
    if socket.source == "netlink":
        yield "cookie", told["cookie"], socket.cookie
    if socket.uid is not None:
        yield "uid", told["uid"], socket.uid
    if socket.netid in ("tcp", "udp", "udplite", "mptcp"):
        yield "mark", told["mark"], socket.mark
        yield "device", told["device"] or None, socket.local.interface
        yield "listening", bool(told["listening"]), socket.state == "LISTEN"
    if socket.netid == "unix":
        yield "listening", bool(told["listening"]), socket.state == "LISTEN"


def addresses(told: Told, socket: Socket) -> Iterator[Claim]:
    """Compare both ends."""
    local, peer = told["local"], told.get("peer")
    if socket.netid in INET_TABLES:
        yield "local", local[:2], (socket.local.address, socket.local.port)
        nowhere = ("::", 0) if socket.family == "AF_INET6" else ("0.0.0.0", 0)
        # getpeername() has no answer in SYN_SENT, nor for a raw or ping socket that is connected to port 0.
        if peer or socket.state not in ("SYN_SENT", "ESTABLISHED"):
            yield "peer", tuple(peer[:2]) if peer else nowhere, (socket.peer.address, socket.peer.port)
    elif socket.netid == "unix":
        yield "local", os.fsencode(local) if isinstance(local, str) else local, socket.local.address or b""
    elif socket.netid == "netlink":
        yield "local", local[0], socket.local.port
        assert socket.netlink is not None
        yield "groups", local[1], socket.netlink.groups
    elif socket.netid == "packet":
        yield "protocol", f"0x{local[1]:04x}", socket.protocol
        yield "device", local[0] or None, socket.local.interface


def memory(told: Told, socket: Socket) -> Iterator[Claim]:
    """Compare SO_MEMINFO word by word; what no source tells is not compared (raw and ping sockets have four words)."""
    assert socket.skmem is not None
    for word, value in zip(SK_MEMINFO, told["meminfo"], strict=True):
        said = getattr(socket.skmem, word)
        if said is not None or socket.source == "netlink":
            yield word, value, said
    if socket.source == "netlink":
        yield "SO_RCVBUF", told["rcvbuf"], socket.skmem.rcvbuf
        yield "SO_SNDBUF", told["sndbuf"], socket.skmem.sndbuf


def queues(told: Told, socket: Socket) -> Iterator[Claim]:
    """Compare the queues with SIOCINQ and SIOCOUTQ, where these mean the same."""
    if socket.state == "LISTEN":
        return
    if socket.netid == "tcp":
        # tcp_inq() leaves the FIN out, once there is something before it to read, which the peer's shutdown counts as 1.
        fin = socket.state in ("CLOSE_WAIT", "LAST_ACK", "CLOSING")
        yield "SIOCINQ", told["inq"], (socket.recv_q or 0) - fin
        # The ioctl has 0 in SYN_SENT, where the SYN is in the queue.
        yield "SIOCOUTQ", told["outq"], 0 if socket.state == "SYN_SENT" else socket.send_q
    elif socket.netid in ("udp", "udplite", "unix"):
        yield "SIOCOUTQ", told["outq"], socket.send_q
        # UDP has the payload of the first datagram there, and the model has the memory of all.
        yield "SIOCINQ", told["inq"], socket.recv_q if socket.netid == "unix" else min(told["inq"], socket.recv_q or 0)


def options(told: Told, socket: Socket) -> Iterator[Claim]:
    """Compare socket options."""
    inet = socket.inet
    assert inet is not None
    yield "tos", told["tos"], inet.tos
    if socket.netid == "tcp":
        # The dump of bound and idle sockets leaves out what is TCP's (inet_sk_diag_fill() without icsk).
        yield "congestion", told["congestion"] if socket.state != "CLOSE" else None, inet.congestion
    if socket.family == "AF_INET6" and "tclass" in told:
        yield "tclass", told["tclass"], inet.tclass
        if inet.v6only is not None:
            yield "v6only", bool(told["v6only"]), inet.v6only


# Ages, and times that run on while data waits.
AGES = ("last_data_sent_ms", "last_data_recv_ms", "last_ack_recv_ms")
GROWING = {*AGES, "busy_time_us", "rwnd_limited_us", "sndbuf_limited_us", "total_rto_time_ms"}


def tcp_info(told: Told, socket: Socket) -> Iterator[Claim]:
    """Compare every member of struct tcp_info, the kernel's ways to say "never" with None."""
    info = socket.tcp_info
    if socket.state == "CLOSE":  # bound and idle: as with congestion
        yield "tcp_info", None, info
        return
    assert info is not None
    members = told["tcp_info"]
    for field in info.FIELDS:
        (source,) = field.sources
        value = members.get(source.rpartition(".tcpi_")[2])
        if value is not None and value == NEVER.get(field.name):
            value = None
        if socket.state == "LISTEN" and field.name not in LISTEN_FIELDS and value == 0:
            value = None
        yield field.name, value, getattr(info, field.name)


NEVER = {
    "last_ack_sent_ms": 0,
    "rtt_us": 0,
    "rcv_rtt_us": 0,
    "snd_ssthresh": 0x7FFFFFFF,  # TCP_INFINITE_SSTHRESH
    "min_rtt_us": 0xFFFFFFFF,
    "pacing_rate_bytes_per_s": 0xFFFFFFFFFFFFFFFF,
    "max_pacing_rate_bytes_per_s": 0xFFFFFFFFFFFFFFFF,
}


@pytest.mark.parametrize("table", TABLES)
def test_identity(world: World, table: str) -> None:
    """Family, type, protocol, cookie, user, mark, device."""
    assert check(world, table, (), identity)


@pytest.mark.parametrize("table", TABLES)
def test_addresses(world: World, table: str) -> None:
    """Both ends are those of getsockname() and getpeername()."""
    assert check(world, table, (), addresses)


@pytest.mark.parametrize("table", TABLES)
def test_memory(world: World, table: str) -> None:
    """Socket memory is SO_MEMINFO; SO_RCVBUF and SO_SNDBUF are in it."""
    names = check(world, table, (SKMEM,), memory)
    assert names >= ({"rmem_alloc", "wmem_alloc", "drops"} if table in ("raw", "icmp") else {*SK_MEMINFO})


@pytest.mark.parametrize("table", ["tcp", "udp", "udplite", "unix"])
def test_queues(world: World, table: str) -> None:
    """recv_q and send_q are SIOCINQ and SIOCOUTQ."""
    assert check(world, table, (), queues) == {"SIOCINQ", "SIOCOUTQ"}


@pytest.mark.parametrize("table", ["tcp", "udp", "udplite"])
def test_options(world: World, table: str) -> None:
    """TOS, traffic class, congestion control, IPV6_V6ONLY."""
    assert check(world, table, (INET,), options) >= {"tos", "tclass", "v6only"}


def test_tcp_info(world: World) -> None:
    """Every member of tcp_info is that of getsockopt(TCP_INFO), in every state that has an owner."""
    names = check(world, "tcp", (TCP_INFO,), tcp_info)
    assert len(names) > 60


def test_owner_of_every_socket(world: World) -> None:
    """The descriptor in /proc/PID/fd leads to the inode that the model has."""
    for table in TABLES:
        sockets, _gaps = world.namespace.call(model.sockets, table, "auto", ("owners",))
        by_inode = {socket.inode: socket for socket in sockets}
        for fact in world.facts:
            if fact.netid == table and fact.where and fact.fd >= 0:
                owners = by_inode[fact.inode].processes
                assert owners is not None, fact.name
                assert [(owner.pid, owner.fd) for owner in owners] == [(fact.pid, fact.fd)], fact.name
        assert all(socket.processes == () for socket in sockets if not socket.inode)
