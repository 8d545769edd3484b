"""The order of many rows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from operator import itemgetter
from typing import overload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def ordered(values: Sequence[Any], *, descending: bool) -> list[int]:
    """Return row numbers in the order of their values; rows without one come last in either direction."""
    known = [row for row, value in enumerate(values) if value is not None]
    known.sort(key=values.__getitem__, reverse=descending)
    if len(known) == len(values):
        return known
    return known + [row for row, value in enumerate(values) if value is None]


def first_by_amount(amounts: Mapping[int, float], size: int) -> Sequence[int]:
    """Return the numbers of all rows, those with an amount first, the largest on top; the others in their order."""
    return _SomeFirst([row for row, _amount in sorted(amounts.items(), key=itemgetter(1), reverse=True)], size)


class _SomeFirst(Sequence[int]):
    """The numbers below a size, some of them first, without a list of all."""

    __slots__ = ("_first", "_holes", "_places", "_size", "_sorted")

    def __init__(self, first: Sequence[int], size: int) -> None:
        self._first = first
        self._size = size
        self._places = {row: place for place, row in enumerate(first)}
        self._sorted = sorted(first)
        # How many rows that do not come first precede each that does.
        self._holes = [row - before for before, row in enumerate(self._sorted)]

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> list[int]: ...
    def __getitem__(self, place: int | slice) -> int | list[int]:
        if isinstance(place, slice):
            return [self._at(one) for one in range(*place.indices(self._size))]
        if not -self._size <= place < self._size:
            raise IndexError(place)
        return self._at(place % self._size)

    def _at(self, place: int) -> int:
        if place < len(self._first):
            return self._first[place]
        rest = place - len(self._first)
        return rest + bisect_right(self._holes, rest)

    def index(self, row: int, *_range: int) -> int:
        """Return the place of a row."""
        found = self._places.get(row)
        if found is not None:
            return found
        if not 0 <= row < self._size:
            raise ValueError(row)
        rest = row - bisect_right(self._sorted, row)
        return len(self._first) + rest
