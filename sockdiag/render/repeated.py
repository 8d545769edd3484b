"""Text of records that come by the thousand and are alike but for their first field, such as the time of an event."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from sockdiag.model.record import Record

_MOST = 10_000


class RepeatedRows:
    """Formats records, each kind once.

    Args:
        render: formats one record, whose first field is a text that needs no escaping.
        first: shortens the first field as *render* does; leaves a text of another form as it is.
    """

    __slots__ = ("_first", "_parts", "_place", "_render")

    def __init__(self, render: Callable[[Any], str], first: Callable[[str], str] = str) -> None:
        self._render = render
        self._first = first
        # Stands for the first field in the text that is kept; nobody can know it who chooses a name.
        self._place = f"0{os.urandom(8).hex()}0"
        # What is before and behind the first field; or the text without it, if it is not shown.
        self._parts: dict[tuple[object, ...], list[str]] = {}

    def text(self, rows: Iterable[Record]) -> str:
        """Return the text of records."""
        known, first = self._parts, self._first
        pieces = []
        for row in rows:
            values: Any = row
            rest = values[1:]
            parts = known.get(rest)
            if parts is None:
                if len(known) >= _MOST:
                    known.clear()
                parts = known[rest] = self._render(type(row)._make((self._place, *rest))).split(self._place)
            pieces.append(first(values[0]).join(parts))
        return "".join(pieces)
