"""The output of a monitoring plugin: a status line with performance data, and further lines.

Source: Monitoring Plugins Development Guidelines, "Plugin Output" and "Performance data". Texts may contain untrusted
names of processes and devices. In the text returned here, only our own ``|`` starts performance data and only our own
newline ends a line. It is ASCII throughout, because the encoding of the reader is unknown.
"""

from __future__ import annotations

from sockdiag.render.escape import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SERVICE = "SOCKDIAG"
WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")

# Readers cut longer text: Nagios at 8 KiB, older remote executors earlier.
MOST_BYTES = 8000
_LONGEST_TEXT = 400
_LONGEST_LINE = 1000
_LARGEST = 1e300
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-")

_UNITS = {"bytes": "B", "s": "s"}


def plain(text: str) -> str:
    """Turn a text with untrusted parts into one safe line."""
    if not (text.isascii() and text.isprintable() and "\\" not in text):
        text = printable(text).encode("ascii", "backslashreplace").decode("ascii")
    return text.replace("|", "\\x7c")


def cut(text: str, longest: int) -> str:
    """Shorten a text, and mark that it is."""
    return text if len(text) <= longest else f"{text[: longest - 3].rstrip()}..."


def number(value: float) -> str:
    """Format a number for performance data: digits, a sign and a point."""
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
    """Format one item of performance data.

    Args:
        label: its name.
        value: its value; None is undetermined (``U``).
        unit: its unit, by the model's name.
        warning: warning range.
        critical: critical range.
        least: minimum that it can have.
        most: maximum that it can have.
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
    """Format the whole output of a plugin.

    Args:
        status: plugin status, 0 to 3.
        text: text of the status line.
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
