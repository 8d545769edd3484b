"""Kernel structs that grow at their end, read by the ``wire`` of a record's fields."""

from __future__ import annotations

import sys
from struct import Struct, calcsize

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockdiag.model.record import Record

    # Layout of the units that are there, where bit fields split one of them, and None for the members that are not.
    Plan = tuple[Struct, tuple[tuple[int, tuple[tuple[int, int], ...]], ...], tuple[None, ...]]

_LITTLE = sys.byteorder == "little"


class StructLayout:
    """Layout of a struct that a record mirrors, member by member.

    A field's ``wire`` is a struct format of one value (``I``, ``2xQ``: two bytes of padding before it), or a number of
    bits: neighbouring bit fields share a byte as a C compiler lays them out. The kernel appends members to such a
    struct and never changes or removes one, so the length tells which of them are there.
    """

    __slots__ = ("_bits", "_ends", "_formats", "_plans", "_record", "_size")

    def __init__(self, record: type[Record]) -> None:
        self._record = record
        self._size = len(record.FIELDS)
        self._formats: list[str] = []
        self._ends: list[int] = []
        # unit of the struct -> (shift, mask) of each bit field in it
        self._bits: dict[int, list[tuple[int, int]]] = {}
        self._plans: dict[int, Plan] = {}
        used = 8
        for member in record.FIELDS:
            if not member.wire.isdigit():
                self._unit(member.wire)
                used = 8
                continue
            bits = int(member.wire)
            if used + bits > 8:
                self._unit("B")
                self._bits[len(self._formats) - 1] = []
                used = 0
            shift = used if _LITTLE else 8 - used - bits
            self._bits[len(self._formats) - 1].append((shift, (1 << bits) - 1))
            used += bits

    def _unit(self, wire: str) -> None:
        self._formats.append(wire)
        self._ends.append(calcsize("=" + "".join(self._formats)))

    @property
    def size(self) -> int:
        """Length of the struct as far as its members are known."""
        return self._ends[-1]

    def decode(self, data: bytes) -> Any:
        """Read a struct of any length; a member that does not fit in whole is None, the same for all behind it."""
        return self._record._make(self.values(data))

    def values(self, data: bytes) -> list[Any]:
        """Return the members' values, as :meth:`decode` does, for what has to change some of them."""
        plan = self._plans.get(len(data))
        if plan is None:
            plan = self._plan(len(data))
        layout, splits, missing = plan
        values: list[Any] = list(layout.unpack_from(data))
        for index, parts in splits:
            value = values[index]
            values[index : index + 1] = [value >> shift & mask for shift, mask in parts]
        values += missing
        return values

    def _plan(self, length: int) -> Plan:
        units = sum(end <= length for end in self._ends)
        # From the last to the first: splitting one unit moves those behind it.
        splits = tuple((i, tuple(self._bits[i])) for i in sorted(self._bits, reverse=True) if i < units)
        present = units + sum(len(parts) - 1 for _index, parts in splits)
        plan = (Struct("=" + "".join(self._formats[:units])), splits, (None,) * (self._size - present))
        if len(self._plans) < 64:  # a kernel has one length; a file may hold any
            self._plans[length] = plan
        return plan
