"""One look at a system: everything that the screens of ``top`` show of one moment, and what changed since the last one."""

from __future__ import annotations

import contextlib
from bisect import bisect_right

from sockdiag.model.batch import identities

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from sockdiag.analysis.listeners import Listener
    from sockdiag.analysis.losses import Loss
    from sockdiag.analysis.memory import ProtocolMemory
    from sockdiag.analysis.path import PathStage
    from sockdiag.judging.case import Case
    from sockdiag.judging.judge import Judgement
    from sockdiag.model.batch import Batch
    from sockdiag.model.finding import Finding
    from sockdiag.model.provenance import Gap
    from sockdiag.model.sample import Sample
    from sockdiag.model.socket import Socket
    from sockdiag.survey.diagnose import Diagnosis

# What is compared with the last look, and kept for the sockets in which one of them is not zero.
LEVELS = ("recv_q", "send_q", "skmem.drops")
_IN = ("IpExt.InOctets", "Ip6.InOctets")
_OUT = ("IpExt.OutOctets", "Ip6.OutOctets")


class LimitLevel:
    """How much of a limit is in use.

    Attributes:
        name: of the measures (``sockdiag.analysis.measures``): ``tcp_orphans``.
        used: number in use; None if unknown.
        limit: the limit; None if unknown.
        ratio: share in use; None if unknown.
    """

    __slots__ = ("limit", "name", "ratio", "used")

    def __init__(self, name: str, used: float | None, limit: float | None, ratio: float | None) -> None:
        self.name = name
        self.used = used
        self.limit = limit
        self.ratio = ratio


# Limits that are shown beside the memory of the protocols, and the measure of what is in use.
_LEVELS = {
    "tcp_orphans": "sockets",
    "tcp_time_wait": "sockets",
    "conntrack": "entries",
    "files": "open",
}


def _levels(sample: Sample) -> list[LimitLevel]:
    from sockdiag.analysis.measures import MEASURES, value
    from sockdiag.analysis.measures.measure import Facts

    facts = Facts(sample)
    return [
        LimitLevel(name, *(value(MEASURES[f"{name}.{part}"], "", facts) for part in (used, "limit", "used_ratio")))
        for name, used in _LEVELS.items()
    ]


class Part:
    """What one network namespace contributes to a look; it travels between processes.

    Args:
        netns: label of the namespace.
        own: it is this process's own, which the figures of the host belong to.
        now: the sample.
        seconds: time since the earlier sample; None without one.
        levels: of the sockets in which one is not zero, :data:`LEVELS` by identity.
        earlier: the same of the earlier sample.
        worst: severity of the worst finding about a socket, by place (batch, row).
        listeners: with their queues.
        stages: of the path that packets take.
        losses: counters of loss.
        limits: how much of the limits is in use that this namespace sees.
        octets: IP bytes received and sent since the kernel counts; None where unknown.
        earlier_octets: the same of the earlier sample.
    """

    __slots__ = (
        "batches",
        "earlier",
        "earlier_octets",
        "levels",
        "limits",
        "listeners",
        "losses",
        "netns",
        "octets",
        "own",
        "seconds",
        "stages",
        "worst",
    )

    def __init__(
        self,
        netns: str | None,
        own: bool,
        batches: Sequence[Batch],
        seconds: float | None,
        levels: Mapping[Hashable, tuple[int, ...]],
        earlier: Mapping[Hashable, tuple[int, ...]],
        worst: Mapping[tuple[int, int], str],
        listeners: Sequence[Listener],
        stages: Sequence[PathStage],
        losses: Sequence[Loss],
        limits: Sequence[LimitLevel],
        octets: tuple[int, int] | None,
        earlier_octets: tuple[int, int] | None,
    ) -> None:
        self.netns = netns
        self.own = own
        self.batches = batches
        self.seconds = seconds
        self.levels = levels
        self.earlier = earlier
        self.worst = worst
        self.listeners = listeners
        self.stages = stages
        self.losses = losses
        self.limits = limits
        self.octets = octets
        self.earlier_octets = earlier_octets


def part_of(case: Case, judgement: Judgement, *, own: bool) -> Part:
    """Return what the screens show of a judged sample, and of the one before it."""
    from sockdiag.analysis.losses import losses
    from sockdiag.analysis.path import PathSample, path
    from sockdiag.judging.listeners import listeners_seen
    from sockdiag.model.finding import SEVERITIES
    from sockdiag.model.record import HOST

    now, before = case.now, case.before
    seconds = None if before is None else now.at - before.at
    places = {id(batch): place for place, batch in enumerate(now.batches)}
    worst: dict[tuple[int, int], str] = {}
    for severity in reversed(SEVERITIES):
        for hit in judgement.hits:
            if hit.finding.severity == severity:
                worst.update({(places[id(batch)], row): severity for batch, row in hit.rows if id(batch) in places})
    earlier_counters = None if before is None else before.counters
    stages = path(
        None if before is None else PathSample(before.at, before.counters),
        PathSample(now.at, now.counters),
        case.netns,
    )
    return Part(
        case.netns,
        own,
        now.batches,
        seconds,
        levels_of(now.batches),
        {} if before is None else levels_of(before.batches),
        worst,
        listeners_seen(case),
        [stage for stage in stages if own or stage.scope != HOST],
        losses(earlier_counters, now.counters, seconds or 0.0),
        _levels(now) if own else [],
        _octets(now),
        None if before is None else _octets(before),
    )


def levels_of(batches: Iterable[Batch]) -> dict[Hashable, tuple[int, ...]]:
    """Return :data:`LEVELS` of the sockets in which one is not zero, by identity."""
    found: dict[Hashable, tuple[int, ...]] = {}
    for batch in batches:
        columns = [batch.values(name) for name in LEVELS]
        # any() passes over columns of nothing but zeros far faster than a loop.
        rows = {row for column in columns if any(column) for row, value in enumerate(column) if value}
        if rows:
            keys = identities(batch)
            for row in rows:
                found[keys[row]] = tuple(column[row] or 0 for column in columns)
    return found


def _octets(sample: Sample) -> tuple[int, int] | None:
    if _IN[0] not in sample.counters:
        return None
    return tuple(sum(sample.counters.get(name) or 0 for name in names) for names in (_IN, _OUT))  # type: ignore[return-value]


class SocketTable:
    """All sockets of a look, as rows that are made when they are shown.

    A row is a number, and a socket is found again in a later look by its identity.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self._places = [(part, number, batch) for part in parts for number, batch in enumerate(part.batches)]
        self._starts: list[int] = []
        self.size = 0
        for _part, _number, batch in self._places:
            self._starts.append(self.size)
            self.size += batch.size
        self._rows: dict[int, Socket] = {}

    def _place(self, row: int) -> tuple[Part, int, Batch, int]:
        place = bisect_right(self._starts, row) - 1
        part, number, batch = self._places[place]
        return part, number, batch, row - self._starts[place]

    def socket(self, row: int) -> Socket:
        """Return the record of a row."""
        found = self._rows.get(row)
        if found is None:
            _part, _number, batch, inner = self._place(row)
            (found,) = batch.at([inner])
            self._rows[row] = found
        return found

    def identity(self, row: int) -> Hashable:
        """Return what the socket is recognised by in other looks."""
        part, _number, batch, inner = self._place(row)
        return part.netns, identities(batch)[inner]

    def find(self, identity: Hashable) -> int | None:
        """Return the row of a socket; None if it is not there."""
        # Searched, not indexed: one row is looked for per look, and an index of all takes memory and a tenth of a second.
        assert isinstance(identity, tuple)
        netns, wanted = identity
        for start, (part, _number, batch) in zip(self._starts, self._places, strict=True):
            if part.netns == netns:
                with contextlib.suppress(ValueError, TypeError):
                    return start + identities(batch).index(wanted)
        return None

    def gone(self, later: SocketTable) -> Iterator[tuple[Hashable, int]]:
        """Yield the identities and rows of sockets that a later table lacks."""
        there: dict[str | None, set[Hashable]] = {}
        for part, _number, batch in later._places:
            there.setdefault(part.netns, set()).update(identities(batch))
        for start, (part, _number, batch) in zip(self._starts, self._places, strict=True):
            known = there.get(part.netns, set())
            for inner, key in enumerate(identities(batch)):
                if key not in known:
                    yield (part.netns, key), start + inner

    def column(self, name: str) -> list[Any]:
        """Return the values of a field in all rows."""
        values: list[Any] = []
        for _part, _number, batch in self._places:
            values.extend(batch.values(name))
        return values

    def has(self, name: str) -> bool:
        """Return whether a part of sockets that is read on demand was read of all of them."""
        return any(
            (name in batch.constants and batch.constants[name] is not None)
            or any(column.partition(".")[0] == name for column in batch.columns)
            if batch.columns is not None
            else any(getattr(one, name) is not None for one in batch.sockets_as_list())
            for _part, _number, batch in self._places
        )

    def waiting(self) -> dict[int, int]:
        """Return what waits in the queues of each row, without those in which nothing does."""
        found: dict[int, int] = {}
        for start, (_part, _number, batch) in zip(self._starts, self._places, strict=True):
            for name in LEVELS[:2]:
                column = batch.values(name)
                if not any(column):
                    continue
                for row, value in enumerate(column):
                    if value:
                        found[start + row] = found.get(start + row, 0) + value
        return found

    def lost(self) -> dict[int, int]:
        """Return what each row has dropped since the last look, without those that dropped nothing."""
        found: dict[int, int] = {}
        for start, (part, _number, batch) in zip(self._starts, self._places, strict=True):
            if part.seconds is None:
                continue
            drops = batch.values("skmem.drops")
            rows = [row for row, value in enumerate(drops) if value] if any(drops) else []
            if rows:
                keys = identities(batch)
                for row in rows:
                    new = drops[row] - part.earlier.get(keys[row], (0, 0, 0))[2]
                    if new > 0:
                        found[start + row] = new
        return found

    def troubled(self) -> dict[int, str]:
        """Return the rows that findings are about, with the severity of the worst."""
        starts = {
            (id(part), number): start for start, (part, number, _b) in zip(self._starts, self._places, strict=True)
        }
        return {
            starts[id(part), number] + row: severity
            for part in {id(part): part for part, _number, _batch in self._places}.values()
            for (number, row), severity in part.worst.items()
        }

    def batches(self) -> list[Batch]:
        """Return the sockets as they were read."""
        return [batch for _part, _number, batch in self._places]


class Look:
    """Everything that the screens show of one moment.

    Attributes:
        at: seconds since the epoch.
        found: findings and verdict.
        findings: one per cause, worst first.
        sockets: all sockets.
        parts: by network namespace.
        memory: of each protocol.
        gaps: what could not be read.
        took_s: time of a CPU that the look took.
        place: of a recording that is played, the number of the moment.
        soon: it had nothing to compare with, and the next look follows soon.
    """

    __slots__ = ("at", "findings", "found", "gaps", "memory", "parts", "place", "sockets", "soon", "took_s")

    def __init__(
        self,
        at: float,
        found: Diagnosis[Any],
        parts: Sequence[Part],
        memory: Sequence[ProtocolMemory],
        gaps: Sequence[Gap],
        took_s: float,
    ) -> None:
        self.at = at
        self.found = found
        self.findings: list[Finding] = found.by_cause()
        self.parts = parts
        self.sockets = SocketTable(parts)
        self.memory = memory
        self.gaps = tuple(gaps)
        self.took_s = took_s
        self.place: int | None = None
        self.soon = False

    @property
    def verdict(self) -> str:
        """The verdict of all findings."""
        return self.found.verdict

    @property
    def losses(self) -> list[Loss]:
        """Losses of all namespaces, those that grew first."""
        from sockdiag.analysis.losses import added_up

        return added_up(loss for part in self.parts for loss in part.losses)

    @property
    def loss_per_s(self) -> float | None:
        """Losses per second that the kernel counted; None after a single sample."""
        if all(part.seconds is None for part in self.parts):
            return None
        return sum(loss.own_per_s or 0.0 for part in self.parts for loss in part.losses)

    @property
    def bytes_per_s(self) -> tuple[float, float] | None:
        """IP bytes per second, received and sent; None where unknown."""
        total = [0.0, 0.0]
        known = False
        for part in self.parts:
            if part.seconds and part.octets and part.earlier_octets:
                known = True
                for way in (0, 1):
                    total[way] += max(0, part.octets[way] - part.earlier_octets[way]) / part.seconds
        return (total[0], total[1]) if known else None
