"""How many sockets are in each state, and whose they are."""

from __future__ import annotations

from sockdiag.kernel.tcp_states import STATE_NUMBERS
from sockdiag.model.query import TABLES
from sockdiag.model.record import COUNT, ID, LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from sockdiag.model.batch import Batch
    from sockdiag.model.socket import Owner

    Key = tuple[str, str, str | None]


class StateCount(Record):
    """Sockets of one table and family in one state."""

    netid: str = field("Table: tcp, udp, unix, …", kind=LABEL)
    family: str = field("Address family.", kind=LABEL)
    state: str | None = field("State, in the kernel's word.", kind=LABEL)
    count: int = field("Sockets.", unit=COUNT)


class Group(Record):
    """The sockets that have something in common, by state."""

    key: str | None = field("What they have in common; null where it is unknown or the socket has none.", kind=LABEL)
    pid: int | None = field("Process, with --by process.", kind=ID)
    count: int = field("Sockets.", unit=COUNT)
    states: tuple[StateCount, ...] = field("The same by table, family and state.", of=StateCount)


class GroupRow(Record):
    """One line of a grouped table: a state of a group."""

    key: str | None = field("What the sockets have in common.", kind=LABEL)
    pid: int | None = field("Process.", kind=ID)
    netid: str = field("Table.", kind=LABEL)
    family: str = field("Address family.", kind=LABEL)
    state: str | None = field("State.", kind=LABEL)
    count: int = field("Sockets.", unit=COUNT)


# --by: what people call it -> the field that tells, and how a value becomes a key
BY = ("process", "user", "container", "port", "peer", "netns")
_BY_FIELD = {"user": "uid", "port": "local.port", "peer": "peer.address", "netns": "netns", "netid": "netid"}

# What stands for sockets that nobody can own (TIME_WAIT, SYN_RECV, orphans), and for those whose owner is not visible.
NO_FILE = "(no process)"
NOT_VISIBLE = "(not visible)"

_STATE_ORDER = STATE_NUMBERS
_TABLE_ORDER = {table: i for i, table in enumerate(TABLES)}


def _order(key: Key) -> tuple[int, str, int]:
    netid, family, state = key
    return _TABLE_ORDER.get(netid, 99), family, _STATE_ORDER.get(state or "UNKNOWN", 99)


def state_counts(counts: dict[Key, int]) -> list[StateCount]:
    """Order counts by table, family and state."""
    return [StateCount(*key, counts[key]) for key in sorted(counts, key=_order)]


def count_states(batches: Iterable[Batch]) -> dict[Key, int]:
    """Count sockets by table, family and state."""
    counts: dict[Key, int] = {}
    for batch in batches:
        for key, n in _tally(_keys(batch)).items():
            counts[key] = counts.get(key, 0) + n
    return counts


def _keys(batch: Batch) -> Iterable[Key]:
    if batch.columns is None:
        return [(s.netid, s.family, s.state) for s in batch.sockets()]
    netid, family = batch.constants["netid"], batch.constants["family"]
    if "state" in batch.columns:
        return [(netid, family, state) for state in batch.values("state")]
    return [(netid, family, batch.constants["state"])] * batch.size


def _tally(keys: Iterable[Any]) -> dict[Any, int]:
    counts: dict[Any, int] = {}
    get = counts.get
    for key in keys:
        counts[key] = get(key, 0) + 1
    return counts


def group_states(batches: Iterable[Batch], by: str, user_name: Callable[[int], str]) -> list[Group]:
    """Count sockets by state within groups, largest group first.

    Args:
        batches: the sockets, with owners where *by* needs them.
        by: one of BY.
        user_name: name of a uid.

    Returns:
        The groups. A socket that several processes hold counts once, for the one with the lowest pid.
    """
    groups: dict[tuple[str | None, int | None], dict[Key, int]] = {}
    for batch in batches:
        for (key, state), n in _tally(zip(grouping(batch, by, user_name), _keys(batch), strict=True)).items():
            counts = groups.setdefault(key, {})
            counts[state] = counts.get(state, 0) + n
    found = [Group(key, pid, sum(c.values()), tuple(state_counts(c))) for (key, pid), c in groups.items()]
    found.sort(key=lambda g: (-g.count, g.key or "", g.pid or 0))
    return found


def grouping(batch: Batch, by: str, user_name: Callable[[int], str]) -> Sequence[tuple[str | None, int | None]]:
    """Return (key, pid) of the group of every row, for *by* one of BY or "netid"."""
    known: dict[Any, tuple[str | None, int | None]] = {}
    keys = []
    for value in _group_values(batch, by):
        key = known.get(value)
        if key is None:
            key = known[value] = _group_key(by, value, user_name)
        keys.append(key)
    return keys


def _group_values(batch: Batch, by: str) -> Sequence[Any]:
    name = _BY_FIELD.get(by, "processes")
    values = batch.values(name)
    if name == "processes":
        inodes = batch.values("inode")
        return [(owners[0] if owners else None, bool(inode)) for owners, inode in zip(values, inodes, strict=True)]
    return values


def _group_key(by: str, value: Any, user_name: Callable[[int], str]) -> tuple[str | None, int | None]:
    if by in ("process", "container"):
        owner: Owner | None = value[0]
        if owner is None:
            return (NOT_VISIBLE if value[1] else NO_FILE), None
        if by == "container":
            return owner.container, None
        return (None if owner.comm is None else owner.comm.decode("utf-8", "surrogateescape")), owner.pid
    if value is None:
        return None, None
    if by == "user":
        return user_name(value), None
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape"), None
    return str(value), None


def group_rows(groups: Iterable[Group]) -> list[GroupRow]:
    """Flatten groups for tables and CSV."""
    return [
        GroupRow(group.key, group.pid, part.netid, part.family, part.state, part.count)
        for group in groups
        for part in group.states
    ]


def sum_groups(groups: Iterable[Group]) -> list[StateCount]:
    """Add up groups: how many sockets are in each state, of all groups together."""
    counts: dict[Key, int] = {}
    for group in groups:
        for part in group.states:
            key = (part.netid, part.family, part.state)
            counts[key] = counts.get(key, 0) + part.count
    return state_counts(counts)
