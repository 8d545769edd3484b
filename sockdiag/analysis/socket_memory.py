"""Find the holders of socket memory: individual sockets, and sums over groups of sockets."""

from __future__ import annotations

from heapq import nlargest

from sockdiag.analysis.grouping import BY_PROCESS, Grouped, merged
from sockdiag.model.record import BYTES, COUNT, Record, field
from sockdiag.model.socket import Socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from sockdiag.analysis.grouping import GroupId, Grouping
    from sockdiag.model.batch import Batch

_PARTS = ("rmem_alloc", "wmem_alloc", "fwd_alloc", "wmem_queued", "optmem", "backlog")


class SocketMemory(Record):
    """A socket and its memory."""

    held_bytes: int = field(
        "Memory held: receive queue, backlog, write queue, prepaid, options.",
        unit=BYTES,
        header="HELD",
        kernel="sk_rmem_alloc + sk_backlog.len + max(sk_wmem_queued, sk_wmem_alloc) + sk_forward_alloc + sk_omem_alloc",
    )
    socket: Socket = field("The socket.", of=Socket)


class MemoryGroup(Grouped):
    """Memory of a group of sockets."""

    rss_bytes: int | None = field(
        "Resident memory of the process, for comparison; socket memory is the kernel's and not part of it.",
        unit=BYTES,
        header="RSS",
        needs=BY_PROCESS,
    )
    sockets: int = field("Sockets.", unit=COUNT)
    held_bytes: int = field("Memory held by them.", unit=BYTES, header="HELD")
    rmem_alloc_bytes: int = field("Part held by receive queues.", unit=BYTES, header="RMEM", kernel="sk->sk_rmem_alloc")
    wmem_bytes: int = field(
        "Part held by write queues.", unit=BYTES, header="WMEM", kernel="max(sk->sk_wmem_queued, sk->sk_wmem_alloc)"
    )
    fwd_alloc_bytes: int = field(
        "Part that is prepaid and unused.", unit=BYTES, header="FWD", kernel="sk->sk_forward_alloc"
    )
    unknown: int = field("Sockets whose memory the source does not report; not in the sums.", unit=COUNT)


def _held(rmem: int, wmem: int, fwd: int, wmem_queued: int, optmem: int, backlog: int) -> int:
    # sk_wmem_queued is TCP's write queue, and sk_wmem_alloc the part of it below TCP; other protocols have only the latter.
    return rmem + backlog + max(wmem, wmem_queued) + fwd + optmem


def _amounts(batch: Batch) -> list[Sequence[int | None]]:
    return [batch.values(f"skmem.{part}") for part in _PARTS]


# In these states a TCP socket is a small struct without buffers: a request, or the remainder of a connection.
_MINI = frozenset(("SYN_RECV", "TIME_WAIT", "FIN_WAIT2"))


def held_by_rows(batch: Batch) -> tuple[int, int, int] | None:
    """Return the memory of a batch: total, in receive queues, in write queues; None if it is unknown."""
    amounts: list[Any] = _amounts(batch)
    if None in amounts[0] and not _without_buffers(batch, amounts[0]):
        return None
    rmem, wmem, fwd, queued, optmem, backlog = ([n or 0 for n in part] if None in part else part for part in amounts)
    receive, send = sum(rmem), sum(map(max, wmem, queued))
    return receive + send + sum(fwd) + sum(optmem) + sum(backlog), receive, send


def _without_buffers(batch: Batch, rmem: Sequence[int | None]) -> bool:
    netid, states = batch.values("netid")[0], batch.values("state")
    return netid in ("tcp", "mptcp") and all(
        n is not None or state in _MINI for n, state in zip(rmem, states, strict=True)
    )


class Holders:
    """The result of a walk over all sockets.

    Attributes:
        groups: sums, largest first.
        largest: the sockets that hold most, largest first.
        unknown: number of sockets whose memory could not be read.
    """

    __slots__ = ("groups", "largest", "unknown")

    def __init__(self, groups: list[MemoryGroup], largest: list[SocketMemory], unknown: int) -> None:
        self.groups = groups
        self.largest = largest
        self.unknown = unknown


def find_holders(batches: Iterable[Batch], grouping: Grouping, limit: int | None) -> Holders:
    """Sum socket memory by group and find the sockets that hold most.

    Args:
        batches: sockets with skmem.
        grouping: the groups.
        limit: number of individual sockets; None for all that hold memory.
    """
    sums: dict[GroupId, list[int]] = {}
    largest: list[tuple[int, int, Socket]] = []
    serial = unknown = 0
    for batch in batches:
        keys = grouping.rows(batch)
        holding = []
        for row, (key, rmem, wmem, fwd, queued, optmem, backlog) in enumerate(zip(keys, *_amounts(batch), strict=True)):
            total = sums.get(key)
            if total is None:
                total = sums[key] = [0] * 6
            total[0] += 1
            if rmem is None:
                total[5] += 1
                unknown += 1
                continue
            held = _held(rmem, wmem or 0, fwd or 0, queued or 0, optmem or 0, backlog or 0)
            if held:
                total[1] += held
                total[2] += rmem
                total[3] += max(wmem or 0, queued or 0)
                total[4] += fwd or 0
                holding.append((held, row))
        if holding:
            wanted = nlargest(limit, holding) if limit is not None else holding
            records = dict(enumerate(batch.sockets())) if wanted else {}
            for held, row in wanted:
                serial += 1
                largest.append((held, -serial, records[row]))
            if limit is not None:
                largest = nlargest(limit, largest, key=lambda item: item[:2])
    largest.sort(key=lambda item: item[:2], reverse=True)
    groups = [
        MemoryGroup._make((*grouping.shown(group), None, n, held, rmem, wmem, fwd, missing))
        for group, (n, held, rmem, wmem, fwd, missing) in sums.items()
    ]
    groups.sort(key=_by_size)
    return Holders(groups, [SocketMemory(held, socket) for held, _serial, socket in largest], unknown)


def _by_size(group: MemoryGroup) -> tuple[int, int, str]:
    return -group.held_bytes, -group.sockets, group.key or ""


def merge_holders(parts: Iterable[Holders], limit: int | None) -> Holders:
    """Merge the results of several namespaces.

    Args:
        parts: the results.
        limit: number of individual sockets; None for all.
    """
    parts = list(parts)
    largest: list[SocketMemory] = []
    unknown = 0
    for part in parts:
        unknown += part.unknown
        largest = sorted([*largest, *part.largest], key=lambda row: -row.held_bytes)[:limit]
    groups = merged((part.groups for part in parts), _added)
    return Holders(sorted(groups, key=_by_size), largest, unknown)


def _added(one: MemoryGroup, other: MemoryGroup) -> MemoryGroup:
    rest = zip(one._values()[_SUMS:], other._values()[_SUMS:], strict=True)
    return MemoryGroup._make((*one._values()[:_SUMS], *(a + b for a, b in rest)))


# Place of the first sum in the record.
_SUMS = [one.name for one in MemoryGroup.FIELDS].index("sockets")
