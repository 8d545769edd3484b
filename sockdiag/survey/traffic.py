"""Measure traffic: read the sockets of each namespace twice, and compare."""

from __future__ import annotations

import time

from sockdiag.analysis.traffic_rows import TrafficTotals
from sockdiag.errors import ParseError
from sockdiag.kernel.tcp_states import STATE_NUMBERS
from sockdiag.model.provenance import Gap
from sockdiag.model.query import OWNERS, PROC, SKMEM, TCP_INFO
from sockdiag.model.record import Record, field
from sockdiag.survey.per_namespace import in_each
from sockdiag.survey.sample import tables_of
from sockdiag.survey.workers import Pause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from typing import Any

    from sockdiag.analysis.traffic import GroupSums
    from sockdiag.analysis.traffic_ends import Ends
    from sockdiag.analysis.traffic_rows import EndedConnection, Traffic, TrafficGroup
    from sockdiag.filter.where import Where
    from sockdiag.model.batch import Batch
    from sockdiag.model.query import Query
    from sockdiag.model.socket import Owner, Socket
    from sockdiag.sources.system.destroy_events import DestroyEvents
    from sockdiag.survey.reader import SystemReader

# Tables with counters of bytes, and those whose sockets count what they drop.
TABLES = ("tcp", "udp", "udplite", "raw", "netlink", "packet")

# Connections: a listener transfers nothing, and the kernel keeps no counters of TIME_WAIT and SYN_RECV.
_CONNECTED = sum(
    1 << STATE_NUMBERS[name]
    for name in ("ESTABLISHED", "SYN_SENT", "FIN_WAIT1", "FIN_WAIT2", "CLOSE_WAIT", "LAST_ACK", "CLOSING")
)


class Measuring(Record):
    """What is to be measured."""

    interval_s: float | None = field("Seconds between two samples; None for a single sample.", default=None)
    by: tuple[str, ...] = field("Keys to group by; none for one row per socket.", default=())
    idle: bool = field("Also return sockets that transferred nothing.", default=False)
    order: int | None = field("Place in Traffic of the field to sort by; None for the busiest first.", default=None)
    descending: bool = field("The largest value first.", default=False)
    most: int | None = field("Number of rows to return; None for all.", default=None)
    owners: bool = field("Name the processes of the rows.", default=False)


class TrafficFound:
    """The traffic of all namespaces that were measured.

    Attributes:
        seconds: time between the two samples; None for a single sample. Of several namespaces: of this process's own.
        longest_s: the longest such time of all namespaces.
        rows: one per socket, in order; of several namespaces, those of each in order.
        groups: one per group, in no order.
        ended: the connections that ended.
        total: of all sockets.
    """

    __slots__ = ("_sums", "ended", "groups", "longest_s", "rows", "seconds", "total")

    def __init__(self) -> None:
        self.seconds: float | None = None
        self.longest_s: float | None = None
        self.rows: list[Traffic] = []
        self.groups: list[TrafficGroup] = []
        self.ended: list[EndedConnection] = []
        self.total = TrafficTotals(0, 0, 0, 0, 0, None, None, None, None, None)
        self._sums: dict[Any, tuple[tuple[Any, ...], GroupSums]] = {}

    def add(
        self,
        own: bool,
        seconds: float | None,
        rows: list[Traffic],
        sums: list[tuple[tuple[Any, ...], GroupSums]],
        ended: list[EndedConnection],
        totals: TrafficTotals,
    ) -> None:
        """Add the traffic of a namespace; *own* if it is this process's own."""
        from sockdiag.analysis.traffic import add_totals

        if own or self.seconds is None:
            self.seconds = seconds
        if seconds is not None:
            self.longest_s = max(seconds, self.longest_s or 0.0)
        self.rows += rows
        self.ended += ended
        self.total = add_totals((self.total, totals))
        for names, part in sums:
            part.over(seconds)
            _key, pid, keys = names
            identity = (*keys.values(), pid)
            if identity in self._sums:
                self._sums[identity][1].add(part)
            else:
                self._sums[identity] = names, part

    def close(self) -> None:
        """Make the groups, when all namespaces have been added."""
        self.groups = [sums.record(names) for names, sums in self._sums.values()]


def measure(survey: SystemReader, how: Measuring, where: Where | None = None) -> TrafficFound:
    """Read the sockets of every namespace that a survey covers, twice, and return what they transferred in between."""
    from sockdiag.analysis.traffic import Comparison, FirstSample

    query = _query(survey, where)
    by_owner = bool(how.by) and survey.grouping(how.by, {}).owned
    filtered = where is not None and TCP_INFO in where.needs
    look_up = by_owner or (where is not None and OWNERS in where.needs)

    def steps(there: SystemReader) -> Iterator[Pause | tuple[Any, ...]]:
        first = None
        holders = _SocketOwners(there)
        listener = _EndListener(there, query) if how.interval_s else None
        if how.interval_s:
            earlier = there.at(there.system.moments[0]) if there.system.moments else there
            at = earlier.system.monotonic()
            first = FirstSample(at, _read(earlier, query), () if filtered else ("tcp_info",))
            if look_up:
                holders.put(first.batches)
            if earlier is there:
                yield Pause(at + how.interval_s)
                there.host.forget_owners()
        at = there.system.monotonic()
        seconds = None if first is None else round(at - first.at, 6)
        batches: Iterable[Batch] = _read(there, query)
        if look_up or survey.namespaces is not None:
            batches = list(batches)
        if look_up:
            holders.put(batches)
        yield Pause()  # until all others have been sampled again
        sift = _Sift(where)
        grouping = there.grouping(how.by, holders.owners) if how.by else None
        compared = Comparison(first, seconds, sift, grouping, idle=how.idle)
        for batch in batches:
            compared.add(batch)
        if listener is not None and first is not None:
            compared.end(listener.ends(first.unseen()))
        rows = compared.shown(how.order, descending=how.descending, most=how.most)
        if how.owners and not look_up:
            rows = holders.named(rows)
        sift.note(there)
        _note_sources(there)
        shown = [] if grouping is None else [(grouping.shown(group), sums) for group, sums in compared.sums.items()]
        yield there.own, seconds, rows, shown, compared.ended, compared.totals()

    found = TrafficFound()
    for part in in_each(survey, steps):
        found.add(*part)
    found.close()
    return found


def _query(survey: SystemReader, where: Where | None) -> Query:
    # The filter applies to the second sample: a state that it names may be another one in the first.
    query = survey.query((), where)
    tables = tuple(table for table in query.tables if table in TABLES)
    wide = survey.query()
    return query._replace(tables=tables, states=wide.states, bytecode=b"", needs=query.needs - {OWNERS})


def _read(survey: SystemReader, query: Query) -> Iterator[Batch]:
    if "tcp" in query.tables:
        connected = query._replace(tables=("tcp",), states=query.states & _CONNECTED, needs=query.needs | {TCP_INFO})
        yield from survey.batches(connected)
    others = tuple(table for table in query.tables if table != "tcp")
    if others:
        yield from survey.batches(query._replace(tables=others, needs=query.needs | {SKMEM}))


class _Sift:
    """Apply a filter, and count the sockets that it could not judge."""

    def __init__(self, where: Where | None) -> None:
        self._where = where
        self._undecided = 0

    def __call__(self, batch: Batch) -> Batch | None:
        if self._where is None:
            return batch
        passed, unknown = self._where.sift(batch)
        self._undecided += unknown
        return passed

    def note(self, survey: SystemReader) -> None:
        survey.note_undecided(self._undecided)


# How long the kernel's worker may take to report the end of a connection. Before the first sample what it reports within
# that time is passed over, after the second it still counts: so the interval is as long as that of the samples.
_LATE_S = 0.04
# How long it is waited for the end of a connection that has gone: a process may still hold the socket.
_MISSED_S = 0.1


class _EndListener:
    """Listens for connections that end."""

    def __init__(self, survey: SystemReader, query: Query) -> None:
        self._survey = survey
        self._query = query._replace(tables=("tcp",), states=1 << STATE_NUMBERS["LISTEN"], needs=frozenset())
        self._listening: set[int] = set()
        self._events: DestroyEvents | None = None
        if "tcp" not in query.tables or query.source == PROC or not survey.system.files.live:
            return
        from sockdiag.sources.system.destroy_events import DestroyEvents

        self._events = survey.attempt(lambda: DestroyEvents(survey.system.modules))
        self._note_listeners()
        if self._events is not None:
            for _earlier in self._events.read(_LATE_S):
                pass

    def _note_listeners(self) -> None:
        for batch in self._survey.batches(self._query):
            self._listening.update(batch.values("local.port"))

    def ends(self, gone: Collection[int]) -> Ends:
        """Return the connections that ended since it was made; stop listening.

        Args:
            gone: cookies of connections that are known to have ended.
        """
        from sockdiag.analysis.traffic_ends import Ends
        from sockdiag.sources.system.destroy_events import SOURCE

        events = self._events
        if events is None:
            return Ends(None, ())
        self._note_listeners()
        found: dict[int, Socket] = {}
        self._take(events, _LATE_S, found, None)
        missing = {cookie for cookie in gone if cookie not in found}
        until = time.monotonic() + _MISSED_S
        while missing and time.monotonic() < until:
            self._take(events, _LATE_S, found, missing)
            missing.difference_update(found)
        if events.lost:
            self._survey.note(Gap(SOURCE, "connections ended faster than their ends were read: some are missing"))
        events.close()
        return Ends(found, self._listening)

    def _take(self, events: DestroyEvents, seconds: float, found: dict[int, Socket], wanted: set[int] | None) -> None:
        from sockdiag.sources.netlink.inet_diag import decode
        from sockdiag.sources.system.destroy_events import SOURCE
        from sockdiag.sources.system.interfaces import interface_names
        from sockdiag.sources.system.kernel_version import kernel_version

        files = self._survey.system.files
        names, version = interface_names(files), kernel_version(files)
        for message in events.read(seconds):
            try:
                socket = decode(message, "tcp", names, SOURCE, version)
            except ParseError as error:
                self._survey.note(Gap.from_error(error))
                continue
            if socket.cookie is not None and (wanted is None or socket.cookie in wanted):
                found[socket.cookie] = socket._replace(netns=self._survey.netns.label)


class _SocketOwners:
    """The processes that hold sockets, as they were found after each sample."""

    def __init__(self, survey: SystemReader) -> None:
        self._survey = survey
        self.owners: dict[int, tuple[Owner, ...]] = {}
        # For a socket whose process is not found: it has none, or, if some could not be examined, unknown.
        self._nobody: tuple[()] | None = ()

    def put(self, batches: Iterable[Batch]) -> None:
        """Look up the owners of the sockets of some batches, and add them."""
        batches = list(batches)
        self._look_up([inode for batch in batches for inode in batch.values("inode") if inode])
        for batch in batches:
            batch.put("processes", list(map(self._of, batch.values("inode"))))

    def named(self, rows: list[Traffic]) -> list[Traffic]:
        """Return rows with the owners of their sockets."""
        self._look_up([row.socket.inode for row in rows if row.socket.inode])
        return [row._replace(socket=row.socket._replace(processes=self._of(row.socket.inode))) for row in rows]

    def _look_up(self, inodes: list[int]) -> None:
        found, gaps = self._survey.host.owners(inodes)
        self.owners.update((inode, owners) for inode, owners in found.items() if owners)
        if gaps:
            self._nobody = None
        for gap in gaps:
            self._survey.note(gap)

    def _of(self, inode: int | None) -> tuple[Owner, ...] | None:
        return self.owners.get(inode, self._nobody) if inode else ()


def _note_sources(survey: SystemReader) -> None:
    if survey.sources.get("tcp") == PROC and not any("tcp" in tables_of(gap) for gap in survey.gaps):
        survey.note(Gap("/proc/net/tcp", "it has no counters of bytes and packets", None, "use netlink"))
