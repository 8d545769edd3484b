"""Trace what happens to the sockets of a network namespace, through tracepoints."""

from __future__ import annotations

import os
import time

from sockdiag.analysis.trace_events import FIELDS, Interpreter, finished
from sockdiag.analysis.trace_sockets import TracedSockets
from sockdiag.errors import ParseError, SourceError, UsageError, unknown
from sockdiag.kernel.tracepoints import ALL_KINDS, FIELDS_SINCE, KFREE_SKB, KINDS, SET_STATE, SINCE, UDP_FAIL
from sockdiag.model.provenance import Gap
from sockdiag.model.query import OWNERS
from sockdiag.model.socket import Owner, Socket
from sockdiag.sources.process.cgroup import parse_cgroup
from sockdiag.sources.tracefs.instance import TraceInstance
from sockdiag.sources.tracefs.ring import TracePage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Self

    from sockdiag.analysis.trace_events import Happened
    from sockdiag.filter.where import Where
    from sockdiag.model.trace_event import TraceEvent
    from sockdiag.sources.tracefs.formats import EventReader, TraceFormat
    from sockdiag.survey.reader import SystemReader

    # Time, CPU, tracepoint, values.
    _Raw = tuple[int, int, str, tuple[int | bytes | None, ...]]

# Pages of one CPU that are read before those of the next: 3 % of a second at 50,000 events/s.
_PAGES = 16
_PAUSE_S = 0.1
# How long the process of a task is believed to be the same.
_TASK_S = 1.0
# How often UDP sockets are listed while datagrams are dropped.
_RELIST_S = 1.0
_TABLES = ("tcp", "udp", "udplite")


def kinds_of(words: Iterable[str]) -> tuple[str, ...]:
    """Return what is to be traced, of words that may hold several, separated by commas.

    Raises:
        UsageError: there is no such kind of event.
    """
    names = [name.strip() for word in words for name in word.split(",") if name.strip()]
    for name in names:
        if name not in KINDS and name != ALL_KINDS:
            raise UsageError(unknown("kind of event", name, (*KINDS, ALL_KINDS)))
    if not names:
        raise UsageError(f"name what to trace: {', '.join((*KINDS, ALL_KINDS))}")
    return tuple(kind for kind in KINDS if kind in names or ALL_KINDS in names)


class Tracer:
    """A trace of one network namespace; a context that leaves nothing behind.

    Args:
        survey: the system; gaps are noted there.
        kinds: what is traced, of KINDS.
        where: only events whose socket passes.
        noise: also drops without a reason or without a socket.

    Attributes:
        undecided: events that the filter could not judge.

    Raises:
        SourceError: tracefs cannot be used.
    """

    def __init__(self, survey: SystemReader, kinds: Iterable[str], where: Where | None, *, noise: bool = False) -> None:
        self._survey = survey
        self._where = where
        self._netns = survey.netns.label
        self._own_inode = survey.netns.inode
        self.undecided = 0
        self._tasks: dict[int, tuple[float, Owner | None, bool | None]] = {}
        self._names: dict[int, bytes] | None = None
        self._addresses: dict[str, bool | None] = {}
        self._local = _local_addresses(survey)
        self._readers: dict[int, tuple[str, EventReader]] = {}
        self._pending: list[_Raw] = []
        self._second = (-1, "")
        self._listed = 0.0
        # Processes that had sockets in this namespace at the beginning.
        self._here: set[int] = set()
        self._known = 0
        self._epoch_ns = time.time_ns() - time.monotonic_ns()
        points = [point for kind in kinds for point in KINDS[kind]]
        self._instance = TraceInstance()
        try:
            symbols = self._prepare(dict.fromkeys((*points, SET_STATE)), frozenset(points), noise=noise)
            self._sockets = TracedSockets(self._task, self._is_local)
            self._interpreter = Interpreter(self._sockets, symbols, frozenset(points))
            self._pipes = self._instance.pipes()
            self._learn()
        except BaseException:
            self._instance.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._instance.close()

    def lost(self) -> int:
        """Return how many events the kernel could not keep."""
        return self._instance.lost()

    def batches(self, until: Callable[[], float | None]) -> Iterator[list[TraceEvent]]:
        """Yield events in the order of time, in lists that may be empty, several times per second.

        Args:
            until: returns the seconds that are left; None for no end.
        """
        while True:
            left = until()
            ends = left is not None and left <= 0
            more = self._read()
            yield self._events(ends=ends and not more)
            if more:
                continue
            if ends:
                return
            time.sleep(_PAUSE_S if left is None else min(_PAUSE_S, max(left, 0.0)))

    def _prepare(
        self, points: Iterable[str], wanted: frozenset[str], *, noise: bool
    ) -> dict[tuple[str, str], dict[int, str]]:
        """Enable the tracepoints, and return their symbols."""
        symbols: dict[tuple[str, str], dict[int, str]] = {}
        for point in points:
            layout = self._survey.attempt(lambda name=point: self._instance.format_of(name))  # type: ignore[misc]
            if layout is None:
                self._lacks(point, None, f"since Linux {SINCE[point]}")
                continue
            reader = layout.reader(FIELDS[point])
            for (of, field), (since, means) in FIELDS_SINCE.items():
                if of == point and field in reader.absent and point in wanted:
                    self._lacks(point, field, f"since Linux {since}: {means}")
            if point == KFREE_SKB and "reason" in reader.absent:
                continue
            self._readers[layout.id] = (point, reader)
            symbols.update(((point, field), names) for field, names in layout.symbols.items())
            self._instance.enable(point, _condition(point, layout, noise=noise))
        return symbols

    def _lacks(self, point: str, field: str | None, since: str) -> None:
        what = f"tracepoint {point}" if field is None else f"{field} of tracepoint {point}"
        self._survey.note(Gap(f"tracefs/events/{point}", f"this kernel has no {what}, which exists {since}"))

    def _learn(self) -> None:
        from sockdiag.model.batch import all_sockets

        survey = self._survey
        query = survey.query([OWNERS])._replace(tables=_TABLES)
        sockets = list(all_sockets(survey.batches(query)))
        self._sockets.learn(sockets)
        self._here = {owner.pid for socket in sockets for owner in socket.processes or ()}
        self._sockets.complete = not any("tcp" in gap.source for gap in survey.gaps if "tracefs" not in gap.source)

    def _relearn(self) -> None:
        """List UDP sockets again, once per second: no event says when one is made."""
        from sockdiag.model.batch import all_sockets

        now = time.monotonic()
        if now - self._listed < _RELIST_S:
            return
        self._listed = now
        apart = self._survey.apart()
        self._sockets.learn(all_sockets(apart.batches(apart.query()._replace(tables=_TABLES[1:]))), again=True)

    def _read(self) -> bool:
        """Read what the CPUs have; return whether there may be more."""
        pending, readers, layout = self._pending, self._readers, self._instance.layout
        # Whatever was complete by now is read below, unless a CPU has more pages.
        known = time.monotonic_ns()
        more = False
        for cpu, fd in self._pipes:
            last = 0
            for pages, page in enumerate(self._instance.pages(fd), 1):
                read = TracePage(page, layout)
                if read.missed != 0:
                    self._sockets.complete = False
                for at, number, offset, length in read.events():
                    found = readers.get(number)
                    last = at
                    if found is not None and length >= found[1].length:
                        pending.append((at, cpu, found[0], found[1].read(page, offset)))
                if pages >= _PAGES:
                    more = True
                    known = min(known, last or known)
                    break
        pending.sort(key=_time)
        self._known = known
        return more

    def _events(self, *, ends: bool) -> list[TraceEvent]:
        pending, known = self._pending, self._known
        ready = len(pending)
        if not ends:
            while ready and pending[ready - 1][0] > known:
                ready -= 1
        found: list[Happened] = []
        take = self._interpreter.take
        if any(raw[2] == UDP_FAIL for raw in pending[:ready]):
            self._relearn()
        for at, cpu, point, values in pending[:ready]:
            found += take(point, at, cpu, values)
        del pending[:ready]
        if not pending or ends:
            found += self._interpreter.rest()
        self._names = None
        return [event for one in found if (event := self._shown(one)) is not None]

    def _shown(self, one: Happened) -> TraceEvent | None:
        known = one.known
        if known is not None and known.ours is False:
            return None
        sure = known is not None and known.ours and known.cookie and known.peer.port
        if not sure and one.local.port is not None and self._sockets.is_foreign(one.local):
            return None
        event = finished(one, self._text(one.at), self._netns)
        if self._where is not None:
            answer = self._where.match(_socket(event))
            if answer is None:
                self.undecided += 1
            if not answer:
                return None
        return event

    def _text(self, at: int) -> str:
        second, rest = divmod(at + self._epoch_ns, 1_000_000_000)
        if second != self._second[0]:
            self._second = (second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
        return f"{self._second[1]}.{rest // 1000:06d}Z"

    def _is_local(self, address: str) -> bool | None:
        if address not in self._addresses:
            if len(self._addresses) > 10_000:
                self._addresses.clear()
            self._addresses[address] = self._local(address)
        return self._addresses[address]

    def _task(self, tid: int) -> tuple[Owner | None, bool | None]:
        now = time.monotonic()
        found = self._tasks.get(tid)
        if found is None or now - found[0] > _TASK_S:
            if len(self._tasks) > 10_000:
                self._tasks.clear()
            found = self._tasks[tid] = (now, *self._look_up(tid))
        return found[1], found[2]

    def _look_up(self, tid: int) -> tuple[Owner | None, bool | None]:
        files = self._survey.system.files
        try:
            with files.process(tid) as process:
                pid = _group(process.read("status")) or tid
                comm = process.read("comm").removesuffix(b"\n")
                cgroup, _errors = parse_cgroup(process.read("cgroup"), f"/proc/{tid}/cgroup")
                inode = files.inode(f"/proc/{tid}/ns/net")
        except (SourceError, ParseError):
            # It has ended; the kernel may remember its name.
            if self._names is None:
                self._names = self._instance.task_names()
            return Owner(tid, self._names.get(tid), -1), True if tid in self._here else None
        ours = None if self._own_inode is None else inode == self._own_inode
        return Owner(pid, comm, -1, None, cgroup.container, cgroup.unit), ours


def _time(raw: _Raw) -> int:
    return raw[0]


def _condition(point: str, layout: TraceFormat, *, noise: bool) -> str:
    """Return the kernel's filter for a tracepoint: what nobody asked for costs next to nothing."""
    if point == SET_STATE and "protocol" in layout.fields:
        return "protocol == 6"
    if point == KFREE_SKB:
        least = layout.number("reason", "NOT_SPECIFIED")
        parts = [] if least is None else [f"reason {'>=' if noise else '>'} {least}"]
        if not noise and "rx_sk" in layout.fields:
            parts.append("rx_sk != 0")
        return " && ".join(parts)
    return ""


def _group(status: bytes) -> int | None:
    for line in status.splitlines():
        if line.startswith(b"Tgid:") and line[5:].strip().isdigit():
            return int(line[5:])
    return None


def _local_addresses(survey: SystemReader) -> Callable[[str], bool | None]:
    from _socket import AF_INET, AF_INET6, inet_pton  # start-up: docs/rejected.md

    from sockdiag.sources.proc.net_addresses import read_local_addresses

    def read(address: str) -> bool | None:
        # Read anew for each address that was not asked for before: addresses come and go.
        found = survey.attempt(lambda: read_local_addresses(survey.system.files))
        if found is None:
            return None
        try:
            return found.has(inet_pton(AF_INET6 if ":" in address else AF_INET, address))
        except OSError:
            return None

    return read


def _socket(event: TraceEvent) -> Socket:
    """Make the socket of an event, for filters."""
    address = event.local.address or event.peer.address
    family = "AF_INET6" if isinstance(address, str) and ":" in address else "AF_INET"
    owner = () if event.pid is None else (Owner(event.pid, event.process, -1, None, event.container, event.unit),)
    return Socket(
        netid=event.netid or "tcp",
        family=family,
        state=event.state,
        local=event.local,
        peer=event.peer,
        inode=event.inode,
        cookie=event.cookie,
        processes=owner or None,
        netns=event.netns,
    )


def matcher(text: str) -> Callable[[TraceEvent], bool]:
    """Return whether an event is of a process, which a number or the pattern of a name stands for."""
    if text.isdecimal() and text.isascii():
        pid = int(text)
        return lambda event: event.pid == pid
    from fnmatch import fnmatchcase

    return lambda event: event.process is not None and fnmatchcase(os.fsdecode(event.process), text)
