"""Measures of individual queues: of each listener, and of each UDP port that receives."""

from __future__ import annotations

from sockdiag.analysis.measures._sockets import NETID, table_of
from sockdiag.analysis.measures.measure import MAX, Facts, Label, Measure, count
from sockdiag.model.record import BYTES, RATIO, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sockdiag.analysis.measures.measure import Labels, Value
    from sockdiag.model.batch import Batch
    from sockdiag.model.sample import Sample

    Reader = Callable[[Facts], Iterator[tuple[Labels, Value]]]

_LISTENING = ("tcp", "mptcp", "unix")
_RECEIVING = ("udp", "udplite")
_ANY = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not bound to
# Queues that are fuller than this are shown before the others.
_FULL = 0.5
# Stands for all connected UDP sockets, whose ports the kernel chooses and which change. No address looks like it.
CONNECTED = "connected"

LOCAL = Label("local", "Where it listens: 0.0.0.0:443, [::]:443, 10.0.0.1%eth0:443, /run/x.sock, @abstract.")


class _Queue(Record):
    """The queue of a listener or of a UDP socket."""

    labels: tuple[str, ...] = field("netid and local.")
    used: int | None = field("Its fill level.")
    limit: int | None = field("Its limit.")
    fill: float | None = field("Share of the queue in use.")
    drops: int | None = field("What the socket refused since it was created.")
    syn: int | None = field("Requests in SYN_RECV.", default=None)


def local_name(address: str | bytes | None, port: int | None, interface: str | None) -> str:
    """Format a local end as a label value; bytes of a unix name that are not UTF-8 become surrogates."""
    if isinstance(address, bytes):
        return address.replace(b"\0", b"@").decode("utf-8", "surrogateescape")
    host = "*" if address is None else f"[{address}]" if ":" in address else address
    host += f"%{interface}" if interface else ""
    return host if port is None else f"{host}:{port}"


def _notable(queue: _Queue) -> tuple[int, bool, int, str]:
    # Do not sort by fill, which changes from sample to sample and would make series come and go.
    netid, local = queue.labels
    tables = (*_LISTENING, *_RECEIVING)
    return -(queue.drops or 0), (queue.fill or 0) < _FULL, tables.index(netid), local


def _listeners(sample: Sample) -> list[_Queue]:
    from sockdiag.analysis.listeners import find_listeners

    found = []
    for one, _batch, _row in find_listeners(batch for batch in sample.batches if table_of(batch) in _LISTENING):
        socket = one.socket
        local = socket.local
        name = local_name(local.address, local.port, local.interface)
        found.append(
            _Queue(
                (socket.netid, name),
                one.accept_queue,
                one.accept_queue_limit,
                one.accept_queue_ratio,
                one.drops,
                one.syn_queue,
            )
        )
    found.sort(key=_notable)
    return found


def _udp(sample: Sample) -> list[_Queue]:
    found: list[_Queue] = []
    for batch in sample.batches:
        table = table_of(batch)
        if table in _RECEIVING:
            found += _ports(batch, table)
    found.sort(key=_notable)
    return found


def _ports(batch: Batch, table: str) -> Iterable[_Queue]:
    names = (
        "local.address",
        "local.port",
        "local.interface",
        "peer.address",
        "peer.port",
        "skmem.rmem_alloc",
        "skmem.rcvbuf",
        "skmem.drops",
    )
    for address, port, interface, peer, peer_port, used, limit, drops in zip(*map(batch.values, names), strict=True):
        own = not peer_port and (peer is None or peer in _ANY)
        name = local_name(address, port, interface) if own else CONNECTED
        fill = None if used is None or not limit else used / limit
        yield _Queue((table, name), used, limit, fill, drops)


def _of(find: Callable[[Sample], list[_Queue]], part: str, tables: tuple[str, ...] = ()) -> Reader:
    def read(facts: Facts) -> Iterator[tuple[Labels, Value]]:
        for queue in facts.once(find):
            if not tables or queue.labels[0] in tables:
                yield queue.labels, getattr(queue, part)

    return read


def _sockets(find: Callable[[Sample], list[_Queue]]) -> Reader:
    return lambda facts: ((queue.labels, 1) for queue in facts.once(find))


_LABELS = (NETID, LOCAL)
_SKMEM_TCP = ("tcp", "skmem:tcp")
_SKMEM_UDP = tuple(f"skmem:{table}" for table in _RECEIVING)
_FALLS = "since it was created; use delta(), it falls when a socket is closed."

MEASURES = (
    count(
        "listener.sockets",
        "Listening sockets that share an address (SO_REUSEPORT makes several).",
        _sockets(_listeners),
        _LISTENING,
        labels=_LABELS,
        many=True,
    ),
    count(
        "listener.accept_queue",
        "Connections waiting for accept(2).",
        _of(_listeners, "used"),
        _LISTENING,
        labels=_LABELS,
        many=True,
    ),
    count(
        "listener.accept_queue_limit",
        "Limit of the accept queue, which holds one connection more.",
        _of(_listeners, "limit"),
        _LISTENING,
        labels=_LABELS,
        many=True,
    ),
    Measure(
        "listener.accept_queue_ratio",
        RATIO,
        "Share of the accept queue in use; of several listeners, that of the fullest.",
        _of(_listeners, "fill"),
        _LISTENING,
        _LABELS,
        combine=MAX,
        many=True,
    ),
    count(
        "listener.syn_queue",
        "Requests whose handshake is not complete (SYN_RECV); unknown if several listeners share a port.",
        _of(_listeners, "syn", ("tcp",)),
        ("tcp",),
        labels=_LABELS,
        many=True,
    ),
    count(
        "listener.drops",
        f"Connection attempts and handshakes that a TCP listener refused {_FALLS}",
        _of(_listeners, "drops", ("tcp",)),
        _SKMEM_TCP,
        labels=_LABELS,
        many=True,
        cumulative=True,
    ),
    count(
        "udp.sockets",
        "UDP sockets of an address; all connected ones together.",
        _sockets(_udp),
        _RECEIVING,
        labels=_LABELS,
        many=True,
    ),
    Measure(
        "udp.receive_buffer_used_bytes",
        BYTES,
        "Memory in the receive buffer, the kernel's overhead included.",
        _of(_udp, "used"),
        _SKMEM_UDP,
        _LABELS,
        many=True,
    ),
    Measure(
        "udp.receive_buffer_limit_bytes",
        BYTES,
        "Limit of the receive buffer (sk_rcvbuf), at which datagrams are lost.",
        _of(_udp, "limit"),
        _SKMEM_UDP,
        _LABELS,
        many=True,
    ),
    Measure(
        "udp.receive_buffer_ratio",
        RATIO,
        "Share of the receive buffer in use; of several sockets, that of the fullest.",
        _of(_udp, "fill"),
        _SKMEM_UDP,
        _LABELS,
        combine=MAX,
        many=True,
    ),
    count(
        "udp.drops",
        f"Datagrams that a UDP socket refused {_FALLS}",
        _of(_udp, "drops"),
        _SKMEM_UDP,
        labels=_LABELS,
        many=True,
        cumulative=True,
    ),
)
