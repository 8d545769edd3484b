"""What sockets dropped, and what waits in their queues, by table."""

from __future__ import annotations

from sockdiag.kernel.families import LOSING_TABLES
from sockdiag.model.batch import identities

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from sockdiag.model.batch import Batch

# What comes from a device ends in one of these.
QUEUE_TABLES = ("tcp", *LOSING_TABLES)
_U32 = 0xFFFFFFFF


class SocketQueues:
    """Sums over the sockets of one sample.

    Attributes:
        drops: by table, ``sk_drops`` of each socket that has some, by what identifies it; None where one is unknown.
        recv_q_bytes: by table, bytes that wait to be read.
        accept_queue: by table, connections that wait to be accepted.
        rings: packet sockets with a receive ring, whose losses show to their owner only.
    """

    __slots__ = ("accept_queue", "drops", "recv_q_bytes", "rings")

    def __init__(self) -> None:
        self.drops: dict[str, dict[Any, int] | None] = {}
        self.recv_q_bytes: dict[str, int] = {}
        self.accept_queue: dict[str, int] = {}
        self.rings = 0

    def start(self, tables: Iterable[str]) -> None:
        """Note that tables were read: without sockets, nothing is dropped and nothing waits in them."""
        for table in tables:
            self.recv_q_bytes.setdefault(table, 0)
            if table == "tcp":
                self.accept_queue.setdefault(table, 0)
            else:
                self.drops.setdefault(table, {})

    def add(self, batch: Batch) -> None:
        """Add the sockets of a batch, which are of one table."""
        table = batch.values("netid")[0]
        self.start((table,))
        waiting = batch.values("recv_q")
        if table == "tcp":
            self._add_tcp(waiting, batch.values("state"))
            return
        self.recv_q_bytes[table] += sum(filter(None, waiting))
        drops = batch.values("skmem.drops")
        found = self.drops[table]
        if found is None or None in drops:
            self.drops[table] = None
        elif any(drops):
            found.update((key, n) for key, n in zip(identities(batch), drops, strict=True) if n)
        if table == "packet":
            self.rings += sum(
                socket.packet is not None and socket.packet.rx_ring is not None for socket in batch.sockets()
            )

    def _add_tcp(self, waiting: Sequence[int | None], states: Sequence[str]) -> None:
        listening = sum(n for n, state in zip(waiting, states, strict=True) if n and state == "LISTEN")
        self.accept_queue["tcp"] += listening
        self.recv_q_bytes["tcp"] += sum(filter(None, waiting)) - listening

    def dropped(self, table: str) -> int | None:
        """Return what the sockets of a table dropped since they were created; None where it is unknown."""
        drops = self.drops.get(table)
        return None if drops is None else sum(drops.values())

    def dropped_since(self, before: SocketQueues, table: str) -> int | None:
        """Return what the sockets of a table dropped since an earlier sample; of one that has gone, nothing is known."""
        now, then = self.drops.get(table), before.drops.get(table)
        if now is None or then is None:
            return None
        # A socket that had dropped nothing then, or was not there.
        return sum((n - then.get(key, 0)) & _U32 for key, n in now.items())
