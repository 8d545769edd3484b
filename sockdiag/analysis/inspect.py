"""Build the layers of one socket from its readings. Nothing here reads."""

from __future__ import annotations

from sockdiag.analysis.buffer_origin import buffer_origin
from sockdiag.analysis.socket_words import drops_mean, file_note, no_holder, queues_mean, sock_note
from sockdiag.analysis.tcp_topics import tcp_topics
from sockdiag.kernel.file_flags import O_CLOEXEC, O_NONBLOCK, open_flags
from sockdiag.kernel.proto_ops import proto_name, proto_ops, socket_state
from sockdiag.kernel.socket_paths import create_path, receive_path
from sockdiag.kernel.tcp_transitions import next_states
from sockdiag.model.address import is_loopback
from sockdiag.model.counters import mib_of
from sockdiag.model.inspection import (
    FdLayer,
    FileLayer,
    Layers,
    NextState,
    Paths,
    ProtoLayer,
    SocketLayer,
    SockLayer,
    Station,
    StationCounter,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from sockdiag.analysis.memory import ProtocolMemory
    from sockdiag.model.counters import Counters
    from sockdiag.model.fdinfo import FdInfo, Watcher
    from sockdiag.model.process import Process
    from sockdiag.model.protocols import Protocol
    from sockdiag.model.provenance import Gap
    from sockdiag.model.socket import Owner, Socket
    from sockdiag.model.sysctl import Sysctls

FD, FILE, SOCKET, SOCK, PROTO = "fd", "file", "socket", "sock", "proto"

# Since 6.10, and in stable releases of that time, the limit is different.
_NEW_BACKLOG = (6, 10)
_STUBS = ("TIME_WAIT", "SYN_RECV")


class SocketReadings:
    """Everything that was read about one socket. Unreadable members are None; *lacks* has the reasons, by layer."""

    def __init__(self, socket: Socket, sysctls: Sysctls) -> None:
        self.socket = socket
        self.sysctls = sysctls
        self.owner: Owner | None = None
        self.owners: tuple[Owner, ...] | None = None
        # Why processes may be missing; "" if none are.
        self.unseen = ""
        self.process: Process | None = None
        self.fdinfo: FdInfo | None = None
        self.watchers: tuple[Watcher, ...] | None = None
        self.options: Mapping[str, Any] | None = None
        self.protocols: Iterable[Protocol] = ()
        self.memory: Iterable[ProtocolMemory] = ()
        self.kernel: tuple[int, int] | None = None
        self.subflows: tuple[Socket, ...] | None = None
        self.listener: bool | None = None
        self.lacks: dict[str, list[Gap]] = {}

    def lack(self, layer: str, gap: Gap) -> None:
        """Note a part of a layer that could not be read."""
        held = self.lacks.setdefault(layer, [])
        if gap not in held:
            held.append(gap)


def layers(seen: SocketReadings) -> Layers:
    """Build the layers."""
    return Layers(_fd(seen), _file(seen), _socket(seen), _sock(seen), _proto(seen))


def _lacks(seen: SocketReadings, layer: str) -> tuple[Gap, ...]:
    return tuple(seen.lacks.get(layer, ()))


def _fd(seen: SocketReadings) -> FdLayer:
    owner, lacks = seen.owner, _lacks(seen, FD)
    note = file_note(seen.socket)
    if owner is None:
        if not note:
            note = no_holder(seen.socket, seen.unseen)
            if seen.owners is None and not seen.unseen:
                note = "No process with a descriptor of it is visible."
        return FdLayer(watchers=seen.watchers, others=seen.owners, note=note, lacks=lacks)
    flags = None if seen.fdinfo is None else seen.fdinfo.flags
    others = None if seen.owners is None else tuple(o for o in seen.owners if (o.pid, o.fd) != (owner.pid, owner.fd))
    return FdLayer(
        owner.pid,
        owner.comm,
        owner.fd,
        owner.user,
        owner.container,
        owner.unit,
        None if flags is None else bool(flags & O_CLOEXEC),
        others,
        seen.watchers,
        note,
        lacks,
        seen.process,
    )


def _file(seen: SocketReadings) -> FileLayer:
    inode = seen.socket.inode
    info = seen.fdinfo
    if not inode:
        return FileLayer(inode, note=file_note(seen.socket), lacks=_lacks(seen, FILE))
    flags = None if info is None else info.flags
    status = None if flags is None else flags & ~O_CLOEXEC
    return FileLayer(
        inode,
        "sockfs",
        None if status is None else open_flags(status),
        None if status is None else bool(status & O_NONBLOCK),
        None if info is None else info.mnt_id,
        None if info is None else info.scm_fds,
        "",
        _lacks(seen, FILE),
    )


def _socket(seen: SocketReadings) -> SocketLayer:
    s = seen.socket
    note = file_note(s)
    if note:
        return SocketLayer(None, None, None, "Without a file there is no struct socket.", _lacks(seen, SOCKET))
    ops = proto_ops(s.netid, s.family, s.type)
    if s.inet is not None and s.inet.ulp is not None and s.inet.ulp.name == "tls":
        note = "Kernel TLS puts its own operations in front of these (tls_proto_ops)."
    return SocketLayer(socket_state(s.netid, s.state), s.type, ops, note, _lacks(seen, SOCKET))


def _sock(seen: SocketReadings) -> SockLayer:
    s = seen.socket
    memory = s.skmem
    lock = None if seen.options is None else seen.options.get("SO_BUF_LOCK")
    received, sent = queues_mean(s)
    rcvbuf = sndbuf = backlog = None
    if memory is not None:
        rcvbuf = buffer_origin(s.netid, memory.rcvbuf, seen.sysctls, lock, sending=False)
        sndbuf = buffer_origin(s.netid, memory.sndbuf, seen.sysctls, lock, sending=True)
        if s.netid == "tcp" and s.state != "LISTEN":
            backlog = _backlog_limit(memory.rcvbuf, memory.sndbuf, seen.kernel)
    return SockLayer(
        socket=s,
        next_states=tuple(NextState(*way) for way in next_states(s.netid, s.type, s.state)),
        recv_q_is=received,
        send_q_is=sent,
        rcvbuf=rcvbuf,
        sndbuf=sndbuf,
        backlog_limit=backlog,
        drops_mean="" if s.state in _STUBS else drops_mean(s),
        tcp=tcp_topics(s.tcp_info, s.state),
        subflows=seen.subflows,
        note=sock_note(s),
        lacks=_lacks(seen, SOCK),
    )


def _backlog_limit(rcvbuf: int | None, sndbuf: int | None, kernel: tuple[int, int] | None) -> int | None:
    """Return the limit of rmem_alloc + backlog. Source: ``tcp_add_backlog()``, net/ipv4/tcp_ipv4.c."""
    if rcvbuf is None or sndbuf is None or kernel is None:
        return None
    if kernel >= _NEW_BACKLOG:
        return 2 * rcvbuf + sndbuf // 2 + 65536
    return rcvbuf + sndbuf + 65536


def _proto(seen: SocketReadings) -> ProtoLayer:
    s = seen.socket
    name = proto_name(s.netid, s.family, s.type)
    rows = {row.name: row for row in seen.protocols}
    if name == "UNIX-STREAM" and name not in rows and rows:
        name = "UNIX"  # before 5.15, one struct proto served all types
    row = rows.get(name or "")
    account = next((m for m in seen.memory if name is not None and (name in m.members or name == m.protocol)), None)
    note = "" if row is None or row.memory_pages is not None else "It does not account for the memory of its sockets."
    if account is None:
        return ProtoLayer(name, row, note=note, lacks=_lacks(seen, PROTO))
    return ProtoLayer(
        name, row, account.bytes, account.limit_bytes, account.ratio, account.note or note, _lacks(seen, PROTO)
    )


def paths(
    socket: Socket, counters: Counters | None, before: Counters | None = None, *, listener: bool | None = None
) -> Paths:
    """Describe how a socket is created and fed, with the counters of loss at each station.

    Args:
        socket: the socket.
        counters: those of its namespace and host; None if unknown.
        before: an earlier sample of them.
        listener: another socket listens on its port, which distinguishes an accepted connection from a client's.
    """
    listening = socket.state == "LISTEN"
    connection = socket.netid == "tcp" and not listening and bool(socket.peer.port)
    accepted = connection and bool(listener)
    create = create_path(socket.netid, socket.family, accepted)
    if create is not None and connection and not accepted:
        create += " → connect(2); or accepted by a listener that has gone"
    stations = []
    for where, names in receive_path(socket.netid, socket.family, listening):
        found = []
        for name in names:
            total = _total(counters, name)
            earlier = _total(before, name)
            change = None if total is None or earlier is None else total - earlier
            found.append(StationCounter(name, total, mib_of(name).scope, change))
        stations.append(Station(where, tuple(found)))
    return Paths(create, tuple(stations))


# Errors of a failed lookup, and the type of route behind each: fib_props[], net/ipv4/fib_semantics.c.
_REFUSALS = {
    "ENETUNREACH": "no route leads to the peer",
    "EHOSTUNREACH": "the route to the peer is of type unreachable",
    "EACCES": "the route to the peer is of type prohibit",
    "EINVAL": "the route to the peer is of type blackhole",
}


def has_egress(socket: Socket) -> bool:
    """Return whether a socket's packets leave this host by a route, because its peer is on another host."""
    peer = socket.peer.address
    if not socket.is_inet or not isinstance(peer, str) or peer in _NOWHERE:
        return False
    return peer != socket.local.address and not is_loopback(peer)


_NOWHERE = ("0.0.0.0", "::", "*")  # noqa: S104 - no address to bind to


def egress_note(refused: str | None, *, unassigned: bool) -> str:
    """Describe what is wrong with the way out; "" if nothing is.

    Args:
        refused: error that the lookup of the route ended with.
        unassigned: no device has the local address.
    """
    said = []
    if refused is not None:
        said.append(f"Sending ends with {refused}: {_REFUSALS.get(refused, 'no route')}.")
    if unassigned:
        said.append("No device has the local address.")
    return " ".join(said)


def _total(counters: Counters | None, name: str) -> int | None:
    if counters is None:
        return None
    prefix, star, column = name.partition(".*.")
    if not star:
        return counters.get(name)
    values = [counters[n] for n in counters if n.startswith(prefix + ".") and n.endswith("." + column)]
    return sum(values) if values else None
