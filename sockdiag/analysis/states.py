"""Count sockets by state, and by owner or another key."""

from __future__ import annotations

from sockdiag.analysis.grouping import Grouped, same_group
from sockdiag.kernel.tcp_states import SHOWN_STATES, STATE_NUMBERS
from sockdiag.model.batch import Tally, count_elements
from sockdiag.model.query import TABLES
from sockdiag.model.record import COUNT, LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from sockdiag.analysis.grouping import GroupId, Grouping
    from sockdiag.model.batch import Batch

    Key = tuple[str, str, str | None]


class StateCount(Record):
    """Sockets of one table and family in one state."""

    netid: str = field("Table: tcp, udp, unix, …", kind=LABEL)
    family: str = field("Address family.", kind=LABEL)
    state: str | None = field("State, by the kernel's name.", kind=LABEL, shown=SHOWN_STATES)
    count: int = field("Sockets.", unit=COUNT)


class Group(Grouped):
    """A group of sockets, by state."""

    count: int = field("Sockets.", unit=COUNT)
    states: tuple[StateCount, ...] = field("The same by table, family and state.", of=StateCount)


class GroupRow(Grouped):
    """One line of a grouped table: a state of a group."""

    netid: str = field("Table.", kind=LABEL)
    family: str = field("Address family.", kind=LABEL)
    state: str | None = field("State.", kind=LABEL, shown=SHOWN_STATES)
    count: int = field("Sockets.", unit=COUNT)


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


def group_states(batches: Iterable[Batch], grouping: Grouping) -> list[Group]:
    """Count sockets by state within groups, largest group first.

    A socket that several processes hold counts once.
    """
    counted: dict[GroupId, dict[Key, int]] = {}
    for group, key, n in _counted(batches, grouping):
        counts = counted.get(group)
        if counts is None:
            counted[group] = {key: n}
        else:
            # Two processes can share a container, and two uids a name.
            counts[key] = counts.get(key, 0) + n
    found = []
    make, make_count, shown = Group._make, StateCount._make, grouping.shown
    for group, counts in counted.items():
        if len(counts) == 1:
            # With --by port there are tens of thousands of groups.
            ((key, n),) = counts.items()
            found.append(make((*shown(group), n, (make_count((*key, n)),))))
        else:
            found.append(make((*shown(group), sum(counts.values()), tuple(state_counts(counts)))))
    return _largest_first(found)


_STATE = ("netid", "family", "state")


def _counted(batches: Iterable[Batch], grouping: Grouping) -> Iterator[tuple[GroupId, Key, int]]:
    counts: dict[Any, int]
    if grouping.owned:
        counts = {}
        for batch in batches:
            count_elements(counts, zip(grouping.raw(batch), *map(batch.values, _STATE), strict=True))
        for (raw, *key), n in counts.items():
            yield grouping.identity(raw), tuple(key), n
        return
    fields = grouping.fields
    tally = Tally(*fields, *_STATE)
    for batch in batches:
        tally.add(batch)
    known: dict[Any, GroupId] = {}
    for values, n in tally.counts().items():
        mine: Any = values[: len(fields)]
        group = known.get(mine)
        if group is None:
            group = known[mine] = grouping.identity_of_fields(mine)
        yield group, values[len(fields) :], n


def _largest_first(groups: list[Group]) -> list[Group]:
    groups.sort(key=lambda group: (-group.count, group.key or "", group.pid or 0))
    return groups


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
    states: dict[tuple[Any, ...], list[Group]] = {}
    for part in parts:
        for group in part:
            states.setdefault(same_group(group), []).append(group)
    found = [
        # Most groups are in only one namespace.
        groups[0]
        if len(groups) == 1
        else groups[0]._replace(count=sum(group.count for group in groups), states=tuple(sum_groups(groups)))
        for groups in states.values()
    ]
    return _largest_first(found)


def group_rows(groups: Iterable[Group]) -> list[GroupRow]:
    """Flatten groups for tables and CSV."""
    make = GroupRow._make
    return [make((group.key, group.pid, group.keys, *part._values())) for group in groups for part in group.states]


def sum_groups(groups: Iterable[Group]) -> list[StateCount]:
    """Add up the sockets of all groups by state."""
    counts: dict[Key, int] = {}
    for group in groups:
        for part in group.states:
            key = (part.netid, part.family, part.state)
            counts[key] = counts.get(key, 0) + part.count
    return state_counts(counts)
