"""Lines of styled text, which a terminal or Textual draws."""

from __future__ import annotations

from sockdiag.render.escape import width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    # A text and the name of its style; of several styles, all names separated by blanks.
    Segment: TypeAlias = tuple[str, str]
    Line: TypeAlias = list[Segment]

# Names of styles.
BOLD, DIM, REVERSE = "bold", "dim", "reverse"
# Their SGR codes, of the 16 colours that every terminal has. Reverse video and bold stay without colours.
SGR = {
    BOLD: "1",
    DIM: "2",
    REVERSE: "7",
    "critical": "31",
    "warning": "33",
    "info": "36",
    "ok": "32",
    "graph": "36",
}
COLOURS = frozenset(("critical", "warning", "info", "ok", "graph"))

_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII_BLOCKS = "_.-=+*#@"


def fitted(text: str, space: int, *, right: bool = False, ascii_only: bool = False) -> str:
    """Return a printable text that takes exactly some columns; what is cut off ends in an ellipsis."""
    taken = width(text)
    if taken > space:
        text = cut(text, space, ascii_only=ascii_only)
        taken = width(text)
    blank = " " * (space - taken)
    return blank + text if right else text + blank


def cut(text: str, space: int, *, ascii_only: bool = False) -> str:
    """Return what fits of a text, with an ellipsis if something is cut off."""
    if width(text) <= space:
        return text
    if space <= 0:
        return ""
    mark = "~" if ascii_only else "…"
    room = space - 1
    if text.isascii():
        return text[:room] + mark
    kept = ""
    for char in text:
        taken = width(kept + char)
        if taken > room:
            break
        kept += char
    return kept + mark


def filled(line: Line, space: int, style: str = "", *, ascii_only: bool = False) -> Line:
    """Return a line that takes exactly some columns: cut, or filled with blanks of a style."""
    made: Line = []
    left = space
    for text, look in line:
        taken = width(text)
        if taken > left:
            made.append((cut(text, left, ascii_only=ascii_only), look))
            left -= width(made[-1][0])
            break
        made.append((text, look))
        left -= taken
    if left > 0:
        made.append((" " * left, style))
    return made


def graph(values: Sequence[float | None], space: int, *, ascii_only: bool = False) -> str:
    """Draw the last values as a row of blocks, the largest as a full one; unknown ones are blank."""
    shown = list(values)[-space:]
    most = max((value for value in shown if value is not None), default=0.0)
    blocks = _ASCII_BLOCKS if ascii_only else _BLOCKS
    drawn = "".join(
        " " if value is None else blocks[0] if most <= 0 else blocks[min(7, int(value / most * 7.999))]
        for value in shown
    )
    return drawn.rjust(space)


def ansi(line: Iterable[Segment], *, color: bool) -> str:
    """Return a line with SGR sequences."""
    parts = []
    for text, style in line:
        codes = [SGR[name] for name in style.split() if name in SGR and (color or name not in COLOURS)]
        parts.append(f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes else text)
    return "".join(parts)
