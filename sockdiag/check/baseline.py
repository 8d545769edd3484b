"""Reduce a sample to a baseline for the next run, and rebuild a sample from it.

Which sockets are kept, and which of their fields, follows from the declarations of the rules (``judging/declared.py``).
"""

from __future__ import annotations

from sockdiag.check.entries import Earlier, EarlierSocket
from sockdiag.judging.declared import COMPARED, KEPT
from sockdiag.model.address import Endpoint
from sockdiag.model.batch import Batch, identities
from sockdiag.model.cgroup_memory import CgroupMemory
from sockdiag.model.conntrack import Conntrack, ConntrackCpu
from sockdiag.model.counters import U32, Counters
from sockdiag.model.local_attrs import UnixAttrs
from sockdiag.model.record import COUNTER
from sockdiag.model.sample import Sample
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Socket, Timer
from sockdiag.model.sockstat import SockStat
from sockdiag.model.softnet import SoftnetCpu

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

# Fields of a socket that EarlierSocket has.
_COLUMNS = frozenset(
    {
        "inode",
        "state",
        "recv_q_unit",
        "recv_q",
        "send_q",
        "skmem.rmem_alloc",
        "skmem.drops",
        "skmem.backlog",
        "timer",
        "unix.peer_inode",
    }
)
# Further fields that rules compare.
FURTHER = tuple(sorted({name for names in COMPARED.values() for name in names} - _COLUMNS))

# A socket takes about 40 bytes.
MOST_SOCKETS = 20000
MOST_COUNTERS = 40000
MOST_CGROUPS = 4096
MOST_RULES = 4096

# Names that samples use for what could not be read.
_OPEN_FILES = "/proc/PID/limits"
_CGROUPS = "/sys/fs/cgroup"

LOST_BY_CONNTRACK = ("drop", "insert_failed", "early_drop", "chainlength")


def remembered(sample: Sample) -> Earlier:
    """Return the baseline that a later sample is compared with.

    A socket that is not kept had zeros in all fields that rules compare, which is also what they assume about a socket that
    did not exist. If there are too many to keep, their table is absent.
    """
    counters = dict(sample.counters.values)
    if len(counters) > MOST_COUNTERS:
        counters = dict(list(counters.items())[:MOST_COUNTERS])
    levels = () if sample.sockstat is None else zip(SockStat.FIELDS, sample.sockstat._values(), strict=True)
    tracked = sample.conntrack
    # If a table was read in part, a socket that is not kept may have existed. Open files are never compared.
    absent = {part.removeprefix("some "): why for part, why in sample.absent.items() if part != _OPEN_FILES}
    sockets = _sockets(sample, absent)
    return Earlier(
        counters,
        {one.name: value for one, value in levels if isinstance(value, int)},
        None if tracked is None else (tracked.count, tracked.max, *map(tracked.total, LOST_BY_CONNTRACK)),
        None if sample.qdiscs is None else tuple(q for q in sample.qdiscs if q.is_root or q.is_ingress),
        dict(sample.tables),
        absent,
        _cgroups(sample, absent),
        tuple(sockets),
        FURTHER,
        sample.unanswering,
        sample.neighbour_tables,
        None if sample.drop_rules is None else sample.drop_rules[:MOST_RULES],
    )


def _cgroups(sample: Sample, absent: dict[str, str]) -> tuple[tuple[str, str, int, int, int | None], ...] | None:
    if sample.cgroups is None:
        return None
    if len(sample.cgroups) > MOST_CGROUPS:
        absent[_CGROUPS] = f"too many cgroups near their limits to keep: {len(sample.cgroups)}"
        return None
    return tuple((one.path, one.file, one.limit_bytes, one.usage_bytes, one.throttled) for one in sample.cgroups)


def recalled(earlier: Earlier, now: Sample, age_s: float) -> Sample:
    """Rebuild a sample from a baseline, *age_s* older than the sample that it is compared with."""
    absent = dict(earlier.absent)
    for table, where in now.tables.items():
        was = earlier.tables.get(table)
        if where is not None and was is not None and was != where:
            absent[table] = f"the baseline is from {was}, which identifies sockets differently"
    for table, names in COMPARED.items():
        lacking = [name for name in names if name in FURTHER and name not in earlier.columns]
        if lacking:
            absent.setdefault(table, f"the baseline is from a release that did not keep {', '.join(lacking)}")
    grouped: dict[str, list[Socket]] = {}
    for one in earlier.sockets:
        grouped.setdefault(one.netid, []).append(_socket(one, earlier.columns))
    return Sample(
        now.at - age_s,
        [Batch.of(sockets) for table, sockets in grouped.items() if table not in absent],
        tables=earlier.tables,
        counters=Counters(earlier.counters),
        limits=now.limits,
        sockstat=SockStat()._replace(**earlier.sockstat),
        protocols=(),
        softnet=_softnet(earlier, now),
        conntrack=_conntrack(earlier, now),
        qdiscs=earlier.qdiscs,
        unanswering=earlier.unanswering,
        neighbour_tables=earlier.neighbour_tables,
        drop_rules=earlier.drop_rules,
        cgroups=None
        if earlier.cgroups is None
        else [
            CgroupMemory(path, file, limit, usage, throttled=throttled)
            for path, file, limit, usage, throttled in earlier.cgroups
        ],
        page_size=now.page_size,
        absent=absent,
    )


def still_there(before: Sample, now: Sample) -> Sample:
    """Return the earlier sample without sockets that have gone since: their counts are no longer in any sum."""
    known: dict[str, set[Any]] = {}
    for batch in now.batches:
        if batch.size:
            known.setdefault(_table(batch), set()).update(identities(batch))
    kept = []
    for batch in before.batches:
        there = known.get(_table(batch), ())
        rows = [row for row, identity in enumerate(identities(batch)) if identity in there]
        if rows:
            kept.append(Batch.of(batch.at(rows)))
    return Sample(
        before.at,
        kept,
        tables=before.tables,
        counters=before.counters,
        limits=before.limits,
        absent=before.absent,
    )


def _table(batch: Batch) -> str:
    return str(batch.values("netid")[0])


def set_to_zero(before: Sample, now: Sample) -> list[str]:
    """Return the counters that went backwards without wrapping: their growth in between is unknown."""
    was, is_now = before.counters.values, now.counters.values
    smaller = Counters({name: value for name, value in is_now.items() if value < was.get(name, 0)})
    return [name for name, change in smaller.moved(before.counters).items() if change is None]


def _softnet(earlier: Earlier, now: Sample) -> list[SoftnetCpu] | None:
    if now.softnet is None:
        return None
    columns = [one.name for one in SoftnetCpu.FIELDS if one.kind == COUNTER]
    found = []
    for cpu in now.softnet:
        was = {column: earlier.counters.get(f"softnet_stat.{cpu.cpu}.{column}") for column in columns}
        if was["dropped"] is not None:
            found.append(cpu._replace(backlog=None, input_queue=None, process_queue=None, **was))
    return found


def _conntrack(earlier: Earlier, now: Sample) -> Conntrack | None:
    if earlier.conntrack is None:
        return None
    count, limit, *lost = earlier.conntrack
    was: dict[str, int | None] = {}
    # An earlier release kept fewer columns.
    for column, total in zip(LOST_BY_CONNTRACK, lost, strict=False):
        later = None if now.conntrack is None else now.conntrack.total(column)
        # A reloaded module counts from zero; the value of a wrapped 32-bit counter is more than half its range away.
        known = total is not None and later is not None and (later - total) % U32 < U32 // 2
        was[column] = total if known else None
    return Conntrack(count, limit, cpus=(ConntrackCpu(0)._replace(**was),))


def _sockets(sample: Sample, absent: dict[str, str]) -> list[EarlierSocket]:
    lossy: list[EarlierSocket] = []
    others: list[EarlierSocket] = []
    for batch in sample.batches:
        if not batch.size:
            continue
        table = _table(batch)
        drops = batch.values("skmem.drops")
        rows = _rows(batch, table, drops)
        earlier = _earlier_sockets(batch, table, rows)
        for row, one in zip(rows, earlier, strict=True):
            (lossy if drops[row] else others).append(one)
    if len(lossy) > MOST_SOCKETS:
        lost: dict[str, int] = {}
        for one in lossy:
            lost[one.netid] = lost.get(one.netid, 0) + 1
        table = max(lost, key=lost.__getitem__)
        absent[table] = f"too many sockets with drops to keep: {lost[table]}"
        lossy = [one for one in lossy if one.netid != table][:MOST_SOCKETS]
        others = [one for one in others if one.netid != table]
    return [*lossy, *others[: MOST_SOCKETS - len(lossy)]]


def _rows(batch: Batch, table: str, drops: Sequence[Any]) -> list[int]:
    """Return the rows that rules declare to compare with."""
    read = {"skmem.drops": drops}

    def column(name: str) -> Sequence[Any]:
        if name not in read:
            read[name] = batch.values(name)
        return read[name]

    chosen: set[int] = set()
    for name, state, timer in KEPT.get(table, ()):
        if state and state not in column("state"):
            continue
        values = column(name or "state")
        rows = [row for row, value in enumerate(values) if value and row not in chosen] if any(values) else []
        if state:
            rows = [row for row in rows if column("state")[row] == state]
        if timer and rows:
            rows = [row for row in rows if (armed := column("timer")[row]) is not None and armed.name == timer]
        chosen.update(rows)
    return sorted(chosen)


def _earlier_sockets(batch: Batch, table: str, rows: Sequence[int]) -> Iterator[EarlierSocket]:
    columns = [batch.values(name) for name in FURTHER] if rows else []
    for row, one in zip(rows, batch.at(rows) if rows else (), strict=True):
        memory = one.skmem
        ends = None
        if isinstance(one.local.address, str) and isinstance(one.peer.address, str):
            ends = (one.local.address, one.local.port or 0, one.peer.address, one.peer.port or 0)
        yield EarlierSocket(
            table,
            one.cookie,
            one.inode if one.cookie is None or table == "unix" else None,
            ends,
            one.state,
            one.recv_q_unit,
            one.recv_q,
            one.send_q,
            None if memory is None else memory.rmem_alloc,
            None if memory is None else memory.drops,
            None if memory is None else memory.backlog,
            None if one.timer is None else one.timer.name,
            None if one.unix is None else one.unix.peer_inode,
            one.local.interface,
            tuple([column[row] for column in columns]) if columns else (),
        )


def _socket(one: EarlierSocket, columns: Sequence[str]) -> Socket:
    local, peer = Endpoint(), Endpoint()
    if one.ends is not None:
        local, peer = Endpoint(one.ends[0], one.ends[1], one.interface), Endpoint(one.ends[2], one.ends[3])
    more: Mapping[str, Any] = {} if one.peer_inode is None else {"unix": UnixAttrs(peer_inode=one.peer_inode)}
    socket = Socket(
        one.netid,
        "",
        local=local,
        peer=peer,
        state=one.state,
        recv_q=one.recv_q,
        send_q=one.send_q,
        recv_q_unit=one.unit,
        inode=one.inode,
        cookie=one.cookie,
        timer=None if one.timer is None else Timer(one.timer, 0, 0),
        skmem=SkMem(rmem_alloc=one.rmem_alloc, drops=one.drops, backlog=one.backlog),
        **more,
    )
    for name, value in zip(columns, one.further, strict=True):
        # Another release may have kept fields that none of these rules compares.
        if name in FURTHER:
            socket = _with(socket, name, value)
    return socket


def _with(socket: Socket, name: str, value: Any) -> Socket:
    from sockdiag.model.fields import record_class

    outer, _, inner = name.rpartition(".")
    if outer:
        record = getattr(socket, outer)
        if record is None:
            kind = record_class(next(field for field in Socket.FIELDS if field.name == outer))
            record = kind._make([None] * len(kind.FIELDS))
        return socket._replace(**{outer: record._replace(**{inner: value})})
    return socket._replace(**{name: value})
