"""Numbers in the columns of /proc files: only what the kernel prints is a number, not all that Python's int() takes."""

from __future__ import annotations

from sockdiag.errors import ParseError, SourceError
from sockdiag.sources.reading import MAX_ERRORS, Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TypeVar

    from sockdiag.model.socket import Socket
    from sockdiag.sources.system.proc_root import ProcRoot

    Value = TypeVar("Value")


_ALLOWED = {10: b"0123456789-", 16: b"0123456789abcdefABCDEF"}
_EXPECTED = {10: "a decimal number", 16: "a hexadecimal number"}
# The longest of a 64-bit value, "18446744073709551615" and "-9223372036854775808"; int() is slow on long ones.
_LONGEST = 20
_LOWEST, _HIGHEST = -(1 << 63), (1 << 64) - 1


def number(token: bytes, base: int = 10, most: int = _HIGHEST) -> int | None:
    """Return the number that a token is, or None where it is none, or none that the kernel's variable can hold.

    Args:
        token: its text.
        base: 10, or 16 without a prefix.
        most: the largest that it may be.
    """
    if len(token) > _LONGEST or token.translate(None, _ALLOWED[base]):
        return None
    try:
        value = int(token, base)
    except ValueError:
        return None
    return value if _LOWEST <= value <= most else None


def numbers(path: str, line: int, names: Sequence[str], tokens: Sequence[bytes], base: int = 10) -> list[int]:
    """Return the numbers of one row.

    Args:
        path: file, for the error.
        line: its line, from 1.
        names: name of each column.
        tokens: text of each column.
        base: 10, or 16 without a prefix.

    Raises:
        ParseError: one of them is not a number.
    """
    values = [number(token, base) for token in tokens]
    if None in values:
        bad = values.index(None)
        raise ParseError(path, line, names[bad], _EXPECTED[base], tokens[bad])
    return values  # type: ignore[return-value]


DIGITS = "a decimal number"
HEX = "a hexadecimal number"


class Rejected:
    """The errors of a table: the first MAX_ERRORS, and how many more there were.

    Args:
        path: the file.
    """

    __slots__ = ("_errors", "_last", "_more", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._errors: list[ParseError] = []
        self._more = 0
        self._last = 0

    def add(self, line: int, column: str, expected: str, text: bytes) -> None:
        """Take down one error."""
        if len(self._errors) < MAX_ERRORS:
            self._errors.append(ParseError(self.path, line, column, expected, text))
        else:
            self._more += 1
            self._last = line

    def errors(self) -> tuple[ParseError, ...]:
        """Return the errors; the last one stands for those beyond MAX_ERRORS."""
        if not self._more:
            return tuple(self._errors)
        rest = ParseError(self.path, self._last, "row", "well-formed rows", f"{self._more} more malformed ones")
        return (*self._errors, rest)


def table_lines(body: bytes, rejected: Rejected) -> list[bytes]:
    """Split a file into its lines.

    A last line without a newline was cut, perhaps within a number: it is rejected, not returned.
    """
    lines = body.split(b"\n")
    rest = lines.pop()
    if rest:
        rejected.add(len(lines) + 1, "row", "a newline at its end", rest)
    return lines


def decimal(token: bytes) -> int:
    """Read what ``%u`` printed.

    Raises:
        ValueError: anything else.
    """
    value = number(token)
    if value is None or value < 0:
        raise ValueError
    return value


def signed(token: bytes) -> int:
    """Read what ``%d`` printed; raises ValueError as :func:`decimal`."""
    value = number(token)
    if value is None:
        raise ValueError
    return value


def hexadecimal(token: bytes) -> int:
    """Read what ``%x`` printed; raises ValueError as :func:`decimal`."""
    value = number(token, 16)
    if value is None:
        raise ValueError
    return value


def pointer(token: bytes) -> int | None:
    """Read what ``%pK`` printed: an address or its hash; None where the kernel hides it (zero, ``(____ptrval____)``).

    Raises:
        ValueError: it is neither.
    """
    if token.isalnum():
        value = number(token, 16)
        if value is None:
            raise ValueError
        return value or None
    if token[:1] != b"(" or token[-1:] != b")":
        raise ValueError
    return None


class BadColumn(Exception):
    """The column that makes a row malformed, with the expected and the actual content."""


def cell(column: str, token: bytes, parse: Callable[[bytes], Value], expected: str) -> Value:
    """Parse one column of a row.

    Raises:
        BadColumn: *parse* raised ValueError.
    """
    try:
        return parse(token)
    except ValueError:
        raise BadColumn(column, expected, token) from None


def parse_headed(body: bytes, path: str, heading: str, make: Callable[[dict[str, bytes]], Socket]) -> Reading:
    """Parse a table whose heading has one name for each token of a row.

    Args:
        body: the whole file.
        path: its name, for errors.
        heading: names that must be there, as the kernel spells them; others may be there too.
        make: makes a socket of a row's tokens by lower-case name; raises BadColumn.

    Returns:
        Rows in file order, and a ParseError for each malformed one, bounded as :class:`Rejected` does. An unknown
        heading is one error and no rows.
    """
    rejected = Rejected(path)
    lines = table_lines(body, rejected)
    names = lines[0].decode("latin-1").split() if lines else []
    keys = [name.lower() for name in names]
    if not set(heading.lower().split()) <= set(keys):
        if lines or not body:
            rejected.add(1, "heading", heading, lines[0] if lines else b"")
        return Reading([], rejected.errors())
    sockets: list[Socket] = []
    for line, text in enumerate(lines[1:], 2):
        tokens = text.split()
        if not tokens:
            continue
        if len(tokens) < len(names):
            rejected.add(line, names[len(tokens)], f"a row of {len(names)} columns", text)
            continue
        try:
            sockets.append(make(dict(zip(keys, tokens, strict=False))))
        except BadColumn as error:
            rejected.add(line, *error.args)
    return Reading(sockets, rejected.errors())


def read_tables(files: ProcRoot, names: Iterable[str], parse: Callable[[bytes, str], Reading]) -> Reading:
    """Read and parse tables of /proc/net, one after the other.

    Args:
        files: opener of /proc.
        names: files of /proc/net.
        parse: parser of the bytes of the file of that name.

    Returns:
        The sockets of all of them. A file that cannot be read is among the errors; of one that could be read in part,
        the whole rows are there.
    """
    sockets: list[Socket] = []
    errors: list[ParseError | SourceError] = []
    for name in names:
        chunks: list[bytes] = []
        try:
            for chunk in files.chunks(f"/proc/net/{name}"):
                chunks.append(chunk)  # noqa: PERF402 - what came before an error is kept
        except SourceError as error:
            errors.append(error)
            if not chunks:
                continue
        reading = parse(b"".join(chunks), name)
        sockets += reading.sockets
        errors += reading.errors
    return Reading(sockets, tuple(errors))
