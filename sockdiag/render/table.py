"""Aligned text tables, CSV, and tabulate's grids."""

from __future__ import annotations

from sockdiag.errors import UsageError, unknown
from sockdiag.model.address import Endpoint
from sockdiag.model.quantity import UNKNOWN
from sockdiag.model.record import COUNTER, GAUGE, SECRET, Field, Record
from sockdiag.render.cells import cell
from sockdiag.render.document import DIM
from sockdiag.render.escape import is_printable, width
from sockdiag.render.fit import GAP, TextColumns, fitted_columns, hidden_lines, padded
from sockdiag.render.long_table import batch_cells, blocks, csv_lines
from sockdiag.render.plain import plain
from sockdiag.render.wrap import TableLine, fitted, wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from sockdiag.model.fields import FieldEntry
    from sockdiag.render.document import Document, Style, Table

_GAP = " " * GAP
# Minimum width for sentences beside other columns.
_PROSE = 30


def cells(table: Table) -> list[list[str]]:
    """Return the columns of a table, each as a list of its cells."""
    if table.batches is None:
        rows = list(table.records())
        return [_column([entry.get(row) for row in rows], entry.field) for entry in table.columns]
    columns: list[list[str]] = [[] for _ in table.columns]
    for batch in table.batches:
        for column, values in zip(columns, batch_cells(batch, table.columns), strict=True):
            column.extend(map(str, values))
    return columns


def _column(values: list[Any], field: Field) -> list[str]:
    # A column of many rows has few kinds of values: plain numbers, or words that repeat.
    kinds = set(map(type, values))
    if kinds == {int} and field.base == 10 and not field.words:
        return list(map(str, values))
    if (
        kinds == {str}
        and field.kind != SECRET
        and not field.shown
        and is_printable("".join(values))
        and "" not in values
    ):
        return values
    if kinds <= {str, Endpoint, type(None)}:
        known = {value: cell(value, field) for value in set(values)}
        return list(map(known.__getitem__, values))
    return [cell(value, field) for value in values]


def is_number(entry: FieldEntry) -> bool:
    """Return whether a column holds quantities, which are aligned right."""
    return entry.field.kind in (GAUGE, COUNTER) and bool(entry.field.unit)


def aligned(
    headings: Sequence[str],
    columns: Sequence[Sequence[str]],
    right: Sequence[bool],
    fit: int | None = None,
    *,
    prose: bool = False,
) -> Iterator[str]:
    """Yield the lines of a table; the last column is not padded.

    Args:
        headings: heading of each column; empty for no heading line.
        columns: cells of each column, already printable.
        right: the columns that are aligned right.
        fit: columns of the terminal. If the table is wider, identifiers are shortened.
        prose: the last column holds sentences, which are wrapped.
    """
    if not columns:
        return
    if fit is not None and not prose:
        shown, _hidden = fitted_columns(TextColumns(headings, columns, right), fit)
        columns = shown.texts
    whole = [[headings[i], *column] if headings else list(column) for i, column in enumerate(columns)]
    simple = ["".join(column).isascii() and "\x1b" not in "".join(column) for column in whole]
    widths = [list(map(len if ascii_only else width, column)) for ascii_only, column in zip(simple, whole, strict=True)]
    spaces = [max(column, default=0) for column in widths]
    padded_columns: list[list[str]] = []
    for i, column in enumerate(whole):
        space, last = spaces[i], i == len(columns) - 1
        if simple[i]:
            texts = (
                [t.rjust(space) for t in column] if right[i] else column if last else [t.ljust(space) for t in column]
            )
        else:
            texts = [padded(t, space, right[i], last) for t in column]
        padded_columns.append(texts)
    if fit is not None and prose and _total(spaces) > fit:
        yield from _with_prose(padded_columns, _total([*spaces[:-1], 0]), fit)
        return
    for row in zip(*padded_columns, strict=True):
        yield TableLine(_GAP.join(row).rstrip() + "\n")


def fitting(
    headings: Sequence[str],
    columns: Sequence[Sequence[str]],
    right: Sequence[bool],
    style: Style,
    spare: Sequence[str] = (),
    how: str = "-o, or a wider terminal",
) -> Iterator[str]:
    """Yield the lines of a table; on a narrow terminal without the columns that matter least, which a last line names.

    Args:
        headings: heading of each column; empty for no heading line, and then every column is shown.
        columns: cells of each column, already printable.
        right: the columns that are aligned right.
        style: width and colours.
        spare: headings of the columns that may be left out, the least important first.
        how: how to see them.
    """
    hidden: list[str] = []
    if style.width is not None:
        shown, hidden = fitted_columns(TextColumns(headings, columns, right), style.width, spare)
        headings, columns, right = shown.headings, shown.texts, shown.right
    yield from aligned(headings, columns, right, style.width)
    for line in hidden_lines(hidden, how, style.width or 0):
        yield TableLine(style.paint(line, DIM) + "\n")


def _total(spaces: Sequence[int]) -> int:
    return sum(spaces) + len(_GAP) * (len(spaces) - 1)


def _with_prose(columns: list[list[str]], before: int, fit: int) -> Iterator[str]:
    # Beside the other columns if there is room, otherwise below them.
    beside = fit - before >= _PROSE
    left = min((len(cell) - len(cell.lstrip(" ")) for cell in columns[0]), default=0)
    below = " " * (left + 4)
    for row in zip(*columns, strict=True):
        start = _GAP.join([*row[:-1], ""])
        if beside:
            lines = wrapped(row[-1], fit, start, " " * before)
        elif width(start + row[-1]) <= fit:
            lines = [start + row[-1]]
        else:
            lines = [start, *wrapped(row[-1], fit, below, below)]
        yield from (TableLine(line.rstrip() + "\n") for line in lines)


def render_table(document: Document, style: Style) -> Iterator[str]:
    """Yield the text for people: the document's own screen, or its table, and what is below."""
    if document.lines is not None:
        yield from _fitting_lines(document.lines(style), style)
    else:
        yield from _plain_table(document.table, style)
    if document.below is not None:
        yield from _fitting_lines(document.below(style), style)


def _fitting_lines(lines: Iterable[str], style: Style) -> Iterable[str]:
    return lines if style.width is None else (part for text in lines for part in fitted(text, style.width))


def _plain_table(table: Table, style: Style) -> Iterator[str]:
    headings = [entry.field.header for entry in table.columns] if table.header else []
    if style.width is None and table.batches is not None and table.columns:
        right = [is_number(entry) for entry in table.columns]
        yield from blocks(table.batches, table.columns, headings, right)
        yield from remark_lines(table, style)
        return
    columns = cells(table)
    last = table.columns[-1].annotation.removesuffix(" | None") if table.columns else ""
    if style.width is not None and last == "tuple[str, ...]":
        # Lists of words can be wrapped.
        columns[-1] = [text.replace(",", ", ") for text in columns[-1]]
        last = "str"
    right = [is_number(entry) for entry in table.columns]
    if last == "str" and any(" " in text for text in columns[-1]):
        yield from aligned(headings, columns, right, style.width, prose=True)
    else:
        yield from fitting(headings, columns, right, style, spare_headings(table))
    yield from remark_lines(table, style)


def spare_headings(table: Table) -> list[str]:
    """Return the headings of the columns that a narrow terminal leaves out; none if the user chose the columns."""
    by_name = {entry.name: entry.field.header for entry in table.columns}
    return [] if table.chosen else [by_name[name] for name in table.spare if name in by_name]


def remark_lines(table: Table, style: Style) -> Iterator[str]:
    """Yield the remarks below a table."""
    for remark in table.remarks:
        lines = [remark] if style.width is None else wrapped(remark, style.width, "", "  ")
        yield from (line + "\n" for line in lines)


def render_csv(document: Document, _style: Style) -> Iterator[str]:
    """Yield CSV (RFC 4180) with a header of field names; an unknown value is an empty field."""
    from csv import writer
    from io import StringIO

    table = document.table
    text = StringIO()
    out = writer(text, lineterminator="\r\n")
    if table.header:
        out.writerow([entry.name for entry in table.columns])
    if table.batches is not None and table.columns:
        yield text.getvalue()
        for batch in table.batches:
            yield from csv_lines(batch, table.columns, csv_value)
        return
    for row in table.records():
        out.writerow([csv_value(entry.get(row), entry) for entry in table.columns])
        if text.tell() > 1 << 16:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def csv_value(value: Any, entry: FieldEntry) -> str:
    """Return a value as a field of CSV."""
    if value is None:
        return ""
    if isinstance(value, (Record, tuple, list, dict, bytes)):
        shown = cell(value, entry.field)
        return "" if shown == UNKNOWN else no_formula(shown)
    simple = plain(value, entry.field)
    if isinstance(simple, bool):
        return "true" if simple else "false"
    if isinstance(simple, float):
        return repr(simple)  # all digits, because a program reads it
    if isinstance(simple, int):
        return str(simple)
    return no_formula(",".join(map(str, simple)) if isinstance(simple, list) else cell(simple) if simple != "" else "")


# Spreadsheets compute a cell that begins with one of these, also in full width.
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")


def no_formula(text: str) -> str:
    """Return a cell of a CSV file that no spreadsheet computes: names are others' to choose."""
    # Where the decimal point is a comma, spreadsheets split cells at semicolons.
    return ";".join([f"'{part}" if part.lstrip(" '\"").startswith(_FORMULA) else part for part in text.split(";")])


# Table styles of the oldest supported release of tabulate; those that later releases add are accepted too.
STYLES = (
    "fancy_grid",
    "fancy_outline",
    "github",
    "grid",
    "html",
    "jira",
    "latex",
    "latex_booktabs",
    "latex_longtable",
    "latex_raw",
    "mediawiki",
    "moinmoin",
    "orgtbl",
    "pipe",
    "plain",
    "presto",
    "pretty",
    "psql",
    "rst",
    "simple",
    "textile",
    "tsv",
    "unsafehtml",
    "youtrack",
)


def styles() -> list[str]:
    """Return the available table styles."""
    from tabulate import tabulate_formats

    return list(tabulate_formats)


def grid(table_style: str) -> Callable[[Document, Style], Iterator[str]]:
    """Return a renderer that draws the table with tabulate, in one of its styles (grid, github, html, …).

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
