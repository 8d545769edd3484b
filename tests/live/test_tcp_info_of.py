"""The tcp_info of single sockets, on this kernel: that of the table, locked sockets named and not waited for again."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from sockdiag.kernel.tcp_states import ALL_STATES
from sockdiag.model.query import SKMEM, TCP_INFO
from sockdiag.sources.netlink import inet_diag
from sockdiag.sources.netlink.tcp_info_guard import GuardedTransport
from sockdiag.sources.netlink.tcp_info_of import read_tcp_infos
from sockdiag.sources.system.machine import this_system
from tests.live import locked

if TYPE_CHECKING:
    from tests.live.world.namespace import Namespace

KEPT: list[socket.socket] = []
GUARDS: list[GuardedTransport] = []
# What does not change of a connection on which nothing happens.
STILL = (
    "snd_mss",
    "rcv_mss",
    "advmss",
    "pmtu",
    "rtt_us",
    "snd_wscale",
    "rcv_wscale",
    "bytes_acked",
    "segs_in",
    "segs_out",
)


def idle(family: int) -> None:
    """Make connections with some traffic, and a listener."""
    listener = socket.socket(family)
    listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    listener.listen(9)
    KEPT.append(listener)
    for size in (1, 1000, 30000):
        client = socket.create_connection(listener.getsockname()[:2])
        accepted = listener.accept()[0]
        client.sendall(b"x" * size)
        left = size
        while left:
            left -= len(accepted.recv(left))
        KEPT.extend((client, accepted))


def compared() -> list[tuple[str, list[object], list[object]]]:
    """Return of each socket what the table shows, and what it shows when it is asked for alone."""
    system = this_system()
    whole = inet_diag.read(system, "tcp", needs=frozenset((SKMEM, TCP_INFO)), states=ALL_STATES).sockets
    bare = inet_diag.read(system, "tcp", needs=frozenset((SKMEM,)), states=ALL_STATES).sockets
    guard = GuardedTransport(system.netlink)
    found = read_tcp_infos(system, guard, bare)
    guard.close()
    return [
        (
            f"{one.state} {one.local}",
            [getattr(one.tcp_info, name) for name in STILL],
            [getattr(found.get(one.cookie or 0), name, "missing") for name in STILL],
        )
        for one in whole
        if one.tcp_info is not None
    ]


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_single_sockets_have_the_tcp_info_of_the_table(empty_netns: Namespace, family: int) -> None:
    empty_netns.call(idle, family)
    # Acknowledgements that are delayed are not on their way any more.
    time.sleep(0.3)
    rows = empty_netns.call(compared)
    assert len(rows) == 7
    for name, listed, alone in rows:
        assert alone == listed, name


def read_again() -> tuple[set[int], set[int], list[int]]:
    """Ask for all sockets through one guard: the cookies with tcp_info, those that are locked, and the processes that wait."""
    system = this_system()
    if not GUARDS:
        GUARDS.append(GuardedTransport(system.netlink))
    bare = inet_diag.read(system, "tcp", needs=frozenset((SKMEM,))).sockets
    found = read_tcp_infos(system, GUARDS[0], bare)
    GUARDS[0].check()
    return set(found), set(GUARDS[0].locked), sorted(id(child) for child, _row in GUARDS[0]._stuck.values())


def test_locked_sockets_are_named_and_waited_for_once(empty_netns: Namespace) -> None:
    held = empty_netns.call(locked.lock, 2, socket.AF_INET, 0, 3)
    if held is None:
        pytest.skip("this kernel has no userfaultfd")
    pid, some, others = held
    cookies = {one.cookie for one in some}
    with_info, without, waiting = empty_netns.call(read_again)
    assert without == cookies
    assert set(others) <= with_info
    assert not with_info & cookies
    # The second time they are not asked for.
    with_info, without, still = empty_netns.call(read_again)
    assert without == cookies
    assert set(others) <= with_info
    assert still == waiting
    empty_netns.call(locked.release, pid)
    until = time.monotonic() + 30
    while empty_netns.call(read_again)[1] and time.monotonic() < until:
        time.sleep(0.1)
    assert not empty_netns.call(read_again)[1]
