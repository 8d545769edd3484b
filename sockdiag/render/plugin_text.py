"""What a monitoring plugin writes: a status line with performance data, and lines below it.

Source: Monitoring Plugins Development Guidelines, "Plugin Output" and "Performance data". Whoever names a process or a device
chooses what stands in a text: in what is returned here ``|`` begins performance data and a line's end ends a line, and nothing else
does. All of it is ASCII, as nobody knows in which encoding it is read.
"""

from __future__ import annotations

from sockdiag.render.escape import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SERVICE = "SOCKDIAG"
WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")

# Readers cut what is longer: Nagios 8 KiB, older remote executors less.
MOST_BYTES = 8000
_LONGEST_TEXT = 400
_LONGEST_LINE = 1000
_LARGEST = 1e300
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-")

_UNITS = {"bytes": "B", "s": "s"}


def plain(text: str) -> str:
    """Make one line of a text that others may have a part in."""
    if not (text.isascii() and text.isprintable() and "\\" not in text):
        text = printable(text).encode("ascii", "backslashreplace").decode("ascii")
    return text.replace("|", "\\x7c")


def cut(text: str, longest: int) -> str:
    """Shorten a text, and show that it is."""
    return text if len(text) <= longest else f"{text[: longest - 3].rstrip()}..."


def number(value: float) -> str:
    """Write a number as performance data has them: digits, a sign and a point."""
    if isinstance(value, int):
        return str(value)
    if not -_LARGEST < value < _LARGEST:  # not a number, or infinite
        return "U"
    text = f"{value:.6f}"
    return text.rstrip("0").rstrip(".") if value == 0 or abs(value) >= 0.000001 else "0"


def perfdata(
    label: str,
    value: float | None,
    unit: str = "",
    warning: str = "",
    critical: str = "",
    least: float | None = None,
    most: float | None = None,
) -> str:
    """Write one datum.

    Args:
        label: its name.
        value: its value; None is undetermined (``U``).
        unit: as the model names it.
        warning: range.
        critical: range.
        least: least value that it can have.
        most: greatest value that it can have.
    """
    name = plain(label).replace("=", "_").replace("'", "''")
    if not set(name) <= _PLAIN:
        name = f"'{name}'"
    said = "U" if value is None else number(value)
    if said != "U":
        said += _UNITS.get(unit, "")
    bounds = ("" if bound is None else number(bound).replace("U", "") for bound in (least, most))
    return f"{name}={';'.join((said, warning, critical, *bounds))}".rstrip(";")


def plugin_output(status: int, text: str, data: Sequence[str] = (), lines: Iterable[str] = ()) -> str:
    """Write all that a plugin says.

    Args:
        status: 0 to 3.
        text: what stands on the status line.
        data: performance data.
        lines: further lines.
    """
    first = f"{SERVICE} {WORDS[status]} - {cut(plain(text), _LONGEST_TEXT)}"
    kept = 0
    room = MOST_BYTES - len(first) - 2
    for one in data:
        room -= len(one) + 1
        if room < 0:
            break
        kept += 1
    if kept:
        first += "|" + " ".join(data[:kept])
    out = [first]
    room = MOST_BYTES - len(first) - 1
    waiting = [cut(plain(line), _LONGEST_LINE) for line in lines]
    for i, line in enumerate(waiting):
        left = f"... and {len(waiting) - i} more lines"
        room -= len(line) + 1
        if room < (0 if i == len(waiting) - 1 else len(left) + 1):
            out.append(left)
            break
        out.append(line)
    return "\n".join(out) + "\n"
