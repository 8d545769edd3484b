"""Totals of events: by reason, socket, process and peer."""

from __future__ import annotations

from sockdiag.model.trace_event import TraceTotal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sockdiag.model.address import Endpoint
    from sockdiag.model.trace_event import TraceEvent

BY = ("reason", "socket", "process", "peer")
# Names of each kind, at most; more are counted together.
_MOST = 5000
_OTHERS = "(others)"


class TraceTotals:
    """Counts events.

    Args:
        endpoint: formats one end of a socket.
        name: formats the name of a process, which others chose.

    Attributes:
        events: how many there were.
    """

    def __init__(self, endpoint: Callable[[Endpoint], str], name: Callable[[bytes], str]) -> None:
        self.events = 0
        self._endpoint = endpoint
        self._name = name
        self._counts: tuple[dict[object, int], ...] = ({}, {}, {}, {})

    def add(self, event: TraceEvent) -> None:
        """Count an event."""
        self.events += 1
        keys = (
            (event.event, event.reason, event.old_state, event.state if event.old_state else None),
            (event.netid, event.local, event.peer),
            (event.pid, event.process),
            event.peer.address,
        )
        for counts, key in zip(self._counts, keys, strict=True):
            if key in counts:
                counts[key] += 1
            elif len(counts) < _MOST:
                counts[key] = 1
            else:
                counts[_OTHERS] = counts.get(_OTHERS, 0) + 1

    def rows(self, most: int | None = None) -> Iterator[TraceTotal]:
        """Yield the totals, the largest of each kind first.

        Args:
            most: of each kind, so many; None for all.
        """
        for by, counts in zip(BY, self._counts, strict=True):
            for key, number in sorted(counts.items(), key=lambda pair: -pair[1])[:most]:
                yield TraceTotal(by, self._text(by, key), number)

    def clear(self) -> None:
        """Begin again from zero."""
        self.events = 0
        for counts in self._counts:
            counts.clear()

    def _text(self, by: str, key: object) -> str:
        if not isinstance(key, tuple):
            return "unknown" if key is None else str(key)
        if by == "reason":
            event, reason, old, new = key
            return f"{event} {old} -> {new}" if old else f"{event} {reason or 'without a reason'}"
        if by == "socket":
            netid, local, peer = key
            return f"{netid or 'unknown'} {self._endpoint(local)} {self._endpoint(peer)}"
        pid, process = key
        if pid is None:
            return "unknown"
        return f"{self._name(process) if process else '?'}({pid})"
