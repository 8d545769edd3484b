"""What is the whole host's and costs something to read: once a run, however many network namespaces are looked at."""

from __future__ import annotations

from sockdiag.errors import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from sockdiag.cli.session import Session
    from sockdiag.model.descriptors import Descriptors
    from sockdiag.model.socket import Owner
    from sockdiag.model.sysctl import Value

# Processes with fewer of their descriptors in use than this are not looked into.
_CROWDED = 0.8

OWNERS, DESCRIPTORS, LIMITS = "owners", "descriptors", "limits"


class Hostwide:
    """Answers in the process that began what is asked from all namespaces (``Session.once``).

    Args:
        session: is told what could not be seen.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[Any, Any] = {}

    def __call__(self, question: tuple[str, Any]) -> Any:
        """Answer: who holds these inodes; which processes are near their limit of open files; limits that are hidden here."""
        what, about = question
        if what == OWNERS:
            return self._owners(about)
        if question not in self._known:
            self._known[question] = self._descriptors() if what == DESCRIPTORS else self._limits(about)
        return self._known[question]

    def _owners(self, inodes: Collection[int]) -> Mapping[int, tuple[Owner, ...]]:
        from sockdiag.sources.proc_pid_fd import scan_owners

        session = self._session
        if session.everywhere is not None:
            scan = session.owners()  # of all, for the others will ask too
        else:
            scan = scan_owners(session.system.files, set(inodes), numeric=bool(session.given.numeric))
        for gap in scan.gaps:
            session.note(gap)
        return {inode: scan.owners.get(inode) for inode in inodes}

    def _descriptors(self) -> tuple[Mapping[int, Descriptors] | None, dict[str, str]]:
        from sockdiag.sources.proc_pid_limits import read_crowded

        try:
            found, gaps = read_crowded(self._session.system.files, _CROWDED)
        except SourceError as error:
            return None, {"descriptors": error.reason}
        absent = {}
        for gap in gaps:
            self._session.note(gap)
            absent["some descriptors"] = gap.reason
        return found, absent

    def _limits(self, names: tuple[str, ...]) -> dict[str, Value]:
        """Read limits where they can be seen: in this process's own namespace, or the host's, where that can be entered."""
        from sockdiag.sources.netns import collect_in
        from sockdiag.sources.netns_search import outer_places
        from sockdiag.sources.sysctl_net import read_sysctls

        files = self._session.system.files
        found = dict(read_sysctls(files, names).values)
        if found:
            return found
        for place in outer_places(files):
            try:
                there = collect_in(place, lambda: dict(read_sysctls(files, names).values))
            except SourceError:
                continue
            if there:
                assert isinstance(there, dict)
                return there
        return {}
