"""Numbers in the columns of /proc files: only what the kernel prints is a number, not all that Python's int() takes."""

from __future__ import annotations

from sockdiag.errors import ParseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_ALLOWED = {10: b"0123456789-", 16: b"0123456789abcdefABCDEF"}
_EXPECTED = {10: "a decimal number", 16: "a hexadecimal number"}
# The longest of a 64-bit value, "18446744073709551615" and "-9223372036854775808"; int() is slow on long ones.
_LONGEST = 20


def number(token: bytes, base: int = 10) -> int | None:
    """Return the number that a token is, or None where it is none."""
    if len(token) > _LONGEST or token.translate(None, _ALLOWED[base]):
        return None
    try:
        return int(token, base)
    except ValueError:
        return None


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
