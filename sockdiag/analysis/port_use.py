"""What a port is used for, from the sockets that have it at either end. Nothing here reads."""

from __future__ import annotations

from sockdiag.analysis.bind_conflict import (
    EACCES,
    EADDRINUSE,
    EADDRNOTAVAIL,
    OK,
    BindRequest,
    BoundSocket,
    conflicts,
    packed,
)
from sockdiag.analysis.socket_words import file_note, no_holder
from sockdiag.model.address import Endpoint
from sockdiag.model.port import (
    BOUND,
    CONNECTED,
    LEFT,
    LISTENING,
    OUTGOING,
    BindAnswer,
    PortHolder,
    PortRange,
    PortUse,
    Published,
)
from sockdiag.model.socket import IN_CONNECTIONS
from sockdiag.model.sysctl import port_ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from sockdiag.analysis.port_target import PortTarget
    from sockdiag.model.local_addresses import LocalAddresses
    from sockdiag.model.socket import Owner, Socket
    from sockdiag.model.sysctl import Value

SYSCTLS = ("net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports", "net.ipv4.ip_unprivileged_port_start")

_STREAMS = ("tcp", "mptcp", "sctp", "dccp")
_ENDING = ("FIN_WAIT1", "FIN_WAIT2", "CLOSING", "LAST_ACK", "TIME_WAIT")
_ORDER = (LISTENING, BOUND, CONNECTED, LEFT, OUTGOING)
_MOST_FDS = 64
_NAMED = 3


class SeenPort:
    """What was read about a port in one network namespace.

    Attributes:
        netns: label of the namespace.
        own: it is this process's own.
        sockets: sockets with the port at either end.
        owners: processes by inode.
        unseen: why processes may be missing; "" if none are.
        sysctls: values by name; those that cannot be read are left out.
        families: families that the namespace has.
        v6only: IPV6_V6ONLY of a new socket (net.ipv6.bindv6only).
        addresses: local addresses.
        forwards: rules that send the port elsewhere.
    """

    __slots__ = (
        "addresses",
        "families",
        "forwards",
        "netns",
        "own",
        "owners",
        "sockets",
        "sysctls",
        "unseen",
        "v6only",
    )

    def __init__(
        self,
        netns: str | None,
        sockets: list[Socket],
        owners: Mapping[int, tuple[Owner, ...]],
        unseen: str,
        sysctls: Mapping[str, Value],
        families: tuple[str, ...],
        addresses: LocalAddresses,
        forwards: Iterable[Published] = (),
        *,
        v6only: bool,
        own: bool,
    ) -> None:
        self.addresses = addresses
        self.forwards = tuple(forwards)
        self.netns = netns
        self.own = own
        self.sockets = sockets
        self.owners = owners
        self.unseen = unseen
        self.sysctls = dict(sysctls)
        self.families = families
        self.v6only = v6only


def role(socket: Socket, port: int) -> str:
    """Return what a socket does on a port."""
    if socket.local.port != port:
        return OUTGOING
    if socket.state == "LISTEN":
        return LISTENING
    if not socket.peer.port:
        return LISTENING if socket.netid not in _STREAMS else BOUND
    return LEFT if socket.state in _ENDING and not socket.inode else CONNECTED


def uses(seen: SeenPort, port: int) -> list[PortUse]:
    """Describe the sockets of one namespace: each that listens, and the others counted by peer and state."""
    groups: dict[tuple[Any, ...], list[Socket]] = {}
    near = {
        (s.netid, s.peer.address, s.peer.port, s.local.address, s.local.port)
        for s in seen.sockets
        if s.local.port == port
    }
    for socket in seen.sockets:
        does = role(socket, port)
        if does == OUTGOING and _ends(socket) in near:
            continue  # the other end of a connection that is counted already
        key: tuple[Any, ...]
        if does in (LISTENING, BOUND):
            key = (_ORDER.index(does), socket.netid, socket.cookie or socket.inode, id(socket))
        else:
            key = (_ORDER.index(does), socket.netid, socket.peer.address, socket.state)
        groups.setdefault(key, []).append(socket)
    rows = [_use(seen, _ORDER[key[0]], sockets) for key, sockets in groups.items()]
    rows.sort(key=lambda row: (_ORDER.index(row.role), -row.sockets, row.netid, str(row.local.address)))
    return rows


def _ends(socket: Socket) -> tuple[Any, ...]:
    return (socket.netid, socket.local.address, socket.local.port, socket.peer.address, socket.peer.port)


def held_by(socket: Socket, owners: Mapping[int, tuple[Owner, ...]]) -> tuple[Owner, ...]:
    """Return the processes that hold a socket."""
    if socket.inode is None:
        return socket.processes or ()  # as text without inodes names them
    return owners.get(socket.inode) or ()


def _use(seen: SeenPort, does: str, sockets: list[Socket]) -> PortUse:
    first = sockets[0]
    owners: dict[tuple[int, int], Owner] = {}
    for socket in sockets:
        for owner in held_by(socket, seen.owners):
            owners.setdefault((owner.pid, -1 if owner.fd is None else owner.fd), owner)
    processes: tuple[Owner, ...] | None = tuple(owners[key] for key in sorted(owners))
    note = None
    if not owners:
        held = [socket for socket in sockets if socket.inode != 0]
        if held:
            processes = None if seen.unseen or held[0].inode is None else ()
            note = no_holder(held[0], seen.unseen)
        else:
            note = file_note(first) or None
    queue = does == LISTENING and first.recv_q_unit == IN_CONNECTIONS
    return PortUse(
        does,
        first.netid,
        first.state,
        _common(socket.local for socket in sockets),
        None if not first.peer.port else _common(socket.peer for socket in sockets),
        len(sockets),
        first.recv_q if queue else None,
        first.send_q if queue else None,
        processes,
        note,
        first.inode if len(sockets) == 1 else None,
        seen.netns,
    )


def _common(ends: Iterable[Endpoint]) -> Endpoint:
    found = list(dict.fromkeys(ends))
    addresses, ports = {end.address for end in found}, {end.port for end in found}
    interfaces = {end.interface for end in found}
    return Endpoint(
        addresses.pop() if len(addresses) == 1 else None,
        ports.pop() if len(ports) == 1 else None,
        interfaces.pop() if len(interfaces) == 1 else None,
    )


def holders(seen: Iterable[SeenPort], port: int) -> list[PortHolder]:
    """List the processes that hold sockets with this local port: those that listen first, then by number of sockets."""
    found: dict[int, tuple[Owner, list[int], bool]] = {}
    for one in seen:
        for socket in one.sockets:
            if socket.local.port != port:
                continue
            listens = role(socket, port) == LISTENING
            for owner in held_by(socket, one.owners):
                first, fds, before = found.get(owner.pid, (owner, [], False))
                if owner.fd is not None:
                    fds.append(owner.fd)
                found[owner.pid] = first, fds, before or listens
    rows = [
        PortHolder(
            pid, owner.comm, tuple(sorted(fds)[:_MOST_FDS]), owner.user, owner.unit, owner.container, listens=listens
        )
        for pid, (owner, fds, listens) in found.items()
    ]
    rows.sort(key=lambda row: (not row.listens, 0 if row.listens else -len(row.fds), row.pid))
    return rows


def port_range(seen: SeenPort, port: int) -> PortRange:
    """Say what the sysctls say about a port."""
    bounds, reserved, start = (seen.sysctls.get(name) for name in SYSCTLS)
    return PortRange(
        seen.netns,
        port < start if isinstance(start, int) else None,
        bounds[0] <= port <= bounds[1] if isinstance(bounds, tuple) and len(bounds) == 2 else None,
        any(first <= port <= last for first, last in port_ranges(reserved)) if isinstance(reserved, tuple) else None,
    )


class Asker:
    """Who would call bind(2).

    Attributes:
        uid: the user; None where it is unknown.
        capable: whether it has CAP_NET_BIND_SERVICE in the namespace; None where that is unknown.
    """

    __slots__ = ("capable", "uid")

    def __init__(self, uid: int | None, capable: bool | None) -> None:
        self.uid = uid
        self.capable = capable


def bind_answers(
    seen: SeenPort,
    target: PortTarget,
    asker: Asker,
    options_of: Callable[[Socket], Mapping[str, Any]],
    name_of: Callable[[SeenPort, Socket], str],
) -> list[BindAnswer]:
    """Say what bind(2) would answer: without options, with SO_REUSEADDR, and with SO_REUSEPORT.

    Args:
        seen: the sockets.
        target: the port, and maybe an address.
        asker: who would call it.
        options_of: returns the socket options of a socket, as far as they can be read.
        name_of: says which socket is in the way.
    """
    taken = [
        _bound(socket, options_of(socket), name_of(seen, socket))
        for socket in seen.sockets
        if _in_the_way(socket, target.port)
    ]
    privileged = port_range(seen, target.port).privileged
    answers = []
    for netid in ("tcp", "udp"):
        if netid not in target.tables:
            continue
        for address in _addresses(seen, target):
            raw = packed(address)
            if raw is None:
                continue
            v6only = raw == bytes(16) and seen.v6only
            for option in ("", "SO_REUSEADDR", "SO_REUSEPORT"):
                request = BindRequest(netid, raw, v6only, option == "SO_REUSEADDR", option == "SO_REUSEPORT", asker.uid)
                answer, why = _answer(request, taken, privileged, asker, seen.addresses)
                answers.append(BindAnswer(seen.netns, netid, address, option, answer, why))
    return answers


def _in_the_way(socket: Socket, port: int) -> bool:
    # A request in the SYN queue is not in the hash of bound ports.
    return socket.local.port == port and socket.netid in ("tcp", "udp") and socket.state != "SYN_RECV"


def _addresses(seen: SeenPort, target: PortTarget) -> tuple[str, ...]:
    if target.address is not None:
        return (target.address,)
    every = {"AF_INET": "0.0.0.0", "AF_INET6": "::"}  # noqa: S104 - asked about, not bound
    return tuple(every[family] for family in seen.families)


def _answer(
    request: BindRequest,
    taken: list[BoundSocket],
    privileged: bool | None,
    asker: Asker,
    addresses: LocalAddresses,
) -> tuple[str | None, str]:
    # The kernel asks in this order: __inet_bind().
    if addresses.has(request.address) is False:
        return EADDRNOTAVAIL, "this network namespace does not have the address"
    if privileged and asker.capable is False:
        return EACCES, "a port below ip_unprivileged_port_start needs CAP_NET_BIND_SERVICE"
    answer, decisive = conflicts(request, taken)
    names = list(dict.fromkeys(one.name for one in decisive))
    who = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    if answer == EADDRINUSE:
        return answer, who
    if privileged and asker.capable is None:
        return None, "needs CAP_NET_BIND_SERVICE"
    if answer is None:
        if request.reuseport and all(one.reuseport is not None for one in decisive):
            return None, f"depends on the order in which sockets were bound: {who}"
        option = "SO_REUSEADDR" if request.reuseaddr else "SO_REUSEPORT" if request.reuseport else "IPV6_V6ONLY"
        others = "the other socket also sets" if len(names) == 1 else "the other sockets also set"
        return None, f"OK only if {others} {option}: {who}"
    return OK, ""


def _bound(socket: Socket, options: Mapping[str, Any], name: str) -> BoundSocket:
    address = socket.local.address
    v6only = options.get("IPV6_V6ONLY")
    if v6only is None and socket.inet is not None:
        v6only = socket.inet.v6only
    waits = socket.state == "TIME_WAIT" or (socket.timer is not None and socket.timer.name == "timewait")
    return BoundSocket(
        socket.netid,
        (packed(address) if isinstance(address, str) else None) or bytes(4),
        socket.state == "LISTEN",
        bool(socket.peer.port),
        waits,
        None if v6only is None else bool(v6only),
        _flag(options.get("SO_REUSEADDR")),
        _flag(options.get("SO_REUSEPORT")),
        socket.uid,
        name,
    )


def _flag(value: Any) -> bool | None:
    return None if value is None else bool(value)
