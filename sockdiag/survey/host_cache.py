"""What is the whole host's and costs something to read: once a run, however many network namespaces are looked at."""

from __future__ import annotations

from sockdiag.errors import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from sockdiag.model.cgroup_memory import CgroupMemory
    from sockdiag.model.fdinfo import Descriptors
    from sockdiag.model.socket import Owner
    from sockdiag.model.sysctl import Value
    from sockdiag.survey.session import Session

# Processes with fewer of their descriptors in use than this are not looked into.
_CROWDED = 0.8

# Cgroups whose sockets hold less of their limit are not judged.
_FILLING = 0.5

OWNERS, DESCRIPTORS, LIMITS, CGROUPS = "owners", "descriptors", "limits", "cgroups"


class Hostwide:
    """Answers in the process that began what is asked from all namespaces (``Session.once``).

    Args:
        session: is told what could not be seen.

    Attributes:
        quiet: it is told of owners alone; what rules lack they tell themselves.
    """

    def __init__(self, session: Session) -> None:
        self.quiet = False
        self._session = session
        self._known: dict[Any, Any] = {}

    def __call__(self, question: tuple[str, Any]) -> Any:
        """Answer a question.

        Args:
            question: who holds these inodes; which processes are near their limit of open files; which cgroups are near
                that of memory, at the last look or before; limits that are hidden in a namespace.
        """
        what, about = question
        if what == OWNERS:
            return self._owners(about)
        if question not in self._known:
            gaps = list(self._session.gaps)
            if what == DESCRIPTORS:
                self._known[question] = self._descriptors()
            else:
                self._known[question] = self._cgroups() if what == CGROUPS else self._limits(about)
            if self.quiet:
                self._session.gaps[:] = gaps
        return self._known[question]

    def _owners(self, inodes: Collection[int]) -> Mapping[int, tuple[Owner, ...]]:
        from sockdiag.sources.process.fd import scan_owners

        session = self._session
        if session.everywhere is not None:
            scan = session.owners()  # of all, for the others will ask too
        else:
            scan = scan_owners(session.system.files, set(inodes), numeric=bool(session.given.numeric))
        for gap in scan.gaps:
            session.note(gap)
        return {inode: scan.owners.get(inode) for inode in inodes}

    def _descriptors(self) -> tuple[Mapping[int, Descriptors] | None, dict[str, str]]:
        from sockdiag.sources.process.limits import SOURCE, read_crowded

        try:
            found, gaps = read_crowded(self._session.system.files, _CROWDED)
        except SourceError as error:
            return None, {SOURCE: error.reason}
        absent = {}
        for gap in gaps:
            self._session.note(gap)
            absent[SOURCE] = gap.reason
        return found, absent

    def _cgroups(self) -> tuple[tuple[CgroupMemory, ...] | None, dict[str, str]]:
        from sockdiag.sources.process.cgroup_memory import SOURCE, read_cgroup_memory
        from sockdiag.survey.host import part

        absent: dict[str, str] = {}
        found = part(self._session, lambda: read_cgroup_memory(self._session.system.files, _FILLING), absent)
        for gap in found.errors if found is not None else ():
            absent[SOURCE] = gap.reason
        return None if found is None else found.cgroups, absent

    def _limits(self, names: tuple[str, ...]) -> dict[str, Value]:
        """Read limits where they can be seen: in this process's own namespace, or the host's, where that can be entered."""
        from sockdiag.sources.namespaces.netns import collect_in
        from sockdiag.sources.namespaces.search import outer_places
        from sockdiag.sources.proc.sys_net import read_sysctls

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
