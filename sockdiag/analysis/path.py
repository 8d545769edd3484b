"""Find where packets were lost on their way through the kernel: the stages of ``path_table`` with figures of two samples."""

from __future__ import annotations

from sockdiag.analysis.path_table import (
    ARRIVED,
    LEVEL,
    LIMIT,
    LOSS,
    OPTIONAL,
    PASSED,
    STEPS,
    Item,
    Step,
    steps_of,
)
from sockdiag.analysis.socket_queues import SocketQueues
from sockdiag.model.counter_table import meaning_of
from sockdiag.model.counters import Counters, mib_of
from sockdiag.model.record import COUNT, COUNT_PER_S, HOST, LABEL, NETNS, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence


class PathCounter(Record):
    """A counter of a stage, or a level."""

    name: str = field("Exact name.", kind=LABEL)
    role: str = field(
        "arrived or passed: packets at the stage; loss; sign: of trouble, without loss; level: now; limit: of a level.",
        kind=LABEL,
    )
    scope: str = field("Whose number it is: netns or host.", kind=LABEL)
    value: int | None = field(
        "Since boot, or since the namespace, device or socket was created; for a level, now.", unit=COUNT
    )
    delta: int | None = field("During the interval; null if it is unknown.", unit=COUNT)
    per_s: float | None = field("The same per second.", unit=COUNT_PER_S, header="PER-S")
    loss: int | None = field(
        "Lost during the interval and counted by no other counter; the sum over a stage is the loss of the stage.",
        unit=COUNT,
    )
    loss_total: int | None = field("The same since value began.", unit=COUNT)
    within: str | None = field("Counter of this stage that counts the same losses too.", kind=LABEL)
    meaning: str = field("What it counts.", kind=LABEL)


class PathStage(Record):
    """A stage of a packet's path."""

    direction: str = field("in: from the device to read(2). out: from write(2) to the device.", kind=LABEL)
    stage: str = field("Name.", kind=LABEL)
    scope: str = field(
        "Whose numbers they are: netns or host. Numbers of different scopes cannot be compared.", kind=LABEL
    )
    packets: int | None = field(
        "Packets that came in during the interval or, if the kernel counts only those, got through; null if it counts none.",
        unit=COUNT,
    )
    packets_total: int | None = field("The same since boot, or since the namespace or device was created.", unit=COUNT)
    loss: int | None = field(
        "Lost here during the interval; null if it is unknown.",
        unit=COUNT,
        header="LOST-NOW",
        also=("delta", "drops_in_interval"),
    )
    loss_per_s: float | None = field("The same per second.", unit=COUNT_PER_S, header="LOST/S", also=("per_s",))
    loss_is_minimum: bool = field("More may have been lost: some losses are not visible.", kind=LABEL, header="MINIMUM")
    loss_total: int | None = field(
        "Lost since boot, or since the namespace, device or socket was created: history.",
        unit=COUNT,
        header="LOST-EVER",
        also=("total",),
    )
    unseen: tuple[str, ...] = field("Its losses that are not visible.", kind=LABEL)
    counters: tuple[PathCounter, ...] = field("Its counters and levels.", of=PathCounter)
    netns: str | None = field(
        "Network namespace: name, or inode if it has none; null for a stage of the host.", default=None, kind=LABEL
    )


class PathSample:
    """The figures of a path at one moment.

    Args:
        at: time of the counters on a monotonic clock, in seconds.
        counters: MIBs, devices, CPUs, conntrack and queueing disciplines.
        sockets: sums over the sockets.
        levels: levels and limits by name.
        unread: sources that exist and could not be read: the first part of the counters' names, or ``sockets.TABLE``.
        first: MIBs and devices as they were before the sockets and the other tables were read; *counters* are those after.
            None if they were read once.
    """

    __slots__ = ("at", "counters", "first", "levels", "sockets", "unread")

    def __init__(
        self,
        at: float,
        counters: Counters,
        sockets: SocketQueues | None = None,
        levels: Mapping[str, int] | None = None,
        unread: frozenset[str] = frozenset(),
        first: Counters | None = None,
    ) -> None:
        self.at = at
        self.counters = counters
        self.first = first
        self.sockets = sockets or SocketQueues()
        queues = self.sockets
        self.levels = {
            **(levels or {}),
            **{f"sockets.{table}.recv_q_bytes": n for table, n in queues.recv_q_bytes.items()},
            **{f"sockets.{table}.accept_queue": n for table, n in queues.accept_queue.items()},
        }
        self.unread = unread


def path(
    before: PathSample | None, after: PathSample, netns: str | None = None, tables: Collection[str] = ()
) -> list[PathStage]:
    """Work out the incoming and the lost packets of each stage.

    Args:
        before: an earlier sample of the same namespace; None for a single sample, which shows only history.
        after: the later sample.
        netns: name or inode of the namespace.
        tables: follow only packets of sockets of these tables, by netid; empty for all.
    """
    numbers = _Numbers(before, after, tables)
    stages = (_stage(step, numbers) for step in (steps_of(tables) if tables else STEPS))
    return [stage if stage.scope == HOST else stage._replace(netns=netns) for stage in stages if stage is not None]


class _Numbers:
    """Values and differences by name, and the rows that a name with * stands for."""

    def __init__(self, before: PathSample | None, after: PathSample, tables: Collection[str] = ()) -> None:
        self.before = before
        self.after = after
        self.seconds = None if before is None else max(after.at - before.at, 1e-6)
        self._moved = {} if before is None else after.counters.moved(before.counters)
        self._drops = {f"sockets.{table}.drops": table for table in after.sockets.drops}
        self._rows: dict[tuple[str, str], list[str]] = {}
        for name in (*after.counters, *after.levels):
            prefix, _, rest = name.partition(".")
            label, _, column = rest.rpartition(".")
            if label and (not tables or prefix != "sockets" or label in tables):
                self._rows.setdefault((prefix, column), []).append(name)
        self._prefixes = {name.partition(".")[0] for name in after.counters}

    def names(self, name: str) -> list[str]:
        """Return the counters that a declared name stands for on this system."""
        if "*" in name:
            prefix, _, rest = name.partition(".")
            return self._rows.get((prefix, rest.rpartition(".")[2]), [])
        there = name in self.after.counters or name in self.after.levels or name in self._drops
        return [name] if there else []

    def unread(self, name: str) -> bool:
        """Return whether a counter is missing because its source could not be read."""
        prefix, _, rest = name.partition(".")
        if self.after.unread & {prefix, f"{prefix}.{rest.partition('.')[0]}"}:
            return True
        return prefix not in self._prefixes and prefix not in OPTIONAL

    def value(self, name: str) -> int | None:
        """Return the present value of a counter or level."""
        table = self._drops.get(name)
        if table is not None:
            return self.after.sockets.dropped(table)
        level = self.after.levels.get(name)
        return self.after.counters.get(name) if level is None else level

    def delta(self, name: str) -> int | None:
        """Return the growth of a counter."""
        if self.before is None:
            return None
        table = self._drops.get(name)
        if table is not None:
            return self.after.sockets.dropped_since(self.before.sockets, table)
        if name in self.after.levels:
            then = self.before.levels.get(name)
            return None if then is None else self.after.levels[name] - then
        return self._moved.get(name)

    def least(self, name: str, *, ever: bool) -> int:
        """Return by how much a counter grew at least while the tables were read; *ever*: its least value then."""
        first, last = self._first_and_last(name)
        if first is None or last is None:
            return (self.value(name) if ever else self.delta(name)) or 0
        if ever:
            return first
        then = self._last_before(name)
        return 0 if then is None else max(0, first - then)

    def most(self, name: str, *, ever: bool) -> int:
        """Return by how much a counter grew at most while the tables were read; *ever*: its greatest value then."""
        first, last = self._first_and_last(name)
        if first is None or last is None or ever:
            return (self.value(name) if ever else self.delta(name)) or 0
        then = self.before.first.get(name) if self.before is not None and self.before.first is not None else None
        return max(last - then, self.delta(name) or 0) if then is not None else self.delta(name) or 0

    def _first_and_last(self, name: str) -> tuple[int | None, int | None]:
        if self.after.first is None:
            return None, None
        return self.after.first.get(name), self.after.counters.get(name)

    def _last_before(self, name: str) -> int | None:
        return None if self.before is None else self.before.counters.get(name)


def _stage(step: Step, numbers: _Numbers) -> PathStage | None:
    found: dict[str, tuple[Item, str | None]] = {}
    unread = False
    for item in step.items:
        names = numbers.names(item.name)
        if not names and numbers.unread(item.name):
            unread = unread or item.role == LOSS
            found[item.name] = (item, item.within or None)
        for name in names:
            found[name] = (item, _same_row(item.within, item.name, name))
    if step.optional and not found:
        return None
    losses = {name: pair for name, pair in found.items() if pair[0].role == LOSS}
    unseen = _unseen(step, losses, unread, numbers, numbers.delta if numbers.seconds else numbers.value)
    now = None if numbers.seconds is None else _shares(losses, numbers, ever=False)
    ever = _shares(losses, numbers, ever=True)
    counters = tuple(_counter(name, item, within, numbers, now, ever) for name, (item, within) in found.items())
    loss = None if now is None else _sum(now, unseen)
    return PathStage(
        step.direction,
        step.stage,
        HOST if any(counter.scope == HOST for counter in counters if counter.role == LOSS) else NETNS,
        _packets([(counter.role, counter.delta) for counter in counters]),
        _packets([(counter.role, counter.value) for counter in counters]),
        loss,
        _rate(loss, numbers),
        bool(loss and unseen),
        _sum(ever, _unseen(step, losses, unread, numbers, numbers.value)),
        tuple(unseen),
        counters,
    )


def _unseen(
    step: Step, losses: Iterable[str], unread: bool, numbers: _Numbers, amount: Callable[[str], int | None]
) -> list[str]:
    reasons = []
    if unread:
        reasons.append("a source of its counters could not be read")
    elif any(amount(name) is None for name in losses):
        reasons.append("some of its counters are unknown, or cannot be compared with the earlier sample")
    if step.unseen and (not step.suspects or any(amount(name) != 0 for name in step.suspects)):
        reasons.append(step.unseen)
    rings = numbers.after.sockets.rings
    if rings and any(item.name == "sockets.packet.drops" for item in step.items):
        reasons.append(
            f"packets that found the receive rings of packet sockets ({rings}) full: only their owners can read that"
        )
    return reasons


def _same_row(within: str, declared: str, name: str) -> str | None:
    if not within or "*" not in declared:
        return within or None
    start, _, end = declared.partition("*")
    return within.replace("*", name[len(start) : len(name) - len(end)])


def _shares(losses: Mapping[str, tuple[Item, str | None]], numbers: _Numbers, *, ever: bool) -> dict[str, int]:
    """Return the part of the stage's loss that each counter adds. A whole adds what its parts do not account for.

    Files and socket tables are read one after the other, and drops go on meanwhile. Between counters of different sources
    only a surplus counts that the time between the readings cannot explain.
    """
    amount = numbers.value if ever else numbers.delta
    parts: dict[str, list[str]] = {}
    for name, (_item, within) in losses.items():
        if within is not None and within in losses:
            parts.setdefault(within, []).append(name)
    shares: dict[str, int] = {}

    def settle(name: str) -> int:
        source = _source(name)
        less = [one for declared in losses[name][0].less for one in numbers.names(declared)]
        mine = parts.get(name, ())
        below = sum(map(settle, mine))
        echoed = sum(numbers.most(one, ever=ever) for one in less)
        if all(_source(one) == source for one in (*less, *mine)):
            own = (amount(name) or 0) - sum(amount(one) or 0 for one in less)
        elif not echoed and not below:
            own = amount(name) or 0
        else:
            own = numbers.least(name, ever=ever) - echoed
            own -= sum(numbers.most(one, ever=ever) - (amount(one) or 0) for one in mine)
        shares[name] = max(0, own - below)
        return below + shares[name]

    for name, (_item, within) in losses.items():
        if within not in losses:
            settle(name)
    return shares


def _source(name: str) -> str:
    return mib_of(name).source or name.partition(".")[0]


def _sum(shares: Mapping[str, int], unseen: Sequence[str]) -> int | None:
    counted = sum(shares.values())
    return counted if counted or not unseen else None


def _rate(count: int | None, numbers: _Numbers) -> float | None:
    return None if count is None or numbers.seconds is None else count / numbers.seconds


def _packets(counts: Sequence[tuple[str, int | None]]) -> int | None:
    for wanted in (ARRIVED, PASSED):
        known = [count for role, count in counts if role == wanted and count is not None]
        if known:
            return sum(known)
    return None


def _counter(
    name: str,
    item: Item,
    within: str | None,
    numbers: _Numbers,
    now: Mapping[str, int] | None,
    ever: Mapping[str, int],
) -> PathCounter:
    value, delta = numbers.value(name), numbers.delta(name)
    lost = item.role == LOSS
    return PathCounter(
        name,
        item.role,
        HOST if item.role == LIMIT else mib_of(name).scope,
        value,
        delta,
        _rate(delta, numbers),
        0 if not lost else None if now is None or delta is None else now[name],
        0 if not lost else None if value is None else ever[name],
        within,
        item.meaning or meaning_of(name),
    )


def waiting(stage: PathStage) -> list[PathCounter]:
    """Return the levels of a stage that are not zero."""
    return [counter for counter in stage.counters if counter.role == LEVEL and counter.value]
