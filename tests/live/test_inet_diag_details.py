"""What inet_diag tells beyond addresses and queues is what the owners of the sockets have set."""

from __future__ import annotations

import os
import socket as socketlib
import struct
from typing import TYPE_CHECKING

import pytest

from sockdiag.kernel.inet_diag import SOCKOPT_NAMES
from sockdiag.kernel.sock_diag import IPPROTO_TCP
from sockdiag.model.congestion import BbrInfo
from sockdiag.model.query import INET, SKMEM, TCP_INFO
from sockdiag.sources.netlink import inet_diag, inet_request
from sockdiag.sources.netlink.inet_rewrite import questions
from sockdiag.sources.system.machine import this_system
from sockdiag.sources.system.transport import KernelTransport, messages

if TYPE_CHECKING:
    from sockdiag.model.socket import Socket
    from tests.live.conftest import World
    from tests.live.world.facts import Fact

NEEDS = frozenset({SKMEM, INET, TCP_INFO})
LOOPBACK = {"AF_INET": "127.0.0.1", "AF_INET6": "::1"}


def read(table: str) -> tuple[list[Socket], list[Exception]]:
    """Read a table in clear; runs in the namespace's process."""
    reading = inet_diag.read(this_system(), table, needs=NEEDS)
    return reading.sockets, list(reading.errors)


def read_both_ways() -> tuple[list[Socket], list[Socket]]:
    """Dump TCP by the new requests, a family each, and by the old one, which has both; without tcp_info."""
    transport = KernelTransport()
    answers = []
    for requests in (inet_diag.inet_requests("tcp"), [inet_request.compat_request()]):
        rows = [m for r in requests for d in transport.dump(r) for m in messages(r, d)]
        answers.append([inet_diag.decode(m, "tcp", lambda _index: None) for m in rows])
    return answers[0], answers[1]


def ask_for_each() -> tuple[int, list[str]]:
    """Ask for every connection on its own; return how many there are, and what did not come back the same."""
    wrong, count = [], 0
    transport = KernelTransport()
    rows = [(r, m) for r in inet_diag.inet_requests("tcp") for d in transport.dump(r) for m in messages(r, d)]
    for request, row in rows:
        listed = inet_diag.decode(row, "tcp", lambda _index: None)
        if listed.state in ("LISTEN", "CLOSE"):
            continue  # several may listen on one port, and what is only bound is in no hash of connections
        count += 1
        (question,) = questions(request, [row])
        answer = inet_diag.decode(transport.query(question.request), "tcp", lambda _index: None)
        if answer._replace(timer=None) != listed._replace(timer=None):
            wrong.append(f"{listed} is {answer}")
    return count, wrong


@pytest.fixture
def tcp(world: World) -> dict[int, Socket]:
    """Read the TCP table, by cookie."""
    sockets, errors = world.namespace.call(read, "tcp")
    assert errors == []
    return {socket.cookie: socket for socket in sockets}


def expecting(world: World, name: str) -> list[Fact]:
    """Return the TCP sockets of which a factory says something."""
    facts = [fact for fact in world.facts if fact.netid == "tcp" and name in fact.expect]
    if not facts:
        pytest.skip(f"this kernel: nothing with {name}")
    return facts


def test_nothing_is_unknown(world: World) -> None:
    """This kernel sends no attribute that is not understood."""
    for table in ("tcp", "mptcp", "udp", "udplite"):
        sockets, errors = world.namespace.call(read, table)
        assert errors == []
        assert {socket.unknown_attributes for socket in sockets} <= {()}


def test_md5_keys(world: World, tcp: dict[int, Socket]) -> None:
    for fact in expecting(world, "md5"):
        assert fact.cookie is not None
        inet = tcp[fact.cookie].inet
        assert inet is not None
        (key,) = inet.md5_keys or ()
        bits = 32 if fact.family == "AF_INET" else 128
        assert (key.address, key.prefixlen, key.key) == (LOOPBACK[fact.family], bits, fact.expect["md5"])


def test_congestion_control(world: World, tcp: dict[int, Socket]) -> None:
    """The algorithm, and BBR's own numbers of BBR's sockets alone."""
    for fact in expecting(world, "congestion"):
        assert fact.cookie is not None
        socket = tcp[fact.cookie]
        assert socket.inet is not None
        assert socket.inet.congestion == fact.expect["congestion"]
        assert (socket.inet.bbr is not None) == (fact.expect["congestion"] == "bbr")
        assert (socket.inet.dctcp, socket.inet.vegas) == (None, None)
        if socket.inet.bbr is not None:
            # TCP_CC_INFO is struct tcp_bbr_info; nothing is sent, so that it stands still.
            low, high, *rest = struct.unpack("=5I", world.namespace.call(cc_info, fact.fd))
            assert socket.inet.bbr == BbrInfo(low | high << 32, *rest)


def cc_info(fd: int) -> bytes:
    """Ask for TCP_CC_INFO; runs in the namespace's process."""
    with socketlib.socket(fileno=os.dup(fd)) as sock:
        return sock.getsockopt(socketlib.IPPROTO_TCP, 26, 64)


def test_ktls(world: World, tcp: dict[int, Socket]) -> None:
    for fact in expecting(world, "ulp"):
        assert fact.cookie is not None
        inet = tcp[fact.cookie].inet
        assert inet is not None
        assert inet.ulp is not None
        assert inet.ulp.name == fact.expect["ulp"]


def test_socket_options(world: World, tcp: dict[int, Socket]) -> None:
    """Every full TCP socket is a connection socket, and says so."""
    bit = 1 << SOCKOPT_NAMES.index("is_icsk")
    full = [socket for socket in tcp.values() if socket.shutdown is not None]
    assert full
    for socket in full:
        assert socket.inet is not None
        assert socket.inet.sockopt is not None
        assert socket.inet.sockopt & bit
    mini = [socket for socket in tcp.values() if socket.shutdown is None]
    assert {socket.state for socket in mini} <= {"TIME_WAIT", "FIN_WAIT2", "SYN_RECV"}


def test_mptcp_connections_and_their_subflows(world: World, tcp: dict[int, Socket]) -> None:
    """Each connection has a token, and its subflow has the same."""
    sockets, _errors = world.namespace.call(read, "mptcp")
    connections = [s for s in sockets if s.state == "ESTABLISHED"]
    if not connections:
        pytest.skip("this kernel: no MPTCP")
    subflows = {s.inode: s.inet.ulp for s in tcp.values() if s.inet and s.inet.ulp and s.inet.ulp.name == "mptcp"}
    tokens = {}
    for socket in connections:
        assert socket.mptcp_info is not None
        ulp = subflows[socket.inode]
        assert ulp.mptcp is not None
        assert ulp.mptcp.token_loc == socket.mptcp_info.token
        assert ulp.mptcp.flags is not None
        tokens[socket.mptcp_info.token] = ulp.mptcp.token_rem
    # The peer's token is looked for where a further subflow joins; the first one has 0.
    assert set(tokens.values()) == {0}
    assert len(tokens) == len(connections)


def test_both_requests_list_the_same(world: World) -> None:
    """The old request has the sockets of both families, in one walk."""
    new, old = world.namespace.call(read_both_ways)
    key = [(s.cookie, s.family, s.state, s.inode, s.uid) for s in new]
    assert sorted(key) == sorted((s.cookie, s.family, s.state, s.inode, s.uid) for s in old)
    assert {family for _cookie, family, *_rest in key} == {"AF_INET", "AF_INET6"}


def test_every_connection_can_be_asked_for(world: World) -> None:
    """By addresses and cookie the kernel finds exactly that socket."""
    count, wrong = world.namespace.call(ask_for_each)
    assert count > 20
    assert wrong == []


def test_no_mptcp_request_is_taken_for_tcp(world: World) -> None:
    """MPTCP's number is in the attribute alone; the byte beside it is no protocol that has a handler."""
    listed, _errors = world.namespace.call(read, "tcp")
    mptcp, _errors = world.namespace.call(read, "mptcp")
    assert not {s.cookie for s in listed} & {s.cookie for s in mptcp}
    (request,) = inet_diag.inet_requests("mptcp", ("AF_INET",))
    assert request.payload[1] != IPPROTO_TCP
