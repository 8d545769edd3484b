"""Kernel structs that grow at their end, read by the ``wire`` of a record's fields."""

from __future__ import annotations

from operator import itemgetter
from struct import Struct, calcsize

from sockdiag.kernel.byte_order import LITTLE, ORDER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from sockdiag.model.record import Record

    # Layout of the units that are there, where bit fields split one of them, and None for the members that are not.
    Plan = tuple[Struct, tuple[tuple[int, tuple[tuple[int, int], ...]], ...], tuple[None, ...]]


class StructLayout:
    """Layout of a struct that a record mirrors, member by member.

    A field's ``wire`` is a struct format of one value (``I``, ``2xQ``: two bytes of padding before it), or a number of
    bits: neighbouring bit fields share a byte as a C compiler lays them out. The kernel appends members to such a
    struct and never changes or removes one, so the length shows which of them are there.
    """

    __slots__ = ("_bits", "_ends", "_fields", "_formats", "_plans", "_record", "_size", "_units")

    def __init__(self, record: type[Record]) -> None:
        self._record = record
        self._size = len(record.FIELDS)
        self._formats: list[str] = []
        self._ends: list[int] = []
        # unit of the struct -> (shift, mask) of each bit field in it
        self._bits: dict[int, list[tuple[int, int]]] = {}
        # member -> the unit that it is; of a bit field offset, shift and mask
        self._units: dict[str, int] = {}
        self._fields: dict[str, tuple[int, int, int]] = {}
        self._plans: dict[int, Plan] = {}
        used = 8
        for member in record.FIELDS:
            if not member.wire.isdigit():
                self._unit(member.wire)
                self._units[member.name] = len(self._formats) - 1
                used = 8
                continue
            bits = int(member.wire)
            if used + bits > 8:
                self._unit("B")
                self._bits[len(self._formats) - 1] = []
                used = 0
            shift = used if LITTLE else 8 - used - bits
            self._bits[len(self._formats) - 1].append((shift, (1 << bits) - 1))
            self._fields[member.name] = (self._ends[-1] - 1, shift, (1 << bits) - 1)
            used += bits

    def _unit(self, wire: str) -> None:
        self._formats.append(wire)
        self._ends.append(calcsize("=" + "".join(self._formats)))

    @property
    def size(self) -> int:
        """Length of the struct as far as its members are known."""
        return self._ends[-1]

    def place(self, name: str) -> tuple[int, str]:
        """Return the offset and the struct format of a member; the format is "" for a bit field."""
        unit = self._units.get(name)
        if unit is None:
            return self._fields[name][0], ""
        wire = self._formats[unit]
        return self._ends[unit] - calcsize("=" + wire[-1]), wire[-1]

    def decode(self, data: bytes) -> Any:
        """Read a struct of any length; a member that does not fit in whole is None, the same for all behind it."""
        return self._record._make(self.values(data))

    def filled(self, data: bytes) -> Any:
        """Read a struct of any length with 0 for what is missing, as a C program that copies it over a zeroed one does."""
        return self._record._make(self.values(data[: self.size].ljust(self.size, b"\0")))

    def reader(self, names: Sequence[str]) -> Callable[[bytes], tuple[Any, ...]]:
        """Return a function that reads some members, with 0 for what is missing: :meth:`filled` for long tables.

        For tcp_info that takes half of the time of a record, and its members need not be read from one.

        Args:
            names: the members, none of them a bit field, in the order in which the function returns them.
        """
        layout = Struct(ORDER + "".join(self._formats))
        size, unpack = layout.size, layout.unpack_from
        pick = itemgetter(*[self._units[name] for name in names])

        def read(data: bytes) -> tuple[Any, ...]:
            members: tuple[Any, ...] = pick(unpack(data if len(data) >= size else data.ljust(size, b"\0")))
            return members

        return read

    def bit_field(self, name: str) -> Callable[[bytes], int]:
        """Return a function that reads a bit field, with 0 where it is missing."""
        offset, shift, mask = self._fields[name]

        def read(data: bytes) -> int:
            return data[offset] >> shift & mask if len(data) > offset else 0

        return read

    def values(self, data: bytes) -> list[Any]:
        """Return the members' values, as :meth:`decode` does, for callers that change some of them."""
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
        plan = (Struct(ORDER + "".join(self._formats[:units])), splits, (None,) * (self._size - present))
        if len(self._plans) < 64:  # a kernel has one length; a file may hold any
            self._plans[length] = plan
        return plan
