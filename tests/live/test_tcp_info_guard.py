"""Sockets whose owner sleeps with the lock held, on this kernel: the rest is shown, they are named, nobody hangs."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from sockdiag.kernel.tcp_states import LISTEN
from sockdiag.model.query import INET, SKMEM, TCP_INFO
from sockdiag.sources.netlink import inet_diag, inet_request
from sockdiag.sources.netlink.inet_rewrite import exactly, none_of, questions, without_info
from sockdiag.sources.netlink.tcp_info_guard import GuardedTransport
from sockdiag.sources.system.machine import this_system
from sockdiag.sources.system.transport import KernelTransport, messages
from tests.live import locked
from tests.live.world.facts import IPPROTO_MPTCP

if TYPE_CHECKING:
    from sockdiag.errors import SockdiagError
    from sockdiag.model.socket import Socket
    from tests.live.world.namespace import Namespace

NEEDS = frozenset({SKMEM, INET, TCP_INFO})
# The defaults: a dump may stop for 0.2 s, each locked socket for 0.05 s until the next is asked for, and all of them
# have 1 s together; then the machine's load.
LIMIT_S, SLACK_S = 1.0, 6.0


def decode(message: bytes, table: str = "tcp") -> Socket:
    return inet_diag.decode(message, table, lambda _index: None)


def read(table: str) -> tuple[list[Socket], list[SockdiagError], float]:
    """Read a table with tcp_info; runs in the namespace's process."""
    begin = time.monotonic()
    reading = inet_diag.read(this_system(), table, needs=NEEDS)
    return reading.sockets, list(reading.errors), time.monotonic() - begin


def read_twice(table: str) -> list[tuple[set[int], int]]:
    """Dump a table twice through one guard: the cookies without tcp_info, and how many processes wait."""
    guard = GuardedTransport(KernelTransport())
    seen = []
    for _round in range(2):
        sockets = []
        for request in inet_diag.inet_requests(table, needs=NEEDS):
            for datagram in guard.dump(request):
                sockets += [decode(message, table) for message in messages(request, datagram)]
        missing = {s.cookie for s in sockets if s.tcp_info is None and s.cookie is not None}
        seen.append((missing, len(guard._stuck)))
    guard.close()
    return seen


def query(cookie: int) -> tuple[bool, str]:
    """Ask for one socket by its cookie: whether there was tcp_info, and the error."""
    (question,) = (
        question
        for request in inet_diag.inet_requests("tcp", needs=NEEDS)
        for datagram in KernelTransport().dump(without_info(request))
        for message in messages(request, datagram)
        if decode(message).cookie == cookie
        for question in questions(request, [message])
    )
    guard = GuardedTransport(KernelTransport(), limit=0.3)
    try:
        message = guard.query(question.request)
    except Exception as error:
        return False, str(error)
    finally:
        guard.close()
    again = decode(message)
    assert again.cookie == cookie
    return again.tcp_info is not None, ""


def hold(namespace: Namespace, *arguments: int) -> tuple[int, list[locked.Locked], list[int]]:
    held = namespace.call(locked.lock, *arguments)
    if held is None:
        pytest.skip("this kernel: no userfaultfd for x86-64")
    pid, owners, others = held
    return pid, owners, others


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize(("count", "idle"), [(1, 20), (6, 200)])
def test_locked_tcp_sockets(empty_netns: Namespace, family: int, count: int, idle: int) -> None:
    """Every socket is there, all but the locked ones with tcp_info, and each of these is named."""
    pid, owners, others = hold(empty_netns, count, family, 0, idle)
    try:
        sockets, errors, seconds = empty_netns.call(read, "tcp")
    finally:
        empty_netns.call(locked.release, pid)
    by_cookie = {s.cookie: s for s in sockets}
    assert by_cookie.keys() == {owner.cookie for owner in owners} | set(others) | {
        s.cookie for s in sockets if s.state == "LISTEN"
    }
    assert {s.cookie for s in sockets if s.tcp_info is None} == {owner.cookie for owner in owners}
    assert all(s.skmem is not None and s.inet is not None and s.inet.congestion for s in sockets)
    for owner in owners:
        row = by_cookie[owner.cookie]
        assert (row.inode, (row.local.address, row.local.port)) == (owner.inode, owner.local)
        assert (row.peer.address, row.peer.port) == owner.peer
    assert {str(e).rpartition("cookie ")[2] for e in errors} == {
        f"{owner.cookie:x}): the socket is locked" for owner in owners
    }
    assert seconds < 0.2 + 0.05 * count + LIMIT_S + SLACK_S


def test_without_locked_sockets(empty_netns: Namespace) -> None:
    """The guard costs nothing that is seen."""
    pid, _owners, others = hold(empty_netns, 0, socket.AF_INET, 0, 50)
    try:
        sockets, errors, _seconds = empty_netns.call(read, "tcp")
    finally:
        empty_netns.call(locked.release, pid)
    assert errors == []
    assert {s.cookie for s in sockets if s.state != "LISTEN"} == set(others)
    assert all(s.tcp_info is not None for s in sockets)


def test_locked_mptcp_socket(empty_netns: Namespace) -> None:
    """MPTCP's sockets are locked the same, and cannot be asked for by cookie."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP).close()
    except OSError:
        pytest.skip("this kernel: no MPTCP")
    pid, owners, others = hold(empty_netns, 2, socket.AF_INET, IPPROTO_MPTCP, 10)
    try:
        sockets, errors, _seconds = empty_netns.call(read, "mptcp")
    finally:
        empty_netns.call(locked.release, pid)
    assert {s.cookie for s in sockets if s.state != "LISTEN"} == {owner.cookie for owner in owners} | set(others)
    assert {s.cookie for s in sockets if s.mptcp_info is None} == {owner.cookie for owner in owners}
    assert len(errors) == 2


def test_the_second_look(empty_netns: Namespace) -> None:
    """What was locked the first time is left out of the second dump: no further process waits."""
    pid, owners, _others = hold(empty_netns, 3, socket.AF_INET, 0, 30)
    try:
        looks = empty_netns.call(read_twice, "tcp")
    finally:
        empty_netns.call(locked.release, pid)
    assert looks == [({owner.cookie for owner in owners}, 3)] * 2


def test_one_socket(empty_netns: Namespace) -> None:
    """A question for one socket has its answer, or an error that says why not."""
    pid, (owner,), others = hold(empty_netns, 1, socket.AF_INET, 0, 2)
    try:
        assert [empty_netns.call(query, cookie) for cookie in others] == [(True, "")] * len(others)
        assert empty_netns.call(query, owner.cookie) == (
            False,
            "netlink:inet_diag_tcp: no answer: the socket is locked",
        )
    finally:
        empty_netns.call(locked.release, pid)


def test_unlocked_again(empty_netns: Namespace) -> None:
    """When the owner has woken up its socket is like any other."""
    pid, owners, _others = hold(empty_netns, 1, socket.AF_INET6, 0, 3)
    _sockets, errors, _seconds = empty_netns.call(read, "tcp")
    empty_netns.call(locked.release, pid)
    assert len(errors) == len(owners)
    sockets, errors, _seconds = empty_netns.call(read, "tcp")
    assert errors == []
    assert all(s.tcp_info is not None for s in sockets if s.inode)


def test_bytes_of_requests(empty_netns: Namespace) -> None:
    """The kernel takes the filters of the guard: one socket alone, and all but that one."""
    pid, _owners, others = hold(empty_netns, 0, socket.AF_INET6, 0, 3)
    try:
        alone, rest = empty_netns.call(filtered, others[0])
    finally:
        empty_netns.call(locked.release, pid)
    assert alone == {others[0]}
    assert rest == set(others[1:])


def filtered(cookie: int) -> tuple[set[int | None], set[int | None]]:
    """Dump with the two filters for a socket; runs in the namespace's process."""
    transport = KernelTransport()
    (_v4, plain) = inet_diag.inet_requests("tcp", (), ~(1 << LISTEN) & 0xFFF)
    rows = [m for d in transport.dump(plain) for m in messages(plain, d)]
    (row,) = (m for m in rows if decode(m).cookie == cookie)
    answers = []
    for code in (exactly(row), none_of([row])):
        asked = inet_request.request(10, 6, plain.states, 0, code)
        answers.append({decode(m).cookie for d in transport.dump(asked) for m in messages(asked, d)})
    return answers[0], answers[1]
