"""Find the other end of a connection, if it is on this host: by inode, or by the reversed addresses, in any namespace."""

from __future__ import annotations

from sockdiag.analysis.inspect import has_egress
from sockdiag.errors import SourceError
from sockdiag.model.address import plain_address, same_end
from sockdiag.model.batch import all_sockets
from sockdiag.model.inspection import FarEnd
from sockdiag.model.provenance import Gap
from sockdiag.model.socket import INET_FAMILIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sockdiag.model.socket import Owner, Socket
    from sockdiag.survey.reader import SystemReader

_DATAGRAMS = ("udp", "udplite")
_ANY = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound

# Namespaces with the same addresses are all named, but not hundreds of them.
_MOST = 8


def far_ends(survey: SystemReader, socket: Socket) -> tuple[list[FarEnd], list[Gap]]:
    """Find the sockets that can be the other end of one.

    Args:
        survey: reads the namespace that the socket is in.
        socket: the socket.

    Returns:
        The sockets, more than one if several namespaces have the same addresses; and what could not be read.
    """
    if socket.netid == "unix":
        return _unix(survey, socket), []
    if socket.is_inet and socket.peer.port and isinstance(socket.peer.address, str):
        return _inet(survey, socket)
    return [], []


def _unix(survey: SystemReader, socket: Socket) -> list[FarEnd]:
    inode = None if socket.unix is None else socket.unix.peer_inode
    query = survey.query()._replace(tables=("unix",))
    if inode is None and socket.type == "SOCK_DGRAM" and socket.inode:
        return _senders(survey, socket, all_sockets(survey.batches(query)))
    if not inode:
        return []
    found = next((s for s in all_sockets(survey.batches(query)) if s.inode == inode), None)
    # Descriptors are found whatever namespace their process is in; a path of a file system may join two.
    owners, _gaps = survey.host.owners({inode})
    held = owners.get(inode)
    if found is not None:
        return [_end(found, held or None)]
    where = _namespace_of(survey, held[0].pid) if held else None
    return [FarEnd("unix", socket.peer, socket.local, inode, None, held or None, where)]


def _senders(survey: SystemReader, socket: Socket, sockets: Iterable[Socket]) -> list[FarEnd]:
    """Find the sockets that are connected to a datagram socket, which itself is connected to none."""
    found = [s for s in sockets if s.unix is not None and s.unix.peer_inode == socket.inode][:_MOST]
    owners, _gaps = survey.host.owners({s.inode for s in found if s.inode})
    return [_end(s, owners.get(s.inode or 0)) for s in found]


def _namespace_of(survey: SystemReader, pid: int) -> str | None:
    from sockdiag.sources.namespaces.netns import inode_in, name_of

    try:
        inode = inode_in(survey.system.files.link(f"/proc/{pid}/ns/net"))
    except SourceError:
        return None
    if inode is None:
        return None
    captured = survey.system.namespaces
    return (name_of(inode) if captured is None else captured.name_of(inode)) or str(inode)


def _end(found: Socket, held: tuple[Owner, ...] | None) -> FarEnd:
    return FarEnd(
        found.netid,
        found.local,
        found.peer,
        found.inode,
        found.state,
        held or None,
        found.netns,
        cookie=found.cookie,
    )


def _inet(survey: SystemReader, socket: Socket) -> tuple[list[FarEnd], list[Gap]]:
    here = [s for s in _at_peer(survey, socket, socket.local.port) if _faces(s, socket)]
    if not here and socket.netid in _DATAGRAMS and not has_egress(socket):
        # A server that answers everybody is connected to nobody.
        here = _serving(survey, socket)[:1]
    gaps: list[Gap] = []
    if not here and has_egress(socket) and survey.system.shows_others:
        here, gaps = _elsewhere(survey, socket)
    waiting = any(s.inode == 0 and s.state == "ESTABLISHED" and s.netns == survey.netns.label for s in here)
    # What nobody has accepted yet belongs to the listener.
    listener = next(iter(_serving(survey, socket)), None) if waiting else None
    owners, _gaps = survey.host.owners({s.inode for s in (*here, *([listener] if listener else ())) if s.inode})
    of_listener = owners.get(listener.inode or 0) if listener is not None else None
    return [_end(s, (owners.get(s.inode) if s.inode else of_listener) or None) for s in here[:_MOST]], gaps


def _at_peer(survey: SystemReader, socket: Socket, port: int | None) -> Iterator[Socket]:
    """Yield the sockets of this host on the peer's port that are connected to a port; to none if that is 0."""
    where = survey.compiled(f"sport = :{socket.peer.port} and dport = :{port}")
    query = survey.query((), where)._replace(tables=(socket.netid,))
    return all_sockets(survey.batches(query, where))


def _serving(survey: SystemReader, socket: Socket) -> list[Socket]:
    return [s for s in _at_peer(survey, socket, 0) if _serves(s, socket)]


def _elsewhere(survey: SystemReader, socket: Socket) -> tuple[list[Socket], list[Gap]]:
    everywhere = survey.of_host()
    own = survey.netns.label
    where = everywhere.compiled(f"sport = :{socket.peer.port} or dport = :{socket.local.port}")
    query = everywhere.query((), where)._replace(tables=(socket.netid,))
    try:
        found = [s for s in all_sockets(everywhere.batches(query, where)) if s.netns != own and s.peer.port]
    except SourceError as error:
        return [], [Gap.from_error(error)]
    facing = [s for s in found if _faces(s, socket)]
    if facing:
        return facing, []
    # Behind address translation of one end, the other end still has, or sees, the address of this one.
    translated = [s for s in found if same_end(s.peer, socket.local) or same_end(s.local, socket.peer)]
    return (translated, []) if len(translated) == 1 else ([], everywhere.gaps)


def _faces(one: Socket, other: Socket) -> bool:
    """Return whether two sockets have each other's addresses."""
    return (
        one.family in INET_FAMILIES.values()
        and same_end(one.local, other.peer)
        and same_end(one.peer, other.local)
        and (one.cookie is None or one.cookie != other.cookie)
    )


def _serves(one: Socket, other: Socket) -> bool:
    return not one.peer.port and plain_address(one.local.address) in (plain_address(other.peer.address), *_ANY)
