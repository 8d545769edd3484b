"""The part of a table that is on the screen: which rows, in which order, which one is selected, and how wide columns are."""

from __future__ import annotations

from sockdiag.render.escape import width as columns_of
from sockdiag.render.fit import shortened
from sockdiag.top.canvas import BOLD, DIM, REVERSE, fitted
from sockdiag.top.grid import Grid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from sockdiag.top.canvas import Line
    from sockdiag.top.grid import GridColumn

_GAP = 2
# A column that can give way is never narrower than this, and spare columns are left out before one is narrower than the other.
_NARROW, _EASY = 8, 24


class TableView:
    """A table with a selected row.

    The selection follows what a row stands for from one look to the next; columns grow with what they have to show, and
    shrink only when the terminal does.

    Attributes:
        grid: the rows of the look that is shown.
        sort: name of the column that rows are sorted by; "" for the tab's own order.
        descending: the largest first.
        selected: identity of the selected row.
    """

    def __init__(self, tab: str, *, ascii_only: bool = False) -> None:
        self.tab = tab
        self.grid = Grid(0, (), lambda row: row)
        self.sort = ""
        self.descending = True
        self.selected: Hashable | None = None
        self._ascii_only = ascii_only
        self._order: Sequence[int] | None = None
        self._cursor = 0
        self._top = 0
        self._widths: dict[str, int] = {}
        self._drawn: list[tuple[GridColumn, int, int]] = []
        self._room = 1

    def show(self, grid: Grid) -> None:
        """Take the rows of a new look; the selection stays with its row, or near its place if that has gone."""
        self.grid = grid
        self._order = None
        if self.selected is not None:
            row = grid.find(self.selected)
            if row is not None:
                place = self._place_of(row)
                self._top += place - self._cursor
                self._cursor = place
        self._clamp()

    @property
    def order(self) -> Sequence[int]:
        """The rows in the order that they are shown."""
        if self._order is None:
            self._order = self.grid.order(self.sort, descending=self.descending)
        return self._order

    def _place_of(self, row: int) -> int:
        return self.order.index(row)

    def _clamp(self) -> None:
        last = max(0, self.grid.size - 1)
        self._cursor = min(max(0, self._cursor), last)
        if self.grid.size:
            self.selected = self.grid.identity(self.order[self._cursor]) if self._chosen else None

    # Whether the user has moved to a row: until then the first one is selected, whatever it is.
    _chosen = False

    def move(self, how: str, amount: int, page: int) -> None:
        """Move the selection: ``by`` rows, by ``pages``, or ``to`` the first (0) or last (-1) row."""
        if how == "to":
            self._cursor = 0 if amount == 0 else self.grid.size - 1
        else:
            self._cursor += amount * (page if how == "pages" else 1)
        self._chosen = not (how == "to" and amount == 0)
        self._clamp()

    def choose(self, line: int) -> None:
        """Select the row on a line of the table."""
        if 0 <= line < self._room and self._top + line < self.grid.size:
            self._cursor = self._top + line
            self._chosen = True
            self._clamp()

    def selected_row(self) -> int | None:
        """Return the selected row; None if there are no rows."""
        return self.order[self._cursor] if self.grid.size else None

    def selected_texts(self) -> list[str]:
        """Return the cells of the selected row."""
        row = self.selected_row()
        return [] if row is None else [column.text(row) for column in self.grid.columns]

    def rows(self) -> Iterable[int]:
        """Return all rows in order."""
        return self.order

    # Sorting

    def next_sort(self) -> str:
        """Sort by the next column; return what the table is sorted by."""
        names = ["", *(column.name for column in self.grid.columns if column.values is not None)]
        return self._sorted_by(names[(names.index(self.sort) + 1) % len(names)] if self.sort in names else names[0])

    def reverse(self) -> str:
        """Reverse the order; return what the table is sorted by."""
        self.descending = not self.descending
        return self._sorted_by(self.sort, keep=True)

    def sort_at(self, at: int) -> str:
        """Sort by the column at a column of the screen, or reverse its order."""
        for column, start, taken in self._drawn:
            if start <= at < start + taken + _GAP and column.values is not None:
                return self.reverse() if column.name == self.sort else self._sorted_by(column.name)
        return ""

    def sort_by(self, name: str, *, descending: bool) -> str:
        """Sort by a column; return what the table is sorted by."""
        self.descending = descending
        return self._sorted_by(name, keep=True)

    def _sorted_by(self, name: str, *, keep: bool = False) -> str:
        self.sort = name
        column = self.grid.column(name)
        if not keep:
            # Numbers are sorted with the largest on top, names from A to Z.
            self.descending = column is None or column.right
        self._order = None
        if self.selected is not None:
            row = self.grid.find(self.selected)
            if row is not None:
                self._cursor = self._place_of(row)
        self._clamp()
        if column is None:
            return "sorted by what matters most"
        return f"sorted by {column.header}, {'descending' if self.descending else 'ascending'}"

    # Drawing

    def lines(self, width: int, height: int) -> list[Line]:
        """Draw the heading and the rows that there is room for."""
        self._room = room = max(0, height - 1)
        if not self.grid.size:
            return [[(self.grid.empty, DIM)]]
        self._top = min(self._top, self._cursor, max(0, self.grid.size - room))
        self._top = max(self._top, self._cursor - room + 1, 0)
        rows = self.order[self._top : self._top + room]
        texts = {column.name: [column.text(row) for row in rows] for column in self.grid.columns}
        shown = self._fitting(texts, width)
        heading: Line = []
        for column, _start, taken in shown:
            name = column.header
            if column.name == self.sort:
                name += ("v" if self.descending else "^") if self._ascii_only else ("▼" if self.descending else "▲")
            heading += [(fitted(name, taken, right=column.right, ascii_only=self._ascii_only), BOLD), (" " * _GAP, "")]
        drawn = [heading[:-1]]
        for place, row in enumerate(rows):
            line: Line = []
            chosen = self._top + place == self._cursor
            style = self.grid.severity(row)
            for column, _start, taken in shown:
                text = texts[column.name][place]
                if not self._ascii_only:
                    # Of an address the port is kept, and of a path the end.
                    text = shortened(text, taken)
                text = fitted(text, taken, right=column.right, ascii_only=self._ascii_only)
                tone = REVERSE if chosen else style if column.toned or style == DIM else ""
                line += [(text, tone), (" " * _GAP, REVERSE if chosen else "")]
            # The selected row is marked to the edge.
            _column, start, taken = shown[-1]
            line[-1] = (" " * max(0, width - start - taken), REVERSE if chosen else "")
            drawn.append(line)
        return drawn

    def _fitting(self, texts: dict[str, list[str]], width: int) -> list[tuple[GridColumn, int, int]]:
        """Return the columns that fit, with where each starts and how wide it is."""
        columns = list(self.grid.columns)
        for column in columns:
            # Room for the mark of the order, too.
            most = max([len(column.header) + (column.values is not None), *map(columns_of, texts[column.name])])
            kept = self._widths.get(column.name, 0)
            self._widths[column.name] = max(kept, min(most, column.widest))

        def total(of: list[GridColumn]) -> int:
            return sum(self._widths[one.name] for one in of) + _GAP * (len(of) - 1)

        def easy(of: list[GridColumn]) -> int:
            return sum(
                self._widths[one.name] if one.right else min(self._widths[one.name], _EASY) for one in of
            ) + _GAP * (len(of) - 1)

        while easy(columns) > width and len(columns) > 1:
            spare = max(columns, key=lambda one: one.spare)
            if not spare.spare:
                break
            columns.remove(spare)
        widths = {one.name: self._widths[one.name] for one in columns}
        over = total(columns) - width
        # The widest give way first.
        while over > 0:
            widest = max(columns, key=lambda one: widths[one.name] - self._least(one))
            if widths[widest.name] <= self._least(widest):
                break
            widths[widest.name] -= 1
            over -= 1
        shown = []
        at = 0
        for column in columns:
            shown.append((column, at, widths[column.name]))
            at += widths[column.name] + _GAP
        self._drawn = shown
        return shown

    def _least(self, column: GridColumn) -> int:
        taken = self._widths[column.name]
        return taken if column.right else min(taken, max(_NARROW, len(column.header)))

    def let_go(self) -> None:
        """Forget the rows, but not the selection nor the order: the tab is no longer shown, and its look takes memory."""
        self.grid = Grid(0, (), lambda row: row)
        self._order = None

    def resized(self) -> None:
        """Forget how wide columns were: the terminal has another size."""
        self._widths.clear()
