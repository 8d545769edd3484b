"""Count sockets by state, and by owner or another key."""

from __future__ import annotations

from sockdiag.kernel.tcp_states import STATE_NUMBERS
from sockdiag.model.batch import Tally, count_elements
from sockdiag.model.query import TABLES
from sockdiag.model.record import COUNT, ID, LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from sockdiag.model.batch import Batch
    from sockdiag.model.socket import Owner

    Key = tuple[str, str, str | None]
    GroupKey = tuple[str | None, int | None]
    # The process that holds an inode, as an Owner; None if none is visible.
    Holder = Callable[[int], Owner | None]


class StateCount(Record):
    """Sockets of one table and family in one state."""

    netid: str = field("Table: tcp, udp, unix, …", kind=LABEL)
    family: str = field("Address family.", kind=LABEL)
    state: str | None = field("State, by the kernel's name.", kind=LABEL)
    count: int = field("Sockets.", unit=COUNT)


class Group(Record):
    """A group of sockets, by state."""

    key: str | None = field("Key of the group; null if it is unknown or the socket has none.", kind=LABEL)
    pid: int | None = field("Process, with --by process.", kind=ID)
    count: int = field("Sockets.", unit=COUNT)
    states: tuple[StateCount, ...] = field("The same by table, family and state.", of=StateCount)


class GroupRow(Record):
    """One line of a grouped table: a state of a group."""

    key: str | None = field("Key of the group.", kind=LABEL)
    pid: int | None = field("Process.", kind=ID)
    netid: str = field("Table.", kind=LABEL)
    family: str = field("Address family.", kind=LABEL)
    state: str | None = field("State.", kind=LABEL)
    count: int = field("Sockets.", unit=COUNT)


# Keys of --by: those that need the owner, and the field behind those that are a socket's own.
_BY_PROCESS = ("process", "container")
_BY_FIELD = {"user": "uid", "port": "local.port", "peer": "peer.address", "netns": "netns", "netid": "netid"}

# Keys for sockets that no process can own (TIME_WAIT, SYN_RECV, orphans), and for those whose owner is not visible.
NO_FILE = "(no process)"
NOT_VISIBLE = "(not visible)"

_STATE_ORDER = STATE_NUMBERS
_TABLE_ORDER = {table: i for i, table in enumerate(TABLES)}


def _order(key: Key) -> tuple[int, str, int]:
    netid, family, state = key
    return _TABLE_ORDER.get(netid, 99), family, _STATE_ORDER.get(state or "UNKNOWN", 99)


def state_counts(counts: dict[Key, int]) -> list[StateCount]:
    """Order counts by table, family and state."""
    return [StateCount._make((*key, counts[key])) for key in sorted(counts, key=_order)]


def count_states(batches: Iterable[Batch]) -> dict[Key, int]:
    """Count sockets by table, family and state."""
    tally = Tally("netid", "family", "state")
    for batch in batches:
        tally.add(batch)
    counts: Any = tally.counts()
    return counts  # type: ignore[no-any-return]


def group_states(
    batches: Iterable[Batch], by: str, user_name: Callable[[int], str], holder: Holder | None = None
) -> list[Group]:
    """Count sockets by state within groups, largest group first.

    Args:
        batches: the sockets.
        by: key to group by.
        user_name: names a uid.
        holder: finds the process that holds an inode, for process and container.

    Returns:
        The groups. A socket that several processes hold counts once, for the one with the lowest pid.
    """
    raw: dict[tuple[Any, ...], int]
    if by in _BY_PROCESS:
        raw = {}
        for batch in batches:
            keys = (batch.values(name) for name in ("netid", "family", "state"))
            count_elements(raw, zip(_holders(batch, holder), *keys, strict=True))
    else:
        tally = Tally(_BY_FIELD[by], "netid", "family", "state")
        for batch in batches:
            tally.add(batch)
        raw = tally.counts()
    known: dict[Any, GroupKey] = {}
    groups: dict[GroupKey, dict[Key, int]] = {}
    for row, n in raw.items():
        value = row[0]
        key: Any = row[1:]
        name = known.get(value)
        if name is None:
            name = known[value] = _group_key(by, value, user_name)
        counts = groups.get(name)
        if counts is None:
            groups[name] = {key: n}
        else:
            # Two processes can share a container, and two uids a name.
            counts[key] = counts.get(key, 0) + n
    found = []
    make, make_count = Group._make, StateCount._make
    for (label, pid), counts in groups.items():
        if len(counts) == 1:
            # With --by port there are tens of thousands of groups.
            ((key, n),) = counts.items()
            found.append(make((label, pid, n, (make_count((*key, n)),))))
        else:
            found.append(make((label, pid, sum(counts.values()), tuple(state_counts(counts)))))
    return _largest_first(found)


def _largest_first(groups: list[Group]) -> list[Group]:
    groups.sort(key=lambda group: (-group.count, group.key or "", group.pid or 0))
    return groups


def _holders(batch: Batch, holder: Holder | None) -> Sequence[Any]:
    # 0 for a socket without a file, None where no process is visible.
    assert holder is not None
    return [holder(inode) if inode else 0 for inode in batch.values("inode")]


def grouping(
    batch: Batch, by: str, user_name: Callable[[int], str], holder: Holder | None = None
) -> Sequence[GroupKey]:
    """Return (key, pid) of the group of every row; *by* is one of these keys or "netid"."""
    values = _holders(batch, holder) if by in _BY_PROCESS else batch.values(_BY_FIELD[by])
    known = {value: _group_key(by, value, user_name) for value in set(values)}
    return list(map(known.__getitem__, values))


def _group_key(by: str, value: Any, user_name: Callable[[int], str]) -> GroupKey:
    if by in _BY_PROCESS:
        if not value:
            return (NOT_VISIBLE if value is None else NO_FILE), None
        if by == "container":
            return value.container, None
        return (None if value.comm is None else value.comm.decode("utf-8", "surrogateescape")), value.pid
    if value is None:
        return None, None
    if by == "user":
        return user_name(value), None
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape"), None
    return str(value), None


def add_counts(parts: Iterable[dict[Key, int]]) -> dict[Key, int]:
    """Add up the counts of several namespaces."""
    sums: dict[Key, int] = {}
    for part in parts:
        for key, n in part.items():
            sums[key] = sums.get(key, 0) + n
    return sums


def merge_groups(parts: Iterable[Iterable[Group]]) -> list[Group]:
    """Merge the groups of several namespaces, each in the order of :func:`group_states`: largest first."""
    parts = list(parts)
    if len(parts) == 1:
        return list(parts[0])
    states: dict[GroupKey, list[Group]] = {}
    for part in parts:
        for group in part:
            states.setdefault((group.key, group.pid), []).append(group)
    found = [
        # Most groups are in only one namespace.
        groups[0]
        if len(groups) == 1
        else Group._make((key, pid, sum(group.count for group in groups), tuple(sum_groups(groups))))
        for (key, pid), groups in states.items()
    ]
    return _largest_first(found)


def group_rows(groups: Iterable[Group]) -> list[GroupRow]:
    """Flatten groups for tables and CSV."""
    make = GroupRow._make
    return [make((group.key, group.pid, *part._values())) for group in groups for part in group.states]


def sum_groups(groups: Iterable[Group]) -> list[StateCount]:
    """Add up the sockets of all groups by state."""
    counts: dict[Key, int] = {}
    for group in groups:
        for part in group.states:
            key = (part.netid, part.family, part.state)
            counts[key] = counts.get(key, 0) + part.count
    return state_counts(counts)
