"""Fit a table to the width of a terminal: leave out what matters least, and shorten identifiers.

A pipe or a file gets everything; so do people who ask for a column with ``-o``.
"""

from __future__ import annotations

from sockdiag.render.escape import width
from sockdiag.render.wrap import wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

ELLIPSIS = "…"

# Cells to which identifiers may shrink before a column is left out, and at all.
_EASY, _LEAST = 24, 14
# Cells between two columns.
GAP = 2
_HEX = frozenset("0123456789abcdef")


class TextColumns:
    """The columns of a table, as texts.

    Args:
        headings: heading of each column; empty if there is no heading line.
        texts: the cells of each column, already printable.
        right: whether each column is aligned right. Those hold numbers, which are never shortened.
    """

    __slots__ = ("headings", "right", "texts")

    def __init__(self, headings: Sequence[str], texts: Sequence[Sequence[str]], right: Sequence[bool]) -> None:
        self.headings = list(headings)
        self.texts = list(texts)
        self.right = list(right)

    def without(self, place: int) -> TextColumns:
        """Return all columns but one."""
        headings, texts, right = ([*of[:place], *of[place + 1 :]] for of in (self.headings, self.texts, self.right))
        return TextColumns(headings, texts, right)


def fitted_columns(columns: TextColumns, space: int, spare: Sequence[str] = ()) -> tuple[TextColumns, list[str]]:
    """Shorten identifiers and leave out columns until a table fits.

    Args:
        columns: the columns.
        space: width of the terminal.
        spare: headings of the columns that may be left out, the least important first.

    Returns:
        What to show, and the headings of what was left out.
    """
    hidden: list[str] = []
    needs = _Needs(columns)
    for heading in spare:
        if needs.total(_EASY) <= space:
            break
        if heading in columns.headings and len(columns.texts) > 1:
            columns = columns.without(columns.headings.index(heading))
            needs = _Needs(columns)
            hidden.append(heading)
    if needs.total() <= space:
        return columns, hidden
    most = _LEAST
    for cells in range(max(needs.widest), _LEAST, -1):
        if needs.total(cells) <= space:
            most = cells
            break
    texts = [
        list(column) if right else [shortened(text, room) for text in column]
        for column, right, room in zip(columns.texts, columns.right, needs.shared(most, space), strict=True)
    ]
    return TextColumns(columns.headings, texts, columns.right), hidden


class _Needs:
    """The widths that columns need."""

    def __init__(self, columns: TextColumns) -> None:
        headings = columns.headings or [""] * len(columns.texts)
        self.widest: list[int] = []
        self._rigid: list[int] = []
        for heading, texts, right in zip(headings, columns.texts, columns.right, strict=True):
            known = {text: width(text) for text in set(texts)}
            widest = max([len(heading), *known.values()])
            self.widest.append(widest)
            rigid = widest if right else max([len(heading), *(n for text, n in known.items() if is_rigid(text))])
            self._rigid.append(rigid)

    def total(self, most: int | None = None) -> int:
        """Return the width of the table if identifiers are shortened to *most* cells."""
        columns = [
            widest if most is None else max(rigid, min(widest, most))
            for widest, rigid in zip(self.widest, self._rigid, strict=True)
        ]
        return sum(columns) + GAP * (len(columns) - 1)

    def shared(self, most: int, space: int) -> list[int]:
        """Return the cells of each column if all get *most*, and what then is left of *space* goes to the last ones."""
        left = space - self.total(most)
        rooms = [most] * len(self.widest)
        for place in range(len(rooms) - 1, -1, -1):
            more = min(max(left, 0), max(self.widest[place] - max(most, self._rigid[place]), 0))
            rooms[place] = max(most, self._rigid[place]) + more
            left -= more
        return rooms


def is_rigid(text: str) -> bool:
    """Return whether a text would be useless if shortened: an IP address with its port, a word with a number."""
    address, colon, port = text.rpartition(":")
    if not colon or not (port.isdecimal() or port == "*"):
        return False
    if address.startswith("[") or not address.partition("%")[0].strip("0123456789.*"):
        return True
    return len(address) < _LEAST and address.replace("_", "").isalnum()


def shortened(text: str, cells: int) -> str:
    """Shorten an identifier to so many cells: an id or a list at its end, a path in its middle."""
    if (len(text) <= cells and text.isascii()) or width(text) <= cells or is_rigid(text) or "\x1b" in text:
        return text
    if _HEX.issuperset(text) or "," in text or " " in text:
        return _begin(text, cells - 1) + ELLIPSIS
    kept = cells - 1
    # The end of a path tells more than its beginning.
    end = _begin(text[::-1], kept - kept // 3)[::-1]
    while not width(end[:1]) and end:
        end = end[1:]  # a combining character whose letter is not shown
    return _begin(text, kept - width(end)) + ELLIPSIS + end


def _begin(text: str, cells: int) -> str:
    # By cells: a wide character that would only half fit is left out.
    if text.isascii():
        return text[:cells]
    at = used = 0
    for at, char in enumerate(text):
        used += width(char)
        if used > cells:
            return text[:at]
    return text[: at + 1]


def padded(text: str, space: int, right: bool, last: bool) -> str:
    """Fill a cell up to its column's width; the last column is not filled on its right side."""
    blanks = " " * (space - width(text))
    return blanks + text if right else text if last else text + blanks


def hidden_lines(hidden: Sequence[str], how: str, space: int) -> list[str]:
    """Name the columns that were left out.

    Args:
        hidden: their headings.
        how: how to see them.
        space: width of the terminal.
    """
    if not hidden:
        return []
    many = "column" if len(hidden) == 1 else "columns"
    return wrapped(f"{len(hidden)} {many} hidden: {', '.join(hidden)} ({how})", space, "", "  ")
