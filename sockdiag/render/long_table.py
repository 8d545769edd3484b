"""Tables and CSV of hundreds of thousands of sockets, as their batches come: cells cut from columns, one template for many lines.

A table that is kept to find the longest of its cells took 135 MB for 200,000 sockets, and 2.8 times the CPU of ``ss -tan``; CSV
from records 7.8 times. Here a table is measured in blocks of rows; a block is as wide as its cells need, and never narrower than
the one before. What fits into one block, and each line of CSV, is the same as the clear way writes it, which tests compare.
"""

from __future__ import annotations

from itertools import chain, islice, repeat
from operator import contains

from sockdiag.render.cells import cell
from sockdiag.render.escape import width
from sockdiag.render.fit import GAP, padded
from sockdiag.render.socket_columns import cut
from sockdiag.render.wrap import TableLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from sockdiag.model.batch import Batch
    from sockdiag.model.fields import FieldEntry

_GAP = " " * GAP
# Rows that are measured together, and how many characters they may have, roughly.
_BLOCK_ROWS = 16384
_BLOCK_SIZE = 4 << 20
# Cells of this length are looked at one by one.
_LONG_CELL = 100
# Rows per piece of text: docs/rejected.md, Rows.
_PIECE_ROWS = 64
# What csv.writer puts between quotes.
_QUOTED = ',"\r\n'


def batch_cells(batch: Batch, entries: Sequence[FieldEntry]) -> list[Sequence[str] | Sequence[int]]:
    """Return the cells of each column of a table, one for each row; numbers may stay numbers."""
    if not batch.size:
        return [()] * len(entries)
    found = cut(batch, entries, _text)
    return [[column] * batch.size if isinstance(column, str) else column for column in found]


def _text(value: Any, entry: FieldEntry) -> str:
    return cell(value, entry.field)


def blocks(
    batches: Iterable[Batch], entries: Sequence[FieldEntry], headings: Sequence[str], right: Sequence[bool]
) -> Iterator[str]:
    """Yield the text of a table in pieces.

    Args:
        batches: the sockets.
        entries: the columns, at least one.
        headings: heading of each column; empty for no heading line.
        right: the columns that are aligned right.
    """
    block = _Block(headings, right)
    for batch in batches:
        block.add(batch_cells(batch, entries), batch.size)
        if block.rows >= _BLOCK_ROWS or block.size >= _BLOCK_SIZE:
            yield from block.lines()
    yield from block.lines()


class _Block:
    """Rows whose columns are aligned with each other, and with those of the blocks before as far as these reached."""

    __slots__ = ("_columns", "_right", "_spaces", "rows", "size")

    def __init__(self, headings: Sequence[str], right: Sequence[bool]) -> None:
        self._right = right
        self._spaces = [0] * len(right)
        self._columns: list[list[Any]] = [[heading] for heading in headings] or [[] for _ in right]
        self.rows = bool(headings) + 0
        self.size = 0

    def add(self, columns: Sequence[Sequence[str] | Sequence[int]], rows: int) -> None:
        if not rows:
            return
        self.rows += rows
        self.size += rows * sum([len(str(more[-1])) for more in columns])
        for mine, more in zip(self._columns, columns, strict=True):
            mine.extend(more)

    def lines(self) -> Iterator[str]:
        """Yield the text of the rows in pieces, and forget them."""
        columns, rows = self._columns, self.rows
        self._columns, self.rows, self.size = [[] for _ in self._right], 0, 0
        measured = [_measured(column) for column in columns]
        self._spaces = [max(space, found[0]) for space, found in zip(self._spaces, measured, strict=True)]
        if not all(simple for _, simple in measured) or (not self._right[-1] and _blank_ends(columns[-1])):
            yield from self._padded(columns)
            return
        forms = [f"%{'' if of else '-'}{space}s" for space, of in zip(self._spaces, self._right, strict=True)]
        if not self._right[-1]:
            forms[-1] = "%s"
        yield from _filled(_GAP.join(forms) + "\n", columns, rows)

    def _padded(self, columns: Sequence[Sequence[Any]]) -> Iterator[str]:
        last = len(columns) - 1
        for row in zip(*columns, strict=True):
            texts = [padded(str(text), self._spaces[i], self._right[i], i == last) for i, text in enumerate(row)]
            yield TableLine(_GAP.join(texts).rstrip() + "\n")


def _measured(column: list[Any]) -> tuple[int, bool]:
    """Return the width of the cells of a column, and whether each character is as wide as any other."""
    kinds = set(map(type, column))
    if kinds == {int}:
        return max(len(str(max(column))), len(str(min(column)))), True
    texts: list[str] = column if kinds == {str} else list(map(str, column))
    if texts and len(texts[-1]) > _LONG_CELL:
        # Text of 10 MB is memory that the kernel has to give, and takes back: it tripled the time of tcp_info.
        simple = all(map(str.isascii, texts)) and not any(map(contains, texts, repeat("\x1b")))
    else:
        whole = "".join(texts)
        simple = whole.isascii() and "\x1b" not in whole
    return max(map(len if simple else width, texts), default=0), simple


def _blank_ends(column: list[Any]) -> bool:
    """Return whether a cell is empty or ends in a blank."""
    texts = [text for text in column if isinstance(text, str)]
    return not all(texts) or any(map(str.endswith, texts, repeat((" ", "\n"))))


def csv_lines(batch: Batch, entries: Sequence[FieldEntry], text: Callable[[Any, FieldEntry], str]) -> Iterator[str]:
    """Yield the lines of a batch in CSV, in pieces.

    Args:
        batch: the sockets.
        entries: the columns, at least one.
        text: formats a value; see :func:`sockdiag.render.socket_columns.cut`.
    """
    if not batch.size:
        return
    alone = len(entries) == 1
    forms: list[str] = []
    columns: list[Sequence[Any]] = []
    for found in cut(batch, entries, text):
        if isinstance(found, str):
            forms.append(_quoted(found, alone=alone).replace("%", "%%"))
        else:
            forms.append("%s")
            columns.append(_all_quoted(found, alone=alone))
    yield from _filled(",".join(forms) + "\r\n", columns, batch.size)


def _all_quoted(column: Sequence[Any], *, alone: bool) -> Sequence[Any]:
    if not isinstance(column[0], str):
        return column
    whole = "".join(column)
    if alone or any(mark in whole for mark in _QUOTED):
        return [_quoted(text, alone=alone) for text in column]
    return column


def _quoted(text: str, *, alone: bool) -> str:
    # An empty line would be no row.
    if any(mark in text for mark in _QUOTED) or (alone and not text):
        return '"' + text.replace('"', '""') + '"'
    return text


def _filled(line: str, columns: Sequence[Sequence[Any]], rows: int) -> Iterator[str]:
    flat = chain.from_iterable(zip(*columns, strict=True))
    piece = line * _PIECE_ROWS
    for row in range(0, rows, _PIECE_ROWS):
        count = min(_PIECE_ROWS, rows - row)
        yield (piece if count == _PIECE_ROWS else line * count) % tuple(islice(flat, count * len(columns)))
