"""Read the sockets of one system, and note where each table was read and what could not be read."""

from __future__ import annotations

from sockdiag.defaults import ALL_NAMESPACES
from sockdiag.errors import ParseError, SourceError, SourceUnavailable
from sockdiag.model.provenance import Gap, Namespace
from sockdiag.model.query import Query
from sockdiag.survey.collection import Collection, describe
from sockdiag.survey.host_facts import HostFacts, RelayedHostFacts
from sockdiag.survey.options import SurveyOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import TypeVar

    from sockdiag.analysis.grouping import Grouping
    from sockdiag.filter.where import Where
    from sockdiag.model.batch import Batch
    from sockdiag.model.provenance import Provenance
    from sockdiag.model.socket import Owner
    from sockdiag.sources.namespaces.search import FoundNamespace
    from sockdiag.sources.process.fd import OwnerScan
    from sockdiag.sources.system.machine import System
    from sockdiag.survey.namespaces import NamespaceSet
    from sockdiag.survey.workers import Visit

    T = TypeVar("T")
    _Holder = Callable[[int], Owner | None]


class Standpoint:
    """The network namespace of a survey, and how the survey reaches it.

    Args:
        netns: the network namespace.
        own: facts about the host are read and judged in this namespace. With all namespaces, that is this process's own.
        place: the namespace in the form that ``--netns`` takes; None for the one that the program was started in.
    """

    __slots__ = ("netns", "own", "place")

    def __init__(self, netns: Namespace, own: bool = True, place: str | None = None) -> None:
        self.netns = netns
        self.own = own
        self.place = place


class SystemReader:
    """Reads one system, and notes where it read each table and what it could not read.

    A running host, another network namespace and a capture are read through the same methods. For all namespaces, or one
    that this process is not in, worker processes run the same question in each; see docs/processes.md.

    Args:
        system: the system.
        options: which sockets to read, and how.
        places: the namespaces to read, if not the one that *system* was opened in; by default all of the host if
            ``options.netns`` is ``all``. If one of *places* cannot be read, that is an error; of all, it is a gap.
        host: facts about the host, shared with another survey of the same run.
        standpoint: the namespace, if another survey of the same run has found it.
        started: start time in seconds since the epoch, if not now.

    Attributes:
        started: start time in seconds since the epoch; for a capture, the time of the capture.
        gaps: what could not be read so far.
        sources: where each table was read: netlink, proc, or None if neither could be read.
        netns: the network namespace; without name and inode if there are several.
    """

    def __init__(
        self,
        system: System,
        options: SurveyOptions | None = None,
        *,
        places: Sequence[FoundNamespace] = (),
        host: HostFacts | None = None,
        standpoint: Standpoint | None = None,
        started: float | None = None,
    ) -> None:
        self.system = system
        self.options = options or SurveyOptions()
        self.started = system.clock() if started is None else started
        self.gaps: list[Gap] = []
        self.sources: dict[str, str | None] = {}
        # Gaps that were noted for namespaces, without the namespace.
        self._noted: list[Gap] = []
        self._where: Where | None = None
        self._places = tuple(places)
        self.namespaces: NamespaceSet | None = None
        if standpoint is None:
            here = places[0].namespace if len(places) == 1 else _current(system, self.options.netns)
            everywhere = self.options.netns == ALL_NAMESPACES
            standpoint = Standpoint(here, place=None if everywhere else self.options.netns)
            self.namespaces = self._find_namespaces()
        self.netns = standpoint.netns
        self.own = standpoint.own
        self.place = standpoint.place
        self.host = host or self._host_facts()

    def renew(self) -> None:
        """Forget what was read, and what could not be: the next question is about the system as it is then."""
        self.started = self.system.clock()
        self.gaps = []
        self.sources = {}
        self._noted = []
        self._where = None
        self.namespaces = self._find_namespaces()
        self.host = self._host_facts()

    def move(self, system: System) -> None:
        """Read another moment of the same recording from now on, in the network namespace that *system* was opened in."""
        self.system = system
        self.netns = _current(system, self.options.netns)
        self.renew()

    def _find_namespaces(self) -> NamespaceSet | None:
        if not self._places and self.options.netns != ALL_NAMESPACES:
            return None
        from sockdiag.survey.namespaces import CapturedSet, NamespaceSet

        if self.system.namespaces is not None:
            return CapturedSet(self.system, self.system.namespaces, self.note)
        if self._places:
            return NamespaceSet(self.system, self.note, self._places, named=True)
        return NamespaceSet.of_host(self.system, self.note)

    def _host_facts(self) -> HostFacts:
        return HostFacts(self.system, numeric=self.options.numeric, scan_all=self.namespaces is not None)

    @property
    def everywhere(self) -> bool:
        """Whether several network namespaces are read, so that answers name theirs."""
        return self.namespaces is not None and self.options.netns == ALL_NAMESPACES

    def inside(self, visit: Visit) -> SystemReader:
        """Return a survey of one namespace for the same run, with gaps and sources of its own."""
        host = self.host if visit.own else RelayedHostFacts(self.host, visit.ask)
        own = visit.own or not self.everywhere
        return SystemReader(
            visit.system,
            self.options,
            host=host,
            standpoint=Standpoint(visit.namespace, own, visit.place),
            started=self.started,
        )

    def apart(self) -> SystemReader:
        """Return a survey of the same namespace that notes its gaps separately."""
        apart = SystemReader(
            self.system,
            self.options,
            host=self.host,
            standpoint=Standpoint(self.netns, self.own, self.place),
            started=self.started,
        )
        apart.sources = self.sources
        apart.gaps = list(self.gaps)
        return apart

    def at(self, moment: System) -> SystemReader:
        """Return a survey of the same namespace at an earlier moment of a capture; what it lacks is noted here."""
        there = SystemReader(
            moment,
            self.options,
            host=HostFacts(moment, numeric=self.options.numeric),
            standpoint=Standpoint(self.netns, self.own, self.place),
            started=self.started,
        )
        there.sources, there.gaps = self.sources, self.gaps
        return there

    def of_host(self) -> SystemReader:
        """Return a survey of all namespaces of the host for the same run, with gaps and sources of its own."""
        return SystemReader(self.system, self.options._replace(netns=ALL_NAMESPACES), started=self.started)

    # Gaps

    def note(self, gap: Gap) -> None:
        """Note something that could not be read."""
        if gap not in self.gaps:
            self.gaps.append(gap)

    def attempt(
        self, read: Callable[[], T], absent: dict[str, str] | None = None, *, optional: bool = False
    ) -> T | None:
        """Call a function that reads something, and note the error as a gap.

        Args:
            read: the function.
            absent: receives the reason, by source, if it fails.
            optional: it is not a gap if the kernel does not have it.

        Returns:
            The result of *read*; None if it failed.
        """
        try:
            found = read()
        except (SourceError, ParseError) as error:
            if not (optional and isinstance(error, SourceUnavailable)):
                gap = Gap.from_error(error)
                self.note(gap)
                if absent is not None:
                    absent[gap.source] = gap.reason
            return None
        for problem in getattr(found, "errors", ()):
            self.note(problem if isinstance(problem, Gap) else Gap.from_error(problem))
        return found

    def learn(self, label: str | None, sources: dict[str, str | None], gaps: Iterable[Gap]) -> None:
        """Add the sources and gaps of a namespace; its label is None for this process's own."""
        for table, source in sources.items():
            if self.sources.get(table) is None:
                self.sources[table] = source
        for gap in gaps:
            # A gap that all of them have is noted once.
            if gap not in self._noted and gap not in self.gaps:
                self._noted.append(gap)
                self.note(gap if label is None else gap._replace(source=f"{label}: {gap.source}"))

    def provenance(self) -> Provenance:
        """Return when and where the answer was read, and what is missing from it so far."""
        netns = (self.netns,) if self.namespaces is None else self.namespaces.found
        return describe(self.system, self.started, netns, self.sources, self.gaps)

    # Users and owners

    def user_name(self, uid: int) -> str:
        """Name a user; by number if it has no name, or if the options ask for numbers."""
        return self.host.user_name(uid)

    def owners(self) -> OwnerScan:
        """Scan the descriptors of all processes, once."""
        return self.host.owner_scan(self.note)

    def grouping(self, by: Sequence[str], owners: Mapping[int, tuple[Owner, ...]] | None = None) -> Grouping:
        """Return how sockets are grouped by some keys; scans the owners if a key needs them.

        Args:
            by: names of keys, of ``sockdiag.analysis.grouping``.
            owners: owners by inode, if they have been looked up.
        """
        from sockdiag.analysis.grouping import KEYS, Grouping, Naming
        from sockdiag.sources.process.cgroup import CgroupPaths, parse_cgroup_path

        names = Naming(self.user_name, cgroup_path=CgroupPaths(self.system.files).path, cgroup=parse_cgroup_path)
        if "host" in by:
            names.host = self.provenance().host.hostname
        if owners is not None:
            names.holder, names.service = _holders(owners)
        elif any(KEYS[key].owner for key in by):
            scanned = self.owners().owners
            names.holder, names.service = scanned.holder, scanned.service
        return Grouping(by, names)

    # Sockets

    @property
    def where(self) -> Where | None:
        """The compiled filter of the options; None if there is none.

        Raises:
            FilterError: the filter does not parse.
        """
        if self._where is None and self.options.where:
            self._where = self.compiled(self.options.where)
        return self._where

    def compiled(self, where: str | Sequence[str]) -> Where:
        """Compile a filter in the language of ``--where``, or several that must all match.

        Raises:
            FilterError: the filter does not parse.
        """
        from sockdiag.filter.where import FilterContext, compile_where
        from sockdiag.sources.process.cgroup import CgroupPaths
        from sockdiag.sources.system.interfaces import interface_indices

        context = FilterContext(
            interface=interface_indices(self.system.files),
            user_name=self.host.user_label,
            cgroup_id=CgroupPaths(self.system.files).id_of,
            port_range=self._port_range,
        )
        if self.options.numeric:
            context.hosts = lambda _name, _family: []
        return compile_where(where, context)

    def _port_range(self) -> tuple[int, int]:
        from sockdiag.sources.proc.sys_net import read_sysctls

        name = "net.ipv4.ip_local_port_range"
        found = read_sysctls(self.system.files, (name,)).vector(name)
        return (found[0], found[1]) if found and len(found) == 2 else (32768, 60999)

    def query(self, needs: Iterable[str] = (), where: Where | None = None) -> Query:
        """Build a query from the tables of the options, the needed parts of a socket, and a filter that narrows it."""
        tables = self.options.tables
        wanted = frozenset(needs)
        query = Query(tables=tables, needs=wanted, source=self.options.source)
        if where is not None:
            query = query._replace(
                needs=wanted | where.needs,
                states=query.states & where.states,
                tables=tuple(table for table in tables if table in where.tables),
                families=where.families,
                bytecode=where.bytecode() or b"",
            )
        return query

    def batches(self, query: Query, where: Where | None = None) -> Iterable[Batch]:
        """Yield the sockets that a query and a filter select, in batches; gaps and sources are complete after the last."""
        if self.namespaces is not None:
            from sockdiag.survey.namespaces import rows

            return self._in_namespaces(query, where, rows)
        named = bool(self.options.netids)
        collection = Collection(
            self.system,
            query,
            tables_named=named,
            netns=self.netns,
            owners=self.owners,
            sources=self.sources,
            gaps=self.gaps,
        )
        batches = collection.batches()
        return batches if where is None else self._matching(batches, where)

    def reduce(self, query: Query, where: Where | None, function: Callable[[Iterable[Batch]], T]) -> Iterator[T]:
        """Yield a function's result for the sockets that a query and a filter select, once per namespace.

        With several namespaces it runs in the process that reads the sockets, and only its result, which must be
        picklable, is sent here.
        """
        if self.namespaces is None:
            yield function(self.batches(query, where))
        else:
            yield from self._in_namespaces(query, where, lambda batches, _own: (function(batches),))

    def _matching(self, batches: Iterable[Batch], where: Where) -> Iterator[Batch]:
        undecided = 0
        for batch in batches:
            passed, unknown = where.sift(batch)
            undecided += unknown
            if passed is not None:
                yield passed
        self.note_undecided(undecided)

    def _in_namespaces(
        self, query: Query, where: Where | None, answer: Callable[[Iterator[Batch], bool], Iterable[T]]
    ) -> Iterator[T]:
        assert self.namespaces is not None
        unknown: list[int] = []

        def learn(label: str | None, sources: dict[str, str | None], gaps: list[Gap], undecided: int) -> None:
            unknown.append(undecided)
            self.learn(label, sources, gaps)

        named = bool(self.options.netids)
        yield from self.namespaces.ask(query, where, answer, owners=self.owners, tables_named=named, learn=learn)
        self.note_undecided(sum(unknown))

    def note_undecided(self, undecided: int) -> None:
        """Note how many sockets a filter could not judge."""
        if undecided:
            from sockdiag.model.quantity import counted

            skipped = counted(undecided, "socket")
            self.note(Gap("--where", f"{skipped} left out: a value that the filter needs could not be read"))


def _holders(owners: Mapping[int, tuple[Owner, ...]]) -> tuple[_Holder, _Holder]:
    # As sources.process.fd.Owners finds them: one object for all sockets of a process.
    shared: dict[int, Owner] = {}

    def holder(inode: int) -> Owner | None:
        found = owners.get(inode)
        return shared.setdefault(found[0].pid, found[0]) if found else None

    def service(inode: int) -> Owner | None:
        found = owners.get(inode) or ()
        other = next((owner for owner in found if owner.pid != 1), None)
        return holder(inode) if other is None else shared.setdefault(other.pid, other)

    return holder, service


def _current(system: System, name: str | None) -> Namespace:
    from sockdiag.sources.namespaces.netns import current

    try:
        here = current(system.files)
    except SourceError:
        return Namespace()
    if system.namespaces is not None:
        here = here._replace(name=system.namespaces.name_of(here.inode))
    named = name and name != ALL_NAMESPACES and "/" not in name and not name.isdecimal()
    return here._replace(name=name) if named else here
