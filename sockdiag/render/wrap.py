"""Wrap lines at the width of the terminal.

textwrap could wrap prose, but it imports re, which takes a third of the start-up time of ``ss -h``, and it handles neither
wide characters nor colours.
"""

from __future__ import annotations

from sockdiag.render.escape import width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# Indentation of continued lines; lines that are indented further than _DEEP are continued where they begin.
_HANG, _DEEP = 4, 9


def wrapped(text: str, columns: int, first: str = "", rest: str = "") -> list[str]:
    """Return lines of at most so many columns; longer words get lines of their own.

    Args:
        text: words separated by spaces; runs of spaces within a line are kept.
        columns: maximum width.
        first: prefix of the first line.
        rest: prefix of the other lines.
    """
    lines: list[str] = []
    line, space, empty = first, width(first), True
    for word in text.split(" "):
        if empty and not word and lines:
            continue
        length = width(word)
        if not empty and space + 1 + length > columns:
            lines.append(line.rstrip(" "))
            line, space, empty = rest, width(rest), True
            if not word:
                continue
        line += word if empty else f" {word}"
        space += length + (not empty)
        empty = False
    return [*lines, line]


class TableLine(str):
    """A row of a table, which is not wrapped."""

    __slots__ = ()


def fitted(text: str, columns: int) -> Iterator[str]:
    """Yield lines of a screen, wrapped at its width; the rest goes below the text it continues, or is indented a little."""
    if isinstance(text, TableLine):
        yield text
        return
    *lines, last = text.split("\n")
    for line in lines:
        yield from _fitted(line, columns)
    if last:
        yield last


def _fitted(text: str, columns: int) -> Iterator[str]:
    if width(text) <= columns:
        yield f"{text}\n"
        return
    bare = text.lstrip(" ")
    start = len(text) - len(bare)
    # Deeply indented text is a continuation already.
    hang = start + (_HANG if start < _DEEP else 0) if start else 0
    # Columns are separated by two spaces.
    at = text.find("  ", start)
    while at >= 0:
        end = len(text) - len(text[at:].lstrip(" "))
        here = width(text[:end])
        if here > columns // 4:
            break
        hang, at = here, text.find("  ", end)
    for part in wrapped(bare, columns, " " * start, " " * hang):
        yield f"{part}\n"
