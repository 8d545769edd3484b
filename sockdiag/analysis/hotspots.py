"""The fullest buffer, the fullest queue and the most common transient state of a host: starting points, not verdicts."""

from __future__ import annotations

from sockdiag.kernel.families import LOSING_TABLES
from sockdiag.model.record import COUNT, ID, LABEL, RATIO, Record, field
from sockdiag.model.socket import Socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sockdiag.analysis.states import StateCount
    from sockdiag.model.batch import Batch

# States that a connection leaves after a moment. Many sockets in one of them deserve attention.
PASSING = ("CLOSE_WAIT", "SYN_RECV", "SYN_SENT", "LAST_ACK", "FIN_WAIT1", "FIN_WAIT2", "CLOSING")


class Fullest(Record):
    """A fill level and its socket."""

    ratio: float = field("Share of the limit in use; an accept queue holds one more than its limit.", unit=RATIO)
    used: int = field("Level, in the unit of the socket's queue.", unit=COUNT)
    limit: int = field("Limit.", unit=COUNT)
    drops: int | None = field("Dropped at this socket since it was created.", unit=COUNT)
    socket: Socket = field("The socket.", of=Socket)


class BusiestState(Record):
    """The transient state that most sockets are in."""

    state: str = field("State.", kind=LABEL)
    count: int = field("Sockets in it.", unit=COUNT)
    held_by: str | None = field("Process that holds most of them; null if none is visible.", default=None, kind=LABEL)
    pid: int | None = field("Its pid.", default=None, kind=ID)
    held: int | None = field("Number that it holds.", default=None, unit=COUNT)


class Worst(Record):
    """What stands out. A member is null if nothing does, or if it cannot be read."""

    buffer: Fullest | None = field(
        "Fullest receive buffer of those that lose data when full.", default=None, of=Fullest
    )
    queue: Fullest | None = field("Fullest accept queue.", default=None, of=Fullest)
    tcp_buffer: Fullest | None = field(
        "Fullest TCP receive buffer: at 1 the sender must wait.", default=None, of=Fullest
    )
    state: BusiestState | None = field("Transient state that most sockets are in.", default=None, of=BusiestState)


class HotspotSearch:
    """Observes batches as they pass through, and keeps the fullest buffer and queue."""

    __slots__ = ("_best",)

    def __init__(self) -> None:
        self._best: dict[str, Fullest] = {}

    def watch(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield the batches, and record each."""
        for batch in batches:
            self._look(batch)
            yield batch

    def join(self, other: HotspotSearch) -> None:
        """Merge another search: keep the fuller of each."""
        for what, level in other._best.items():
            mine = self._best.get(what)
            if mine is None or level.ratio > mine.ratio:
                self._best[what] = level

    def worst(self, busiest: BusiestState | None) -> Worst:
        """Return the result, together with the busiest state."""
        best = self._best
        return Worst(best.get("buffer"), best.get("queue"), best.get("tcp"), busiest)

    def _look(self, batch: Batch) -> None:
        first = next(batch.sockets(), None) if batch.columns is None else None
        table = first.netid if first is not None else batch.constants.get("netid", "")
        if table in ("tcp", "mptcp"):
            units = batch.values("recv_q_unit")
            listening = [unit == "connections" for unit in units]
            if any(listening):
                used, limit = batch.values("recv_q"), batch.values("send_q")
                waiting = [u if is_listener else None for u, is_listener in zip(used, listening, strict=True)]
                self._keep("queue", batch, waiting, limit, 1)
            if not all(listening):
                self._keep("tcp", batch, batch.values("skmem.rmem_alloc"), batch.values("skmem.rcvbuf"), 0)
        elif table in LOSING_TABLES:
            levels = batch.values("skmem.rmem_alloc")
            if table == "netlink":
                # The answer to our own request fills our own socket.
                protocols = batch.values("protocol")
                levels = [0 if p == "SOCK_DIAG" else n for n, p in zip(levels, protocols, strict=True)]
            self._keep("buffer", batch, levels, batch.values("skmem.rcvbuf"), 0)
        elif table == "unix":
            units = batch.values("recv_q_unit")
            waiting = [u if n == "connections" else None for u, n in zip(batch.values("recv_q"), units, strict=True)]
            self._keep("queue", batch, waiting, batch.values("send_q"), 1)

    def _keep(
        self, what: str, batch: Batch, used: Sequence[int | None], limits: Sequence[int | None], more: int
    ) -> None:
        best = self._best.get(what)
        ratio, at = (best.ratio if best else 0.0), -1
        for row, (level, limit) in enumerate(zip(used, limits, strict=True)):
            if level and limit is not None and level > ratio * (limit + more):
                ratio, at = level / max(1, limit + more), row
        if at < 0:
            return
        level, limit = used[at], limits[at]
        assert level is not None
        assert limit is not None
        socket = next(s for row, s in enumerate(batch.sockets()) if row == at)
        drops = socket.skmem.drops if socket.skmem is not None and what != "tcp" else None
        self._best[what] = Fullest(round(ratio, 4), level, limit, drops, socket)


def busiest_state(counts: Iterable[StateCount]) -> BusiestState | None:
    """Find the transient state that most TCP sockets are in."""
    sums: dict[str, int] = {}
    for count in counts:
        if count.netid in ("tcp", "mptcp") and count.state in PASSING:
            sums[count.state] = sums.get(count.state, 0) + count.count
    if not sums:
        return None
    state = max(sums, key=lambda name: (sums[name], -PASSING.index(name)))
    return BusiestState(state, sums[state])
