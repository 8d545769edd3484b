"""Sum the queues and the drops of sockets by group."""

from __future__ import annotations

from sockdiag.analysis.grouping import Grouped, merged
from sockdiag.analysis.sums import add_known
from sockdiag.model.record import BYTES, COUNT, field
from sockdiag.model.socket import IN_CONNECTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sockdiag.analysis.grouping import GroupId, Grouping
    from sockdiag.model.batch import Batch


class SocketGroup(Grouped):
    """A group of sockets: their number, and what is in their queues."""

    count: int = field("Sockets.", unit=COUNT)
    recv_q: int | None = field("Bytes received and not yet read; listeners have none.", unit=BYTES, header="RECV-Q")
    send_q: int | None = field(
        "Bytes sent and not yet acknowledged, or not yet sent; listeners have none.", unit=BYTES, header="SEND-Q"
    )
    accept_queue: int | None = field(
        "Connections that wait in accept(2) at the listeners among them; null without one.",
        unit=COUNT,
        header="ACCEPT-QUEUE",
    )
    drops: int | None = field(
        "Packets or connections that the sockets dropped since they were created.", unit=COUNT, header="DROPS-EVER"
    )
    unknown: int = field(
        "Sockets for which the source does not report a queue or the drops; not in the sums.", unit=COUNT
    )


# Sums of a group while it grows: sockets, then a sum and a number of summands for each queue and the drops, then unknown.
_COUNT, _RECV, _SEND, _ACCEPT, _DROPS, _UNKNOWN = 0, 1, 3, 5, 7, 9

# These are stubs, which have no queues and drop nothing.
_STUBS = frozenset(("TIME_WAIT", "SYN_RECV"))


def sum_queues(batches: Iterable[Batch], grouping: Grouping) -> list[SocketGroup]:
    """Sum the queues and drops of sockets by group, largest group first."""
    sums: dict[GroupId, list[int]] = {}
    for batch in batches:
        columns = [batch.values(name) for name in ("recv_q", "send_q", "skmem.drops", "state", "recv_q_unit")]
        for group, recv, send, drops, state, unit in zip(grouping.rows(batch), *columns, strict=True):
            total = sums.get(group)
            if total is None:
                total = sums[group] = [0] * 10
            total[_COUNT] += 1
            listens = unit == IN_CONNECTIONS
            if listens and recv is not None:
                total[_ACCEPT] += recv
                total[_ACCEPT + 1] += 1
            missing = False
            for place, value in ((_RECV, 0 if listens else recv), (_SEND, 0 if listens else send), (_DROPS, drops)):
                if value is not None:
                    total[place] += value
                    total[place + 1] += 1
                elif state not in _STUBS:
                    missing = True
            total[_UNKNOWN] += missing
    make, shown = SocketGroup._make, grouping.shown
    return _largest_first([make((*shown(group), total[_COUNT], *_known(total))) for group, total in sums.items()])


def _known(total: Sequence[int]) -> tuple[int | None, ...]:
    # A sum of nothing is unknown, except where there was nothing to sum: then it is zero.
    nothing = None if total[_UNKNOWN] else 0
    recv, send, drops = (total[at] if total[at + 1] else nothing for at in (_RECV, _SEND, _DROPS))
    return recv, send, total[_ACCEPT] if total[_ACCEPT + 1] else None, drops, total[_UNKNOWN]


def merge_queues(parts: Iterable[Iterable[SocketGroup]]) -> list[SocketGroup]:
    """Merge the groups of several namespaces."""
    return _largest_first(merged(parts, _added))


def _added(one: SocketGroup, other: SocketGroup) -> SocketGroup:
    pairs = zip(one._values()[_SUMS:], other._values()[_SUMS:], strict=True)
    return SocketGroup._make((*one._values()[:_SUMS], *(add_known(a, b) for a, b in pairs)))


# Place of the first sum in the record.
_SUMS = [one.name for one in SocketGroup.FIELDS].index("count")


def _largest_first(groups: list[SocketGroup]) -> list[SocketGroup]:
    return sorted(groups, key=lambda group: (-group.count, group.key or "", group.pid or 0))
