"""The parsers of /proc/net's socket tables give what the sockets themselves say, for every socket of the namespace.

Sources of truth: getsockname, getpeername, fstat and getsockopt (SO_MEMINFO, TCP_INFO, SIOCINQ …) in the process that holds
the sockets. Nothing is read by netlink here.
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.kernel.netlink import NETLINK_PROTOCOLS
from sockdiag.kernel.sock_diag import IPPROTO_NAMES, SK_MEMINFO, TYPE_NAMES
from sockdiag.sources.proc.inet import parse_raw, parse_tcp, parse_udp
from sockdiag.sources.proc.net_netlink import parse_netlink
from sockdiag.sources.proc.net_packet import parse_packet
from sockdiag.sources.proc.net_unix import parse_unix
from tests.live.world import sockopts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.model.socket import Socket
    from tests.live.conftest import World
    from tests.live.world.facts import Fact

INET = {"tcp": parse_tcp, "udp": parse_udp, "udplite": parse_udp, "raw": parse_raw, "icmp": parse_raw}


def listed(world: World, netid: str) -> list[Socket]:
    """Parse a table of the namespace, both files where there are two; there must be no error."""
    namespace = world.namespace
    if netid in INET:
        readings = [INET[netid](namespace.proc(name), name) for name in (netid, netid + "6")]
    elif netid == "unix":
        readings = [parse_unix(namespace.proc("unix"))]
    elif netid == "netlink":
        readings = [parse_netlink(namespace.proc("netlink"))]
    else:
        readings = [parse_packet(namespace.proc("packet"), {1: "lo"}.get)]
    assert [error for reading in readings for error in reading.errors] == []
    return [found for reading in readings for found in reading.sockets]


def held(world: World, netid: str) -> Iterator[tuple[Fact, Socket, dict[str, Any]]]:
    """Yield each socket that has a descriptor: its fact, its row of /proc, and what the kernel tells its owner."""
    facts = [fact for fact in world.listed(netid, "proc") if fact.fd >= 0]
    if not facts:
        pytest.skip(f"this kernel: {netid} is not built")
    rows = {
        found.inode: found for found in listed(world, netid) if found.peer.port is None or not subflow(world, found)
    }
    told = world.namespace.call(sockopts.told_all, [fact.fd for fact in facts])
    for fact in facts:
        yield fact, rows[fact.inode], told[fact.fd]


def subflow(world: World, found: Socket) -> bool:
    """Tell whether a TCP row is a subflow: it has the inode of its MPTCP socket, which is in no table of /proc."""
    return any(fact.inode == found.inode for fact in world.facts if fact.inode and fact.fd < 0)


@pytest.mark.parametrize("netid", INET)
def test_inet_rows_are_the_sockets_that_were_made(world: World, netid: str) -> None:
    """Each is listed once, with its state, both ends and inode, and nothing else is."""
    facts = world.listed(netid, "proc")
    rows = listed(world, netid)
    assert Counter(
        (row.family, row.state, row.local.address, row.local.port, row.peer.address, row.peer.port, row.inode)
        for row in rows
    ) == Counter((fact.family, fact.state, *fact.local, *fact.peer, fact.inode) for fact in facts)
    assert {(row.netid, row.source) for row in rows} <= {(netid, "proc")}


@pytest.mark.parametrize("netid", INET)
def test_inet_ends_are_those_of_the_descriptors(world: World, netid: str) -> None:
    """getsockname, getpeername, SO_DOMAIN, SO_TYPE, SO_PROTOCOL and the owner of the file."""
    for fact, row, told in held(world, netid):
        local, peer = told["local"], told.get("peer", fact.peer)  # of a connection that is not there yet nobody is told
        port = told["protocol"] if netid == "raw" else local[1]
        assert (row.local.address, row.local.port) == (local[0], port), fact.name
        if netid == "raw":
            peer = (peer[0], 0)
        assert (row.peer.address, row.peer.port) == (peer[0], peer[1]), fact.name
        assert row.family == {socket.AF_INET: "AF_INET", socket.AF_INET6: "AF_INET6"}[told["family"]], fact.name
        assert row.type == TYPE_NAMES[told["type"]], fact.name
        assert row.protocol == IPPROTO_NAMES.get(told["protocol"], str(told["protocol"])), fact.name
        assert (row.inode, row.uid) == (told["inode"], told["uid"]), fact.name
        assert row.recv_q_unit == ("connections" if told["listening"] else "bytes"), fact.name


def test_tcp_queues(world: World) -> None:
    """SIOCINQ and SIOCOUTQ of connections; of a listener what its fact says, and no limit."""
    for fact, row, told in held(world, "tcp"):
        if told["listening"]:
            assert row.send_q is None, fact.name
            assert row.recv_q == fact.expect.get("recv_q", 0), fact.name
        elif row.state in ("ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "CLOSE_WAIT"):
            # tcp_inq() does not count the peer's FIN, rcv_nxt - copied_seq does; SIOCOUTQ counts our own FIN.
            fin = row.state == "CLOSE_WAIT"
            assert row.recv_q == told["inq"] + fin, fact.name
            assert row.send_q == told["outq"], fact.name


def test_tcp_columns_after_the_pointer(world: World) -> None:
    """They are members of TCP_INFO; rto and ato in ticks of 10 ms, rounded down, where tcp_info has us."""
    seen = 0
    for fact, row, told in held(world, "tcp"):
        info, proc = told["tcp_info"], row.proc
        assert proc is not None
        assert proc.pointer is not None, fact.name
        if told["listening"]:
            assert (proc.snd_ssthresh, proc.fastopen_qlen) == (
                None,
                fact.expect.get("fastopen_qlen", proc.fastopen_qlen),
            )
            continue
        # A retransmission between the two samples doubles rto and shrinks cwnd: leave these to the sockets that are idle.
        if row.timer is not None and row.timer.name in ("retransmit", "persist"):
            continue
        seen += 1
        assert proc.rto_ms == info["rto"] // 10_000 * 10, fact.name
        assert proc.ato_ms == info["ato"] // 10_000 * 10, fact.name
        assert proc.snd_cwnd == info["snd_cwnd"], fact.name
        assert proc.snd_ssthresh == (-1 if info["snd_ssthresh"] >= 0x7FFFFFFF else info["snd_ssthresh"]), fact.name
        assert proc.retransmits == info["retransmits"], fact.name
        assert proc.probes == info["probes"], fact.name
        assert proc.extra is None, fact.name
    assert seen > 20


def test_tcp_timers(world: World) -> None:
    """The timer that a factory arms, and when a keepalive's is due."""
    table = listed(world, "tcp")
    for fact in world.listed("tcp", "proc"):
        rows = [
            row
            for row in table
            if (row.state, row.local.address, row.local.port, row.peer.address, row.peer.port)
            == (fact.state, *fact.local, *fact.peer)
        ]
        for row in rows:
            if "timer" in fact.expect:
                assert row.timer is not None, fact.name
                assert row.timer.name == fact.expect["timer"], fact.name
            if row.state == "TIME_WAIT":
                assert row.timer is not None
                assert row.timer.name == "timewait"
                assert row.timer.expires_ms is not None
                assert 0 < row.timer.expires_ms <= 60_000  # TCP_TIMEWAIT_LEN
                assert (row.inode, row.uid, row.proc and row.proc.rto_ms) == (0, None, None)


@pytest.mark.parametrize("netid", ["udp", "udplite", "raw", "icmp"])
def test_datagram_memory_is_that_of_so_meminfo(world: World, netid: str) -> None:
    """drops and wmem_alloc of all; rmem_alloc of raw and ping, and of UDP not, where the two differ by a deficit."""
    dropped = 0
    for fact, row, told in held(world, netid):
        memory = dict(zip(SK_MEMINFO, told["meminfo"], strict=True))
        assert row.skmem is not None
        assert row.skmem.drops == memory["drops"], fact.name
        assert row.skmem.wmem_alloc == row.send_q == memory["wmem_alloc"], fact.name
        if netid in ("raw", "icmp"):
            assert row.skmem.rmem_alloc == row.recv_q == memory["rmem_alloc"], fact.name
        else:
            assert row.skmem.rmem_alloc is None, fact.name
            assert row.recv_q == fact.expect.get("recv_q", row.recv_q), fact.name
        dropped += memory["drops"]
    assert dropped or netid in ("udplite", "icmp")


def test_unix_rows(world: World) -> None:
    """Name, type, state and inode of every unix socket; connections in a listener's queue have its name and no inode."""
    rows = listed(world, "unix")
    facts = world.listed("unix", "proc")
    assert Counter(row.inode for row in rows if row.inode != 7) == Counter(fact.inode for fact in facts)
    by_inode = {row.inode: row for row in rows}
    # connect(2) of a datagram socket sets the state of both ends (unix_dgram_connect(), since 4.18).
    connected_to = {fact.expect.get("peer_inode") for fact in facts if fact.type == socket.SOCK_DGRAM}
    for fact in facts:
        if fact.fd < 0:
            continue
        row, name = by_inode[fact.inode], fact.local
        state = "ESTABLISHED" if fact.inode in connected_to else fact.state
        assert row.family == fact.family
        assert row.type == TYPE_NAMES[fact.type], fact.name
        assert row.state == state, fact.name
        # All NULs but the first stand as @, and what of a name looks like a row is taken for one (inode 7).
        shown = name[:1] + name[1:].replace(b"\0", b"@")
        assert (row.local.address or b"") == (shown.split(b"\n0000")[0]), fact.name
        assert row.unix is not None
        assert row.unix.socket_state == ("SS_CONNECTED" if state == "ESTABLISHED" else "SS_UNCONNECTED"), fact.name
    waiting = [row for row in rows if not row.inode]
    assert {row.unix.socket_state for row in waiting if row.unix} == {"SS_CONNECTING"}
    assert Counter(row.local.address for row in waiting) == Counter(fact.local for fact in facts if fact.fd < 0)
    assert {row.state for row in waiting} == {"ESTABLISHED"}


def test_netlink_rows(world: World) -> None:
    """Protocol, port id, groups, memory, drops and inode."""
    for fact, row, told in held(world, "netlink"):
        name = NETLINK_PROTOCOLS[told["protocol"]]
        assert (row.protocol, row.local.address, row.local.port) == (name, name, told["local"][0]), fact.name
        assert row.netlink is not None
        assert row.netlink.groups == fact.expect["groups"] & 0xFFFFFFFF if "groups" in fact.expect else True, fact.name
        memory = dict(zip(SK_MEMINFO, told["meminfo"], strict=True))
        if fact.role == "uevent":  # hears of the whole host
            continue
        assert row.skmem is not None
        assert row.skmem._values() == tuple(
            memory[word] if word in ("rmem_alloc", "wmem_alloc", "drops") else None for word in SK_MEMINFO
        ), fact.name
        assert (row.recv_q, row.send_q) == (memory["rmem_alloc"], memory["wmem_alloc"]), fact.name
    kernels = [row for row in listed(world, "netlink") if row.local.port == 0]
    assert all(row.inode for row in kernels)
    assert {"ROUTE", "GENERIC", "SOCK_DIAG"} <= {row.protocol for row in kernels}


def test_packet_rows(world: World) -> None:
    """Type, ethertype, device, owner and inode, and how much waits."""
    inodes = Counter(fact.inode for fact in world.listed("packet", "proc"))
    assert Counter(row.inode for row in listed(world, "packet")) == inodes
    for fact, row, told in held(world, "packet"):
        device, protocol, *_ = told["local"]
        assert row.protocol == f"0x{protocol:04x}", fact.name
        assert row.local.interface == (device or None), fact.name
        assert row.local.address is None
        assert row.type == TYPE_NAMES[told["type"]], fact.name
        assert (row.uid, row.state) == (told["uid"], "CLOSE"), fact.name
        assert row.packet is not None
        assert row.packet.ifindex == fact.local[1], fact.name
        assert row.packet.running == bool(fact.expect.get("running", 1)), fact.name
        assert row.recv_q == told["meminfo"][0], fact.name
        assert row.skmem is not None
        assert row.skmem.rmem_alloc == told["meminfo"][0], fact.name


def test_this_systems_own_tables() -> None:
    """Those of the namespace that the tests run in parse without an error, whatever they hold."""
    for name in ("tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6", "icmp", "icmp6"):
        if os.path.exists(f"/proc/net/{name}"):
            with open(f"/proc/net/{name}", "rb") as file:
                body = file.read()
            reading = INET[name.rstrip("6")](body, name)
            assert reading.errors == ()
            assert len(reading.sockets) == body.count(b"\n") - 1
