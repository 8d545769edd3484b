"""Whether a queue is served: what its levels at several moments prove.

A queue that fills and empties looks like a trend to anybody who sees two phases of it. So growth counts only where all
moments agree, and only if what waits would have taken longer to gather than readers that work in batches let pass.
"""

from __future__ import annotations

from sockdiag.judging.case import Threshold, batch_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sockdiag.model.batch import Batch
    from sockdiag.model.sample import Sample

# For the thresholds of rules.
PATIENCE = Threshold("patience_s", 6, "a reader that works in batches returns to its queue at least this often")
STANDING = Threshold(
    "standing_ratio", 0.25, "a smaller amount unread for a second may be waiting for a reader that works in batches"
)
# What is below it stands for a reason of its own: sockets that a process keeps and seldom reads.
FEW_BYTES = 4096

# Levels at fewer moments than this can rise by chance.
_ENOUGH = 4
# Correlation of level and time from which on a queue that also falls is growing all the same.
_STRAIGHT = 0.95

# So many sockets are followed further.
_FOLLOWED = 64


def standing_queues(samples: Sequence[Sample]) -> list[int]:
    """Return the inodes of sockets whose queues held something in all samples and never fell.

    Nobody may be serving them. But a busy one may hold the same at each moment: a request and an answer of one size, or a queue
    that its writers fill at once.
    """
    found: dict[int, int] = {}
    for i, sample in enumerate(samples):
        here: dict[int, int] = {}
        for batch in sample.batches:
            waiting = batch.values("recv_q")
            if any(waiting):
                inodes, own = batch.values("inode"), kernels_own(batch)
                here.update((inodes[row], n) for row, n in enumerate(waiting) if n and inodes[row] and row not in own)
        found = here if i == 0 else {inode: here[inode] for inode, n in found.items() if here.get(inode, 0) >= n}
        if not found:
            break
    return sorted(found)[:_FOLLOWED]


def kernels_own(batch: Batch) -> Collection[int]:
    """Return the rows that are the kernel's ends of netlink, which no process holds or reads.

    While the kernel answers a dump, it charges the request to its socket of NETLINK_SOCK_DIAG, so that every sample shows
    one that holds something.

    Source: ``netlink_unicast_kernel()``; ``netlink_insert()`` gives the kernel's sockets port 0.
    """
    if batch_table(batch) != "netlink":
        return ()
    return {row for row, local in enumerate(batch.values("local")) if local is not None and local.port == 0}


class Course:
    """The levels of a queue: in the earlier sample, in the probes, and in the later sample.

    Args:
        times: when each level was read, in seconds.
        levels: how much waited then.
        untouched: it is known whether nothing was taken out between the first and the last moment; None: the levels decide.
    """

    __slots__ = ("levels", "times", "untouched")

    def __init__(self, times: Sequence[float], levels: Sequence[int], *, untouched: bool | None = None) -> None:
        self.times = tuple(times)
        self.levels = tuple(levels)
        still = len(levels) >= _ENOUGH and levels[0] > 0 and min(levels) == max(levels)
        self.untouched = not self.fell and bool(levels and levels[-1]) and (still if untouched is None else untouched)

    @property
    def span_s(self) -> float:
        """Seconds between the first and the last moment."""
        return self.times[-1] - self.times[0] if self.times else 0.0

    @property
    def fell(self) -> bool:
        """Whether something was taken out: the level fell between two moments."""
        return any(later < earlier for earlier, later in zip(self.levels, self.levels[1:], strict=False))

    @property
    def drained(self) -> bool:
        """Whether somebody took out more than half of what waited at some moment."""
        highest = 0
        for level in self.levels:
            if 2 * level < highest:
                return True
            highest = max(highest, level)
        return False

    @property
    def grew(self) -> bool:
        """Whether more waits at the end than at the beginning."""
        return len(self.levels) > 1 and self.levels[-1] > self.levels[0]

    @property
    def rate(self) -> float:
        """How much the queue grows per second; 0 where the moments do not agree that it grows."""
        if not self.grew or not self.levels[0] or self.span_s <= 0:
            return 0.0
        net = (self.levels[-1] - self.levels[0]) / self.span_s
        if self.untouched or (len(self.levels) >= _ENOUGH and (not self.fell or _correlation(self) >= _STRAIGHT)):
            return net
        return 0.0

    @property
    def waited_s(self) -> float:
        """How long it took what waits now to gather, at the rate of growth; as long as was looked where nothing was taken out."""
        gathered = self.levels[-1] / self.rate if self.rate else 0.0
        return max(gathered, self.span_s if self.untouched and self.levels[0] else 0.0)


def _correlation(course: Course) -> float:
    """Return Pearson's correlation of level and time."""
    n = len(course.levels)
    t0, x0 = sum(course.times) / n, sum(course.levels) / n
    ts, xs = [t - t0 for t in course.times], [x - x0 for x in course.levels]
    spread = (sum(t * t for t in ts) * sum(x * x for x in xs)) ** 0.5
    return sum(t * x for t, x in zip(ts, xs, strict=True)) / spread if spread else 0.0
