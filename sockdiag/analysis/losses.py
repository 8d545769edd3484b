"""The counters of lost packets or connections, and the meaning of each."""

from __future__ import annotations

from sockdiag.model.counters import mib_of
from sockdiag.model.record import COUNT, COUNT_PER_S, COUNTER, LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockdiag.model.counters import Counters

# Exact name -> what was lost. Counters of attempts, and of back-pressure without loss, are not included.
LOSSES = {
    "Udp.RcvbufErrors": "IPv4 datagrams refused: a socket's receive buffer was full",
    "Udp6.RcvbufErrors": "IPv6 datagrams refused: a socket's receive buffer was full",
    "Udp.MemErrors": "IPv4 datagrams refused: udp_mem was used up",
    "Udp6.MemErrors": "IPv6 datagrams refused: udp_mem was used up",
    "Udp.SndbufErrors": "IPv4 datagrams not sent: no room in the send buffer",
    "Udp6.SndbufErrors": "IPv6 datagrams not sent: no room in the send buffer",
    "UdpLite.RcvbufErrors": "UDP-Lite datagrams refused: a socket's receive buffer was full",
    "UdpLite6.RcvbufErrors": "UDP-Lite datagrams over IPv6 refused: a socket's receive buffer was full",
    "TcpExt.ListenOverflows": "connection attempts refused: an accept queue was full",
    "TcpExt.ListenDrops": "connection attempts refused at a listener, for any reason",
    "TcpExt.TCPReqQFullDrop": "SYNs refused: a SYN queue was full and SYN cookies are off",
    "TcpExt.TCPBacklogDrop": "segments dropped: the socket was locked by its owner and its backlog full",
    "TcpExt.TCPRcvQDrop": "segments dropped: no memory for the receive queue",
    "TcpExt.RcvPruned": "segments dropped: the receive queue could not be made smaller",
    "TcpExt.OfoPruned": "out-of-order queues thrown away to save memory",
    "TcpExt.TCPOFODrop": "out-of-order segments dropped: no memory",
    "TcpExt.TCPAbortOnMemory": "connections reset: no memory, or too many orphans",
    "TcpExt.TCPMinTTLDrop": "segments dropped: TTL below IP_MINTTL",
    "Ip.InDiscards": "IPv4 packets thrown away on receipt: no buffers",
    "Ip6.InDiscards": "IPv6 packets thrown away on receipt: no buffers",
    "Ip.OutDiscards": "IPv4 packets thrown away instead of sent: queueing discipline, neighbour or no buffers",
    "Ip6.OutDiscards": "IPv6 packets thrown away instead of sent: queueing discipline, neighbour or no buffers",
    "Ip.ReasmFails": "IPv4 fragments that could not be reassembled",
    "Ip6.ReasmFails": "IPv6 fragments that could not be reassembled",
}

# The same for rows of a table, named PREFIX.ROW.COLUMN: (prefix, column) -> what was lost.
ROW_LOSSES = {
    ("softnet_stat", "dropped"): "packets dropped before IP: this CPU's input queue was full (netdev_max_backlog)",
    ("dev", "rx_fifo"): "packets dropped by the device: its ring was full",
    ("dev", "tx_drop"): "packets dropped by the driver instead of sent",
    ("nf_conntrack", "drop"): "packets dropped: the conntrack table was full",
}


class Loss(Record):
    """A counter of lost packets or connections."""

    name: str = field("Exact name of the counter.", kind=LABEL)
    total: int = field(
        "Since boot, or since the namespace was created: history, not a finding.",
        unit=COUNT,
        kind=COUNTER,
        header="LOST-EVER",
        also=("loss_total",),
    )
    delta: int | None = field(
        "During the interval; null if it is unknown.", unit=COUNT, header="LOST-NOW", also=("loss", "drops_in_interval")
    )
    per_s: float | None = field("The same per second.", unit=COUNT_PER_S, header="LOST/S", also=("loss_per_s",))
    scope: str = field("Whose number it is: netns or host.", kind=LABEL)
    meaning: str = field("What was lost.", kind=LABEL)


def meaning_of(name: str) -> str:
    """Return the meaning of a counter of loss; "" if it is not declared as one."""
    prefix, _, rest = name.partition(".")
    return LOSSES.get(name) or ROW_LOSSES.get((prefix, rest.rpartition(".")[2]), "")


def losses(before: Counters | None, after: Counters, seconds: float) -> list[Loss]:
    """List the counters of loss that are not zero, with those that grew first.

    Args:
        before: an earlier sample of the same counters, or None.
        after: the later sample. A counter that the kernel lacks is not listed.
        seconds: time between the two.
    """
    moved = {} if before is None else {d.name: d.value for d in after.since(before)}
    rows = []
    for name in after:
        meaning = meaning_of(name)
        total = after[name]
        if meaning and total:
            delta = moved.get(name)
            rate = None if delta is None or seconds <= 0 else delta / seconds
            rows.append(Loss(name, total, delta, rate, mib_of(name).scope, meaning))
    rows.sort(key=lambda loss: (-(loss.delta or 0), -loss.total, loss.name))
    return rows


# Counter -> counters whose events it counts too.
INCLUDES = {
    # tcp_conn_request() and tcp_v4_syn_recv_sock() count a refusal, and tcp_listendrop() counts each refusal again.
    "TcpExt.ListenDrops": ("TcpExt.ListenOverflows", "TcpExt.TCPReqQFullDrop"),
}


def once(losses: Iterable[Loss]) -> list[Loss]:
    """Return losses without events that another counter in the list counts more precisely; one with nothing left is left out."""
    rows = list(losses)
    by_name = {loss.name: loss for loss in rows}
    found = []
    for loss in rows:
        parts = [by_name[name] for name in INCLUDES.get(loss.name, ()) if name in by_name]
        if parts:
            delta = None if loss.delta is None else max(0, loss.delta - sum(part.delta or 0 for part in parts))
            per_s = None if loss.per_s is None or not loss.delta else loss.per_s * (delta or 0) / loss.delta
            total = max(0, loss.total - sum(part.total for part in parts))
            rest = loss._replace(total=total, delta=delta, per_s=per_s)
        else:
            rest = loss
        if rest.total or rest.delta:
            found.append(rest)
    return found
