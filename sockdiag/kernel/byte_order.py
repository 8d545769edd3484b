"""The byte order of the kernel's structs, which is the machine's; every struct of this program takes it from here.

The order is read from ``sys.byteorder`` once. A test that sets that before it imports anything of this program gets a
program for the other kind of machine.
"""

from __future__ import annotations

import sys
from struct import Struct

BYTE_ORDER = sys.byteorder

LITTLE = BYTE_ORDER == "little"
# Begins a struct format: this order, no alignment.
ORDER = "<" if LITTLE else ">"

U16, U32, U64 = Struct(f"{ORDER}H"), Struct(f"{ORDER}I"), Struct(f"{ORDER}Q")
S32 = Struct(f"{ORDER}i")

# The order is not the one in which this interpreter casts memory: only in such a test.
_SWAPPED = U16.pack(1) != Struct("=H").pack(1)


def integer(data: bytes) -> int:
    """Read an unsigned integer of any size."""
    return int.from_bytes(data, BYTE_ORDER)


def low_first(number: int) -> int:
    """Return a number of 64 bits that the kernel keeps as two words, the low one first on every machine: a cookie."""
    return number if LITTLE else number >> 32 | (number & 0xFFFFFFFF) << 32


def units(data: bytes, code: str) -> memoryview[int]:
    """View bytes as unsigned integers of one size.

    Args:
        data: a multiple of that size.
        code: ``H`` or ``I``.
    """
    if not _SWAPPED:
        return memoryview(data).cast(code)  # type: ignore[call-overload, no-any-return]
    from array import array

    swapped = array(code, data)
    swapped.byteswap()
    return memoryview(swapped)
