"""Hold many sockets: as columns if they came in bulk, else as records.

A host can have hundreds of thousands of TCP sockets, and one :class:`~sockdiag.model.socket.Socket` costs microseconds.
A :class:`Batch` holds sockets of one shape (the same table, family and set of attributes) as parallel columns cut out of
the kernel's own bytes; counting and printing use the columns, and ``sockets()`` builds records for the rest. A
source without columns gives ``Batch.of(records)``. Users of a batch need not distinguish the two.
"""

from __future__ import annotations

from _weakref import ref  # start-up: docs/rejected.md
from array import array

from sockdiag.model.address import Endpoint
from sockdiag.model.skmem import SkMem

try:
    from _collections import _count_elements  # type: ignore[import-not-found]  # start-up: docs/rejected.md
except ImportError:  # not CPython, or a later release

    def _count_elements(counts: dict[Any, int], values: Iterable[Any]) -> None:
        for value in values:
            counts[value] = counts.get(value, 0) + 1


# Counts equal values, into a dict that is given.
count_elements = _count_elements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from sockdiag.model.record import Field
    from sockdiag.model.socket import Socket


# Records of which a columnar batch holds the members.
_NESTED: dict[str, Any] = {"local": Endpoint, "peer": Endpoint, "skmem": SkMem}


def uniform(values: Any) -> bool:
    """Return whether all items of an array or of bytes are equal, at the speed of comparing memory; else False."""
    if isinstance(values, (bytes, array)):
        first = values[:1]
        return bytes(values) == bytes(first) * len(values)
    return False


def varied(values: Sequence[Any]) -> bool:
    """Return whether values differ and none of them is None."""
    if isinstance(values, (bytes, array)):
        return not uniform(values)
    return None not in values and values.count(values[0]) != len(values)


class Column:
    """One field of all rows of a batch.

    Args:
        text: printf format of one value as JSON, with one conversion for each of the parts; "" where values must be
            written one by one.
        parts: parallel sequences, one item a row (an IPv4 address has four), or a function that makes them when they
            are first needed.
        decode: makes the model's value from one item of each part; None where the single part is the value.
        member: of a column of records, cuts the values of one of their fields without making the records; returns None for
            a field that it cannot cut.
    """

    __slots__ = ("_parts", "decode", "member", "text")

    def __init__(
        self,
        text: str,
        parts: Sequence[Sequence[Any]] | Callable[[], Sequence[Sequence[Any]]],
        decode: Callable[..., Any] | None = None,
        member: Callable[[str], Sequence[Any] | None] | None = None,
    ) -> None:
        self.text = text
        self._parts = parts
        self.decode = decode
        self.member = member

    @property
    def parts(self) -> Sequence[Sequence[Any]]:
        """The parallel sequences."""
        if callable(self._parts):
            self._parts = self._parts()
        return self._parts

    def compressed(self, selectors: Sequence[Any]) -> Column:
        """Return the rows whose selector is true, worked out when they are needed."""
        from itertools import compress

        whole = self.member

        def member(name: str) -> Sequence[Any] | None:
            values = None if whole is None else whole(name)
            return None if values is None else list(compress(values, selectors))

        return Column(
            self.text,
            lambda: [list(compress(part, selectors)) for part in self.parts],
            self.decode,
            None if whole is None else member,
        )

    def values(self) -> Sequence[Any]:
        """Return the model's value of each row."""
        parts = self.parts
        return parts[0] if self.decode is None else list(map(self.decode, *parts))

    def some(self, rows: Sequence[int]) -> list[Any]:
        """Return the model's values of some rows, without making those of the others."""
        parts = self.parts
        if self.decode is None:
            return [parts[0][row] for row in rows]
        return [self.decode(*(part[row] for part in parts)) for row in rows]


class Batch:
    """Sockets of one shape.

    Attributes:
        size: number of rows.
        constants: value by dotted field name, if all rows have the same. Fields in neither mapping are None.
        columns: column by dotted field name; None for a batch of records.

    Args:
        build: makes all records.
        pick: makes those of some rows, where that costs less.
    """

    __slots__ = ("__weakref__", "_build", "_pick", "columns", "constants", "size")

    def __init__(
        self,
        size: int,
        build: Callable[[], Iterable[Socket]],
        constants: dict[str, Any],
        columns: dict[str, Column] | None,
        pick: Callable[[Sequence[int]], list[Socket]] | None = None,
    ) -> None:
        self.size = size
        self._build = build
        self._pick = pick
        self.constants = constants
        self.columns = columns

    @classmethod
    def of(cls, sockets: Sequence[Socket]) -> Batch:
        """Wrap records, for sources that have no columns."""
        return cls(len(sockets), lambda: sockets, {}, None)

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it go to another process as the columns that it has."""
        if self.columns is None:
            return Batch.of, (list(self.sockets()),)
        return _of_columns, (self.size, self.constants, self._parts())

    def _parts(self, without: Sequence[str] = ()) -> dict[str, tuple[Any, ...]]:
        return {
            name: (column.text, tuple(column.parts), column.decode)
            for name, column in (self.columns or {}).items()
            if name.partition(".")[0] not in without
        }

    def detached(self, without: Sequence[str] = ()) -> Batch:
        """Return the same rows without some top-level fields, and free of the bytes that they were cut from."""
        return self if self.columns is None else _of_columns(self.size, self.constants, self._parts(without))

    def sockets(self) -> Iterator[Socket]:
        """Yield one record a row, in order."""
        return iter(self._build())

    def at(self, rows: Sequence[int]) -> list[Socket]:
        """Return the records of some rows, without making those of the others where they came in bulk."""
        if self._pick is not None:
            return self._pick(rows)
        sockets = list(self.sockets())
        return [sockets[row] for row in rows]

    def compressed(self, selectors: Sequence[Any]) -> Batch:
        """Return the rows whose selector is true as a batch of their own."""
        from itertools import compress

        rows = list(compress(range(self.size), selectors))
        if self.columns is None:
            return Batch.of(self.at(rows))
        columns = {name: column.compressed(selectors) for name, column in self.columns.items()}
        return Batch(len(rows), lambda: self.at(rows), self.constants, columns)

    def _replacing(self, change: Callable[[Socket, int], Socket]) -> None:
        pick = self._pick
        if pick is not None:
            self._pick = lambda rows: list(map(change, pick(rows), rows))

    def _rebuild(self, build: Callable[[], list[Socket]]) -> None:
        if self.columns is None:
            # The records exist; changing them again for each question would cost more than keeping the changed ones.
            sockets = build()
            self._build = lambda: sockets
        else:
            self._build = build

    def put(self, name: str, values: Sequence[Any]) -> None:
        """Add a top-level field that was found elsewhere (owners, paths), one value a row."""
        build = self._build
        self._rebuild(lambda: [s._replace(**{name: v}) for s, v in zip(build(), values, strict=True)])
        self._replacing(lambda socket, row: socket._replace(**{name: values[row]}))
        if self.columns is not None:
            self.columns[name] = Column("", [values])

    def put_column(self, name: str, column: Column, item: Callable[[int], Any]) -> None:
        """Add a top-level field that was found elsewhere, as a column to a batch of columns; *item* returns that of one row."""
        assert self.columns is not None
        build = self._build
        self._rebuild(lambda: [s._replace(**{name: v}) for s, v in zip(build(), column.values(), strict=True)])
        self._replacing(lambda socket, row: socket._replace(**{name: item(row)}))
        self.columns[name] = column

    def put_constant(self, name: str, value: Any) -> None:
        """Add a top-level field that is the same in all rows."""
        build = self._build
        self._rebuild(lambda: [s._replace(**{name: value}) for s in build()])
        self._replacing(lambda socket, _row: socket._replace(**{name: value}))
        if self.columns is not None:
            self.constants[name] = value

    def values(self, name: str) -> Sequence[Any]:
        """Return the values of a dotted field, one per row; records for a nested record whose members are columns."""
        outer, _, inner = name.rpartition(".")
        if self.columns is None:
            values: Sequence[Any] = self.sockets_as_list()
            for part in name.split("."):
                values = [None if value is None else getattr(value, part) for value in values]
            return values
        column = self.columns.get(name)
        if column is not None:
            return column.values()
        if name in self.constants:
            return [self.constants[name]] * self.size
        cut = self.member(name)
        if cut is not None:
            return cut
        lead = outer
        while lead:
            if lead in self.columns or lead in self.constants:
                return [None if value is None else getattr(value, inner) for value in self.values(outer)]
            lead = lead.rpartition(".")[0]
        record = _NESTED.get(name)
        if record is not None and f"{name}.{record.FIELDS[0].name}" in self.columns:
            members = [self.values(f"{name}.{field.name}") for field in record.FIELDS]
            return list(map(record._make, zip(*members, strict=True)))
        return [None] * self.size

    def some(self, name: str, rows: Sequence[int]) -> list[Any]:
        """Return the values of a dotted field in some rows."""
        columns = self.columns or {}
        if name in columns:
            return columns[name].some(rows)
        if name in self.constants:
            return [self.constants[name]] * len(rows)
        record = _NESTED.get(name)
        if record is not None and f"{name}.{record.FIELDS[0].name}" in columns:
            members = [self.some(f"{name}.{field.name}", rows) for field in record.FIELDS]
            return list(map(record._make, zip(*members, strict=True)))
        values = self.values(name)
        return [values[row] for row in rows]

    def member(self, name: str) -> Sequence[Any] | None:
        """Return the values of a field of a nested record, if they can be had without the records; else None."""
        outer, _, inner = name.rpartition(".")
        column = self.columns.get(outer) if self.columns is not None else None
        return None if column is None or column.member is None else column.member(inner)

    def members(self, name: str, record: Any) -> list[tuple[Field, Sequence[Any]]] | None:
        """Return the values of each field of a record, if all can be had without making the records; else None."""
        found = []
        for field in record.FIELDS:
            values = self.member(f"{name}.{field.name}")
            if values is None:
                return None
            found.append((field, values))
        return found

    def sockets_as_list(self) -> Sequence[Socket]:
        """Return all records; those of a batch of records are not copied."""
        found = self._build()
        return found if isinstance(found, (list, tuple)) else list(found)


def _of_columns(size: int, constants: dict[str, Any], columns: dict[str, tuple[Any, ...]]) -> Batch:
    return made_of(size, constants, {name: Column(*column) for name, column in columns.items()})


def made_of(size: int, constants: dict[str, Any], columns: dict[str, Column]) -> Batch:
    """Make a batch of columns alone, without the bytes that they were cut from."""
    from sockdiag.model.socket import Socket

    names = [field.name for field in Socket.FIELDS]

    def build() -> list[Socket]:
        batch = itself()
        assert batch is not None
        return list(map(Socket._make, zip(*map(batch.values, names), strict=True)))

    def pick(rows: Sequence[int]) -> list[Socket]:
        batch = itself()
        assert batch is not None
        return list(map(Socket._make, zip(*(batch.some(name, rows) for name in names), strict=True)))

    batch = Batch(size, build, constants, columns, pick)
    # Not a cycle: the columns are to be freed with the last user, not when the collector comes by.
    itself = ref(batch)
    return batch


def identities(batch: Batch) -> Sequence[Any]:
    """Return the identity of each row from one sample to the next: the cookie, else the inode, else its two ends."""
    if batch.columns is not None and ("cookie" in batch.columns or batch.constants.get("cookie") is not None):
        return batch.values("cookie")
    rows = zip(*(batch.values(name) for name in ("cookie", "inode", "local", "peer")), strict=True)
    return [cookie if cookie is not None else -inode if inode else (local, peer) for cookie, inode, local, peer in rows]


class Tally:
    """Count the rows of many batches by the values of some fields; repeated values are counted before they are decoded.

    Args:
        names: dotted names of the fields.
    """

    __slots__ = ("_decoded", "_names", "_raw")

    def __init__(self, *names: str) -> None:
        self._names = names
        # Rows of batches that are alike share a dict: (constants, how to decode the rest) -> raw values -> rows.
        self._raw: dict[tuple[Any, ...], dict[Any, int]] = {}
        self._decoded: dict[tuple[Any, ...], int] = {}

    def add(self, batch: Batch) -> None:
        """Count the rows of a batch."""
        if batch.columns is None:
            rows = zip(*(batch.values(name) for name in self._names), strict=True)
            count_elements(self._decoded, rows)
            return
        # A constant of the batch, or how many of the parts belong to a field and what makes its value of them.
        shape: list[tuple[Any, ...]] = []
        parts: list[Sequence[Any]] = []
        for name in self._names:
            column = batch.columns.get(name)
            if column is None:
                shape.append((0, batch.constants.get(name)))
            else:
                shape.append((len(column.parts), column.decode))
                parts.extend(column.parts)
        counts = self._raw.setdefault(tuple(shape), {})
        if not parts:
            counts[()] = counts.get((), 0) + batch.size
        else:
            count_elements(counts, parts[0] if len(parts) == 1 else zip(*parts, strict=True))

    def counts(self) -> dict[tuple[Any, ...], int]:
        """Return the rows counted so far, by the values of the fields."""
        found = dict(self._decoded)
        for shape, counts in self._raw.items():
            sizes = [part[0] for part in shape]
            if sum(sizes) == 1:
                place = sizes.index(1)
                decode = shape[place][1]
                before, after = (tuple([what for _, what in some]) for some in (shape[:place], shape[place + 1 :]))
                for raw, n in counts.items():
                    key = (*before, raw if decode is None else decode(raw), *after)
                    found[key] = found.get(key, 0) + n
                continue
            for raw, n in counts.items():
                key = _decode(shape, raw)
                found[key] = found.get(key, 0) + n
        return found


def _decode(shape: tuple[tuple[Any, ...], ...], raw: tuple[Any, ...]) -> tuple[Any, ...]:
    values = []
    place = 0
    for size, what in shape:
        if size:
            values.append(raw[place] if what is None else what(*raw[place : place + size]))
            place += size
        else:
            values.append(what)
    return tuple(values)


def all_sockets(batches: Iterable[Batch]) -> Iterator[Socket]:
    """Yield the sockets of *batches* as records."""
    for batch in batches:
        yield from batch.sockets()
