"""What the model says, written as ss writes it, is what ss says of the same namespace."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from sockdiag.kernel.tcp_states import HASHED_STATES
from sockdiag.model.query import INET
from tests.live.world import model, ss
from tests.live.world.ss import STATE_WORDS

if TYPE_CHECKING:
    from sockdiag.model.socket import Socket
    from tests.live.conftest import World

UNIX_WORDS = {"SOCK_STREAM": "u_str", "SOCK_DGRAM": "u_dgr", "SOCK_SEQPACKET": "u_seq"}
PACKET_WORDS = {"SOCK_RAW": "p_raw", "SOCK_DGRAM": "p_dgr"}
# -n, so that ss prints numbers; netlink protocols as the model names them.
NETLINK_WORDS = {
    "0": "ROUTE",
    "4": "SOCK_DIAG",
    "6": "XFRM",
    "9": "AUDIT",
    "10": "FIB_LOOKUP",
    "12": "NETFILTER",
    "15": "KOBJECT_UEVENT",
    "16": "GENERIC",
}
ATTEMPTS = 10


def sockets(world: World, table: str) -> list[Socket]:
    """Read a table with what ss reads: not the bound and idle TCP sockets, which ss 6.1 does not ask for."""
    found, gaps = world.namespace.call(model.sockets, table, "auto", (INET,), HASHED_STATES)
    assert gaps == []
    return list(found)


def inet_row(socket: Socket) -> ss.SsRow:
    """Write an inet socket as ss does."""
    # ss shows "*" for an any-address that takes IPv4 too, of raw sockets always: their /proc does not say.
    v6only = int(bool(socket.inet and socket.inet.v6only is not False)) if socket.netid != "raw" else 0
    assert isinstance(socket.local.address, str)
    assert isinstance(socket.peer.address, str)
    return ss.SsRow(
        STATE_WORDS[socket.state or ""],
        socket.recv_q or 0,
        socket.send_q or 0,
        ss.inet_address((socket.local.address, socket.local.port or 0), socket.local.interface, v6only),
        ss.inet_address((socket.peer.address, socket.peer.port or 0), None, v6only),
    )


@pytest.mark.parametrize(("option", "table"), [("-t", "tcp"), ("-u", "udp"), ("-w", "raw"), ("-M", "mptcp")])
def test_inet(world: World, option: str, table: str) -> None:
    """State, queues and both ends of every IP socket."""
    shown = Counter(ss.inet_rows(world.namespace, option))
    for _ in range(ATTEMPTS):
        said = Counter(map(inet_row, sockets(world, table)))
        before, shown = shown, Counter(ss.inet_rows(world.namespace, option))
        if before == shown:
            assert said == shown
            return
    pytest.fail("never steady")


@pytest.mark.parametrize("option", ["-4", "-6"])
def test_inet_family(world: World, option: str) -> None:
    """Counts of each state, one family at a time."""
    family = "AF_INET" if option == "-4" else "AF_INET6"
    shown = Counter(row.state for row in ss.inet_rows(world.namespace, "-t", option))
    assert shown == Counter(STATE_WORDS[s.state or ""] for s in sockets(world, "tcp") if s.family == family)


def test_unix(world: World) -> None:
    """Type, state, queues, name, inode and the peer's inode of every unix socket."""
    pattern = r"^(u_\w+) +(\S+) +(\d+) +(\d+) +(.*?) (\d+) +\* (\d+) *$"
    text = "\n".join(world.namespace.ss("-Hna", "-x"))
    rows = re.findall(pattern, text, re.DOTALL | re.MULTILINE)
    shown = {
        int(inode): (netid, state, int(recv_q), int(send_q), name.encode("utf-8", "surrogateescape"), int(peer))
        for netid, state, recv_q, send_q, name, inode, peer in rows
    }
    said = {}
    for socket in sockets(world, "unix"):
        assert socket.inode is not None
        assert isinstance(socket.local.address, (bytes, type(None)))
        name = (socket.local.address or b"*").replace(b"\0", b"@")
        peer = (socket.unix.peer_inode if socket.unix else None) or 0
        said[socket.inode] = (
            UNIX_WORDS[socket.type or ""],
            STATE_WORDS[socket.state or ""],
            socket.recv_q,
            socket.send_q,
            name,
            peer,
        )
    assert said == shown


def test_packet(world: World) -> None:
    """Type, queues, ethertype and device of every packet socket."""
    shown = Counter(tuple(line.split()) for line in world.namespace.ss("-Hna", "-0"))
    said: Counter[tuple[str, ...]] = Counter()
    for socket in sockets(world, "packet"):
        ethertype = int(socket.protocol or "", 16)
        # ss has "*" for ETH_P_ALL
        end = f"{'*' if ethertype == 3 else f'[{ethertype}]'}:{socket.local.interface or '*'}"
        said[PACKET_WORDS[socket.type or ""], "UNCONN", str(socket.recv_q), str(socket.send_q), end, "*"] += 1
    assert said == shown


def test_netlink(world: World) -> None:
    """Queues, protocol and port id of every netlink socket but those of sock_diag, of which each asker adds its own."""
    rows = {tuple(line.split()[1:4]) for line in world.namespace.ss("-Hna", "-f", "netlink")}
    shown = set()
    for recv_q, send_q, end in rows:
        protocol, _, port = end.partition(":")
        shown.add((NETLINK_WORDS[protocol], int(port) & 0xFFFFFFFF, int(recv_q), int(send_q)))
    said = [(s.protocol, s.local.port, s.recv_q, s.send_q) for s in sockets(world, "netlink")]
    # The kernel lists the sockets that joined groups twice; the model has each once.
    assert len(said) == len(set(said))
    assert {row for row in said if row[0] != "SOCK_DIAG"} == {row for row in shown if row[0] != "SOCK_DIAG"}
