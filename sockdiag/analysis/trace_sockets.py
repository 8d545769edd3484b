"""The sockets that events are about, kept current by the events themselves.

An event names a socket by a pointer, by addresses, or by both. Pointers are learned from events that have both; a
pointer is forgotten when its socket is closed, because the kernel gives it out again.
"""

from __future__ import annotations

from sockdiag.model.address import ANYWHERE, Endpoint, is_loopback, plain_address
from sockdiag.model.trace_event import BY_ADDRESS, EXACT, UNKNOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sockdiag.model.socket import Owner, Socket

    # The owner of a task, and whether its network namespace is this one; None where that is unknown.
    TaskLookup = Callable[[int], tuple[Owner | None, bool | None]]
    _Ends = tuple[str, object, int | None, object, int | None]

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
        cookie: identity, if known.
        inode: sockfs inode, if known.
        began: time of its first event (ns); None if it was there before.
    """

    __slots__ = ("began", "cookie", "inode", "local", "netid", "ours", "owner", "peer", "quality", "state")

    def __init__(self, netid: str, local: Endpoint, peer: Endpoint) -> None:
        self.netid = netid
        self.local = local
        self.peer = peer
        self.state: str | None = None
        self.owner: Owner | None = None
        self.quality = UNKNOWN
        self.ours: bool | None = None
        self.cookie: int | None = None
        self.inode: int | None = None
        self.began: int | None = None


class TracedSockets:
    """All sockets that are known, by their ends and by their pointers.

    A TCP socket that is neither listed at the beginning nor seen to be created belongs to another network namespace: that
    holds as long as the list is complete and no event was lost.

    Args:
        task: finds the process of a task.
        is_local: returns whether an address is one of this network namespace; None where that is unknown.

    Attributes:
        complete: the list of TCP sockets was complete, and no event was lost since.
    """

    def __init__(self, task: TaskLookup, is_local: Callable[[str], bool | None]) -> None:
        self.complete = True
        self._task = task
        self._is_local = is_local
        self._listed: dict[_Ends, KnownSocket] = {}
        self._by_ends: dict[_Ends, KnownSocket] = {}
        self._bound: dict[tuple[str, object, int | None], KnownSocket] = {}
        self._by_pointer: dict[int, KnownSocket] = {}

    def learn(self, sockets: Iterable[Socket], *, again: bool = False) -> None:
        """Add the sockets of this network namespace that a table lists; *again*, only those that are new."""
        for socket in sockets:
            netid = "tcp" if socket.netid == "mptcp" else socket.netid
            connected = bool(socket.peer.port)
            ends, place = _ends(netid, socket.local, socket.peer), _bound(netid, socket.local)
            if again:
                there = self._listed.get(ends) if connected else self._bound.get(place)
                if there is not None and there.inode == socket.inode:
                    continue
            known = KnownSocket(netid, socket.local, socket.peer)
            known.state, known.cookie, known.inode, known.ours = socket.state, socket.cookie, socket.inode, True
            if socket.processes:
                known.owner, known.quality = socket.processes[0], BY_ADDRESS
            if connected:
                self._listed[ends] = known
            else:
                self._bound[place] = known

    def find(self, pointer: int | None, netid: str | None, local: Endpoint, peer: Endpoint) -> KnownSocket | None:
        """Return the socket of an event: by pointer, else by addresses, else the one that is bound to the local end."""
        if pointer:
            found = self._by_pointer.get(pointer)
            if found is not None:
                return found
        if netid is None or local.port is None:
            return None
        found = self._connected(_ends(netid, local, peer)) if peer.port else None
        if found is None:
            found = self.bound(netid, local)
        elif pointer and found.state != "CLOSE":
            self._remember(pointer, found)
        return found

    def find_tcp(self, pointer: int | None, local: Endpoint, peer: Endpoint) -> KnownSocket | None:
        """Return the TCP socket of an event; one that nobody knows is another namespace's, and is remembered as such."""
        found = self.find(pointer, "tcp", local, peer)
        if found is None and self.complete and (pointer or peer.port):
            found = KnownSocket("tcp", local, peer)
            found.ours = False
            if pointer:
                self._remember(pointer, found)
        return found

    def bound(self, netid: str, local: Endpoint) -> KnownSocket | None:
        """Return the socket that takes what arrives for an address and has no connection of its own."""
        port = local.port
        for address in (plain_address(local.address), *ANYWHERE, None):
            found = self._bound.get((netid, address, port))
            if found is not None:
                return found
        return None

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
            self._by_ends[_ends(netid, local, peer)] = known
        elif new == "LISTEN" and known.ours is not False:
            self._bound[_bound(netid, local)] = known
        if known.quality != EXACT and task is not None and old in ("CLOSE", "ESTABLISHED", "CLOSE_WAIT"):
            # connect(2), close(2) and shutdown(2) run in the task that calls them.
            self._own(known, task)
        known.state = new
        if new == "CLOSE":
            self._by_pointer.pop(pointer, None)
            if old == "LISTEN" and self._bound.get(_bound(netid, local)) is known:
                del self._bound[_bound(netid, local)]
        return known

    def is_foreign(self, local: Endpoint) -> bool:
        """Return whether a local end shows that its socket is in another network namespace."""
        address = plain_address(local.address)
        return isinstance(address, str) and self._is_local(address) is False

    def _begun(
        self, netid: str, local: Endpoint, peer: Endpoint, old: str, new: str, at: int, task: int | None
    ) -> KnownSocket:
        if old != "CLOSE":
            found = self._connected(_ends(netid, local, peer))
            if found is not None and old != "LISTEN":
                return found
        known = KnownSocket(netid, local, peer)
        if old != "CLOSE" and self.complete:
            known.ours = False  # unless its listener is known
        if old == "LISTEN" and new == "SYN_RECV":
            # A connection has the owner of its listener until it is accepted.
            listener = self.bound(netid, local)
            if listener is not None:
                known.owner, known.ours = listener.owner, listener.ours
                known.quality = BY_ADDRESS if listener.owner is not None else UNKNOWN
            other = self._connected(_ends(netid, peer, local)) if is_loopback(local.address) else None
            if other is not None and other.ours is not None:
                # Both ends of a connection by loopback are in one namespace.
                known.ours = other.ours
                if not other.ours:
                    known.owner, known.quality = None, UNKNOWN
            elif other is not None and known.ours:
                other.ours = True
        if old in ("CLOSE", "LISTEN"):
            known.began = at
        if old == "CLOSE" and task is not None:
            self._own(known, task)
        return known

    def _connected(self, ends: _Ends) -> KnownSocket | None:
        return self._by_ends.get(ends) or self._listed.get(ends)

    def _own(self, known: KnownSocket, task: int) -> None:
        owner, ours = self._task(task)
        if owner is not None:
            if known.owner is not None and known.owner.pid == owner.pid:
                owner = known.owner
            known.owner, known.quality = owner, EXACT
        if ours is not None and known.ours is None:
            known.ours = ours

    def _remember(self, pointer: int, known: KnownSocket) -> None:
        self._by_pointer[pointer] = known
        if len(self._by_pointer) > _MOST:
            del self._by_pointer[next(iter(self._by_pointer))]
        while len(self._by_ends) > _MOST:
            del self._by_ends[next(iter(self._by_ends))]


def _ends(netid: str, local: Endpoint, peer: Endpoint) -> _Ends:
    return netid, plain_address(local.address), local.port, plain_address(peer.address), peer.port


def _bound(netid: str, local: Endpoint) -> tuple[str, object, int | None]:
    return netid, plain_address(local.address), local.port
