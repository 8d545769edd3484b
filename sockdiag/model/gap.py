"""What could not be seen."""

from __future__ import annotations

from sockdiag.errors import ParseError
from sockdiag.model.record import ID, LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.errors import SourceError


class Gap(Record):
    """One thing that was asked for and is not in the result, and why."""

    source: str = field("Kernel interface: a path, or netlink:NAME.", kind=LABEL)
    reason: str = field("What happened.", kind=LABEL)
    errno: int | None = field("The kernel's error number.", default=None, kind=ID)
    hint: str = field("What would make it visible.", default="", kind=LABEL)

    @classmethod
    def from_error(cls, error: SourceError | ParseError) -> Gap:
        """Turn an error met while collecting into a gap."""
        if isinstance(error, ParseError):
            return cls(error.path, str(error).removeprefix(f"{error.path}:"))
        return cls(error.source, error.reason, error.errno, error.hint)
