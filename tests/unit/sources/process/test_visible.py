"""Whether /proc may show fewer processes than there are."""

from __future__ import annotations

from typing import Any

import pytest

from sockdiag.errors import SourceDenied, SourceUnavailable
from sockdiag.sources.process.visible import visible_processes

MOUNT = b"22 1 0:20 / /proc rw,relatime - proc proc rw,%s\n"
PTRACE = b"CapEff:\t0000000000080000\n"
NOTHING = b"CapEff:\t0000000000000000\n"


class Files:
    """Stands for /proc of a running system."""

    live = True

    def __init__(self, pids: list[int], mounts: bytes | None, status: bytes = NOTHING, own: str | None = "7") -> None:
        self._pids = pids
        self._own = own
        self._texts = {"/proc/self/mountinfo": mounts, "/proc/7/status": status}

    def pids(self) -> list[int]:
        return self._pids

    def link(self, path: str) -> str:
        if self._own is None:
            raise SourceUnavailable(path, "No such file or directory", 2)
        return self._own

    def read(self, path: str) -> bytes:
        found = self._texts[path]
        if found is None:
            raise SourceDenied(path, "Permission denied", 13)
        return found


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (Files([1, 7], MOUNT % b"hidepid=off"), ""),
        (Files([1, 7], MOUNT % b"x"), ""),
        (Files([1, 7], MOUNT % b"hidepid=noaccess"), ""),
        (Files([1, 7], MOUNT % b"hidepid=1"), ""),
        (Files([1, 7], MOUNT % b"hidepid=2", PTRACE), ""),
        (Files([7], MOUNT % b"hidepid=2", PTRACE), "hidepid=2"),  # the capability is of an inner user namespace
        (Files([1, 7], MOUNT % b"hidepid=invisible"), "hidepid=invisible"),  # init is this user's own
        (Files([7], MOUNT % b"hidepid=ptraceable"), "hidepid=ptraceable"),
        (Files([1, 7], MOUNT % b"hidepid=4,gid=0"), "hidepid=4"),
        (Files([1, 7], (MOUNT % b"hidepid=2") + (MOUNT % b"rw")), ""),  # the last mount counts
        (Files([1, 7], None), ""),
        (Files([7], None), "may hide"),
        (Files([], MOUNT % b"rw"), "no processes found"),
        (Files([1, 9], MOUNT % b"rw", own=None), "another PID namespace"),
    ],
)
def test_hidden(files: Any, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the mount's options, this process's capabilities, and what is there."""
    monkeypatch.setattr("os.getegid", lambda: 0)
    _pids, gap = visible_processes(files)
    assert (gap is None) == (reason == "")
    assert gap is None or (gap.source == "/proc" and reason in gap.reason)
