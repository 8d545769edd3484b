"""The short options of `list` that are those of ss select what ss selects, and name the same peers of unix sockets."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.live.conftest import World


def lines(world: World, *words: str) -> list[list[str]]:
    """Run a command in the world's namespace; return its lines as words."""
    done = world.namespace.run(words)
    return [line.split() for line in done.stdout.splitlines()]


# Options, and those of ss: list shows all states unless -l narrows. No sockets that a timer ends between the two looks.
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("-tl", "-tl"), ("-u", "-ua"), ("-u4", "-u4a"), ("-ul", "-ul"), ("-t6l", "-t6l"), ("-w", "-wa")],
)
def test_the_same_sockets(world: World, ours: str, theirs: str) -> None:
    """As many in each state; ss calls some states by other words."""
    listed = lines(world, sys.executable, "-m", "sockdiag", "list", "-H", ours, "-o", "state")
    told = lines(world, "ss", "-H", theirs, "-n")
    named = {"ESTAB": "ESTABLISHED"}
    states = [named.get(row[0], row[0]).replace("-", "") for row in told]
    assert sorted(row[0].replace("_", "") for row in listed) == sorted(states)


def test_peers_of_unix_sockets(world: World) -> None:
    """The inode that ss shows for the other end, where that has no name."""
    told = {row[5]: row[7] for row in lines(world, "ss", "-Hxan") if len(row) > 7 and row[4] == "*"}
    listed = lines(world, sys.executable, "-m", "sockdiag", "list", "-Hx", "-o", "inode,local,peer")
    peers = {row[0]: row[2].removeprefix("inode:") for row in listed if len(row) > 2 and row[2].startswith("inode:")}
    assert peers
    assert {inode: told[inode] for inode in peers if inode in told} == {i: p for i, p in peers.items() if i in told}
