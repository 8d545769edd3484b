"""The result of parsing a socket table: the rows that were right, and the errors of the others."""

from __future__ import annotations

from sockdiag.model.record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeVar

    from sockdiag.errors import ParseError, SourceError
    from sockdiag.model.socket import Socket

    Row = TypeVar("Row")


class Reading(Record):
    """Sockets of one table; one bad row costs that row only."""

    sockets: list[Socket] = field("Rows that were understood, in the kernel's order.")
    errors: tuple[ParseError | SourceError, ...] = field("Errors of the others, bounded: see MAX_ERRORS.", default=())


if TYPE_CHECKING:

    class Rows(list[Row]):
        """Rows of a table that is not one of sockets, with ``errors`` for those that were not understood."""

        errors: tuple[ParseError, ...]

        def __init__(self, rows: Iterable[Row] = (), errors: Iterable[ParseError] = ()) -> None: ...

else:

    class Rows(list):
        """Rows of a table that is not one of sockets, with ``errors`` for those that were not understood."""

        __slots__ = ("errors",)

        def __init__(self, rows=(), errors=()):
            super().__init__(rows)
            self.errors = tuple(errors)[:MAX_ERRORS]


# A damaged table has as many bad rows as it has rows: the first ones show what is wrong.
MAX_ERRORS = 5
