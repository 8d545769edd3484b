"""Drops of sockets, and data waiting in their queues, by table."""

from __future__ import annotations

from sockdiag.kernel.families import LOSING_TABLES
from sockdiag.model.batch import identities

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from sockdiag.model.batch import Batch

# Packets from a device end in a socket of one of these tables.
QUEUE_TABLES = ("tcp", *LOSING_TABLES)
# Those, and the connections of MPTCP, whose packets are segments of TCP.
TABLES = ("tcp", "mptcp", *LOSING_TABLES)
_U32 = 0xFFFFFFFF


class SocketQueues:
    """Sums over the sockets of one sample.

    Attributes:
        drops: by table, ``sk_drops`` of each socket that has any, by the socket's identity; None if one is unknown.
        recv_q_bytes: by table, bytes waiting to be read.
        accept_queue: by table, connections waiting to be accepted.
        rings: number of packet sockets with a receive ring, whose losses only their owner can read.
    """

    __slots__ = ("accept_queue", "drops", "recv_q_bytes", "rings")

    def __init__(self) -> None:
        self.drops: dict[str, dict[Any, int] | None] = {}
        self.recv_q_bytes: dict[str, int] = {}
        self.accept_queue: dict[str, int] = {}
        self.rings = 0

    def start(self, tables: Iterable[str]) -> None:
        """Note that tables were read: a table without sockets has dropped nothing and has nothing waiting."""
        for table in tables:
            self.recv_q_bytes.setdefault(table, 0)
            if table == "tcp":
                self.accept_queue.setdefault(table, 0)
            else:
                self.drops.setdefault(table, {})

    def add(self, batch: Batch) -> None:
        """Add the sockets of a batch, all of one table."""
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
        """Return the drops of a table's sockets since their creation; None if unknown."""
        drops = self.drops.get(table)
        return None if drops is None else sum(drops.values())

    def dropped_since(self, before: SocketQueues, table: str) -> int | None:
        """Return the drops of a table's sockets since an earlier sample; those of sockets that have gone are unknown."""
        now, then = self.drops.get(table), before.drops.get(table)
        if now is None or then is None:
            return None
        # The socket had dropped nothing then, or did not exist.
        return sum((n - then.get(key, 0)) & _U32 for key, n in now.items())
