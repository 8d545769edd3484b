"""Accept and SYN queues of listeners."""

from __future__ import annotations

from sockdiag.model.batch import Tally
from sockdiag.model.record import COUNT, COUNT_PER_S, COUNTER, RATIO, Record, field
from sockdiag.model.socket import Socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from sockdiag.model.batch import Batch

_ANY = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to
TABLES = ("tcp", "mptcp", "unix")


class Listener(Record):
    """A listening socket and its queues.

    Source: ``tcp_v4_conn_request()``, ``sk_acceptq_is_full()``: a queue is full when it holds more than its limit, so it
    holds one connection more than the limit.
    """

    socket: Socket = field("The listener.", of=Socket)
    accept_queue: int | None = field(
        "Connections waiting for accept(2).",
        unit=COUNT,
        header="WAITING",
        kernel="sk->sk_ack_backlog",
        sources=("inet_diag_msg.idiag_rqueue", "UNIX_DIAG_RQLEN"),
    )
    accept_queue_limit: int | None = field(
        "The smaller of the backlog passed to listen(2) and somaxconn at that time.",
        unit=COUNT,
        header="LIMIT",
        kernel="sk->sk_max_ack_backlog",
        sources=("inet_diag_msg.idiag_wqueue", "UNIX_DIAG_RQLEN"),
    )
    accept_queue_ratio: float | None = field(
        "Share of the queue in use: it holds one connection more than its limit.", unit=RATIO, header="USED"
    )
    syn_queue: int | None = field(
        "Requests whose handshake is not complete (SYN_RECV); null for unix, and if several listeners share the port.",
        unit=COUNT,
        header="SYN",
    )
    drops: int | None = field(
        "Connection attempts and handshakes refused since it was created; each retry of a client counts.",
        unit=COUNT,
        kind=COUNTER,
        header="DROPS-EVER",
        kernel="sk->sk_drops",
        sources=("INET_DIAG_SKMEMINFO[SK_MEMINFO_DROPS]",),
    )
    drops_in_interval: int | None = field(
        "The same between two samples.", default=None, unit=COUNT, header="DROPS-NOW", also=("delta", "loss")
    )
    per_s: float | None = field(
        "The same per second.", default=None, unit=COUNT_PER_S, header="DROPS/S", also=("loss_per_s",)
    )


def listening_rows(batches: Iterable[Batch]) -> Iterator[tuple[Batch, int]]:
    """Yield the rows that are listeners."""
    for batch in batches:
        if batch.columns is not None and "recv_q_unit" in batch.constants:
            if batch.constants["recv_q_unit"] == "connections":
                yield from ((batch, row) for row in range(batch.size))
            continue
        units = batch.values("recv_q_unit")
        yield from ((batch, row) for row, unit in enumerate(units) if unit == "connections")


def syn_counts(batches: Iterable[Batch]) -> dict[tuple[Any, Any], int]:
    """Count requests in SYN_RECV by local address and port."""
    counts: dict[tuple[Any, Any], int] = {}
    for batch in batches:
        if batch.columns is not None:
            if batch.constants.get("netid") != "tcp" or batch.constants.get("state", "SYN_RECV") != "SYN_RECV":
                continue
            states = batch.columns.get("state")
            if states is not None and "SYN_RECV" not in states.values():
                continue
            tally = Tally("state", "local.address", "local.port")
            tally.add(batch)
            for (state, address, port), n in tally.counts().items():
                if state == "SYN_RECV":
                    counts[address, port] = counts.get((address, port), 0) + n
        else:
            for socket in batch.sockets():
                if socket.netid == "tcp" and socket.state == "SYN_RECV":
                    key = (socket.local.address, socket.local.port)
                    counts[key] = counts.get(key, 0) + 1
    return counts


def find_listeners(batches: Iterable[Batch]) -> list[tuple[Listener, Batch, int]]:
    """Return the listeners with their queues, and their batches and rows."""
    batches = list(batches)
    counts = syn_counts(batches)
    places = list(listening_rows(batches))
    found = [(batch.at([row])[0], batch, row) for batch, row in places]
    shared: dict[tuple[Any, Any], int] = {}
    for socket, _batch, _row in found:
        key = (socket.local.address, socket.local.port)
        shared[key] = shared.get(key, 0) + 1
    listeners = []
    for socket, batch, row in found:
        waiting, limit = socket.recv_q, socket.send_q
        used = None if waiting is None or limit is None else round(waiting / (limit + 1), 4)
        drops = socket.skmem.drops if socket.netid == "tcp" and socket.skmem is not None else None
        syn = _syn_queue(socket, counts, shared) if socket.netid == "tcp" else None
        listeners.append((Listener(socket, waiting, limit, used, syn, drops), batch, row))
    return listeners


def _syn_queue(socket: Socket, counts: dict[tuple[Any, Any], int], shared: dict[tuple[Any, Any], int]) -> int | None:
    address, port = socket.local.address, socket.local.port
    if shared[address, port] > 1:
        return None
    if address not in _ANY:
        return counts.get((address, port), 0)
    # Requests to an address with a listener of its own belong to that listener.
    return sum(n for (a, p), n in counts.items() if p == port and ((a, p) not in shared or a == address))
