"""The sockets that events are about, kept current by the events themselves.

An event names a socket by a pointer, by addresses, or by both. Pointers are learned from events that have both; a
pointer is forgotten when its socket is closed, because the kernel gives it out again.

Events of all network namespaces come, and none says which it is of. What is listed is in this one; of what is not, whoever traces
asks the kernel, and notes the answer in ``ours``.
"""

from __future__ import annotations

from sockdiag.model.address import ANYWHERE, NOWHERE, Endpoint, is_loopback, plain_address
from sockdiag.model.trace_event import BY_ADDRESS, EXACT, UNKNOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sockdiag.model.socket import Owner, Socket

    # The owner of a task, and whether its network namespace is this one; None where that is unknown.
    TaskLookup = Callable[[int], tuple[Owner | None, bool | None]]
    Ends = tuple[str, object, int | None, object, int | None]
    Place = tuple[str, object, int | None]

# Sockets that are learned from events and kept, at most; the oldest are forgotten.
_MOST = 20_000


class KnownSocket:
    """What is known of one socket.

    Attributes:
        netid: table.
        local: local end.
        peer: remote end.
        state: last state that was seen.
        owner: process that holds it, or opened it.
        quality: how the owner was found.
        ours: it is in this network namespace; None if that is unknown.
        hint: the task that opened it is in this network namespace, or the other end of its connection; None if that is unknown.
        cookie: identity, if known.
        inode: sockfs inode, if known.
        began: time of its first event (ns); None if it was there before.
        destroyed: the kernel has destroyed it.
        end: what it reported at its end.
        asked: how often the kernel was asked for it.
    """

    __slots__ = (
        "asked",
        "began",
        "cookie",
        "destroyed",
        "end",
        "hint",
        "inode",
        "local",
        "netid",
        "ours",
        "owner",
        "peer",
        "quality",
        "state",
    )

    def __init__(self, netid: str, local: Endpoint, peer: Endpoint) -> None:
        self.netid = netid
        self.local = local
        self.peer = peer
        self.state: str | None = None
        self.owner: Owner | None = None
        self.quality = UNKNOWN
        self.ours: bool | None = None
        self.hint: bool | None = None
        self.cookie: int | None = None
        self.inode: int | None = None
        self.began: int | None = None
        self.destroyed = False
        self.end: Socket | None = None
        self.asked = 0


class TracedSockets:
    """All sockets that are known, by their ends and by their pointers.

    Args:
        task: finds the process of a task.
    """

    def __init__(self, task: TaskLookup) -> None:
        self._task = task
        self._listed: dict[Ends, KnownSocket] = {}
        self._by_ends: dict[Ends, KnownSocket] = {}
        self._bound: dict[Place, list[KnownSocket]] = {}
        self._by_pointer: dict[int, KnownSocket] = {}
        # Closed, and not destroyed yet.
        self._closed: dict[int, KnownSocket] = {}

    def learn(self, sockets: Iterable[Socket]) -> list[KnownSocket]:
        """Add the sockets of this network namespace that a table lists, and return them."""
        new = []
        for socket in sockets:
            netid = "tcp" if socket.netid == "mptcp" else socket.netid
            known = KnownSocket(netid, socket.local, socket.peer)
            known.state, known.cookie, known.inode, known.ours = socket.state, socket.cookie, socket.inode, True
            if socket.processes:
                known.owner, known.quality = socket.processes[0], BY_ADDRESS
            if socket.peer.port:
                self._listed[ends_of(netid, socket.local, socket.peer)] = known
            else:
                self._bound.setdefault(_bound(netid, socket.local), []).append(known)
            new.append(known)
        return new

    def learn_udp(self, sockets: Iterable[Socket]) -> list[KnownSocket]:
        """Take the tables of UDP anew, and return those that are new: no event says that a socket is made, bound or closed."""
        before = {known.cookie: known for place, held in self._bound.items() if place[0] != "tcp" for known in held}
        before.update((known.cookie, known) for ends, known in self._listed.items() if ends[0] != "tcp")
        self._bound = {place: held for place, held in self._bound.items() if place[0] == "tcp"}
        self._listed = {ends: known for ends, known in self._listed.items() if ends[0] == "tcp"}
        new = []
        for socket in sockets:
            known = before.get(socket.cookie) if socket.cookie else None
            if known is None or (known.local, known.peer) != (socket.local, socket.peer):
                new.append(socket)
            elif socket.peer.port:
                self._listed[ends_of(socket.netid, socket.local, socket.peer)] = known
            else:
                self._bound.setdefault(_bound(socket.netid, socket.local), []).append(known)
        return self.learn(new)

    def find(self, pointer: int | None, netid: str | None, local: Endpoint, peer: Endpoint) -> KnownSocket | None:
        """Return the socket of an event: by pointer, else by both ends."""
        if pointer:
            found = self._by_pointer.get(pointer)
            if found is not None:
                if local.port and peer.port and not found.local.port:
                    # It was opened before it had a port.
                    found.local, found.peer = local, peer
                    self._by_ends[ends_of(found.netid, local, peer)] = found
                return found
        if netid is None or local.port is None or not peer.port:
            return None
        found = self._connected(ends_of(netid, local, peer))
        if found is not None and pointer and found.state != "CLOSE":
            self._remember(pointer, found)
        return found

    def find_tcp(self, pointer: int | None, local: Endpoint, peer: Endpoint) -> KnownSocket | None:
        """Return the TCP socket of an event; one that was not seen before is remembered from now on."""
        found = self.find(pointer, "tcp", local, peer)
        if found is None and pointer and local.port and peer.port:
            found = KnownSocket("tcp", local, peer)
            self._remember(pointer, found)
            self._by_ends[ends_of("tcp", local, peer)] = found
        return found

    def other_end(self, local: Endpoint, peer: Endpoint) -> KnownSocket | None:
        """Return the other end of a connection by loopback, which is in the same network namespace."""
        return self._connected(ends_of("tcp", peer, local)) if is_loopback(local.address) else None

    def bound(self, netid: str, local: Endpoint) -> list[KnownSocket]:
        """Return the sockets, usually one, that take what arrives for an address and have no connection of their own."""
        port = local.port
        for address in (plain_address(local.address), *ANYWHERE, None):
            found = self._bound.get((netid, address, port))
            if found:
                return found
        if local.address is None:
            return [
                one for (of, _address, at), held in self._bound.items() if (of, at) == (netid, port) for one in held
            ]
        return []

    def changed(
        self, pointer: int, netid: str, local: Endpoint, peer: Endpoint, old: str, new: str, at: int, task: int | None
    ) -> KnownSocket:
        """Take a change of state into account, and return the socket.

        Args:
            pointer: the kernel's pointer.
            netid: table.
            local: local end.
            peer: remote end.
            old: state before.
            new: state after.
            at: time (ns).
            task: the task that it happened in; None in an interrupt.
        """
        known = self._by_pointer.get(pointer)
        if known is None or old == "CLOSE" or (old, new) == ("LISTEN", "SYN_RECV"):
            known = self._begun(netid, local, peer, old, new, at, task)
            if pointer:
                self._remember(pointer, known)
        if (known.local, known.peer) != (local, peer) and local.port:
            known.local, known.peer = local, peer
        if peer.port and local.port:
            self._by_ends[ends_of(netid, local, peer)] = known
        elif new == "LISTEN" and known.hint is not False:
            self._bound.setdefault(_bound(netid, local), []).append(known)
        if known.quality != EXACT and task is not None and old in ("CLOSE", "ESTABLISHED", "CLOSE_WAIT"):
            # connect(2), close(2) and shutdown(2) run in the task that calls them.
            self._own(known, task)
        known.state = new
        if new == "CLOSE" and pointer:
            self._by_pointer.pop(pointer, None)
            self._closed[pointer] = known
            if len(self._closed) > _MOST:
                del self._closed[next(iter(self._closed))]
        if old == "LISTEN" and new == "CLOSE":
            self._unbind(known)
        return known

    def is_elsewhere(self, known: KnownSocket) -> None:
        """Note that a socket is in another network namespace."""
        known.ours = False
        self._unbind(known)

    def _unbind(self, known: KnownSocket) -> None:
        place = _bound(known.netid, known.local)
        held = [one for one in self._bound.get(place, ()) if one is not known]
        if held:
            self._bound[place] = held
        else:
            self._bound.pop(place, None)

    def destroyed(self, pointer: int, cookie: int | None) -> None:
        """Note that the kernel has destroyed a socket, which had a cookie."""
        known = self._closed.pop(pointer, None) or self._by_pointer.pop(pointer, None)
        if known is not None:
            known.destroyed = True
            known.cookie = known.cookie or cookie

    def _begun(
        self, netid: str, local: Endpoint, peer: Endpoint, old: str, new: str, at: int, task: int | None
    ) -> KnownSocket:
        if old not in ("CLOSE", "LISTEN"):
            found = self._connected(ends_of(netid, local, peer))
            if found is not None and found.state != "CLOSE":
                return found
        known = KnownSocket(netid, local, peer)
        if old == "LISTEN" and new == "SYN_RECV":
            # A connection has the owner of its listener until it is accepted.
            owners = {listener.owner for listener in self.bound(netid, local)}
            owner = owners.pop() if len(owners) == 1 else None
            if owner is not None:
                known.owner, known.quality = owner, BY_ADDRESS
            other = self.other_end(local, peer)
            if other is not None:
                known.hint = other.ours if other.ours is not None else other.hint
        if old in ("CLOSE", "LISTEN"):
            known.began = at
        if old == "CLOSE" and task is not None:
            self._own(known, task)
        return known

    def of_task(self, task: int) -> KnownSocket:
        """Return a socket of which only the task that uses it is known."""
        known = KnownSocket("", NOWHERE, NOWHERE)
        self._own(known, task)
        known.ours = known.hint
        return known

    def by_inode(self, inode: int) -> KnownSocket | None:
        """Return a listed socket."""
        held = (one for among in self._bound.values() for one in among)
        return next((one for one in (*self._listed.values(), *held) if one.inode == inode), None) if inode else None

    def _connected(self, ends: Ends) -> KnownSocket | None:
        return self._by_ends.get(ends) or self._listed.get(ends)

    def _own(self, known: KnownSocket, task: int) -> None:
        owner, ours = self._task(task)
        if owner is not None:
            if known.owner is not None and known.owner.pid == owner.pid:
                owner = known.owner
            known.owner, known.quality = owner, EXACT
        if ours is not None and known.hint is None:
            known.hint = ours

    def _remember(self, pointer: int, known: KnownSocket) -> None:
        self._by_pointer[pointer] = known
        if len(self._by_pointer) > _MOST:
            del self._by_pointer[next(iter(self._by_pointer))]
        while len(self._by_ends) > _MOST:
            del self._by_ends[next(iter(self._by_ends))]


def ends_of(netid: str, local: Endpoint, peer: Endpoint) -> Ends:
    """Return what two ends of a connection have in common in each form of their addresses."""
    return netid, plain_address(local.address), local.port, plain_address(peer.address), peer.port


def _bound(netid: str, local: Endpoint) -> Place:
    return netid, plain_address(local.address), local.port
