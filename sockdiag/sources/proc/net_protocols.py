"""/proc/net/protocols: the registered ``struct proto``s."""

from __future__ import annotations

from sockdiag.errors import ParseError
from sockdiag.model.protocols import OPERATIONS, Protocol
from sockdiag.sources.proc.table import numbers
from sockdiag.sources.reading import Rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.system.proc_root import ProcRoot

PATH = "/proc/net/protocols"

_YES_NO = {b"y": True, b"n": False, b"yes": True, b"no": False}
# yes and no of the columns slab and press; NI is "not implemented".
_PRESSURE = {b"yes": True, b"no": False, b"NI": None}
_NUMBERS = ("size", "sockets", "memory", "maxhdr")
_FIRST = ("protocol", "size", "sockets", "memory", "press", "maxhdr", "slab", "module")


def parse_protocols(body: bytes) -> Rows[Protocol]:
    """Parse the text of ``/proc/net/protocols``.

    Source: ``proto_seq_show()``, net/core/sock.c.
    Units: sizes in bytes, memory in pages.
    Shape: a heading, then one row per protocol; the heading's two-letter columns are operations, y or n, and differ between
    kernels (``sp``, sendpage, until 6.4). Every column is found by its heading, others are passed over.

    Returns:
        Rows in file order. An operation that is not known here stands under its two letters. A malformed row costs that
        row; ``errors`` name it.

    Raises:
        ParseError: the heading is not one.
    """
    rows: list[Protocol] = []
    errors: list[ParseError] = []
    lines = body.split(b"\n")
    heading = _heading(lines[0])
    for line, text in enumerate(lines[1:], 2):
        tokens = text.split()
        if not tokens:
            continue
        try:
            rows.append(_row(line, heading, tokens, text))
        except ParseError as error:
            errors.append(error)
    return Rows(rows, errors)


def _heading(text: bytes) -> list[str]:
    heading = text.decode("ascii", "backslashreplace").split()
    if heading[:1] != ["protocol"] or not set(_FIRST) <= set(heading):
        raise ParseError(PATH, 1, "heading", " ".join(_FIRST), text)
    return heading


def _row(line: int, heading: list[str], tokens: list[bytes], text: bytes) -> Protocol:
    extra = len(tokens) - len(heading)
    if extra < 0:
        raise ParseError(PATH, line, "line", f"{len(heading)} columns", text)
    # A protocol of a module may have blanks in its name; no other column has.
    name = b" ".join(tokens[: extra + 1])
    columns = dict(zip(heading[1:], tokens[extra + 1 :], strict=True))
    size, sockets, memory, header = numbers(PATH, line, _NUMBERS, [columns[key] for key in _NUMBERS])
    if columns["press"] not in _PRESSURE:
        raise ParseError(PATH, line, "press", "yes, no or NI", columns["press"])
    flags = {}
    for key in ("slab", *(key for key in heading if len(key) == 2)):
        if columns[key] not in _YES_NO:
            raise ParseError(PATH, line, key, "y or n", columns[key])
        flags[key] = _YES_NO[columns[key]]
    slab = flags.pop("slab")
    return Protocol(
        name.decode("ascii", "backslashreplace"),
        size,
        _or_none(sockets),
        _or_none(memory),
        _PRESSURE[columns["press"]],
        header,
        slab,
        columns["module"].decode("ascii", "backslashreplace"),
        tuple(OPERATIONS.get(key, key) for key, yes in flags.items() if yes),
    )


def _or_none(count: int) -> int | None:
    # -1 stands for "not counted".
    return count if count >= 0 else None


def parse_used(body: bytes) -> frozenset[str]:
    """Return the names of the protocols that count their sockets and count any; as :func:`parse_protocols`, but faster.

    Rows that cannot be read are left out.

    Raises:
        ParseError: the heading is not one.
    """
    lines = body.split(b"\n")
    heading = _heading(lines[0])
    column = heading.index("sockets")
    names = set()
    for text in lines[1:]:
        tokens = text.split()
        extra = len(tokens) - len(heading)
        if extra >= 0 and tokens[extra + column].isdigit() and tokens[extra + column].strip(b"0"):
            names.add(b" ".join(tokens[: extra + 1]).decode("ascii", "backslashreplace"))
    return frozenset(names)


def read_used(files: ProcRoot) -> frozenset[str]:
    """Read ``/proc/net/protocols``, and return the names of the protocols that count any sockets.

    Raises:
        SourceError: it cannot be read.
        ParseError: its heading is not known.
    """
    return parse_used(files.read(PATH))


def read_protocols(files: ProcRoot) -> Rows[Protocol]:
    """Read and parse ``/proc/net/protocols``.

    Raises:
        SourceError: it cannot be read.
        ParseError: its heading is not known.
    """
    return parse_protocols(files.read(PATH))
