"""Columns: their widths, their wrapping to a terminal, and the blocks in which long outputs are measured.

The reference stores the cells of all rows in chunks of 1 MiB and prints when a fifth chunk was begun, with the widths
known by then; widths never shrink. The cell that was written last is not measured. Both are visible, so both are kept.
**Source:** the behaviour of ss 6.1 and 7.1.
"""

from __future__ import annotations

from itertools import chain
from struct import unpack

from sockdiag.ss.output import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    # A cell for each row, as texts or as ports in network order; or the text that all rows have.
    Cells = str | bytes | list[str]

# Columns of a row as the program's parts build it.
NETID, STATE, RECV_Q, SEND_Q, LOCAL, LOCAL_PORT, PEER, PEER_PORT, PROCESS, EXT = range(10)

_HEADERS = ("Netid", "State", "Recv-Q", "Send-Q", "Local Address:", "Port", "Peer Address:", "Port", "Process", "")
_RIGHT = (LOCAL, PEER)
_DELIMITED = (STATE, RECV_Q, SEND_Q, LOCAL, PEER)
_ORDER_7 = (NETID, STATE, RECV_Q, SEND_Q, LOCAL, LOCAL_PORT, PEER, PEER_PORT, PROCESS, EXT)
# 6.1 has one column for both.
_ORDER_6 = _ORDER_7[:-1]

_CHUNK = (1 << 20) - 16
_CHUNKS = 5
_LONGEST = 65535
# Bytes of rows that are held back uncounted, roughly; and of a cell in a list that is shared, and of one that is not beside its text.
_MOST_UNCOUNTED = 3 << 20
_SHARED_CELL, _OWN_CELL = 8, 57


class RowLayout:
    """Collect rows and print them.

    Args:
        hidden: columns that are not shown.
        old: order and padding of 6.1.
        screen: width to spread the columns over, or None for compact output.
        emit: takes the text of each block.
    """

    __slots__ = (
        "_blocks",
        "_chunks",
        "_emit",
        "_end",
        "_longest",
        "_old",
        "_open",
        "_open_size",
        "_pending",
        "_ragged",
        "_rows",
        "_screen",
        "_template",
        "_uncounted",
        "columns",
    )

    def __init__(
        self, hidden: Sequence[int], *, old: bool, screen: int | None, emit: Callable[[str], None] = write
    ) -> None:
        self.columns = tuple(c for c in (_ORDER_6 if old else _ORDER_7) if c not in hidden)
        fixed = [i for i, c in enumerate(self.columns) if c != EXT]
        # Compact output of 7.1 leaves the last fixed column as it is.
        self._ragged = fixed[-1] if fixed and not old and screen is None else -1
        self._old = old
        self._screen = screen
        self._emit = emit
        self._longest = [0] * len(self.columns)
        self._template: tuple[object, str] = (None, "")
        self._forget()

    def _forget(self) -> None:
        self._rows: list[tuple[str, ...]] = []
        self._blocks: list[list[tuple[str, ...]] | tuple[list[Cells], int]] = []
        # Blocks after the rows that are not counted yet.
        self._pending: list[tuple[list[Cells], int]] = []
        self._uncounted = 0
        self._chunks = 1
        self._end = 2
        self._open = -1
        self._open_size = 0

    def header(self) -> None:
        """Store the header row."""
        self.row(_HEADERS)
        if self._old:
            # 6.1 measures the last title also where no row follows it.
            self._longest[-1] = max(self._longest[-1], len(_HEADERS[self.columns[-1]]))

    def row(self, cells: Sequence[str], last: int = -1) -> None:
        """Store a row.

        Args:
            cells: one for each column, hidden ones too.
            last: the column that was written last, whose cell stays unmeasured if no row follows; -1: the last one.
        """
        self.begin_row()
        row = tuple([cells[c] for c in self.columns])
        if self._old:
            row = (*row[:-1], row[-1] + cells[EXT])
        self.store(row, last)

    def begin_row(self) -> None:
        """Finish the previous row; print what is stored when it has become too much."""
        if self._pending:
            self._count_pending()
        if self._chunks >= _CHUNKS:
            self.render()
        elif self._open >= 0:
            for i, size in enumerate(self._open_sizes(), self._open):
                self._longest[i] = max(self._longest[i], size)
                self._close(size)
            if self._old:
                self._close(0)  # the column that ends its rows is always empty
            self._open = -1

    def _open_sizes(self) -> list[int]:
        """Return the sizes of the cells that are not measured yet; after a block that is the last one of its last row."""
        return [len(cell) for cell in self._rows[-1][self._open :]] if self._rows else [self._open_size]

    def store(self, row: tuple[str, ...], last: int = -1) -> None:
        """Store the visible cells of a row; :meth:`begin_row` was called."""
        sizes = [len(cell) for cell in row]
        if max(sizes) > _LONGEST:
            row = tuple([cell[:_LONGEST] for cell in row])
            sizes = [len(cell) for cell in row]
        columns = self.columns
        open_at = columns.index(last) if last in columns else len(columns) - 1
        longest = self._longest
        for i, size in enumerate(sizes):
            if size >= _CHUNK - self._end and self._end != 2:
                self._chunks += 1
                self._end = 2
            self._end += size
            if i >= open_at:
                break
            longest[i] = max(longest[i], size)
            self._close(size)
        self._open = open_at
        self._rows.append(row)

    def store_columns(self, columns: list[Cells], count: int, longest: list[int]) -> None:
        """Store many rows at once.

        Where the chunks end matters only if a width changes later: until then they are not counted.

        Args:
            columns: the visible columns; the last one has texts.
            count: number of rows.
            longest: length of the longest cell of each column so far, or more of what was stored before.
        """
        if (
            list(map(max, self._longest, longest)) == self._longest
            and self._uncounted < _MOST_UNCOUNTED
            and (
                bool(self._pending)
                or (self._open == len(self.columns) - 1 and self._open_sizes()[0] <= self._longest[-1])
            )
        ):
            self._pending.append((columns, count))
            self._uncounted += sum([_SHARED_CELL * count if isinstance(cells, list) else 0 for cells in columns])
            last = columns[-1]
            if isinstance(last, list):
                # Its texts are long, and each row has one of its own.
                self._uncounted += _OWN_CELL * count + sum(map(len, last))
            return
        self._count_pending()
        self._count_columns(columns, count, longest)

    def _count_pending(self) -> None:
        pending, self._pending = self._pending, []
        self._uncounted = 0
        for columns, count in pending:
            self._count_columns(columns, count, self._longest)

    def _count_columns(self, columns: list[Cells], count: int, longest: list[int]) -> None:
        """Store rows and count what they take in the chunks: two bytes of length and the text padded to an even size."""
        sizes = 2 * count if self._old else 0
        for cells in columns:
            if isinstance(cells, str):
                sizes += ((len(cells) + 3) & ~1) * count
            else:
                sizes += sum([(size + 3) & ~1 for size in map(len, _texts(cells, count))])
        last = columns[-1]
        assert not isinstance(last, bytes)
        open_size = len(last if isinstance(last, str) else last[-1])
        # Near the end of a chunk, and where a cell is cut, every cell counts.
        if self._end + sizes + 16 >= _CHUNK or self._chunks >= _CHUNKS or max(longest) > _LONGEST:
            for row in zip(*[_texts(cells, count) for cells in columns], strict=True):
                self.begin_row()
                self.store(row)
            return
        self.begin_row()
        others: Sequence[str] = [last] * (count > 1) if isinstance(last, str) else last[:-1]
        self._longest = list(map(max, self._longest, [*longest[:-1], max(map(len, others), default=0)]))
        if self._rows:
            self._blocks.append(self._rows)
            self._rows = []
        self._blocks.append((columns, count))
        # The last row's last cell stays open.
        self._end += sizes - (open_size & 1) - (4 if self._old else 2)
        self._open = len(self.columns) - 1
        self._open_size = open_size

    def _close(self, size: int) -> None:
        pad = size & 1
        if _CHUNK - self._end - pad < 2:
            self._chunks += 1
            self._end = 2
        else:
            self._end += pad + 2

    def render(self) -> None:
        """Print what is stored, and forget it; the widths stay."""
        rows, blocks, pending = self._rows, self._blocks, self._pending
        if not rows and not blocks and not pending:
            return
        open_at = self._open
        self._forget()
        widths = self._widths()
        tail = None
        if rows and 0 <= open_at < len(self.columns) - 1:
            tail = rows.pop()[: open_at + 1]
        for block in [*blocks, rows, *pending]:
            if isinstance(block, tuple):
                self._emit_columns(widths, *block)
            else:
                self._emit_rows(widths, block)
        if tail is not None:
            self._emit(self._format(widths, len(tail)) % tail)

    def _emit_rows(self, widths: tuple[int, ...], rows: list[tuple[str, ...]]) -> None:
        template = self._format(widths)
        for i in range(0, len(rows), 4096):
            part = rows[i : i + 4096]
            self._emit(template * len(part) % tuple(chain.from_iterable(part)))

    def _emit_columns(self, widths: tuple[int, ...], columns: list[Cells], count: int) -> None:
        """Print a block of columns; what all rows have becomes part of the format."""
        constants = tuple([c if isinstance(c, str) else None for c in columns])
        key = (widths, constants, count)
        if self._template[0] != key:
            self._template = (key, self._format(widths, constants=constants) * count)
        lists = [c for c in columns if not isinstance(c, str)]
        flat: list[Any] = [""] * (len(lists) * count)
        for i, cells in enumerate(lists):
            flat[i :: len(lists)] = ports_of(cells) if isinstance(cells, bytes) else cells
        self._emit(self._template[1] % tuple(flat))

    def _format(self, widths: tuple[int, ...], count: int = 99, constants: Sequence[str | None] | None = None) -> str:
        """Return the printf format of one row, or of its first *count* cells, with *constants* filled in."""
        parts = []
        started = False
        for i, column in enumerate(self.columns[:count]):
            width = widths[i]
            delimiter = " " if started and width and column in _DELIMITED else ""
            started = started or width > 0
            width -= len(delimiter)
            part = "%s"
            if width > 0 and i != self._ragged:
                part = f"%{'' if column in _RIGHT else '-'}{width}s"
            constant = constants[i] if constants is not None else None
            if constant is not None:
                part = (part % constant).replace("%", "%%")
            parts.append(f"{delimiter}{part}")
        return "".join(parts) + "\n"

    def _widths(self) -> tuple[int, ...]:
        screen = self._screen
        widths = []
        first = True
        for column, longest in zip(self.columns, self._longest, strict=True):
            width = longest + (1 if longest and not first and column in _DELIMITED else 0)
            if screen is not None:
                width = min(width, screen)
            first = first and not width
            widths.append(width)
        if screen is not None:
            _spread(widths, screen)
        return tuple(widths)


def ports_of(cells: bytes) -> tuple[int, ...]:
    """Return the port of each row."""
    return unpack(f">{len(cells) >> 1}H", cells)


def _texts(cells: Cells, count: int) -> list[str]:
    if isinstance(cells, bytes):
        return list(map(str, ports_of(cells)))
    return [cells] * count if isinstance(cells, str) else cells


def _spread(widths: list[int], screen: int) -> None:
    """Fill each screen line: columns are grouped from the left, what is left over is shared among the group."""
    shown = [i for i, width in enumerate(widths) if width]
    group: list[int] = []
    length = 0
    for n, i in enumerate(shown):
        if group and length + widths[i] > screen:
            _share(widths, group, screen - length)
            group, length = [], 0
        group.append(i)
        length += widths[i]
        if length == screen:
            group, length = [], 0
        elif n == len(shown) - 1:
            _share(widths, group, screen - length)


def _share(widths: list[int], group: list[int], spare: int) -> None:
    each, rest = divmod(spare, len(group))
    for place, i in enumerate(reversed(group)):
        widths[i] += each + (place < rest)


def screen_width(*, old: bool) -> int | None:
    """Return the width to spread over: the terminal's, else COLUMNS (not in 6.1), else None."""
    import os

    try:
        width = os.get_terminal_size(1).columns
    except OSError:
        if old:
            return None
        width = _atoi(os.environ.get("COLUMNS", ""))
        return width if width > 0 else None
    return width or None


def _atoi(text: str) -> int:
    """Convert as atoi(3): blanks, a sign, digits, then anything."""
    from sockdiag.filter.cnumbers import LONG_MAX  # start-up: hardly ever needed

    text = text.lstrip(" \t\n\v\f\r")
    sign = -1 if text[:1] == "-" else 1
    if text[:1] in "+-":
        text = text[1:]
    digits = len(text) - len(text.lstrip("0123456789"))
    # It is strtol(3), which ends at the limits of a long, cut to an int. Twenty digits pass both.
    number = sign * int(text[:digits].lstrip("0")[:20] or 0)
    number = max(-LONG_MAX - 1, min(number, LONG_MAX))
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)
