"""Aligned text tables, CSV, and tabulate's grids."""

from __future__ import annotations

from sockdiag.errors import UsageError, unknown
from sockdiag.model.address import Endpoint
from sockdiag.model.record import COUNTER, FLAGS, GAUGE, Field, Record
from sockdiag.model.socket import Socket
from sockdiag.render.cells import UNKNOWN, cell
from sockdiag.render.escape import width
from sockdiag.render.plain import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from sockdiag.model.batch import Batch
    from sockdiag.model.fields import Entry
    from sockdiag.render.document import Document, Style, Table

_GAP = "  "


def cells(table: Table) -> list[list[str]]:
    """Return the columns of a table, each the cells of its rows."""
    columns: list[list[Any]] = [[] for _ in table.columns]
    if table.batches is None:
        rows = list(table.records())
        columns = [[entry.get(row) for row in rows] for entry in table.columns]
    else:
        for batch in table.batches:
            for column, values in zip(columns, _values(batch, table.columns), strict=True):
                column.extend(values)
    return [_column(values, entry.field) for values, entry in zip(columns, table.columns, strict=True)]


def _values(batch: Batch, entries: Sequence[Entry]) -> list[Sequence[Any]]:
    # Values of each column; from the batch's own columns where all are a socket's own fields.
    if all(entry.name.partition(".")[0] in _OWN and not entry.many for entry in entries):
        return [batch.values(entry.name) for entry in entries]
    rows = batch.sockets_as_list()
    return [[entry.get(row) for row in rows] for entry in entries]


_OWN = frozenset(field.name for field in Socket.FIELDS)


def _column(values: list[Any], field: Field) -> list[str]:
    # A table of many rows has few kinds of values: plain numbers, or words that repeat.
    kinds = set(map(type, values))
    if kinds == {int} and field.base == 10 and field.kind != FLAGS:
        return list(map(str, values))
    if kinds <= {str, Endpoint, type(None)}:
        known = {value: cell(value, field) for value in set(values)}
        return list(map(known.__getitem__, values))
    return [cell(value, field) for value in values]


def is_number(entry: Entry) -> bool:
    """Tell whether a column holds quantities, which are aligned right."""
    return entry.field.kind in (GAUGE, COUNTER) and bool(entry.field.unit)


def aligned(headings: Sequence[str], columns: Sequence[Sequence[str]], right: Sequence[bool]) -> Iterator[str]:
    """Yield the lines of a table; the last column is not padded.

    Args:
        headings: heading of each column; empty for no heading line.
        columns: cells of each column, already printable.
        right: which columns are aligned right.
    """
    if not columns:
        return
    shown: list[list[str]] = []
    for i, column in enumerate(columns):
        whole = [headings[i], *column] if headings else list(column)
        last = i == len(columns) - 1
        if "".join(whole).isascii():
            space = max(map(len, whole), default=0)
            padded = [t.rjust(space) for t in whole] if right[i] else whole if last else [t.ljust(space) for t in whole]
        else:
            space = max(map(width, whole), default=0)
            padded = [_pad(t, space, right[i], last) for t in whole]
        shown.append(padded)
    for row in zip(*shown, strict=True):
        yield _GAP.join(row).rstrip() + "\n"


def _pad(text: str, space: int, right: bool, last: bool) -> str:
    blanks = " " * (space - width(text))
    return blanks + text if right else text if last else text + blanks


def render_table(document: Document, style: Style) -> Iterator[str]:
    """Yield the text for people: the document's own lines, or its table."""
    if document.lines is not None:
        yield from document.lines(style)
        return
    table = document.table
    headings = [entry.field.header for entry in table.columns] if table.header else []
    yield from aligned(headings, cells(table), [is_number(entry) for entry in table.columns])


def render_csv(document: Document, _style: Style) -> Iterator[str]:
    """Yield RFC 4180: a header of field names, unknown as an empty field."""
    from csv import writer
    from io import StringIO

    table = document.table
    text = StringIO()
    out = writer(text, lineterminator="\r\n")
    if table.header:
        out.writerow([entry.name for entry in table.columns])
    for row in table.records():
        out.writerow([_csv_value(entry.get(row), entry) for entry in table.columns])
        if text.tell() > 1 << 16:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _csv_value(value: Any, entry: Entry) -> str:
    if value is None:
        return ""
    if isinstance(value, (Record, tuple, list, bytes)):
        shown = cell(value, entry.field)
        return "" if shown == UNKNOWN else shown
    simple = plain(value, entry.field)
    if isinstance(simple, bool):
        return "true" if simple else "false"
    return ",".join(map(str, simple)) if isinstance(simple, list) else cell(simple) if simple != "" else ""


def styles() -> list[str]:
    """Return the table styles that there are."""
    from tabulate import tabulate_formats

    return list(tabulate_formats)


def grid(table_style: str) -> Callable[[Document, Style], Iterator[str]]:
    """Return a renderer that lets tabulate draw the table in one of its styles (grid, github, html, …).

    Raises:
        UsageError: tabulate has no such style.
    """
    from tabulate import tabulate

    if table_style not in styles():
        raise UsageError(unknown("table style", table_style, styles()))

    def render(document: Document, _style: Style) -> Iterator[str]:
        table = document.table
        columns = cells(table)
        headings = [entry.field.header for entry in table.columns] if table.header else []
        sides = ["right" if is_number(entry) else "left" for entry in table.columns]
        rows = list(zip(*columns, strict=True))
        yield (
            tabulate(
                rows, headers=headings, tablefmt=table_style, disable_numparse=True, colalign=sides if rows else None
            )
            + "\n"
        )

    return render
