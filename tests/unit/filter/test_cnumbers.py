"""Numbers are read as the C library reads them; the C library is asked."""

from __future__ import annotations

import ctypes
import random
import re
from typing import TYPE_CHECKING

import pytest

from sockdiag.filter.cnumbers import INT_MAX, LONG_MAX, UINT_MAX, ULONG_MAX, converted, scan, signed, unsigned

if TYPE_CHECKING:
    from collections.abc import Callable

libc = ctypes.CDLL(None)
libc.strtol.restype = ctypes.c_long
libc.strtoul.restype = ctypes.c_ulong

TEXTS = (
    "0",
    "22",
    "+22",
    "-22",
    "026",
    "0x16",
    "0X16",
    "08",
    "0x",
    "0xg",
    "x",
    "",
    "-",
    "+",
    "-0",
    "--1",
    "0x-1",
    " 22",
    "\t+7z",
    "22x",
    "00",
    "0x0",
    "1e3",
    "९",
    "2147483647",
    "2147483648",
    "-2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "99999999999999999999999",
    "18446744073709551615",
    "18446744073709551616",
    "-18446744073709551615",
    "0x7fffffffffffffff",
    "0777777777777",
)


def random_texts() -> list[str]:
    chance = random.Random(7)
    return ["".join(chance.choice("0123456789abcxX+- ") for _ in range(chance.randrange(1, 8))) for _ in range(2000)]


def by_libc(function: object, text: str) -> tuple[int, int]:
    """Return the number, and how many bytes it takes."""
    raw = ctypes.create_string_buffer(text.encode())
    end = ctypes.c_char_p()
    value = function(raw, ctypes.byref(end), 0)  # type: ignore[operator]
    return value, len(text.encode()) - len(end.value or b"")


def check_strtol(text: str) -> None:
    value, used = scan(text)
    theirs, extent = by_libc(libc.strtol, text)
    assert used == extent
    assert max(-LONG_MAX - 1, min(LONG_MAX, value)) == theirs
    whole = used == len(text.encode()) and used > 0
    assert signed(text, LONG_MAX) == (theirs if whole and value == theirs else None)
    assert signed(text, INT_MAX) == (value if whole and -INT_MAX - 1 <= value <= INT_MAX else None)


def check_strtoul(text: str) -> None:
    theirs, extent = by_libc(libc.strtoul, text)
    whole = extent == len(text.encode()) and extent > 0
    in_range = scan(text)[0] <= ULONG_MAX
    assert unsigned(text, UINT_MAX) == (theirs if whole and in_range and theirs <= UINT_MAX else None)


def check_scanf(text: str) -> None:
    value = ctypes.c_uint(0)
    extent = ctypes.c_int(0)
    read = libc.sscanf(text.encode(), b"%i%n", ctypes.byref(value), ctypes.byref(extent))
    ours, used = converted(text)
    if used and not read and re.match(r"\s*[-+]?0[xX](?![0-9a-fA-F])", text):
        # glibc 2.41 takes a prefix without digits for 0, as ss has always read it; 2.43 takes it for no number.
        assert libc.sscanf(b"0x", b"%i", ctypes.byref(value)) == 0
        return
    assert (used > 0) == (read == 1)
    if read == 1:
        assert (ours, used) == (value.value, extent.value)


CHECKS = pytest.mark.parametrize("check", [check_strtol, check_strtoul, check_scanf])


@CHECKS
@pytest.mark.parametrize("text", TEXTS)
def test_as_the_c_library(check: Callable[[str], None], text: str) -> None:
    """Whole numbers, prefixes of numbers, and none."""
    check(text)


@CHECKS
def test_random_texts_as_the_c_library(check: Callable[[str], None]) -> None:
    """Texts of digits, prefixes and signs."""
    for text in random_texts():
        check(text)
