"""Sockets that pile up in a state: who holds them, and since when."""

from __future__ import annotations

from sockdiag.model.batch import identities

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from sockdiag.model.batch import Batch
    from sockdiag.model.socket import Owner
    from sockdiag.rules._base import Case

    Row = tuple[Batch, int]


class Pile:
    """Sockets of one holder, or towards one peer, in one state.

    Attributes:
        rows: all of them; of two looks, those that were in the state at both.
        fresh: how many more are in the state now and were not before.
    """

    __slots__ = ("fresh", "rows")

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.fresh = 0


def in_state(case: Case, state: str, *, earlier: bool = False) -> Iterator[Row]:
    """Yield the TCP rows in a state."""
    for (batch,) in case.scan(("tcp", "mptcp"), earlier=earlier):
        if batch.columns is not None and "state" in batch.constants and batch.constants["state"] != state:
            continue
        states = batch.values("state")
        if state in states:
            yield from ((batch, row) for row, s in enumerate(states) if s == state)


def lasting(case: Case, state: str, keep: Callable[[Batch, int], bool]) -> tuple[list[Row], list[Row]]:
    """Return the rows in a state, and those of them that were not in it before.

    The first are, of two looks, those that were in the state at both.
    """
    rows = [(batch, row) for batch, row in in_state(case, state) if keep(batch, row)]
    if case.before is None:
        return rows, []
    keys = _looked_up(rows, identities)
    past = case.earlier(("tcp", "mptcp"), set(keys.values()), "state")
    old: list[Row] = []
    new: list[Row] = []
    for batch, row in rows:
        (old if past.get(keys[id(batch), row]) == (state,) else new).append((batch, row))
    return old, new


def _looked_up(rows: Iterable[Row], column: Callable[[Batch], Any]) -> dict[tuple[int, int], Any]:
    columns: dict[int, Any] = {}
    found = {}
    for batch, row in rows:
        values = columns.get(id(batch))
        if values is None:
            values = columns[id(batch)] = column(batch)
        found[id(batch), row] = values[row]
    return found


def by_process(case: Case, old: list[Row], new: list[Row]) -> dict[int | None, tuple[Owner | None, Pile]]:
    """Group rows by the process that holds them; under None those whose process is not visible."""
    inodes = _looked_up((*old, *new), lambda batch: batch.values("inode"))
    holders = case.holders(inodes.values())
    piles: dict[int | None, tuple[Owner | None, Pile]] = {}
    for rows, fresh in ((old, False), (new, True)):
        for batch, row in rows:
            owner = holders.get(inodes[id(batch), row] or 0)
            _owner, pile = piles.setdefault(None if owner is None else owner.pid, (owner, Pile()))
            if fresh:
                pile.fresh += 1
            else:
                pile.rows.append((batch, row))
    return piles
