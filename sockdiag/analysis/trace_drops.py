"""Drops of a trace, summed by socket and reason."""

from __future__ import annotations

from sockdiag.model.trace_event import TracedDrop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.model.address import Endpoint
    from sockdiag.model.trace_event import TraceEvent

# Sockets and reasons that are listed, and senders of each that are told apart.
_MOST, _MOST_PEERS = 1000, 1000


class DropSums:
    """Counts drops.

    Attributes:
        others: those of sockets that are not listed.
    """

    def __init__(self) -> None:
        self.others = 0
        self._first: dict[object, TraceEvent] = {}
        self._peers: dict[object, dict[Endpoint, int]] = {}

    def add(self, event: TraceEvent) -> None:
        """Count a drop."""
        connected = event.netid in ("tcp", "mptcp")
        ends = (event.netid, event.local, event.peer if connected else None)
        socket = event.cookie or event.inode or ends
        key = (event.event, event.reason, event.tracepoint, socket, event.pid, event.netns, event.attribution)
        peers = self._peers.get(key)
        if peers is None:
            if len(self._first) >= _MOST:
                self.others += 1
                return
            self._first[key] = event
            peers = self._peers[key] = {}
        peer = event.peer
        if peer not in peers and len(peers) >= _MOST_PEERS:
            peer = next(iter(peers))
        peers[peer] = peers.get(peer, 0) + 1

    def drops(self) -> tuple[TracedDrop, ...]:
        """Return the sums, most events first."""
        found = [self._sum(event, self._peers[key]) for key, event in self._first.items()]
        found.sort(key=lambda one: -one.events)
        return tuple(found)

    @staticmethod
    def _sum(event: TraceEvent, peers: dict[Endpoint, int]) -> TracedDrop:
        # Where the kernel names the socket only, the sender is unknown.
        senders = {peer: number for peer, number in peers.items() if peer.port} or peers
        return TracedDrop(
            event=event.event,
            reason=event.reason,
            meaning=event.meaning,
            events=sum(peers.values()),
            netid=event.netid,
            local=event.local,
            peer=max(senders, key=senders.__getitem__),
            peers=sum(1 for peer in senders if peer.port),
            cookie=event.cookie,
            inode=event.inode,
            pid=event.pid,
            process=event.process,
            unit=event.unit,
            container=event.container,
            netns=event.netns,
            attribution=event.attribution,
            tracepoint=event.tracepoint,
            findings=(),
        )
