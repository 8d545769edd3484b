"""Keep many sockets in little memory: columns without the bytes that they were cut from, and equal values once.

A sample is judged when the last socket has been read, and a JSON document begins with what could not be read. Both keep
every socket until then: 230 MB for 1,000,000 as the kernel sent them, 50 MB packed. Of most columns all rows of a batch
have the same value; such a column is made again, in the time of filling memory, each time it is used.
"""

from __future__ import annotations

from array import array

from sockdiag.model.batch import Batch, Column, made_of, uniform
from sockdiag.model.held import HeldColumn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

# A smaller batch is the last of its layout, of which there are few.
_FEW_ROWS = 1024
_PLAIN = frozenset((int, str, bool, type(None)))
_U32, _U64 = 1 << 32, 1 << 64


def packed(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Yield the same batches, the large ones packed."""
    for batch in batches:
        yield batch if batch.columns is None or batch.size < _FEW_ROWS else pack(batch)


def pack(batch: Batch) -> Batch:
    """Return the same rows in little memory; *batch* has columns."""
    assert batch.columns is not None
    columns = {name: _column(name, column) for name, column in batch.columns.items()}
    return made_of(batch.size, dict(batch.constants), columns)


class _Repeated:
    """A sequence of equal items, as its first item and its length."""

    __slots__ = ("_first", "_rows")

    def __init__(self, first: Any, rows: int) -> None:
        self._first = first
        self._rows = rows

    @property
    def item(self) -> Any:
        """The value of every row."""
        return self._first[0]

    def whole(self) -> Sequence[Any]:
        whole: Sequence[Any] = self._first * self._rows
        return whole


class _PackedColumn(Column):
    """A column that is kept packed, and unpacked for each use."""

    __slots__ = ("_packed",)

    def __init__(self, text: str, parts: list[Any], decode: Callable[..., Any] | None, member: Any) -> None:
        super().__init__(text, (), decode, member)
        self._packed = parts

    @property
    def parts(self) -> Sequence[Sequence[Any]]:
        """The parallel sequences."""
        return [part.whole() if isinstance(part, _Repeated) else part for part in self._packed]

    def some(self, rows: Sequence[int]) -> list[Any]:
        """Return the model's values of some rows."""
        parts = [_some(part, rows) for part in self._packed]
        return parts[0] if self.decode is None else list(map(self.decode, *parts))


class _PackedRecords(Column):
    """A column of records, of which the fields are kept packed."""

    __slots__ = ("_fields", "_record")

    def __init__(self, record: Any, fields: dict[str, Any]) -> None:
        super().__init__("", (), None, self._field)
        self._record = record
        self._fields = fields

    @property
    def parts(self) -> Sequence[Sequence[Any]]:
        """The records, made for each use."""
        return [list(map(self._record._make, zip(*map(self._field, self._fields), strict=True)))]

    def some(self, rows: Sequence[int]) -> list[Any]:
        """Return the records of some rows."""
        return list(map(self._record._make, zip(*(_some(part, rows) for part in self._fields.values()), strict=True)))

    def _field(self, name: str) -> Sequence[Any] | None:
        part = self._fields[name]
        return part.whole() if isinstance(part, _Repeated) else part


def _some(part: Any, rows: Sequence[int]) -> list[Any]:
    return [part.item] * len(rows) if isinstance(part, _Repeated) else [part[row] for row in rows]


def _column(name: str, column: Column) -> Column:
    if isinstance(column, HeldColumn):
        return column
    if column.member is not None:
        from sockdiag.model.fields import record_class
        from sockdiag.model.socket import Socket

        record = record_class(Socket.FIELDS[Socket._INDEX[name]])  # type: ignore[attr-defined]
        fields: dict[str, Any] = {}
        for field in record.FIELDS if record is not None else ():
            values = column.member(field.name)
            if values is None:
                break
            fields[field.name] = _part(values)
        else:
            if record is not None:
                return _PackedRecords(record, fields)
    return _PackedColumn(column.text, list(map(_part, column.parts)), column.decode, None)


def _part(part: Sequence[Any]) -> Any:
    if isinstance(part, (bytes, array)):
        return _Repeated(part[:1], len(part)) if uniform(part) else part
    values = part if isinstance(part, list) else list(part)
    kinds = set(map(type, values))
    # True and 1 are equal, and not the same.
    if len(kinds) == 1 and kinds <= _PLAIN and values.count(values[0]) == len(values):
        return _Repeated(values[:1], len(values))
    if kinds == {int} and min(values) >= 0:
        most = max(values)
        if most < _U64:
            return array("I" if most < _U32 else "Q", values)
    return part
