"""Paths of cgroup ids, as the details and --cgroup print them."""

from __future__ import annotations

from sockdiag.errors import SourceError
from sockdiag.sources.proc.mountinfo import mounts
from sockdiag.sources.process import cgroup
from sockdiag.sources.system.proc_root import ProcRoot
from sockdiag.ss.output import complain


class CgroupPaths:
    """Look cgroup ids up below the cgroup2 mount.

    Args:
        old: tell of ids that lead nowhere, as 6.1 does.
    """

    __slots__ = ("_known", "_mounted", "_old", "_paths")

    def __init__(self, *, old: bool) -> None:
        files = ProcRoot()
        self._old = old
        self._known: dict[int, str | None] = {}
        try:
            self._mounted = any(mount.type == "cgroup2" for mount in mounts(files))
        except SourceError:
            self._mounted = False
        self._paths = cgroup.CgroupPaths(files)

    def path(self, number: int) -> str:
        """Return the path below the mount, ``unreachable:HEX`` where the id leads nowhere."""
        if not self._mounted:
            complain("Failed to find cgroup2 mount\n")
            return f"unreachable:{number:x}"
        if number not in self._known:
            path = self._paths.path(number)
            self._known[number] = None if path is None else path.encode("utf-8", "surrogateescape").decode("latin-1")
        found = self._known[number]
        if found is None:
            if self._old:
                complain("Failed to open cgroup2 by ID\n")
            return f"unreachable:{number:x}"
        return found
