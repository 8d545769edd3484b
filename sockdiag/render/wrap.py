"""Break prose into lines. textwrap does, too, and imports the regular expressions for it: a third of the start of ``ss -h``."""

from __future__ import annotations


def wrapped(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """Return lines of at most *width* characters, words that are longer on lines of their own.

    Args:
        text: words between blanks.
        width: columns.
        first: what the first line begins with.
        rest: what the others begin with.
    """
    lines = []
    line, empty = first, True
    for word in text.split():
        if not empty and len(line) + 1 + len(word) > width:
            lines.append(line)
            line, empty = rest, True
        line += word if empty else f" {word}"
        empty = False
    return [*lines, line]
