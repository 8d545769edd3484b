"""The keys that choose the columns of sockets, and the field that they are sorted by."""

from __future__ import annotations

from sockdiag.errors import SockdiagError
from sockdiag.model.query import OWNERS, TCP_INFO
from sockdiag.render.escape import printable_line
from sockdiag.top.prompt import Prompt
from sockdiag.top.tabs import SOCKETS, default_columns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sockdiag.model.fields import FieldEntry
    from sockdiag.top.shown import Shown
    from sockdiag.top.table_view import TableView
    from sockdiag.top.tabs import TabFacts

_ONE_BY_ONE = frozenset((OWNERS, TCP_INFO))
_OFFERED = 12


class ColumnChoice:
    """The keys.

    Args:
        facts: has the columns.
        screen: shows them.
        view: the table of sockets.
        parse: returns the columns that a text chooses, as ``--output`` takes it.
        need: reads what columns need, and of all sockets what they are sorted by (:meth:`sockdiag.top.actions.Actions.need`).
    """

    def __init__(
        self,
        facts: TabFacts,
        screen: Shown,
        view: TableView,
        parse: Callable[[str], Sequence[FieldEntry]],
        need: Callable[[frozenset[str], frozenset[str]], None],
    ) -> None:
        self._facts = facts
        self._screen = screen
        self._view = view
        self._parse = parse
        self._need = need
        self._needed: tuple[frozenset[str], frozenset[str]] | None = None

    def _columns(self) -> Sequence[FieldEntry]:
        look = self._screen.look
        return self._facts.columns or (default_columns(look) if look is not None else ())

    def keys(self) -> dict[str, Callable[[], None]]:
        """Return what keys do."""
        return {"O": self._ask_columns, "F": self._ask_field}

    def _ask_columns(self) -> None:
        names = ",".join(column.name for column in self._columns())
        self._ask("Columns: ", self._take_columns, names, "NAME,… replaces them, +NAME adds to the default ones")

    def _ask_field(self) -> None:
        self._ask("Sort by: ", self._take_field, "", "a field, such as tcp_info.rtt_us; -FIELD for the least first")

    def _ask(self, title: str, done: Callable[[str], str], text: str, hint: str) -> None:
        if self._screen.look is not None:
            self._screen.prompt = Prompt(title, done, text, completes=completions, hint=hint)

    def _take_columns(self, text: str) -> str:
        try:
            self._facts.columns = tuple(self._parse(text.replace(" ", ""))) if text.strip() else ()
        except SockdiagError as error:
            return printable_line(str(error))
        self._screen.go(SOCKETS)
        self.check()
        return ""

    def _take_field(self, text: str) -> str:
        name = text.strip().lower()
        if not name:
            return ""
        least = name.startswith("-")
        name = name.removeprefix("-")
        if self._view.grid.column(name) is None:
            try:
                (found,) = self._parse(name)
            except SockdiagError as error:
                return printable_line(str(error))
            except ValueError:
                return "one field, please"
            if found.name not in {column.name for column in self._columns()}:
                self._facts.columns = (*self._columns(), found)
            name = found.name
        self._screen.go(SOCKETS)
        self._screen.message = self._view.sort_by(name, descending=not least)
        self.check()
        return ""

    def check(self) -> None:
        """Have read what the columns that are shown need, and of all sockets what they are sorted by."""
        columns = frozenset(need for column in self._facts.columns for need in column.needs)
        column = self._view.grid.column(self._view.sort) if self._screen.tab == SOCKETS else None
        needed = columns, (frozenset() if column is None else column.needs & _ONE_BY_ONE)
        if needed != (self._needed or (columns, frozenset())):
            self._need(*needed)
        self._needed = needed


def completions(text: str) -> list[str]:
    """Return the fields that the last name of a text may become."""
    from sockdiag.model.fields import catalogue

    before, _, word = text.rpartition(",")
    sign = word[: len(word) - len(word.lstrip("+- "))]
    found = [entry.name for entry in catalogue() if entry.name.startswith(word.lstrip("+- ").lower())]
    lead = f"{before}," if before else ""
    return [f"{lead}{sign}{name}" for name in found][:_OFFERED]
