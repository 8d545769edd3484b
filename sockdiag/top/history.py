"""What has been seen since the program started: totals, and the queues of sockets in which something waited."""

from __future__ import annotations

from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from sockdiag.model.socket import Socket
    from sockdiag.top.look import Look

# Looks that are kept: an hour at the default interval.
_KEPT = 1800
# Sockets that are followed; of more, those that have been idle longest are forgotten.
_FOLLOWED = 4096
# Sockets that have closed which are kept.
_CLOSED = 500


class FollowedSocket:
    """Queues and drops of one socket, look by look.

    Attributes:
        recv_q: what waited to be read.
        send_q: what waited to be sent or acknowledged.
        drops: dropped since the look before.
        since: time of the first look that saw it.
    """

    __slots__ = ("drops", "last", "recv_q", "send_q", "since")

    def __init__(self, since: float, missed: int) -> None:
        # It had nothing to show in the looks before.
        nothing = [0.0] * min(missed, _KEPT)
        self.recv_q: deque[float | None] = deque(nothing, _KEPT)
        self.send_q: deque[float | None] = deque(nothing, _KEPT)
        self.drops: deque[float | None] = deque(nothing, _KEPT)
        self.since = since
        self.last = since

    def queues(self) -> tuple[deque[float | None], ...]:
        """Return what is kept look by look."""
        return self.recv_q, self.send_q, self.drops

    def add(self, at: float, levels: tuple[int, ...], before: tuple[int, ...] | None) -> None:
        """Add what a look has seen."""
        self.recv_q.append(levels[0])
        self.send_q.append(levels[1])
        self.drops.append(None if before is None else max(0, levels[2] - before[2]))
        self.last = at


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
        for part in look.parts:
            for key, levels in part.levels.items():
                identity = part.netns, key
                followed = self._sockets.get(identity)
                if followed is None:
                    if len(self._sockets) >= _FOLLOWED and not self._forget():
                        continue
                    followed = self._sockets[identity] = FollowedSocket(look.at, self._looks)
                followed.add(look.at, levels, part.earlier.get(key) if part.seconds is not None else None)
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

    def _forget(self) -> bool:
        """Forget the socket that has been idle longest; False if all of them were busy in the last look."""
        oldest = min(self._sockets, key=lambda identity: self._sockets[identity].last)
        newest = max(followed.last for followed in self._sockets.values())
        if self._sockets[oldest].last >= newest:
            return False
        del self._sockets[oldest]
        return True

    def of(self, identity: Hashable) -> FollowedSocket | None:
        """Return the history of a socket; None if nothing has ever waited in it."""
        return self._sockets.get(identity)

    def note_closed(self, earlier: Look, later: Look) -> None:
        """Keep the sockets of a look that the next one lacks, as far as they are few."""
        for identity, row in earlier.sockets.gone(later.sockets):
            self.closed[identity] = earlier.sockets.socket(row)
            if len(self.closed) > _CLOSED:
                del self.closed[next(iter(self.closed))]
