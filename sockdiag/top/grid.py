"""A table of one tab: rows that are written when they are shown, and what they are sorted and recognised by."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from typing import Any


# What is drawn in the colour of a row's severity.
_TONED = frozenset(("severity", "verdict", "code", "stage", "name", "lost", "per_s", "ratio", "used"))


class GridColumn:
    """A column.

    Args:
        name: what it is sorted by and chosen by.
        header: its heading.
        text: writes the cell of a row, already printable.
        values: returns what all rows are sorted by, unknown ones as None; None if rows cannot be sorted by it.
        right: aligned right.
        spare: the larger, the earlier a narrow terminal leaves it out; 0 is never left out.
        widest: cells that it takes at most; longer texts are cut.
        needs: parts of sockets that must be read of all of them before they can be sorted by it.
        toned: drawn in the colour of the row's severity. Most are not: many terminals show a yellow that is hard to read on white.
    """

    __slots__ = ("header", "name", "needs", "right", "spare", "text", "toned", "values", "widest")

    def __init__(
        self,
        name: str,
        header: str,
        text: Callable[[int], str],
        values: Callable[[], Sequence[Any]] | None = None,
        *,
        right: bool = False,
        spare: int = 0,
        widest: int = 60,
        needs: frozenset[str] = frozenset(),
        toned: bool = False,
    ) -> None:
        self.name = name
        self.header = header
        self.text = text
        self.values = values
        self.right = right
        self.spare = spare
        self.widest = widest
        self.needs = needs
        self.toned = toned


class Grid:
    """The rows of a tab at one moment.

    Args:
        size: number of rows.
        columns: all columns, those that matter most first.
        identity: what a row is recognised by in the next look.
        severity: severity that a row is coloured by; "" for none.
        find: returns the row of an identity, or None; by default all rows are searched.
        order: the rows in the order that they have unless a column is chosen to sort by.
        empty: what is shown if there are no rows.
    """

    def __init__(
        self,
        size: int,
        columns: Sequence[GridColumn],
        identity: Callable[[int], Hashable],
        *,
        severity: Callable[[int], str] = lambda _row: "",
        find: Callable[[Hashable], int | None] | None = None,
        order: Callable[[], Sequence[int]] | None = None,
        empty: str = "",
    ) -> None:
        self.size = size
        self.columns = tuple(columns)
        self.identity = identity
        self.severity = severity
        self.empty = empty
        self._find = find
        self._order = order

    def column(self, name: str) -> GridColumn | None:
        """Return a column by name."""
        return next((column for column in self.columns if column.name == name), None)

    def order(self, sort: str, *, descending: bool) -> Sequence[int]:
        """Return the rows in order.

        Args:
            sort: name of the column to sort by; "" for the order that the tab has by itself.
            descending: the largest first.
        """
        from sockdiag.top.row_order import ordered

        column = self.column(sort) if sort else None
        if column is None or column.values is None:
            return self._order() if self._order is not None else range(self.size)
        return ordered(column.values(), descending=descending)

    def find(self, identity: Hashable) -> int | None:
        """Return the row that has an identity; None if it has gone."""
        if self._find is not None:
            return self._find(identity)
        return next((row for row in range(self.size) if self.identity(row) == identity), None)


def grid_of(
    rows: Sequence[Any],
    columns: Sequence[tuple[str, str, Callable[[Any], str], Callable[[Any], Any] | None, bool, int]],
    identity: Callable[[Any], Hashable],
    severity: Callable[[Any], str] = lambda _row: "",
    empty: str = "",
) -> Grid:
    """Make the grid of a few records.

    Args:
        rows: the records.
        columns: name, heading, what writes a record's cell, what it is sorted by, whether it is aligned right, and whether a
            narrow terminal may leave it out (:class:`GridColumn`).
        identity: what a record is recognised by.
        severity: severity that a record is coloured by.
        empty: what is shown if there are none.
    """
    made = [_column(rows, *declared) for declared in columns]
    return Grid(
        len(rows),
        made,
        lambda row: identity(rows[row]),
        severity=lambda row: severity(rows[row]),
        empty=empty,
    )


def _column(
    rows: Sequence[Any],
    name: str,
    header: str,
    text: Callable[[Any], str],
    value: Callable[[Any], Any] | None,
    right: bool,
    spare: int,
) -> GridColumn:
    values = None if value is None else (lambda: [value(one) for one in rows])
    cell = GridColumn(name, header, lambda row: text(rows[row]), values, right=right, spare=spare, widest=200)
    cell.toned = name in _TONED
    return cell
