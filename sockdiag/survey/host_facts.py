"""Facts about the whole host that are expensive to read, read once per survey however many namespaces it covers.

The process that started the survey reads them. A worker in another namespace asks that process through the worker
pool's pipe (:class:`RelayedHostFacts`), so the descriptors of all processes are scanned once and not once per
namespace.
"""

from __future__ import annotations

from sockdiag.errors import ParseError, SourceError
from sockdiag.model.provenance import Gap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import Any, TypeAlias

    from sockdiag.model.cgroup_memory import CgroupMemory
    from sockdiag.model.fdinfo import Descriptors
    from sockdiag.model.socket import Owner
    from sockdiag.model.sysctl import Value
    from sockdiag.sources.process.fd import OwnerScan
    from sockdiag.sources.process.passwd import Users
    from sockdiag.sources.system.machine import System

    Gaps: TypeAlias = "tuple[Gap, ...]"
    Absent: TypeAlias = "dict[str, str]"

# Processes that use a smaller share of their descriptor limit are not examined: FD_LIMIT warns from 0.85 on, and check keeps
# that alert until a tenth below.
_CROWDED = 0.75

# Where a capture of another network namespace than the host's own has files as the host's shows them.
OUTER = "/outer"

# Cgroups whose sockets use a smaller share of their memory limit are not judged.
_FILLING = 0.5


class HostFacts:
    """Reads facts about the host, and caches them.

    Each method returns the gaps together with the fact, because only the caller can judge whether they matter.

    Args:
        system: the system, as this process sees it.
        numeric: show users as numbers.
        scan_all: scan the owners of all sockets at once, because every namespace will ask for some.
    """

    def __init__(self, system: System, *, numeric: bool = False, scan_all: bool = False) -> None:
        self._system = system
        self._numeric = numeric
        self._scan_all = scan_all
        self._users: Users | None = None
        self._scan: OwnerScan | None = None
        self._crowded: tuple[Mapping[int, Descriptors] | None, Absent, Gaps] | None = None
        self._cgroups: dict[bool, tuple[tuple[CgroupMemory, ...] | None, Absent, Gaps]] = {}
        self._limits: dict[tuple[str, ...], dict[str, Value]] = {}
        # In a worker: what the process that started the survey has answered to it.
        self.answers: dict[object, Any] = {}

    def user_name(self, uid: int) -> str:
        """Name a user; by number if it has no name, or if *numeric* is set."""
        return str(uid) if self._numeric else self.user_label(uid)

    def user_label(self, uid: int) -> str:
        """Name a user as filters compare it, regardless of *numeric*."""
        if self._users is None:
            from sockdiag.sources.process.passwd import Users

            self._users = Users(self._system.files)
        return self._users.label(uid)

    def owner_scan(self, note: Callable[[Gap], None]) -> OwnerScan:
        """Scan the descriptors of all processes, once.

        Args:
            note: called with each gap when the scan runs, not when its result is reused.
        """
        if self._scan is None:
            self._scan = self._scan_owners(None)
            for gap in self._scan.gaps:
                note(gap)
        return self._scan

    def forget_owners(self) -> None:
        """Forget the owners of sockets: the next question scans them as they are then."""
        self._scan = None

    def owner_scan_of(self, inodes: Collection[int]) -> OwnerScan:
        """Scan the descriptors of all processes, and look up the owners of some inodes only."""
        return self._scan_owners(set(inodes))

    def _scan_owners(self, inodes: Collection[int] | None) -> OwnerScan:
        from sockdiag.model.quantity import duration
        from sockdiag.sources.process.fd import SOURCE, scan_owners

        scan = scan_owners(self._system.files, inodes, numeric=self._numeric)
        if self._system.texts is not None and not len(scan.owners):
            # A bundle has no descriptors, and its texts name the owners.
            return self._system.texts.owners(inodes, numeric=self._numeric) or scan
        age = self._system.processes_age_s
        if age:
            # Of a socket that is younger nobody can say that it has no owner.
            earlier = Gap(SOURCE, f"the processes were read {duration(age)} before this moment")
            scan = scan._replace(gaps=(*scan.gaps, earlier))
        return scan

    def owners(self, inodes: Collection[int]) -> tuple[Mapping[int, tuple[Owner, ...]], Gaps]:
        """Return the processes that hold some inodes."""
        scan = self.owner_scan(_ignore) if self._scan_all else self.owner_scan_of(inodes)
        return {inode: scan.owners.get(inode) for inode in inodes}, tuple(scan.gaps)

    def states(self, pids: Collection[int]) -> dict[int, str]:
        """Return the states of a few processes (``sockdiag.kernel.task_states``); one that cannot be read is left out."""
        from sockdiag.sources.process.stat import read_states

        return read_states(self._system.files, pids)

    def turns(self, pids: Collection[int]) -> dict[int, int]:
        """Return how often a few processes were given a CPU; one of which that is not known is left out."""
        from sockdiag.sources.process.stat import read_turns

        return read_turns(self._system.files, pids)

    def open_files(self, pids: Collection[int]) -> dict[int, int]:
        """Return how many files a few processes may have open; one that cannot be read or has no limit is left out."""
        from sockdiag.sources.process.limits import read_open_files

        return read_open_files(self._system.files, pids)

    def processes_near_limit(self) -> tuple[Mapping[int, Descriptors] | None, Absent, Gaps]:
        """Return the processes near their limit of open files, and why some or all could not be read."""
        if self._crowded is None:
            from sockdiag.sources.process.limits import SOURCE, read_crowded

            found, gaps = read_crowded(self._system.files, _CROWDED)
            self._crowded = found, _last(SOURCE, gaps), tuple(gaps)
        return self._crowded

    def cgroups(self, *, last: bool) -> tuple[tuple[CgroupMemory, ...] | None, Absent, Gaps]:
        """Return the cgroups whose sockets are near their memory limit.

        Args:
            last: for the sample that is judged; otherwise for an earlier one, which is cached separately.
        """
        if last not in self._cgroups:
            self._cgroups[last] = self._read_cgroups()
        return self._cgroups[last]

    def _read_cgroups(self) -> tuple[tuple[CgroupMemory, ...] | None, Absent, Gaps]:
        from sockdiag.sources.process.cgroup_memory import SOURCE, read_cgroup_memory

        try:
            found = read_cgroup_memory(self._system.files, _FILLING)
        except (SourceError, ParseError) as error:
            gap = Gap.from_error(error)
            return None, {gap.source: gap.reason}, (gap,)
        return found.cgroups, _last(SOURCE, found.errors), found.errors

    def limits(self, names: tuple[str, ...]) -> dict[str, Value]:
        """Read sysctls that a namespace does not show: here, or in the host's own namespace if it can be entered."""
        if names not in self._limits:
            self._limits[names] = self._read_limits(names)
        return self._limits[names]

    def _read_limits(self, names: tuple[str, ...]) -> dict[str, Value]:
        from sockdiag.sources.namespaces.netns import collect_in
        from sockdiag.sources.namespaces.search import outer_places
        from sockdiag.sources.proc.sys_net import read_sysctls

        files = self._system.files
        found = dict(read_sysctls(files, names).values)
        if found:
            return found
        if not files.live:
            return self._captured_limits(names)
        for place in outer_places(files):
            try:
                there = collect_in(place, lambda: dict(read_sysctls(files, names).values))
            except SourceError:
                continue
            if there:
                assert isinstance(there, dict)
                return there
        return {}

    def _captured_limits(self, names: tuple[str, ...]) -> dict[str, Value]:
        """Return them as another namespace of the capture shows them, or as the host's own one did, which need not be in it."""
        from sockdiag.sources.proc.sys_net import read_sysctls

        namespaces = self._system.namespaces
        others = () if namespaces is None else tuple(namespaces.system(p.namespace).files for p in namespaces.places)
        for files in (self._system.files.below(OUTER), *others):
            if found := dict(read_sysctls(files, names).values):
                return found
        return {}

    def answer(self, question: tuple[str, tuple[Any, ...], dict[str, Any]]) -> Any:
        """Answer a question from a :class:`RelayedHostFacts`."""
        name, positional, named = question
        return getattr(self, name)(*positional, **named)


class RelayedHostFacts(HostFacts):
    """The same facts in a worker process, which asks the process that started the survey.

    Args:
        own: the facts as they were when the worker was forked; they provide user names and a finished scan.
        ask: sends a question to :meth:`HostFacts.answer`, and returns the answer.
    """

    def __init__(self, own: HostFacts, ask: Callable[[Any], Any]) -> None:
        self._own = own
        self._ask = ask

    def user_name(self, uid: int) -> str:
        """Name a user, like :meth:`HostFacts.user_name`."""
        return self._own.user_name(uid)

    def user_label(self, uid: int) -> str:
        """Name a user, like :meth:`HostFacts.user_label`."""
        return self._own.user_label(uid)

    def owner_scan(self, note: Callable[[Gap], None]) -> OwnerScan:
        """Return the scan made before the fork, or scan here."""
        return self._own.owner_scan(note)

    def forget_owners(self) -> None:
        """Do nothing: the process that started the survey forgets them."""

    def owners(self, inodes: Collection[int]) -> tuple[Mapping[int, tuple[Owner, ...]], Gaps]:
        """Ask :meth:`HostFacts.owners`."""
        found: tuple[Mapping[int, tuple[Owner, ...]], Gaps] = self._ask(("owners", (tuple(inodes),), {}))
        return found

    def states(self, pids: Collection[int]) -> dict[int, str]:
        """Ask :meth:`HostFacts.states`."""
        found: dict[int, str] = self._ask(("states", (tuple(pids),), {}))
        return found

    def turns(self, pids: Collection[int]) -> dict[int, int]:
        """Ask :meth:`HostFacts.turns`."""
        found: dict[int, int] = self._ask(("turns", (tuple(pids),), {}))
        return found

    def open_files(self, pids: Collection[int]) -> dict[int, int]:
        """Ask :meth:`HostFacts.open_files`."""
        found: dict[int, int] = self._ask(("open_files", (tuple(pids),), {}))
        return found

    def processes_near_limit(self) -> tuple[Mapping[int, Descriptors] | None, Absent, Gaps]:
        """Ask :meth:`HostFacts.processes_near_limit` once."""
        found: tuple[Mapping[int, Descriptors] | None, Absent, Gaps] = self._once("processes_near_limit")
        return found

    def cgroups(self, *, last: bool) -> tuple[tuple[CgroupMemory, ...] | None, Absent, Gaps]:
        """Ask :meth:`HostFacts.cgroups` once for each of the two."""
        found: tuple[tuple[CgroupMemory, ...] | None, Absent, Gaps] = self._once("cgroups", last=last)
        return found

    def limits(self, names: tuple[str, ...]) -> dict[str, Value]:
        """Ask :meth:`HostFacts.limits` once."""
        found: dict[str, Value] = self._once("limits", names)
        return found

    def _once(self, method: str, *positional: Any, **named: Any) -> Any:
        # One worker visits many namespaces, and the other side caches these facts, too.
        key = method, positional, tuple(named.items())
        answers = self._own.answers
        if key not in answers:
            answers[key] = self._ask((method, positional, named))
        return answers[key]


def _last(source: str, gaps: Sequence[Gap]) -> Absent:
    return {source: gaps[-1].reason} if gaps else {}


def _ignore(_gap: Gap) -> None:
    """Do nothing: the caller gets the gaps together with the answer."""
