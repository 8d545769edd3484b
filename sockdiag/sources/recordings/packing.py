"""Numbers and bytes of a recording's records, read with every length checked."""

from __future__ import annotations

from array import array
from struct import Struct

from sockdiag.kernel.byte_order import LITTLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

U32_LE = Struct("<I")
MASK = 0xFFFFFFFF


class Damaged(Exception):
    """A record does not hold what one that this program wrote holds."""


class Writer:
    """Bytes that are put together."""

    __slots__ = ("parts",)

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def number(self, value: int) -> None:
        """Add a number below 2^32."""
        self.parts.append(U32_LE.pack(value))

    def words(self, values: Iterable[int]) -> None:
        """Add numbers below 2^32, the lowest bytes of all first, so that the zeros are together. Their count is not written."""
        words = array("I", values)
        if not LITTLE:
            words.byteswap()
        body = words.tobytes()
        self.parts += (body[0::4], body[1::4], body[2::4], body[3::4])

    def blob(self, body: bytes) -> None:
        """Add bytes and their number."""
        self.parts += (U32_LE.pack(len(body)), body)

    def joined(self) -> bytes:
        """Return everything."""
        return b"".join(self.parts)


class Reader:
    """Reads what a :class:`Writer` has written; every method raises Damaged where the bytes end."""

    __slots__ = ("_at", "_body")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def number(self) -> int:
        """Return a number."""
        return int(U32_LE.unpack(self.take(4))[0])

    def words(self, count: int) -> array[int]:
        """Return *count* numbers."""
        planes = self.take(4 * count)
        body = bytearray(4 * count)
        for plane in range(4):
            body[plane::4] = planes[plane * count : (plane + 1) * count]
        words = array("I", bytes(body))
        if not LITTLE:
            words.byteswap()
        return words

    def blob(self) -> bytes:
        """Return bytes that were written with their number."""
        return self.take(self.number())

    def take(self, size: int) -> bytes:
        """Return the next *size* bytes."""
        end = self._at + size
        if end > len(self._body):
            raise Damaged(f"it ends {end - len(self._body)} bytes too early")
        found = self._body[self._at : end]
        self._at = end
        return found

    def end(self) -> None:
        """Raise Damaged if there is more."""
        if self._at != len(self._body):
            raise Damaged(f"{len(self._body) - self._at} bytes too many")


def steps(places: Iterable[int | None]) -> list[int]:
    """Return places in an earlier list as small numbers: 1 for the one behind the last, 0 for None."""
    out = []
    following = 0
    for place in places:
        if place is None:
            out.append(0)
        else:
            step = place - following
            out.append((step << 1 if step >= 0 else -step << 1 | 1) + 1)
            following = place + 1
    return out


def places(numbers: Iterable[int], most: int) -> list[int | None]:
    """Return what :func:`steps` was given; Damaged if a place is not below *most*."""
    out: list[int | None] = []
    following = 0
    for number in numbers:
        if number == 0:
            out.append(None)
            continue
        step = (number - 1) >> 1
        place = following - step if (number - 1) & 1 else following + step
        if not 0 <= place < most:
            raise Damaged(f"a reference to entry {place} of {most}")
        out.append(place)
        following = place + 1
    return out
