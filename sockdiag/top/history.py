"""What has been seen since the program started: totals, and the queues of sockets in which something waited."""

from __future__ import annotations

from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from sockdiag.model.socket import Socket
    from sockdiag.top.look import Look

# Looks that are kept: more than the widest graph shows.
_KEPT = 400
# Sockets that are followed; of more, those that have been idle longest are forgotten. Some 10 MB if all are busy.
_FOLLOWED = 1000
# Sockets that have closed which are kept.
_CLOSED = 500


class FollowedSocket:
    """Queues and drops of one socket, look by look.

    Attributes:
        recv_q: what waited to be read.
        send_q: what waited to be sent or acknowledged.
        drops: dropped since the look before.
        last: number of the last look in which something waited or was dropped.
        most: the largest of each of the three since it is followed, also of looks that are no longer kept.
    """

    __slots__ = ("drops", "last", "most", "recv_q", "send_q")

    def __init__(self, missed: int) -> None:
        # It had nothing to show in the looks before.
        nothing = [0.0] * min(missed, _KEPT)
        self.recv_q: deque[float | None] = deque(nothing, _KEPT)
        self.send_q: deque[float | None] = deque(nothing, _KEPT)
        self.drops: deque[float | None] = deque(nothing, _KEPT)
        self.last = missed
        self.most = [0.0, 0.0, 0.0]

    def queues(self) -> tuple[deque[float | None], ...]:
        """Return what is kept look by look."""
        return self.recv_q, self.send_q, self.drops

    def add(self, look: int, levels: tuple[int, ...], before: tuple[int, ...] | None) -> None:
        """Add what a look has seen."""
        seen = levels[0], levels[1], None if before is None else max(0, levels[2] - before[2])
        for place, (kept, value) in enumerate(zip(self.queues(), seen, strict=True)):
            kept.append(value)
            self.most[place] = max(self.most[place], value or 0)
        self.last = look


class LookHistory:
    """What all looks have seen.

    Attributes:
        loss: losses per second that the kernel counted; None where a look could not tell.
        received: IP bytes received per second.
        sent: IP bytes sent per second.
        closed: sockets that have closed, by identity, the last one last.
    """

    def __init__(self) -> None:
        self.loss: deque[float | None] = deque(maxlen=_KEPT)
        self.received: deque[float | None] = deque(maxlen=_KEPT)
        self.sent: deque[float | None] = deque(maxlen=_KEPT)
        self.closed: dict[Hashable, Socket] = {}
        self._sockets: dict[Hashable, FollowedSocket] = {}
        self._looks = 0
        # Of a recording, the moments that have been shown.
        self._places: deque[int | None] = deque(maxlen=_KEPT)
        self._opened: set[Hashable] = set()

    def add(self, look: Look) -> None:
        """Add a look."""
        self._places.append(look.place)
        self.loss.append(look.loss_per_s)
        traffic = look.bytes_per_s
        self.received.append(None if traffic is None else traffic[0])
        self.sent.append(None if traffic is None else traffic[1])
        seen: set[Hashable] = set()
        idle: list[Hashable] | None = None
        for part in look.parts:
            for key, levels in part.levels.items():
                identity = part.netns, key
                followed = self._sockets.get(identity)
                if followed is None:
                    if len(self._sockets) >= _FOLLOWED:
                        if idle is None:
                            idle = self._idle()
                        if not idle:
                            continue
                        self._sockets.pop(idle.pop(), None)
                    followed = self._sockets[identity] = FollowedSocket(self._looks)
                followed.add(self._looks, levels, part.earlier.get(key) if part.seconds is not None else None)
                seen.add(identity)
        for known, followed in self._sockets.items():
            if known not in seen:
                followed.recv_q.append(0)
                followed.send_q.append(0)
                followed.drops.append(0)
        self._looks += 1

    def rewind(self, place: int) -> None:
        """Forget the looks at a moment of the recording and at later ones: that moment is shown next."""
        if not self._places or (self._places[-1] or 0) < place:
            return
        while self._places and (self._places[-1] or 0) >= place:
            self._places.pop()
            self._looks -= 1
            followed = self._sockets.values()
            for kept in (self.loss, self.received, self.sent, *(q for one in followed for q in one.queues())):
                if kept:
                    kept.pop()
        self.closed.clear()

    def _idle(self) -> list[Hashable]:
        """Return the sockets in which nothing waited in the last look, those that have been idle longest last."""
        idle = [identity for identity, followed in self._sockets.items() if followed.last < self._looks - 1]
        idle.sort(key=lambda identity: self._sockets[identity].last, reverse=True)
        return idle

    def of(self, identity: Hashable) -> FollowedSocket | None:
        """Return the history of a socket; None if nothing has ever waited in it."""
        return self._sockets.get(identity)

    def note_closed(self, earlier: Look, later: Look) -> None:
        """Keep the sockets of a look that the next one lacks, as far as they are few."""
        for identity, row in earlier.sockets.gone(later.sockets):
            self.closed[identity] = earlier.sockets.socket(row)
            if len(self.closed) > _CLOSED:
                del self.closed[next(iter(self.closed))]
