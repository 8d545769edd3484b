"""Owners of sockets by inode, and columns of them, compared with a dictionary."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sockdiag.model.held import Owners
from sockdiag.model.socket import Owner

# Neighbours on a page, and the last inode that the kernel gives.
INODES = st.one_of(st.integers(1, 20), st.sampled_from([7, 8, (1 << 32) - 1]))
NAMES = st.sampled_from([b"server", b"1180591620717411303424", b"", None])


@given(st.lists(st.tuples(NAMES, st.dictionaries(st.integers(0, (1 << 31) - 1), INODES, max_size=6)), max_size=5))
def test_owners(processes: list[tuple[bytes | None, dict[int, int]]]) -> None:
    """Every descriptor is found, by pid and number; columns, rows and texts of them say the same."""
    owners, expected = Owners(), dict[int, tuple[Owner, ...]]()
    for place, (name, table) in enumerate(processes):
        pid = place + 1
        owners.add((pid, name, "user", None, None), sorted(table.items()))
        for number, inode in sorted(table.items()):
            expected[inode] = (*expected.get(inode, ()), Owner(pid, name, number, "user", None, None))
    assert {inode: owners[inode] for inode in owners} == expected
    assert len(owners) == len(expected)
    inodes = [*range(22), (1 << 32) - 1]
    for nobody in (None, ()):
        column = owners.column(inodes, nobody)
        rows: list[Any] = [expected.get(inode, nobody) if inode else () for inode in inodes]
        assert list(column.values()) == rows
        assert [column.item(row) for row in range(len(inodes))] == rows
        assert column.texts(repr) == list(map(repr, rows))
        odd = [row for inode, row in zip(inodes, rows, strict=True) if inode % 2]
        some = column.compressed([inode % 2 for inode in inodes])
        assert list(some.values()) == odd
        assert some.texts(repr) == list(map(repr, odd))
    for inode in inodes:
        found = expected.get(inode, ())
        assert (inode in owners, owners.get(inode)) == (bool(found), found)
        holder, service = owners.holder(inode), owners.service(inode)
        assert (holder and holder.pid) == (found[0].pid if found else None)
        others = [owner.pid for owner in found if owner.pid != 1] or [owner.pid for owner in found]
        assert (service and service.pid) == (others[0] if others else None)
