"""Run a question in every network namespace of the host, or in one that this process is not in.

This process never leaves its own namespace, and answers for that one itself. Workers (``sockdiag.survey.workers``) enter
the others and send their results piece by piece; a worker that does not answer is left behind. Results come in the order
of the namespaces.
"""

from __future__ import annotations

from array import array
from errno import ENOENT
from itertools import islice

from sockdiag.errors import SourceError, SourceTruncated, SourceUnavailable
from sockdiag.model.batch import Batch
from sockdiag.model.counters import Counters
from sockdiag.model.provenance import Gap
from sockdiag.model.query import OWNERS, Query
from sockdiag.sources.namespaces import search
from sockdiag.sources.system.machine import asked_quietly
from sockdiag.survey.collection import Collection
from sockdiag.survey.workers import Pause, Visit, WorkerPool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from sockdiag.filter.where import Where
    from sockdiag.model.provenance import Namespace
    from sockdiag.sources.process.fd import OwnerScan
    from sockdiag.sources.system.machine import HeldNamespaces, System
    from sockdiag.survey.workers import Answer, Question

    Reduce = Callable[[Iterator[Batch], bool], Iterable[Any]]
    Learn = Callable[[str | None, dict[str, str | None], list[Gap], int], None]

# Sockets per piece: about 100 KB.
_ROWS = 256
# Asking this many sockets for their namespace takes as long as searching all tables of one namespace for them
# (6.18: 10 µs per socket, 3 ms per namespace).
_ASKED_FOR_A_LOOK = 300

_READERS = (
    "itertools",
    "resource",
    "sockdiag.model.link_attrs",
    "sockdiag.model.local_attrs",
    "sockdiag.model.proc_attrs",
    "sockdiag.sources.netlink.inet_attributes",
    "sockdiag.sources.netlink.inet_columns",
    "sockdiag.sources.netlink.inet_lookup",
    "sockdiag.sources.netlink.netlink_diag",
    "sockdiag.sources.netlink.packet_diag",
    "sockdiag.sources.netlink.tcp_info_guard",
    "sockdiag.sources.netlink.unix_diag",
    "sockdiag.sources.netlink.vsock_diag",
    "sockdiag.sources.netlink.xdp_diag",
    "sockdiag.sources.proc.inet",
    "sockdiag.sources.proc.net_netlink",
    "sockdiag.sources.proc.net_packet",
    "sockdiag.sources.proc.net_protocols",
    "sockdiag.sources.proc.net_unix",
    "sockdiag.sources.process.cgroup",
)


class NamespaceSet:
    """The network namespaces that a question is asked in.

    Args:
        system: the running system, read in this process's own namespace.
        note: called with each gap.
        places: the namespaces.
        sockets: sockets that processes hold, by inode; a socket that none of the namespaces lists may keep another alive.
        named: the user named the namespaces: raise the error of one that cannot be read, instead of noting a gap.

    Attributes:
        found: the namespaces; one that has gone or cannot be entered is removed when that is noticed.
    """

    def __init__(
        self,
        system: System,
        note: Callable[[Gap], None],
        places: Iterable[search.FoundNamespace],
        sockets: dict[int, tuple[int, int]] | None = None,
        *,
        named: bool = False,
    ) -> None:
        self._system = system
        self._named = named
        self._note = note
        self._places = list(places)
        self._sockets = sockets or {}
        self._missed: dict[tuple[bool, str, int | None], list[str]] = {}

    @classmethod
    def of_host(cls, system: System, note: Callable[[Gap], None]) -> NamespaceSet:
        """Find every network namespace of the host."""
        found = search.list_all(system.files)
        for gap in found.gaps:
            note(gap)
        return cls(system, note, found.places, found.sockets)

    @property
    def found(self) -> tuple[Namespace, ...]:
        """The namespaces that were or will be asked."""
        return tuple(place.namespace for place in self._places)

    @property
    def places(self) -> tuple[search.FoundNamespace, ...]:
        """The namespaces, with ways into them."""
        return tuple(self._places)

    def titles(self) -> dict[str, tuple[str, str]]:
        """Return how to name each namespace but this process's own, and how ``--netns`` takes it, by its label.

        A namespace without a name is named after a process in it, or after the file that holds it.
        """
        titles = {}
        for place in self._places:
            label, name = place.namespace.label, place.namespace.name
            if place.held_by == "self" or label is None:
                continue
            if name is not None:
                titles[label] = f"netns {name}", name
                continue
            pid, _, rest = place.path.removeprefix("/proc/").partition("/")
            if pid.isdecimal() and place.path.startswith("/proc/"):
                argument = pid if rest == "ns/net" else place.path
                titles[label] = f"netns of {self._process_name(int(pid))}", argument
            else:
                titles[label] = f"netns {label}", place.path
        return titles

    def _process_name(self, pid: int) -> str:
        try:
            with self._system.files.process(pid) as process:
                comm = process.read("comm").rstrip(b"\n")
        except SourceError:
            return f"pid {pid}"
        return f"{comm.decode('utf-8', 'surrogateescape')}({pid})"

    def path_of(self, label: str) -> str | None:
        """Return a file by which to enter the namespace with a label; None for this process's own."""
        return next((p.path for p in self._places if p.namespace.label == label and p.held_by != "self"), None)

    def each(self, question: Question, answer: Answer | None = None) -> Iterator[Any]:
        """Yield the results of a question in each namespace, this process's own first.

        Args:
            question: called with a visit of each; see :class:`~sockdiag.survey.workers.Visit`.
            answer: answers questions from the visits.
        """
        self._find_kept()
        yield from self._each(question, answer or _no_answer)

    def _each(self, question: Question, answer: Answer) -> Iterator[Any]:
        others = [place for place in self._places if place.held_by != "self"]
        if others:
            _import_readers()
        pool = WorkerPool(others, question, answer, self._system)
        try:
            for place in self._places:
                if place.held_by == "self":
                    for item in question(Visit(self._system, place.namespace, answer)):
                        if isinstance(item, Pause):
                            pool.serve(item.until, item.within)
                        else:
                            yield item
            for number, place in enumerate(others):
                try:
                    yield from pool.results(number)
                except SourceError as error:
                    if self._named:
                        raise
                    self._failed(place, error)
        finally:
            pool.close()
        self._note_failed()

    def _find_kept(self) -> None:
        """Find, once, the namespaces that only a socket keeps alive, by asking each socket that no known namespace lists.

        Reading all tables of a namespace takes as long as asking hundreds of sockets, so it is done only if there are
        many.
        """
        sockets, self._sockets = self._sockets, {}
        visits = (Visit(self._system, p.namespace, _no_answer) for p in self._places if p.held_by == "self")
        for inode in (inode for visit in visits for listed in _inodes(visit) for inode in listed):
            sockets.pop(inode, None)
        if len(sockets) > _ASKED_FOR_A_LOOK * len(self._places):
            for listed in self._each(_inodes, _no_answer):
                for inode in listed:
                    sockets.pop(inode, None)
        if not sockets:
            return
        from sockdiag.sources.namespaces.kept_by_sockets import find_kept

        known = {place.namespace.inode for place in self._places if place.namespace.inode is not None}
        places, gaps = find_kept(sockets, known)
        self._places += places
        for gap in gaps:
            self._note(gap)

    def _failed(self, place: search.FoundNamespace, error: SourceError) -> None:
        partly = isinstance(error, SourceTruncated)
        if not partly:
            self._places.remove(place)
            if isinstance(error, SourceUnavailable) and error.errno == ENOENT:
                return  # it has gone
        self._missed.setdefault((partly, error.reason, error.errno), []).append(str(place.namespace.label))

    def _note_failed(self) -> None:
        # A user who may not enter one namespace may enter none of hundreds: that is one gap.
        for (partly, reason, number), labels in self._missed.items():
            names = ", ".join(labels[:5]) + (", …" if len(labels) > 5 else "")
            count = f"{len(labels)} network namespaces" if len(labels) > 1 else "network namespace"
            what = "answered incompletely" if partly else "could not be entered"
            hint = "needs CAP_SYS_ADMIN: run as root" if number in (1, 13) and not partly else ""
            self._note(Gap("setns", f"{count} {what}: {reason} ({names})", number, hint))
        self._missed.clear()

    def ask(
        self,
        query: Query,
        where: Where | None,
        answer: Reduce,
        *,
        owners: Callable[[], OwnerScan],
        tables_named: bool,
        learn: Learn,
    ) -> Iterator[Any]:
        """Yield the results of *answer* for the sockets of each namespace; each socket carries its namespace.

        Args:
            query: the sockets to read.
            where: filter, applied where the sockets are read.
            answer: called with the batches of a namespace, and whether it is this process's own; if not, in a child.
            owners: scans the descriptors of all processes, whatever their namespace.
            tables_named: the user named the tables.
            learn: called once per namespace, with its label (None for this process's own), where each table was read, the
                gaps, and how many sockets the filter could not judge.
        """
        if OWNERS in query.needs:
            owners()  # once, before the workers are forked

        def question(visit: Visit) -> Iterator[tuple[Any, ...]]:
            collection = Collection(
                visit.system, query, owners=owners, tables_named=tables_named, netns=visit.namespace
            )
            unknown: list[int] = []
            batches = collection.batches()
            if where is not None:
                batches = _sifted(batches, where, unknown)
            for item in answer(batches, visit.own):
                yield item, None
            yield (
                None,
                (None if visit.own else visit.namespace.label, collection.sources, collection.gaps, sum(unknown)),
            )

        for item, end in self.each(question):
            if end is None:
                yield item
            else:
                learn(*end)

    def counters(self) -> tuple[Counters, list[Gap]]:
        """Add up the counters of all namespaces, with those of the host counted once.

        Returns:
            The sums, and what could not be read.
        """
        from sockdiag.model.counters import mib_of
        from sockdiag.model.record import NETNS
        from sockdiag.sources.proc.mib import read_counters

        sums: dict[str, int] = {}
        gaps: list[Gap] = []

        def question(visit: Visit) -> Iterator[tuple[bool, dict[str, int], list[Gap]]]:
            found, missing = read_counters(visit.system.files)
            if not visit.own:
                missing = [gap._replace(source=f"{visit.namespace.label}: {gap.source}") for gap in missing]
            yield visit.own, dict(found.values), missing

        for own, values, missing in self.each(question):
            gaps += missing
            for name, value in values.items():
                if own or mib_of(name).scope == NETNS:
                    sums[name] = sums.get(name, 0) + value
        return Counters(sums), gaps


class CapturedSet(NamespaceSet):
    """The network namespaces that a capture holds: they are read here, one after the other.

    Args:
        system: the capture, seen from the namespace that counts as this process's own.
        captured: its namespaces.
        note: called with each gap.
    """

    def __init__(self, system: System, captured: HeldNamespaces, note: Callable[[Gap], None]) -> None:
        super().__init__(system, note, captured.seen_from(system.files))
        self._captured = captured
        for gap in captured.gaps:
            note(gap)

    def _each(self, question: Question, answer: Answer) -> Iterator[Any]:
        for place in self._places:
            own = place.held_by == "self"
            system = self._system if own else self._captured.system(place.namespace)
            for item in question(Visit(system, place.namespace, answer, None if own else place.path)):
                # The moments of a capture have passed.
                if not isinstance(item, Pause):
                    yield item


def _import_readers() -> None:
    """Import what reading sockets imports on demand, before workers are forked.

    Otherwise each worker imports it again, and one that is forked while another thread of the program imports the same
    module waits for that thread, which it does not have.
    """
    for name in _READERS:
        __import__(name)


def rows(batches: Iterator[Batch], own: bool) -> Iterator[Batch]:
    """Answer with the sockets themselves; from a worker, in pieces of a size that suits a pipe."""
    for batch in batches:
        if own or batch.columns is not None:
            yield batch
        else:
            sockets = batch.sockets()
            while some := list(islice(sockets, _ROWS)):
                yield Batch.of(some)


def _sifted(batches: Iterator[Batch], where: Where, unknown: list[int]) -> Iterator[Batch]:
    for batch in batches:
        chosen, undecided = where.sift(batch)
        unknown.append(undecided)
        if chosen is not None:
            yield chosen


def _inodes(visit: Visit) -> Iterator[array[int]]:
    # Gaps are dropped here: the main question reports them. It may be about few tables, so no modules are loaded for the others.
    for batch in Collection(asked_quietly(visit.system), Query(), owners=_nobody).batches():
        yield array("Q", filter(None, batch.values("inode")))


def _nobody() -> OwnerScan:
    raise AssertionError("owners were not requested")


def _no_answer(_what: Any) -> None:
    return None
