"""Options of a survey. The engine takes these objects and knows no command line."""

from __future__ import annotations

from sockdiag.model.query import AUTO, TABLES
from sockdiag.model.record import LABEL, Record, field


class SurveyOptions(Record):
    """Which sockets of a system are read, and how."""

    netns: str | None = field(
        "Network namespace: the name of the one that the system is opened in, or ``all``; None for this process's own.",
        default=None,
        kind=LABEL,
    )
    source: str = field("Where sockets are read: auto, netlink or proc.", default=AUTO, kind=LABEL)
    netids: tuple[str, ...] = field("Tables that the user named; empty for all.", default=(), kind=LABEL)
    where: tuple[str, ...] = field(
        "Filters in the language of ``--where``, all of which must match; empty for none.", default=(), kind=LABEL
    )
    numeric: bool = field("Show users and hosts as numbers.", default=False, kind=LABEL)

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables to read, in the model's order."""
        return tuple(table for table in TABLES if table in self.netids) if self.netids else TABLES
