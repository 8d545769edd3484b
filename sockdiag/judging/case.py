"""Rules and what they judge: one sample or two, and the ways to compare them."""

from __future__ import annotations

from sockdiag.defaults import HORIZON_S
from sockdiag.kernel.task_states import HALTED, RUNNING
from sockdiag.model.batch import identities
from sockdiag.model.counters import mib_of
from sockdiag.model.finding import Evidence
from sockdiag.model.quantity import rate
from sockdiag.model.record import LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from sockdiag.model.batch import Batch
    from sockdiag.model.finding import Finding
    from sockdiag.model.sample import Sample
    from sockdiag.model.socket import Owner, Socket
    from sockdiag.model.tcp_info import TcpInfo

# Maximum number of connections whose tcp_info is requested.
_MOST_ASKED = 48


class Threshold(Record):
    """A number that a rule decides by."""

    name: str = field("What it bounds.", kind=LABEL)
    value: float = field("The number.")
    why: str = field("Where it comes from.", kind=LABEL)


class Rule(Record):
    """The public declaration of a rule. Its module has it as ``RULE``, and ``judge(case)``, which yields hits."""

    code: str = field("Stable name.", kind=LABEL)
    severity: str = field("Worst severity of its findings.", kind=LABEL)
    verdicts: tuple[str, ...] = field("Verdicts that it can give.", kind=LABEL)
    meaning: str = field("What a finding means.", kind=LABEL)
    condition: str = field("When the kernel does that.", kind=LABEL)
    source: str = field("Kernel function or document of the condition.", kind=LABEL)
    reads: tuple[str, ...] = field("What it reads.", kind=LABEL)
    needs: tuple[str, ...] = field(
        "Files and socket tables without which it cannot judge at all.", default=(), kind=LABEL
    )
    thresholds: tuple[Threshold, ...] = field("Numbers that it decides by.", default=(), of=Threshold)
    advice: tuple[str, ...] = field("What it may advise.", default=(), kind=LABEL)
    partly: tuple[str, ...] = field(
        "Files and socket tables without which it may find problems, but cannot exclude them.", default=(), kind=LABEL
    )


class Explained(Record):
    """A rule whose findings may be the cause of another rule's findings."""

    code: str = field("The rule of the cause.", kind=LABEL)
    share: float = field("The cause must lose at least this share of its traffic.", default=0.0)
    takes_verdict: bool = field(
        "The effect gets the cause's verdict: what it counts is back-pressure, not loss.", default=False, kind=LABEL
    )
    listener: bool = field(
        "The cause is about a listener of this namespace, and the effect about connections to it.",
        default=False,
        kind=LABEL,
    )
    holder: bool = field(
        "The cause is about a process, and the effect about the same or about a socket that it holds.",
        default=False,
        kind=LABEL,
    )
    about: str = field("Only findings about a subject of this name are effects.", default="", kind=LABEL)


class Compared(Record):
    """Fields of sockets that a rule compares with the earlier sample.

    ``check`` keeps them from one run to the next for the sockets with one that is not zero: a rule takes all of them for
    zero in a socket that was not kept.
    """

    tables: tuple[str, ...] = field("Tables of the sockets.", kind=LABEL)
    fields: tuple[str, ...] = field("Dotted names of the fields, which are numbers.", default=(), kind=LABEL)
    beside: tuple[str, ...] = field("Fields that are kept with them, and by which no socket is chosen.", default=())
    state: str = field("All sockets in this state are kept, whatever the fields hold.", default="", kind=LABEL)
    timer: str = field("Only sockets on which this timer is armed are kept.", default="", kind=LABEL)


class DeclaredRule(Rule):
    """A rule as its module declares it: the text for users, and the declarations for the program.

    ``make gen`` writes what follows from these declarations to ``judging/declared.py``. In the unit tests a rule that reads
    what it does not declare fails.
    """

    tables: tuple[str, ...] = field("Socket tables that it scans.", default=(), kind=LABEL)
    sysctls: tuple[str, ...] = field("Sysctls that it reads, for its advice too.", default=(), kind=LABEL)
    counters: tuple[str, ...] = field(
        "Counters that it reads; * stands for the row of a table: dev.*.rx_drop.", default=(), kind=LABEL
    )
    parts: tuple[str, ...] = field("Other parts of the sample that it reads.", default=(), kind=LABEL)
    earlier_parts: tuple[str, ...] = field("Parts of the earlier sample that it compares with.", default=(), kind=LABEL)
    compared: tuple[Compared, ...] = field(
        "Fields of sockets that it compares with the earlier sample.", default=(), of=Compared
    )
    commands: tuple[str, ...] = field(
        "Commands that judge by it beside those that judge by every rule.", default=(), kind=LABEL
    )
    blames_reader: bool = field(
        "It finds effects of a process that does not get to its sockets: findings about one process have one cause.",
        default=False,
        kind=LABEL,
    )
    drop_reasons: tuple[str, ...] = field(
        "Reasons, in the kernel's words, for which a trace shows the drops that it finds by counters.",
        default=(),
        kind=LABEL,
    )
    explained_by: tuple[Explained, ...] = field(
        "Rules whose findings about the same device, neighbour or namespace explain those of this one.",
        default=(),
        of=Explained,
    )

    @property
    def text(self) -> Rule:
        """The part that users see."""
        return Rule._make(self._values()[: len(Rule.FIELDS)])


class Unseen(Exception):
    """A rule lacks what it needs: its result is unknown, not that all is well."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason


class Hit:
    """A finding and what it is about.

    Args:
        finding: the finding.
        rows: the sockets, as batch and row; empty where it is about no socket.
        device: name of the network device that it is about.
        neighbours: addresses of the neighbours that it is about.
    """

    __slots__ = ("device", "finding", "neighbours", "rows")

    def __init__(
        self,
        finding: Finding,
        rows: Iterable[tuple[Batch, int]] = (),
        device: str | None = None,
        neighbours: Collection[str] = (),
    ) -> None:
        self.finding = finding
        self.rows = tuple(rows)
        self.device = device
        self.neighbours = frozenset(neighbours)

    def changed(self, finding: Finding) -> Hit:
        """Return the same hit with another finding."""
        return Hit(finding, self.rows, self.device, self.neighbours)


class Case:
    """What rules judge: one sample or two, and the means to look up more about the sockets in them.

    Args:
        now: the sample that is judged.
        before: an earlier one of the same namespace, or None.
        horizon: seconds within which a trend counts.
        owners: finds the processes that hold sockets, by inode.
        info: reads the tcp_info of one connection; None where that fails, LookupError if it has ended or changed its state.
        netns: name or inode of the namespace, None where it is unknown.
        factor: multiplies the thresholds of levels (``…_ratio``).
        states: reads what processes are doing, by pid, in the words of :mod:`sockdiag.kernel.task_states`.
        open_files: reads how many files processes may have open, by pid.
        turns: counts how often processes were given a CPU, by pid.
        receive_buffer: asks for the size of a receive buffer, by pid, descriptor and inode; None where that fails.
        full: asks whether a unix datagram socket would refuse a message now, by inode; None where that fails.
        between: probes taken between the two samples, in order: the sockets of datagram tables and the listeners, and the
            counters of IP, ICMP, TCP and UDP (:func:`~sockdiag.survey.sample.take_probe`). They show whether a level
            moved steadily or up and down. Empty where the samples come from different runs.
        way: finds the device and the next hop by which packets to an address leave.
    """

    def __init__(
        self,
        now: Sample,
        before: Sample | None = None,
        horizon: float = HORIZON_S,
        owners: Callable[[Collection[int]], Mapping[int, tuple[Owner, ...]]] | None = None,
        info: Callable[[Socket], TcpInfo | None] | None = None,
        netns: str | None = None,
        factor: float = 1.0,
        between: Sequence[Sample] = (),
        states: Callable[[Collection[int]], Mapping[int, str]] | None = None,
        way: Callable[[str], tuple[str, str] | None] | None = None,
        open_files: Callable[[Collection[int]], Mapping[int, int]] | None = None,
        receive_buffer: Callable[[int, int, int], int | None] | None = None,
        turns: Callable[[Collection[int]], Mapping[int, int]] | None = None,
        full: Callable[[int], bool | None] | None = None,
    ) -> None:
        self.now = now
        self.before = before
        self.between = tuple(between)
        self.horizon = horizon
        self.netns = netns
        self.factor = factor
        self.seconds = None if before is None else max(now.at - before.at, 1e-6)
        self._owners = owners
        self._info = info
        self._open_files = open_files
        self._receive_buffer = receive_buffer
        self._full = full
        self._turns = turns
        self._turns_of: dict[int, int] = {}
        self._states = states
        self._way = way
        self._state_of: dict[int, str | None] = {}
        self._infos: dict[Any, TcpInfo | None] = {}
        self._ended: set[Any] = set()
        self._held_by: dict[int, tuple[Owner, ...]] = {}

    def relaxed(self, factor: float) -> Case:
        """Return the same case with the thresholds of levels multiplied by *factor*, and the horizon divided by it.

        Below 1, rules also find what is nearly as bad: levels that have been higher and are not clearly lower yet.
        """
        from copy import copy

        # Both judgements share their lookups.
        case = copy(self)
        case.horizon = self.horizon / factor
        case.factor = factor
        return case

    def threshold(self, rule: Rule, name: str) -> float:
        """Return a number that a rule decides by."""
        value = next(t.value for t in rule.thresholds if t.name == name)
        return value * self.factor if name.endswith("_ratio") else value

    def lacks(self, part: str) -> str | None:
        """Return why a part of one of the samples could not be read, None where it was read."""
        return self.now.absent.get(part) or (self.before.absent.get(part) if self.before is not None else None)

    # Counters

    def moved(self, name: str) -> int | None:
        """Return by how much a counter grew between the samples; None where that is unknown."""
        if self.before is None:
            return None
        return self.now.counters.moved(self.before.counters).get(name)

    def sum_moved(self, *names: str) -> int | None:
        """Add up how much counters grew, without those that the kernel lacks; None where none is known."""
        found = [m for m in map(self.moved, names) if m is not None]
        return sum(found) if found else None

    def sum_total(self, *names: str) -> int:
        """Add up counters since boot."""
        return sum(self.now.counters.get(name) or 0 for name in names)

    def device_counters(self, column: str) -> dict[str, str]:
        """Return the names of the counters in one column of /proc/net/dev, by device."""
        first, last = "dev.", f".{column}"
        return {
            name[len(first) : -len(last)]: name
            for name in self.now.counters
            if name.startswith(first) and name.endswith(last)
        }

    def rate(self, count: float) -> float | None:
        """Return *count* per second; None where there is a single sample."""
        return None if self.seconds is None else count / self.seconds

    def eta_s(self, level: float, earlier: float | None, limit: float) -> float | None:
        """Return in how many seconds a level that grew between the samples reaches its limit; None where it did not grow."""
        return self.lasts_s(limit - level, level - earlier) if earlier else None

    def lasts_s(self, room: float, growth: float) -> float | None:
        """Return for how many seconds room lasts that shrank by *growth* between the samples; None where it did not shrink."""
        if growth <= 0 or not self.seconds:
            return None
        return round(max(0.0, room) / (growth / self.seconds), 1)

    def counter_evidence(self, name: str) -> Evidence:
        """Describe a counter: by how much it grew, or its total where there is a single sample."""
        mib, moved = mib_of(name), self.moved(name)
        if moved is None:
            return Evidence(self.now.counters.get(name), "count since boot", None, mib.source, mib.scope)
        return Evidence(moved, "count", None, mib.source, mib.scope)

    def need_counters(self, *names: str) -> None:
        """Require that at least one of the counters could be read.

        Raises:
            Unseen: none was.
        """
        if not any(name in self.now.counters for name in names):
            source = mib_of(names[0]).source
            raise Unseen(source, self.lacks(source) or f"{names[0]} is missing")

    # Limits

    def limit(self, name: str) -> int:
        """Return a sysctl that is one number.

        Raises:
            Unseen: it could not be read.
        """
        value = self.now.limits.number(name)
        if value is None:
            raise Unseen(name, self.now.limits.missing.get(name, "not read"))
        return value

    def vector(self, name: str) -> tuple[int, ...]:
        """Return a sysctl that is several numbers.

        Raises:
            Unseen: it could not be read.
        """
        value = self.now.limits.vector(name)
        if value is None:
            raise Unseen(name, self.now.limits.missing.get(name, "not read"))
        return value

    # Sockets

    def batches(self, tables: Collection[str]) -> list[Batch]:
        """Return the sockets of some tables."""
        return [batch for batch in self.now.batches if batch_table(batch) in tables]

    def scan(self, tables: Collection[str], *names: str, earlier: bool = False) -> Iterator[tuple[Any, ...]]:
        """Yield each batch of some tables, followed by the named columns.

        Args:
            tables: the tables.
            names: dotted fields.
            earlier: of the earlier sample, where there is one.

        Raises:
            Unseen: a table could not be read; raised after the others.
        """
        sample = self.before if earlier and self.before is not None else self.now
        for batch in sample.batches:
            if batch_table(batch) in tables:
                yield (batch, *(batch.values(name) for name in names))
        for table in tables:
            if table in sample.absent:
                raise Unseen(f"sockets: {table}", sample.absent[table])

    def earlier(self, tables: Collection[str], keys: Collection[Any], *names: str) -> dict[Any, tuple[Any, ...]]:
        """Return the values that fields of sockets had in the earlier sample, by identity.

        Args:
            tables: tables of the sockets.
            keys: identities of the sockets.
            names: dotted fields.
        """
        if self.before is None or not keys:
            return {}
        wanted = keys if isinstance(keys, (set, frozenset, dict)) else set(keys)
        found: dict[Any, tuple[Any, ...]] = {}
        for (batch,) in self.scan(tables, earlier=True):
            found.update(_values_of(batch, wanted, names))
        return found

    def courses(
        self, tables: Collection[str], keys: Collection[Any], *names: str
    ) -> dict[Any, list[tuple[float, tuple[Any, ...]]]]:
        """Return when and with which values sockets were seen: in the earlier sample, the probes and the later sample.

        Args:
            tables: tables of the sockets.
            keys: identities of the sockets.
            names: dotted fields, which probes read too.
        """
        wanted = keys if isinstance(keys, (set, frozenset, dict)) else set(keys)
        found: dict[Any, list[tuple[float, tuple[Any, ...]]]] = {}
        if not wanted or self.before is None:
            return found
        for sample in (self.before, *self.between, self.now):
            for batch in sample.batches:
                if batch_table(batch) in tables:
                    for key, values in _values_of(batch, wanted, names):
                        found.setdefault(key, []).append((sample.at, values))
        return found

    # Details of few

    @property
    def asks(self) -> bool:
        """Whether single connections can be asked for their tcp_info."""
        return self._info is not None

    def tcp_info(self, batch: Batch, row: int) -> TcpInfo | None:
        """Return the tcp_info of a connection; None where that is unknown, or the connection is gone.

        Reading it takes the socket lock, one socket at a time: only a few connections are asked.
        """
        if self._info is None:
            return None
        key = identities(batch)[row]
        if key not in self._infos:
            if len(self._infos) >= _MOST_ASKED:
                return None
            try:
                self._infos[key] = self._info(batch.at([row])[0])
            except LookupError:
                self._infos[key] = None
                self._ended.add(key)
        return self._infos[key]

    def has_ended(self, batch: Batch, row: int) -> bool:
        """Return whether a connection that was asked for its tcp_info had closed or changed its state meanwhile."""
        return identities(batch)[row] in self._ended

    def silence_ms(self, batch: Batch, row: int, *, sent: bool = False) -> int | None:
        """Return how long ago data was last received on a connection, or *sent*; None where that is unknown."""
        info = self.tcp_info(batch, row)
        if info is None:
            return None
        return info.last_data_sent_ms if sent else info.last_data_recv_ms

    def way_to(self, address: str) -> tuple[str, str] | None:
        """Return the device and the next hop by which packets to an address leave; None where that is unknown."""
        return None if self._way is None else self._way(address)

    # Owners

    def all_holders(self, inodes: Iterable[int | None]) -> Mapping[int, tuple[Owner, ...]]:
        """Return all processes that hold each socket, those with the lowest pid first."""
        missing = {inode for inode in inodes if inode and inode not in self._held_by}
        if missing and self._owners is not None:
            scanned = self._owners(missing)
            for inode in missing:
                self._held_by[inode] = tuple(scanned.get(inode) or ())
        return self._held_by

    def holders(self, inodes: Iterable[int | None]) -> Mapping[int, Owner | None]:
        """Return the process that holds each socket: among several, the one with the lowest pid."""
        wanted = [inode for inode in inodes if inode]
        found = self.all_holders(wanted)
        return {inode: next(iter(found.get(inode) or ()), None) for inode in wanted}

    def holders_by_share(self, inodes: Collection[int | None]) -> list[Owner]:
        """Return the processes that hold some sockets, those that hold most of them first."""
        held_by = self.all_holders(inodes)
        counts: dict[int, int] = {}
        owners: dict[int, Owner] = {}
        for inode in inodes:
            for owner in held_by.get(inode or 0) or ():
                counts[owner.pid] = counts.get(owner.pid, 0) + 1
                owners.setdefault(owner.pid, owner)
        return [owners[pid] for pid in sorted(counts, key=lambda pid: (-counts[pid], pid))]

    def process_states(self, pids: Iterable[int]) -> Mapping[int, str | None]:
        """Return what processes are doing (:mod:`sockdiag.kernel.task_states`); None where that is unknown."""
        missing = {pid for pid in pids if pid not in self._state_of}
        if missing:
            read = self._states(missing) if self._states is not None else {}
            self._state_of.update((pid, read.get(pid)) for pid in missing)
        return self._state_of

    def open_files_limit(self, pid: int) -> int | None:
        """Return how many files a process may have open; None where that is unknown, or there is no limit."""
        return self._open_files([pid]).get(pid) if self._open_files is not None else None

    def receive_buffer(self, inode: int | None) -> int | None:
        """Return the size of a socket's receive buffer, from its owner's descriptor; None where that is unknown."""
        owner = self.holders([inode]).get(inode) if inode else None
        if inode is None or owner is None or owner.fd is None or self._receive_buffer is None:
            return None
        return self._receive_buffer(owner.pid, owner.fd, inode)

    def queue_is_full(self, inode: int) -> bool | None:
        """Return whether a unix datagram socket would refuse a message now; None where that is unknown."""
        return self._full(inode) if self._full is not None else None

    def ran(self, inode: int | None) -> bool | None:
        """Return whether a process that holds a socket ran since an early probe; None where that is unknown.

        If none ran, none read from the socket or accepted a connection.
        """
        if inode is None or self._turns is None or self.before is None:
            return None
        owners = self.all_holders([inode]).get(inode)
        if not owners:
            return None
        pids = {owner.pid for owner in owners}
        if any(self.process_states(pids).get(pid) == RUNNING for pid in pids):
            return True
        earlier = next((sample.turns for sample in self.between if sample.turns), None)
        if earlier is None or not pids <= earlier.keys():
            return None
        self._turns_of.update(self._turns(pids - self._turns_of.keys()))
        if not pids <= self._turns_of.keys():
            return None
        return any(self._turns_of[pid] != earlier[pid] for pid in pids)

    def halted(self, inodes: Iterable[int | None]) -> frozenset[int]:
        """Return the sockets that are held by processes which do not run, and by nobody else: stopped, traced or frozen."""
        wanted = {inode for inode in inodes if inode}
        if not wanted or self._states is None:
            return frozenset()
        held_by = self.all_holders(wanted)
        states = self.process_states({owner.pid for inode in wanted for owner in held_by.get(inode) or ()})
        return frozenset(
            inode
            for inode in wanted
            if held_by.get(inode) and all(states.get(owner.pid) in HALTED for owner in held_by[inode])
        )


def _values_of(batch: Batch, wanted: Collection[Any], names: Sequence[str]) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Yield the identities of some rows, and the values of the named fields."""
    rows = [(row, key) for row, key in enumerate(identities(batch)) if key in wanted]
    if rows:
        columns = [batch.values(name) for name in names]
        for row, key in rows:
            yield key, tuple(column[row] for column in columns)


def batch_table(batch: Batch) -> str:
    """Return the table that a batch belongs to."""
    if batch.columns is not None:
        return str(batch.constants.get("netid", ""))
    first = next(batch.sockets(), None)
    return first.netid if first is not None else ""


def nonzero(values: Sequence[Any]) -> list[int]:
    """Return the rows whose value is neither zero nor unknown."""
    return [row for row, value in enumerate(values) if value] if any(values) else []


def looked_up(rows: Iterable[tuple[Batch, int]], column: Callable[[Batch], Any]) -> dict[tuple[int, int], Any]:
    """Return the value of each row by the id of its batch and its number; a column is made once per batch.

    Args:
        rows: batches and rows.
        column: returns the values of all rows of a batch.
    """
    columns: dict[int, Any] = {}
    found = {}
    for batch, row in rows:
        values = columns.get(id(batch))
        if values is None:
            values = columns[id(batch)] = column(batch)
        found[id(batch), row] = values[row]
    return found


def per_second(events_per_s: float | None) -> str:
    """Write a rate in parentheses, to follow a number; nothing if it is unknown."""
    return "" if events_per_s is None else f" ({rate(events_per_s)})"
