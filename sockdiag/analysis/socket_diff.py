"""Match the sockets of two systems, and tell which were opened, closed, changed and restarted.

Within one boot the kernel's cookie identifies a socket, through all its states. Where it is missing, or means nothing (another
boot, another host), the two ends do; and where several sockets have the same ends, the inode or the owners choose among them.
A listener that another one of the same program has replaced was restarted.

Both sides are kept as columns, without what is not compared: 200,000 sockets per side take some 60 MB.
"""

from __future__ import annotations

from itertools import accumulate

from sockdiag.model.batch import Batch, Column
from sockdiag.model.difference import (
    BACKLOG,
    CHANGED,
    CLOSED,
    OPENED,
    OWNER,
    RESTARTED,
    STATE,
    USER,
    Holder,
    SocketDifference,
    SocketSide,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, TypeAlias

    from sockdiag.model.address import Endpoint
    from sockdiag.model.socket import Owner

    # What is compared: state, user, backlog, holders.
    Watched: TypeAlias = tuple[str | None, int | None, int | None, tuple[Holder, ...] | None]
    # Number of a socket, and whether it waits for others to connect.
    _Place: TypeAlias = tuple[int, bool]
    # Of an inode: its owners, () for nobody, None where they are not known.
    OwnersOf: TypeAlias = Callable[[int], Sequence[Owner] | None]

# What identifies a socket or is compared; queues, timers and memory change all the time.
_KEPT = ("netid", "family", "type", "protocol", "state", "local", "peer", "send_q", "uid", "inode", "cookie", "source")
_LISTENING = ("LISTEN",)
_UNCONNECTED = ("LISTEN", "CLOSE", "SS_UNCONNECTED", None)
# Their ends say which sockets they are; of the others only names and program do.
_NAMELESS = ("netlink", "packet", "xdp")


class SideOfSockets:
    """The sockets of one side, as columns.

    Args:
        owners: finds the owners of a socket.
    """

    def __init__(self, owners: OwnersOf) -> None:
        self._owners = owners
        self._shared: dict[Any, Any] = {}
        self.batches: list[Batch] = []
        self.watched: list[Watched] = []
        self.inodes: list[int | None] = []
        self.cookies: list[int | None] = []

    def __len__(self) -> int:
        return len(self.watched)

    def add(self, batch: Batch) -> range:
        """Add sockets, and return their numbers."""
        first = len(self.watched)
        inodes = batch.values("inode")
        share = self._shared.setdefault
        for state, uid, send_q, inode in zip(
            batch.values("state"), batch.values("uid"), batch.values("send_q"), inodes, strict=True
        ):
            # Text without inodes does not tell who holds a socket; inode 0 is one without a file.
            holders = None if inode is None else self._holders(inode) if inode else ()
            row = (state, uid, send_q if state in _LISTENING else None, holders)
            self.watched.append(share(row, row))
        self.inodes += inodes
        self.cookies += batch.values("cookie")
        self.batches.append(_slim(batch))
        return range(first, len(self.watched))

    def _holders(self, inode: int) -> tuple[Holder, ...] | None:
        found = self._owners(inode)
        if not found:
            return None if found is None else ()
        if len(found) == 1:
            key: Any = found[0].pid
            shared = self._shared.get(key)
            if shared is None:
                shared = self._shared[key] = (Holder(found[0].pid, found[0].comm),)
            held: tuple[Holder, ...] = shared
            return held
        return tuple(dict.fromkeys(Holder(owner.pid, owner.comm) for owner in found))

    def side(self, number: int) -> SocketSide:
        """Return one socket, as differences show it."""
        state, uid, backlog, holders = self.watched[number]
        return SocketSide(state, uid, backlog, holders, self.inodes[number], self.cookies[number])

    def ends(self, numbers: Iterable[int]) -> Iterator[tuple[int, str, Endpoint, Endpoint]]:
        """Yield number, table and ends of some sockets, in order; *numbers* ascend."""
        wanted = iter(numbers)
        number = next(wanted, None)
        first = 0
        for batch, end in zip(self.batches, accumulate(batch.size for batch in self.batches), strict=True):
            if number is not None and number < end:
                columns = (batch.values("netid"), batch.values("local"), batch.values("peer"))
                while number is not None and number < end:
                    row = number - first
                    netid, local, peer = (column[row] for column in columns)
                    yield number, netid, local, peer
                    number = next(wanted, None)
            first = end

    def identities(self, numbers: Iterable[int]) -> Iterator[tuple[int, _Identity]]:
        """Yield what identifies some sockets besides cookie and inode, in order; *numbers* ascend."""
        wanted = iter(numbers)
        number = next(wanted, None)
        first = 0
        for batch in self.batches:
            end = first + batch.size
            if number is not None and number < end:
                netid, kind, protocol, local, peer = map(batch.values, ("netid", "type", "protocol", "local", "peer"))
                while number is not None and number < end:
                    row, state = number - first, self.watched[number][0]
                    yield number, _identity(netid[row], kind[row], protocol[row], local[row], peer[row], state)
                    number = next(wanted, None)
            first = end


class _Identity:
    """What identifies a socket without cookie: its ends, and whether it waits for others to connect."""

    __slots__ = ("key", "waits")

    def __init__(self, key: Any, waits: bool) -> None:
        self.key = key
        self.waits = waits


def _identity(
    netid: str, type_: str | None, protocol: str | None, local: Any, peer: Any, state: str | None
) -> _Identity:
    if netid in _NAMELESS:
        # Port ids are chosen anew by each process.
        return _Identity((netid, protocol, local.interface, local.port == 0), True)
    if netid == "unix":
        return _Identity(
            (netid, type_, local.address, peer.address), local.address is not None and peer.address is None
        )
    waits = not peer.port and state in _UNCONNECTED
    return _Identity((netid, local.address, local.port, local.interface, peer.address, peer.port), waits)


def _slim(batch: Batch) -> Batch:
    if batch.columns is not None:
        others = {name.partition(".")[0] for name in batch.columns} - set(_KEPT)
        return batch.detached(tuple(others))
    columns = {name: Column("", [list(batch.values(name))]) for name in _KEPT}
    return Batch(batch.size, list, {}, columns)


class SocketComparison:
    """The differences between the sockets of two sides.

    Args:
        before: the sockets of A.
        same_boot: cookies, inodes and process ids mean the same on both sides.
    """

    def __init__(self, before: SideOfSockets, *, same_boot: bool) -> None:
        self._before = before
        self._same_boot = same_boot
        self._left = bytearray(b"\1") * len(before)
        # Pairs that differ: numbers in A and in B, and what has changed.
        self._pairs: list[tuple[int, int, tuple[str, ...], str]] = []
        self._after: SideOfSockets | None = None
        self._left_after = bytearray()

    def compare(self, after: SideOfSockets) -> None:
        """Match all sockets of B with those of A."""
        self._after = after
        self._left_after = bytearray(b"\1") * len(after)
        if self._same_boot:
            self._match_cookies(after)
        self._match_ends(after)

    def _match_cookies(self, after: SideOfSockets) -> None:
        tables: dict[str, dict[int, int]] = {}
        for number, netid, cookie in _cookies(self._before):
            if cookie is not None:
                tables.setdefault(netid, {})[cookie] = number
        for number, netid, cookie in _cookies(after):
            if cookie is None:
                continue
            other = tables[netid].pop(cookie, None) if netid in tables else None
            if other is not None:
                self._pair(other, number)

    def _match_ends(self, after: SideOfSockets) -> None:
        """Match what is left by the ends: by inode first, then by the owners, then by the ends alone."""
        before = self._before
        passes: list[Callable[[SideOfSockets, int, _Identity], Any]] = [_by_owners, _by_ends]
        if self._same_boot:
            passes.insert(0, _by_inode)
        for key_of in passes:
            # Lists only where several sockets are alike. The identities are made anew for each pass: kept, they would take
            # more memory than everything else.
            waiting: dict[Any, _Place | list[_Place]] = {}
            for number, identity in before.identities(_numbers(self._left)):
                key = key_of(before, number, identity)
                if key is not None:
                    _keep(waiting, key, (number, identity.waits))
            if not waiting:
                continue
            for several in waiting.values():
                if isinstance(several, list):
                    several.reverse()
            for number, identity in after.identities(_numbers(self._left_after)):
                key = key_of(after, number, identity)
                first = _first(waiting, key)
                if first is not None and self._may_match(first, number, identity, sure=key_of is _by_inode):
                    _drop_first(waiting, key)
                    self._pair(first[0], number, other=self._replaced)

    def _may_match(self, old: _Place, new: int, identity: _Identity, *, sure: bool) -> bool:
        assert self._after is not None
        before, after, (number, waits) = self._before, self._after, old
        if identity.waits != waits:
            return sure
        if not waits:
            return not self._same_boot or sure or not _are_others(before, number, after, new)
        # A listener of another program is another listener.
        mine, theirs = before.watched[number][3], after.watched[new][3]
        return sure or not mine or not theirs or bool(_programs(mine) & _programs(theirs))

    def _replaced(self, old: int, new: int) -> bool:
        assert self._after is not None
        return self._same_boot and _are_others(self._before, old, self._after, new)

    def _pair(self, old: int, new: int, other: Callable[[int, int], bool] | None = None) -> None:
        assert self._after is not None
        self._left[old] = self._left_after[new] = 0
        was, now = self._before.watched[old], self._after.watched[new]
        replaced = other is not None and other(old, new)
        if was == now and not replaced:
            return
        fields = _changed(was, now, same_boot=self._same_boot, held=bool(self._after.inodes[new]))
        if fields or replaced:
            self._pairs.append((old, new, fields, RESTARTED if replaced else CHANGED))

    # Results, made when they are asked for: there may be as many as sockets.

    @property
    def counts(self) -> dict[str, int]:
        """Number of differences of each kind."""
        restarted = sum(pair[3] == RESTARTED for pair in self._pairs)
        return {
            OPENED: self._left_after.count(1),
            CLOSED: self._left.count(1),
            CHANGED: len(self._pairs) - restarted,
            RESTARTED: restarted,
        }

    def opened(self) -> Iterator[SocketDifference]:
        """Yield the sockets that only B has."""
        assert self._after is not None
        for number, netid, local, peer in self._after.ends(_numbers(self._left_after)):
            yield SocketDifference(OPENED, (), netid, local, peer, None, self._after.side(number))

    def closed(self) -> Iterator[SocketDifference]:
        """Yield the sockets that only A has."""
        for number, netid, local, peer in self._before.ends(_numbers(self._left)):
            yield SocketDifference(CLOSED, (), netid, local, peer, self._before.side(number), None)

    def changed(self) -> Iterator[SocketDifference]:
        """Yield the sockets that both have and that differ, and those that were restarted."""
        assert self._after is not None
        pairs = sorted(self._pairs, key=lambda pair: pair[1])
        ends = self._after.ends(pair[1] for pair in pairs)
        for (old, new, fields, change), (_number, netid, local, peer) in zip(pairs, ends, strict=True):
            yield SocketDifference(change, fields, netid, local, peer, self._before.side(old), self._after.side(new))


def _keep(waiting: dict[Any, _Place | list[_Place]], key: Any, place: _Place) -> None:
    known = waiting.setdefault(key, place)
    if isinstance(known, list):
        known.append(place)
    elif known is not place:
        waiting[key] = [known, place]


def _first(waiting: dict[Any, _Place | list[_Place]], key: Any) -> _Place | None:
    found = waiting.get(key) if key is not None else None
    return found[-1] if isinstance(found, list) else found


def _drop_first(waiting: dict[Any, _Place | list[_Place]], key: Any) -> None:
    found = waiting[key]
    if isinstance(found, list) and len(found) > 1:
        found.pop()
    else:
        del waiting[key]


def _cookies(side: SideOfSockets) -> Iterator[tuple[int, str, int | None]]:
    netids = (netid for batch in side.batches for netid in batch.values("netid"))
    return zip(range(len(side)), netids, side.cookies, strict=True)


def _numbers(left: bytearray) -> Iterator[int]:
    place = left.find(1)
    while place >= 0:
        yield place
        place = left.find(1, place + 1)


def _by_inode(side: SideOfSockets, number: int, identity: _Identity) -> Any:
    inode = side.inodes[number]
    return (identity.key[0], inode) if inode else None


def _by_owners(side: SideOfSockets, number: int, identity: _Identity) -> Any:
    holders = side.watched[number][3]
    return None if holders is None else (identity.key, _programs(holders))


def _by_ends(_side: SideOfSockets, _number: int, identity: _Identity) -> Any:
    # Without a name of its own a socket is one of many.
    return None if identity.key[0] in _NAMELESS or identity.key[2:4] == (None, None) else identity.key


def _programs(holders: Iterable[Holder] | None) -> frozenset[bytes | None]:
    return frozenset(one.comm for one in holders or ())


def _are_others(before: SideOfSockets, old: int, after: SideOfSockets, new: int) -> bool:
    """Return whether two sockets with the same ends are known to be different ones."""
    for mine, theirs in ((before.cookies[old], after.cookies[new]), (before.inodes[old], after.inodes[new])):
        if mine and theirs:
            return mine != theirs
    return False


def _changed(was: Watched, now: Watched, *, same_boot: bool, held: bool) -> tuple[str, ...]:
    """Return what has changed of a socket; *held*: it has a file, so that some process holds it."""
    fields = [
        name
        for name, mine, theirs in zip((STATE, USER, BACKLOG), was, now, strict=False)
        if mine != theirs and None not in (mine, theirs)
    ]
    mine, theirs = was[3], now[3]
    # That a connection which ends has lost its owner is what its state says.
    known = mine is not None and theirs is not None and (held or STATE not in fields)
    if known and (mine != theirs if same_boot else _programs(mine) != _programs(theirs)):
        fields.append(OWNER)
    return tuple(fields)
