"""Break lines where the terminal ends.

textwrap breaks prose, too, but imports the regular expressions for it, a third of the start of ``ss -h``, and knows neither
wide characters nor colours.
"""

from __future__ import annotations

from sockdiag.render.escape import width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# What continues a line is this far to the right of its beginning.
_HANG = 4


def wrapped(text: str, columns: int, first: str = "", rest: str = "") -> list[str]:
    """Return lines of at most so many columns, words that are longer on lines of their own.

    Args:
        text: words between blanks; several blanks stay within a line.
        columns: where lines end.
        first: what the first line begins with.
        rest: what the others begin with.
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
    """A row of a table, which stays on its line."""

    __slots__ = ()


def fitted(text: str, columns: int) -> Iterator[str]:
    """Yield lines of a screen, broken where the terminal ends; the rest stands below its text, or a little to the right."""
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
    hang = start + _HANG if start else 0
    # Columns are two blanks apart.
    at = text.find("  ", start)
    while at >= 0:
        end = len(text) - len(text[at:].lstrip(" "))
        here = width(text[:end])
        if here > columns // 4:
            break
        hang, at = here, text.find("  ", end)
    for part in wrapped(bare, columns, " " * start, " " * hang):
        yield f"{part}\n"
