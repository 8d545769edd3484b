"""A sysctl and what it comes to."""

from __future__ import annotations

from sockdiag.model.record import LABEL, Record, field

TYPE_CHECKING = False


class Limit(Record):
    """One row of ``sockdiag limits``."""

    name: str = field("Name of the sysctl.", kind=LABEL)
    value: int | tuple[int | str, ...] | str | None = field(
        "Its value; unknown where it cannot be seen here. A number beyond 2**53 is text."
    )
    unit: str = field("Unit of value and default.", kind=LABEL)
    default: int | tuple[int | str, ...] | str | None = field(
        "What a mainline kernel of this version starts with, where that is fixed."
    )
    effective: int | tuple[int | str, ...] | str | None = field("What it comes to, in effective_unit.", default=None)
    effective_unit: str = field("Unit of effective.", default="", kind=LABEL, header="UNIT")
    note: str = field("What it comes to, in a sentence.", default="", kind=LABEL)
    scope: str = field("Whose it is: netns or host.", default="", kind=LABEL)
    source: str = field("File that it is read from.", default="", kind=LABEL)
    netns: str | None = field(
        "Network namespace: name, or inode where it has none; null for a limit of the host.", default=None, kind=LABEL
    )
