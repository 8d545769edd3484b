"""What a parser of a socket table gives: the rows that were right, and what was wrong with the others."""

from __future__ import annotations

from sockdiag.model.record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.errors import ParseError, SourceError
    from sockdiag.model.socket import Socket


class Reading(Record):
    """Sockets of one table; one bad row costs that row only."""

    sockets: list[Socket] = field("Rows that were understood, in the kernel's order.")
    errors: tuple[ParseError | SourceError, ...] = field("What was not, bounded: see MAX_ERRORS.", default=())


# A damaged table has as many bad rows as it has rows: the first ones tell what is wrong.
MAX_ERRORS = 5
