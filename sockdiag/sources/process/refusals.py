"""Count the processes that could not be read, so that a host with thousands of them gives one gap."""

from __future__ import annotations

import os
from errno import EACCES, EPERM

from sockdiag.model.provenance import Gap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from sockdiag.errors import SourceError


_MAY_NOT = (EACCES, EPERM)


class Refusals:
    """Errors met while reading one process after the other.

    Args:
        source: what was read of each.
        what: the same in words, for the gap.

    Attributes:
        counts: processes by the reason and number of the error.
    """

    __slots__ = ("_source", "_what", "counts")

    def __init__(self, source: str, what: str) -> None:
        self._source = source
        self._what = what
        self.counts: dict[tuple[str, int | None], int] = {}

    def __len__(self) -> int:
        return sum(self.counts.values())

    def add(self, error: SourceError) -> None:
        """Count one process."""
        self.join({(error.reason, error.errno): 1})

    def join(self, counts: Mapping[tuple[str, int | None], int]) -> None:
        """Add what another process has counted."""
        for found, count in counts.items():
            kind = found
            if found[1] in _MAY_NOT:
                # One process gives either, by what of it is read.
                kind = next((known for known in self.counts if known[1] in _MAY_NOT), found)
            self.counts[kind] = self.counts.get(kind, 0) + count

    def gaps(self, processes: int) -> list[Gap]:
        """Return one gap for each kind of error, of *processes* that there are."""
        return [
            Gap(self._source, f"{self._what} of {count} of {processes} processes: {reason}", number, _hint(number))
            for (reason, number), count in self.counts.items()
        ]


def _hint(number: int | None) -> str:
    if number not in _MAY_NOT:
        return ""
    # Root of a container lacks capabilities that the host's processes have (ptrace_may_access()).
    return "run as root" if os.geteuid() else "run as root on the host, with CAP_SYS_PTRACE"
