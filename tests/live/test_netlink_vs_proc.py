"""Netlink and /proc agree on every field that both have; where they may differ is in ``permitted.py``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.kernel.tcp_states import HASHED_STATES
from sockdiag.model.query import INET, SKMEM
from tests.live.permitted import FIELDS, ROWS, Permitted, PermittedRow, Seen
from tests.live.world import model
from tests.live.world.release import kernel_since

if TYPE_CHECKING:
    from collections.abc import Hashable

    from sockdiag.model.socket import Socket
    from tests.live.conftest import World

TABLES = ("tcp", "udp", "udplite", "unix", "netlink", "packet")
# A value that changed between the two samples by netlink is looked at again; timers that fire do so for seconds.
ATTEMPTS = 50

used: set[Permitted | PermittedRow] = set()
compared: set[str] = set()


def identity(socket: Socket) -> Hashable:
    """Return what tells a socket from the others of its table in both sources."""
    if socket.netid == "netlink":
        return socket.protocol, socket.local.port
    if socket.inode and socket.netid != "tcp":
        return socket.inode
    # A subflow of MPTCP has the inode of its parent, and a socket without a file has none.
    return socket.family, socket.state, socket.local._replace(interface=None), socket.peer, socket.inode


def by_identity(sockets: list[Socket]) -> dict[Hashable, Socket]:
    return {identity(socket): socket for socket in sockets}


def permit_row(socket: Socket, table: str, only: str) -> None:
    """Fail for a socket that one source lists alone, unless that is permitted."""
    rules = [rule for rule in ROWS if (rule.table, rule.only) == (table, only) and rule.holds(socket)]
    assert rules, f"only {only} lists {socket}"
    used.update(rules)


def permit(table: str, name: str, seen: Seen) -> None:
    """Fail for a difference that no entry permits."""
    if seen.before == seen.proc:
        return
    rules = [
        rule
        for rule in FIELDS
        if table in rule.tables and (name == rule.field or (rule.field[-1] == "." and name.startswith(rule.field)))
    ]
    held = [rule for rule in rules if rule.holds(seen)]
    what = (
        f"{table} {name}: netlink {seen.before!r}, then /proc {seen.proc!r}, then netlink {seen.after!r}: {seen.socket}"
    )
    assert len(held) == 1, what
    used.update(held)


def compare(table: str, before: Socket, proc: Socket, after: Socket) -> bool:
    """Compare all fields; return whether one changed meanwhile, and is to be looked at again."""
    values: list[dict[str, Any]] = [dict(model.flat(socket)) for socket in (before, proc, after)]
    moved = False
    for name in values[0].keys() | values[1].keys():
        first, second, third = (value.get(name) for value in values)
        if name == "timer.expires_ms":
            # A timer that was armed again: its expiry grew, or another timer runs, or it ran in vain once more.
            one, two = before.timer, after.timer
            steady = (
                one is not None
                and two is not None
                and one._replace(expires_ms=0) == two._replace(expires_ms=0)
                and (third or 0) <= (first or 0)
            )
        else:
            steady = first == third
        if steady:
            permit(table, name, Seen(first, second, third, before))
        else:
            moved = True
    return moved


def agree(world: World, table: str) -> None:
    """Compare a table until every value of every socket stood still for a moment."""
    waiting: set[Hashable] | None = None
    for _ in range(ATTEMPTS):
        before, proc, after, gaps = world.namespace.call(model.both, table, (SKMEM, INET))
        assert gaps == []
        one, two, three = map(by_identity, (before, proc, after))
        for key in one.keys() - two.keys():
            permit_row(one[key], table, "netlink")
        for key in two.keys() - one.keys():
            permit_row(two[key], table, "proc")
        common = one.keys() & two.keys() & three.keys()
        todo = common if waiting is None else common & waiting
        waiting = {key for key in todo if compare(table, one[key], two[key], three[key])}
        if not waiting:
            compared.add(table)
            return
    pytest.fail(f"never steady: {waiting}")


@pytest.mark.parametrize("table", TABLES)
def test_netlink_and_proc_agree(world: World, table: str) -> None:
    """Both list the same sockets, and say the same of each."""
    if all(fact.netid != table for fact in world.facts):
        pytest.skip(f"this kernel: {table} is not built")
    agree(world, table)


@pytest.mark.parametrize("source", ["netlink", "proc"])
@pytest.mark.parametrize("table", ["tcp", "mptcp", "udp", "udplite"])
def test_inet_table_is_the_facts(world: World, table: str, source: str) -> None:
    """Each source lists what was made, and nothing else."""
    facts = world.listed(table, source)
    if not facts:
        pytest.skip(f"{source} does not list {table}")
    sockets, gaps = world.namespace.call(model.sockets, table, source, (), HASHED_STATES)
    assert gaps == []
    shown = Counter(
        (s.family, s.state, s.local.address, s.local.port, s.peer.address, s.peer.port, s.inode) for s in sockets
    )
    assert shown == Counter((f.family, f.state, *f.local, *f.peer, f.inode) for f in facts)


@pytest.mark.parametrize("source", ["netlink", "proc"])
@pytest.mark.parametrize("table", ["unix", "packet", "netlink"])
def test_table_is_the_facts(world: World, table: str, source: str) -> None:
    """Each source lists the sockets with a file that were made, and nothing else of that process."""
    sockets, gaps = world.namespace.call(model.sockets, table, source)
    assert gaps == []
    held = {fact.inode for fact in world.listed(table, source) if fact.inode}
    # Netlink sockets of the kernel have inodes, too; those that ask are there while they do.
    mine = [s.inode for s in sockets if s.inode and (table != "netlink" or s.inode in held)]
    forged = [7] if (table, source) == ("unix", "proc") else []
    assert Counter(mine) == Counter([*held, *forged])


@pytest.mark.parametrize("table", TABLES)
def test_no_socket_is_listed_twice(world: World, table: str) -> None:
    """One row a socket, in both sources; those that wait in accept(2) have no identity in /proc/net/unix."""
    before, proc, _after, _gaps = world.namespace.call(model.both, table, ())
    for sockets in (before, proc):
        counts = Counter(
            (socket.cookie, socket.proc and socket.proc.pointer, identity(socket))
            for socket in sockets
            if socket.inode or table != "unix"
        )
        assert not [key for key, count in counts.items() if count > 1]


@pytest.mark.parametrize("netid", ["raw", "icmp"])
def test_tables_without_a_handler_come_from_proc(world: World, netid: str) -> None:
    """What netlink does not answer for is read from /proc, and is what was made."""
    sockets, gaps = world.namespace.call(model.sockets, netid, "auto")
    facts = world.listed(netid, "proc")
    assert gaps == []
    assert Counter(
        (s.family, s.state, s.local.address, s.local.port, s.peer.address, s.inode) for s in sockets
    ) == Counter((fact.family, fact.state, *fact.local, fact.peer[0], fact.inode) for fact in facts)


def test_every_permitted_difference_occurs(world: World) -> None:
    """The list has no entry that nothing needs."""
    there = {fact.netid for fact in world.facts}
    for table in there.intersection(TABLES) - compared:
        agree(world, table)
    assert [rule for rule in FIELDS if rule not in used and there & set(rule.tables)] == []
    missing = [rule for rule in ROWS if rule not in used and rule.table in there and kernel_since(*rule.since)]
    assert missing == []
