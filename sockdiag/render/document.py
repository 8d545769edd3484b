"""What a command passes to a renderer: its JSON keys and one table of rows."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from sockdiag.model.batch import Batch
    from sockdiag.model.fields import FieldEntry
    from sockdiag.model.provenance import Provenance


class Table:
    """Rows of one kind and their columns.

    Args:
        columns: columns to show, in order, in tables and CSV, and in JSON if *chosen*.
        rows: records, all of one class; for sockets see *batches*.
        batches: sockets in batches, instead of *rows*.
        chosen: the user chose the columns; JSON then shows only them.
        header: show the heading line.
        remarks: lines below the table, for people.
        spare: names of the columns that a narrow terminal leaves out, the least important first.
    """

    __slots__ = ("_rows", "batches", "chosen", "columns", "header", "remarks", "spare")

    def __init__(
        self,
        columns: Sequence[FieldEntry],
        rows: Iterable[Any] = (),
        *,
        batches: Iterable[Batch] | None = None,
        chosen: bool = False,
        header: bool = True,
        remarks: Sequence[str] = (),
        spare: Sequence[str] = (),
    ) -> None:
        self.columns = columns
        self._rows = rows
        self.batches = batches
        self.chosen = chosen
        self.header = header
        self.remarks = remarks
        self.spare = spare

    def records(self) -> Iterable[Any]:
        """Return the rows as records."""
        if self.batches is None:
            return self._rows
        from sockdiag.model.batch import all_sockets

        return all_sockets(self.batches)

    def settle(self) -> None:
        """Read everything now, for formats that list the gaps first."""
        if self.batches is None:
            self._rows = list(self._rows)
        else:
            from sockdiag.model.packed import packed

            self.batches = list(packed(self.batches))


class ReadTable(Table):
    """Rows that are made when they are asked for, each time anew, from what was read before."""

    def settle(self) -> None:
        """Do nothing: nothing is left to read."""


class Document:
    """A command's answer.

    Args:
        command: name of the command, for the schema key.
        keys: the document's own JSON keys: records, lists of records, plain values, or a table of more rows.
        table: the rows for tables, CSV and NDJSON; also the value of *table_key* in JSON.
        table_key: JSON key of the rows.
        lines: the screen for people in place of the plain table: a function of a Style.
        below: lines below the table or the screen, for people: a function of a Style.
        provenance: when, where, and what is missing; a function, because it is complete only after the last row.
        unasked: parts of sockets that were not asked for (``sockdiag.model.query``), which JSON leaves out where they are None.
    """

    __slots__ = ("below", "command", "keys", "lines", "provenance", "table", "table_key", "unasked")

    def __init__(
        self,
        command: str,
        provenance: Callable[[], Provenance],
        *,
        table: Table,
        table_key: str,
        keys: dict[str, Any] | None = None,
        lines: Callable[[Style], Iterable[str]] | None = None,
        below: Callable[[Style], Iterable[str]] | None = None,
        unasked: frozenset[str] = frozenset(),
    ) -> None:
        self.command = command
        self.provenance = provenance
        self.table = table
        self.table_key = table_key
        self.keys = keys or {}
        self.lines = lines
        self.below = below
        self.unasked = unasked


# SGR code of what matters least.
DIM = "2"


class Style:
    """Width and colours of text.

    Attributes:
        width: columns of the terminal; None if the output is not a terminal and nothing is cut.
        color: whether colours may be used.
    """

    __slots__ = ("color", "width")

    def __init__(self, width: int | None, color: bool) -> None:
        self.width = width
        self.color = color

    def paint(self, text: str, code: str) -> str:
        """Colour *text* with an SGR code, if colours may be used."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.color else text
