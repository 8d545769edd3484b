"""Trace what happens to the sockets of a network namespace, through tracepoints."""

from __future__ import annotations

import os
import time
from collections import deque

from sockdiag.analysis.trace_events import FIELDS, Interpreter, finished
from sockdiag.analysis.trace_sockets import TracedSockets
from sockdiag.errors import UsageError, unknown
from sockdiag.filter.tracepoint import WITH_ADDRESSES, WITH_FAMILY, WITH_PORTS, event_condition
from sockdiag.kernel.tracepoints import ALL_KINDS, DESTROY_SOCK, FIELDS_SINCE, KFREE_SKB, KINDS, SET_STATE, SINCE
from sockdiag.model.address import ANYWHERE, is_loopback, plain_address
from sockdiag.model.provenance import Gap
from sockdiag.model.query import OWNERS, SKMEM
from sockdiag.model.socket import Owner, Socket
from sockdiag.sources.tracefs.instance import TraceInstance
from sockdiag.sources.tracefs.ring import TracePage
from sockdiag.survey.trace_drops import TABLES as UDP_TABLES
from sockdiag.survey.trace_drops import DropWitness
from sockdiag.survey.trace_pointers import PointerWitness
from sockdiag.survey.trace_tasks import TraceTasks
from sockdiag.survey.trace_witness import PATIENCE_S, NamespaceWitness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Self

    from sockdiag.analysis.trace_events import Happened
    from sockdiag.analysis.trace_sockets import KnownSocket
    from sockdiag.filter.where import Where
    from sockdiag.model.trace_event import TraceEvent
    from sockdiag.sources.tracefs.formats import EventReader, TraceFormat
    from sockdiag.survey.reader import SystemReader

    # Time, CPU, tracepoint, values.
    _Raw = tuple[int, int, str, tuple[int | bytes | None, ...]]

# Pages of one CPU that are read before those of the next: 3 % of a second at 50,000 events/s.
_PAGES = 16
# Events that wait for those of other CPUs: 10 MB.
_MOST_PENDING = 20_000
_PAUSE_S = 0.1
# How often the kernel is asked for a socket before it counts as another namespace's.
_QUESTIONS = 3
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
        socketless: also drops without a socket.

    Attributes:
        undecided: events that the filter could not judge.

    Raises:
        SourceError: tracefs cannot be used.
    """

    def __init__(
        self,
        survey: SystemReader,
        kinds: Iterable[str],
        where: Where | None,
        *,
        noise: bool = False,
        socketless: bool = False,
    ) -> None:
        self._survey = survey
        self._where = where
        self._netns = survey.netns.label
        self.undecided = 0
        self._addresses: dict[str, bool | None] = {}
        self._local = _local_addresses(survey)
        self._readers: dict[int, tuple[str, EventReader]] = {}
        self._pending: list[_Raw] = []
        # When it was read, and the event.
        self._held: deque[tuple[float, Happened]] = deque()
        self._second = (-1, "")
        self._known = 0
        # By CPU, the time up to which its events have been read.
        self._reached: dict[int, int] = {}
        self._epoch_ns = time.time_ns() - time.monotonic_ns()
        points = [point for kind in kinds for point in KINDS[kind]]
        self._instance = TraceInstance()
        self._tasks = TraceTasks(survey, self._instance)
        self._witness: NamespaceWitness | None = None
        self._pointers: PointerWitness | None = None
        self._sockets = TracedSockets(self._tasks.owner)
        try:
            self._noise, self._socketless = noise, noise or socketless
            symbols = self._prepare(dict.fromkeys((*points, SET_STATE, DESTROY_SOCK)), frozenset(points))
            enabled = frozenset(point for point, _reader in self._readers.values())
            self._interpreter = Interpreter(self._sockets, symbols, enabled.intersection(points))
            self._witness = NamespaceWitness(survey)
            self._drops = DropWitness(survey, self._sockets)
            self._pipes = self._instance.pipes()
            self._learn()
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._close()

    def _close(self) -> None:
        self._tasks.close()
        if self._witness is not None:
            self._witness.close()
        if self._pointers is not None:
            self._pointers.close()
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
            yield self._events(last=ends and not more)
            if more:
                continue
            if ends:
                while self._held:
                    time.sleep(_PAUSE_S / 2)
                    yield self._shown_of_held()
                return
            time.sleep(_PAUSE_S if left is None else min(_PAUSE_S, max(left, 0.0)))

    def _prepare(self, points: Iterable[str], wanted: frozenset[str]) -> dict[tuple[str, str], dict[int, str]]:
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
            condition = _condition(point, layout, self._where, noise=self._noise, socketless=self._socketless)
            if point == KFREE_SKB and "rx_sk" not in reader.absent:
                self._pointers = PointerWitness(self._survey, self._sockets, condition)
            self._instance.enable(point, condition)
            if point == SET_STATE:
                self._tasks.watch(layout.id, condition)
        return symbols

    def _lacks(self, point: str, field: str | None, since: str) -> None:
        what = f"tracepoint {point}" if field is None else f"{field} of tracepoint {point}"
        self._survey.note(Gap(f"tracefs/events/{point}", f"this kernel has no {what}, which exists {since}"))

    def _learn(self) -> None:
        from sockdiag.model.batch import all_sockets

        survey = self._survey
        query = survey.query([OWNERS, SKMEM])._replace(tables=_TABLES)
        sockets = list(all_sockets(survey.batches(query)))
        for known in self._sockets.learn(sockets):
            if self._witness is not None:
                self._witness.claim(known)
        self._drops.begin([socket for socket in sockets if socket.netid in UDP_TABLES])

    def _read(self) -> bool:
        """Read what the CPUs have; return whether there may be more."""
        pending, readers, layout = self._pending, self._readers, self._instance.layout
        # Whatever was complete by now is read below, unless a CPU has more pages.
        known = read_at = time.monotonic_ns()
        more = False
        full = len(pending) > _MOST_PENDING
        for cpu, fd in self._pipes:
            last = self._reached.get(cpu, 0)
            if full and last > self._known:
                # What it has waits for the other CPUs: they go first, and the kernel keeps it meanwhile.
                known = min(known, last)
                more = True
                continue
            for pages, page in enumerate(self._instance.pages(fd), 1):
                read = TracePage(page, layout)
                for at, number, offset, length in read.events():
                    found = readers.get(number)
                    last = at
                    if found is not None and length >= found[1].length:
                        pending.append((at, cpu, found[0], found[1].read(page, offset)))
                if pages >= _PAGES:
                    more = True
                    known = min(known, last or known)
                    break
            else:
                last = read_at
            self._reached[cpu] = last
        pending.sort(key=_time)
        self._known = known
        return more

    def _events(self, *, last: bool) -> list[TraceEvent]:
        pending, known = self._pending, self._known
        ready = len(pending)
        if not last:
            while ready and pending[ready - 1][0] > known:
                ready -= 1
        self._tasks.read()
        found: list[Happened] = []
        take = self._interpreter.take
        for at, cpu, point, values in pending[:ready]:
            found += take(point, at, cpu, values)
        del pending[:ready]
        found += self._interpreter.rest(None if last else known)
        by_pointer = self._pointers is not None and self._pointers.works
        unknown = [
            one for one in found if one.event == "drop" and one.known is None and not (by_pointer and one.pointer)
        ]
        if any(one.netid == "udp" for one in unknown):
            self._drops.read()
            self._drops.decide([one for one in unknown if one.netid == "udp"])
        now = time.monotonic()
        self._held.extend([(now, one) for one in found])
        return self._shown_of_held()

    def _shown_of_held(self) -> list[TraceEvent]:
        """Return the events whose sockets are decided, in the order of time."""
        held = self._held
        if not held:
            return []
        if self._witness is not None:
            self._witness.read()
        if self._pointers is not None:
            self._pointers.prepare({one.pointer for _since, one in held if one.known is None})
        now = time.monotonic()
        self._decide_by_count([one for since, one in held if now - since > PATIENCE_S])
        events: list[TraceEvent] = []
        while held:
            since, one = held[0]
            if not self._decided(one, now - since):
                break
            held.popleft()
            event = self._shown(one)
            if event is not None:
                events.append(event)
        return events

    def _decide_by_count(self, waiting: list[Happened]) -> None:
        """Find the sockets of drops whose pointer could not be looked up in time, by what the sockets have counted.

        A burst may come while the pointers of others are read.
        """
        drops = [one for one in waiting if one.known is None and one.pointer and one.netid == "udp"]
        drops = [one for one in drops if self._pointers is not None and not self._pointers.find(one.pointer)[0]]
        if drops:
            self._drops.read()
            self._drops.decide(drops)
            for one in drops:
                one.pointer = 0

    def _decided(self, one: Happened, waited: float) -> bool:
        """Find out whether an event is of this network namespace; return whether it is to be shown now."""
        if one.known is None and one.pointer and self._pointers is not None and self._pointers.works:
            sure, one.known = self._pointers.find(one.pointer)
            one.elsewhere = sure and one.known is None
            if one.known is not None and one.netid == "udp":
                self._drops.explain(one.known)
            if not sure:
                return waited > PATIENCE_S
        known, witness = one.known, self._witness
        if known is None or known.netid != "tcp" or known.ours is False or witness is None:
            return True
        ends = known.state == "CLOSE"
        if known.ours is None:
            self._ask(known, witness, waited)
        elif ends and not known.end and known.destroyed:
            witness.end_of(known)
        if waited > PATIENCE_S:
            return True
        if known.ours is None:
            return False
        # The last figures of a connection come with the announcement of its end.
        return not (known.ours and ends and known.destroyed and known.end is None and one.state == "CLOSE")

    def _ask(self, known: KnownSocket, witness: NamespaceWitness, waited: float) -> None:
        if witness.end_of(known):
            return
        alive = known.state != "CLOSE"
        if alive and not known.local.port:
            # It has no port before connect(2) chooses one, and cannot be asked for; who opens it is there.
            known.ours = known.hint
            return
        if alive and known.asked < _QUESTIONS:
            known.asked += 1
            if witness.has(known):
                return
        if known.hint is not None and not alive and not known.destroyed:
            # A socket that failed to connect is in no table as long as its process keeps it.
            known.ours = known.hint
        elif waited > PATIENCE_S and witness.complete and (alive or known.destroyed):
            self._sockets.is_elsewhere(known)
        elif waited > PATIENCE_S:
            known.ours = known.hint

    def _shown(self, one: Happened) -> TraceEvent | None:
        ours = self._is_ours(one)
        if ours is False:
            return None
        if ours and one.known is None and len(one.among) == 1 and one.among[0].ours:
            one.known = one.among[0]
        event = finished(one, self._text(one.at), self._netns if ours else None)
        if self._where is not None:
            answer = self._where.match(_socket(event))
            if answer is None:
                self.undecided += 1
            if not answer:
                return None
        return event

    def _is_ours(self, one: Happened) -> bool | None:
        known = one.known
        if known is not None:
            return known.ours
        if one.elsewhere:
            return False
        address = plain_address(one.local.address)
        if not isinstance(address, str) or address in ANYWHERE:
            return None
        if not is_loopback(address):
            return self._is_local(address)
        other = self._sockets.other_end(one.local, one.peer) if one.netid == "tcp" else None
        return None if other is None else other.ours

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


def _time(raw: _Raw) -> int:
    return raw[0]


def _condition(point: str, layout: TraceFormat, where: Where | None, *, noise: bool, socketless: bool) -> str:
    """Return the kernel's filter for a tracepoint: what nobody asked for costs next to nothing."""
    parts = []
    if point == KFREE_SKB:
        least = layout.number("reason", "NOT_SPECIFIED")
        if least is not None:
            parts.append(f"reason {'>=' if noise else '>'} {least}")
        if not socketless and "rx_sk" in layout.fields:
            parts.append("rx_sk != 0")
    if point == SET_STATE and "protocol" in layout.fields:
        parts.append("protocol == 6")
    ends = "" if where is None else event_condition(where.tree, _having(layout))
    if ends and point in (SET_STATE, DESTROY_SOCK):
        # A connection has no port before it is opened, and none of the peer after it has failed.
        ends = f"({ends} || sport == 0 || dport == 0)"
    if ends:
        parts.append(ends)
    return " && ".join(parts)


def _having(layout: TraceFormat) -> set[str]:
    """Return what the kernel can compare in the events of a tracepoint."""
    fields = layout.fields
    sizes = {name: fields[name].size for name in ("sport", "dport", "saddr", "daddr") if name in fields}
    having = set()
    if {"sport", "dport"} <= sizes.keys():
        having.add(WITH_PORTS)
    if having and sizes.get("saddr") == sizes.get("daddr") == 4:
        having.add(WITH_ADDRESSES)
    if having and "family" in fields:
        having.add(WITH_FAMILY)
    return having


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
