"""What a tracepoint reported, about which socket, and whose."""

from __future__ import annotations

from sockdiag.model.address import Endpoint
from sockdiag.model.record import BYTES, COUNT, COUNTER, ID, LABEL, Record, field

# How an event was attributed.
EXACT, BY_ADDRESS, UNKNOWN = "exact", "address", "unknown"


class TraceEvent(Record):
    """One event. Source: the tracepoint that it names. Null is unknown."""

    time: str = field("When it happened, in UTC.", kind=LABEL)
    event: str = field(
        "drop, queue_full, buffer_limit, reset_sent, reset_received, retransmit, retransmit_synack, state, error; end where tracefs cannot be used.",
        kind=LABEL,
    )
    reason: str | None = field(
        "The kernel's name for the reason; of an error, or a retransmission or receive that failed, that of the error number.",
        kind=LABEL,
    )
    meaning: str | None = field("The reason in a sentence.", kind=LABEL)
    netid: str | None = field("Table of the socket.", kind=LABEL)
    local: Endpoint = field("Local end.", of=Endpoint)
    peer: Endpoint = field("Remote end.", of=Endpoint)
    state: str | None = field("State of the socket; of a change, the new one.", kind=LABEL)
    old_state: str | None = field("State before a change.", kind=LABEL)
    lifetime_s: float | None = field(
        "At the end of a connection that began during the trace, how long it lasted.", kind=LABEL
    )
    bytes_sent: int | None = field(
        "At the end of a connection, bytes sent, without retransmissions.", unit=BYTES, kind=COUNTER
    )
    bytes_received: int | None = field(
        "At the end of a connection, bytes received in order; the peer's FIN counts as one.", unit=BYTES, kind=COUNTER
    )
    cookie: int | None = field("Identity of the socket, hexadecimal.", kind=ID, base=16)
    inode: int | None = field("sockfs inode.", kind=ID)
    pid: int | None = field("Process.", kind=ID)
    process: bytes | None = field("Its name.", kind=LABEL)
    unit: str | None = field("Its systemd unit.", kind=LABEL)
    container: str | None = field("Its container.", kind=LABEL)
    netns: str | None = field("Network namespace: name or inode; null if it is not known to be this one.", kind=LABEL)
    attribution: str = field(
        "How the process was found. exact: the task that the event happened in, or the socket that the kernel names; address: a "
        "socket with these addresses; unknown: not found.",
        kind=LABEL,
    )
    cpu: int | None = field("CPU; null if no tracepoint reported it.", kind=ID)
    tracepoint: str = field("The kernel's tracepoint, or netlink:inet_diag_destroy.", kind=LABEL)


class TraceTotal(Record):
    """How many events had something in common."""

    by: str = field("reason, socket, process or peer.", kind=LABEL)
    name: str = field("Which of them.", kind=LABEL)
    events: int = field("Number of events.", unit=COUNT)


class TracedDrop(Record):
    """Drops of one socket for one reason, of a trace beside the samples."""

    event: str = field("drop, queue_full or buffer_limit.", kind=LABEL)
    reason: str | None = field("The kernel's name for the reason; null if it gave none.", kind=LABEL)
    meaning: str | None = field("The reason in a sentence.", kind=LABEL)
    events: int = field("How many there were.", unit=COUNT)
    netid: str | None = field("Table of the socket; null if the packet had reached none.", kind=LABEL)
    local: Endpoint = field("Local end.", of=Endpoint)
    peer: Endpoint = field("Remote end of a connection; otherwise the sender of most of them.", of=Endpoint)
    peers: int = field("How many senders there were.", unit=COUNT)
    cookie: int | None = field("Identity of the socket, hexadecimal.", kind=ID, base=16)
    inode: int | None = field("sockfs inode.", kind=ID)
    pid: int | None = field("Process.", kind=ID)
    process: bytes | None = field("Its name.", kind=LABEL)
    unit: str | None = field("Its systemd unit.", kind=LABEL)
    container: str | None = field("Its container.", kind=LABEL)
    netns: str | None = field("Network namespace: name or inode; null if it is not known to be this one.", kind=LABEL)
    attribution: str = field("How the process was found: exact, address or unknown, as in events.", kind=LABEL)
    tracepoint: str = field("The kernel's tracepoint.", kind=LABEL)
    findings: tuple[str, ...] = field("Rules whose findings they belong to; empty if none explains them.", kind=LABEL)


class DropTrace(Record):
    """What was traced beside the samples that findings come from."""

    seconds: float | None = field("How long it ran; null if nothing could be traced, and a gap says why.")
    lost: int | None = field("Events that came faster than they were read.", unit=COUNT)
    drops: tuple[TracedDrop, ...] | None = field(
        "The drops, most events first; null if nothing could be traced.", of=TracedDrop
    )
    others: int | None = field("Drops of further sockets, too many to list.", unit=COUNT)
