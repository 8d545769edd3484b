"""How many sockets are held: as columns where they came in bulk, as records otherwise.

A host can have hundreds of thousands of TCP sockets, and one :class:`~sockdiag.model.socket.Socket` costs microseconds.
A :class:`Batch` holds sockets of one shape (the same table, family and set of attributes) as parallel columns cut out of
the kernel's own bytes; counting and printing use the columns, and ``sockets()`` builds records for what needs them. A
source without columns gives ``Batch.of(records)``. Users of a batch need not know which of the two it is.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from sockdiag.model.socket import Socket


class Column:
    """One field of all rows of a batch.

    Args:
        text: printf format of one value as JSON, with one conversion for each of the parts; "" where values must be
            written one by one.
        parts: parallel sequences, one item a row (an IPv4 address has four), or a function that makes them when they
            are first needed.
        decode: makes the model's value from one item of each part; None where the single part is the value.
    """

    __slots__ = ("_parts", "decode", "text")

    def __init__(
        self,
        text: str,
        parts: Sequence[Sequence[Any]] | Callable[[], Sequence[Sequence[Any]]],
        decode: Callable[..., Any] | None = None,
    ) -> None:
        self.text = text
        self._parts = parts
        self.decode = decode

    @property
    def parts(self) -> Sequence[Sequence[Any]]:
        """The parallel sequences."""
        if callable(self._parts):
            self._parts = self._parts()
        return self._parts

    def values(self) -> Sequence[Any]:
        """Return the model's value of each row."""
        parts = self.parts
        return parts[0] if self.decode is None else list(map(self.decode, *parts))


class Batch:
    """Sockets of one shape.

    Attributes:
        size: number of rows.
        constants: value by dotted field name, where all rows have the same. What is in neither mapping is None.
        columns: column by dotted field name; None for a batch of records.
    """

    __slots__ = ("_build", "columns", "constants", "size")

    def __init__(
        self,
        size: int,
        build: Callable[[], Iterable[Socket]],
        constants: dict[str, Any],
        columns: dict[str, Column] | None,
    ) -> None:
        self.size = size
        self._build = build
        self.constants = constants
        self.columns = columns

    @classmethod
    def of(cls, sockets: Sequence[Socket]) -> Batch:
        """Wrap records, for sources that have no columns."""
        return cls(len(sockets), lambda: sockets, {}, None)

    def sockets(self) -> Iterator[Socket]:
        """Yield one record a row, in order."""
        return iter(self._build())

    def put(self, name: str, values: Sequence[Any]) -> None:
        """Add a top-level field that was found elsewhere (owners, paths), one value a row."""
        build = self._build
        self._build = lambda: [s._replace(**{name: v}) for s, v in zip(build(), values, strict=True)]
        if self.columns is not None:
            self.columns[name] = Column("", [values])

    def put_constant(self, name: str, value: Any) -> None:
        """Add a top-level field that is the same in all rows."""
        build = self._build
        self._build = lambda: [s._replace(**{name: value}) for s in build()]
        if self.columns is not None:
            self.constants[name] = value

    def values(self, name: str) -> Sequence[Any]:
        """Return the values of a dotted field, one a row."""
        if self.columns is None:
            outer, _, inner = name.partition(".")
            values = [getattr(socket, outer) for socket in self.sockets()]
            return [None if v is None else getattr(v, inner) for v in values] if inner else values
        column = self.columns.get(name)
        return [self.constants.get(name)] * self.size if column is None else column.values()


def all_sockets(batches: Iterable[Batch]) -> Iterator[Socket]:
    """Yield the sockets of *batches* as records."""
    for batch in batches:
        yield from batch.sockets()
