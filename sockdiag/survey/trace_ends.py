"""The ends of TCP connections, as sock_diag announces them: what can be traced where tracefs cannot be used."""

from __future__ import annotations

import time

from sockdiag.errors import ParseError
from sockdiag.model.provenance import Gap
from sockdiag.model.query import OWNERS
from sockdiag.model.trace_event import EXACT, UNKNOWN, TraceEvent
from sockdiag.sources.netlink.inet_diag import decode
from sockdiag.sources.system.destroy_events import SOURCE, DestroyEvents
from sockdiag.sources.system.interfaces import interface_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from sockdiag.filter.where import Where
    from sockdiag.model.socket import Owner, Socket
    from sockdiag.survey.reader import SystemReader

_PAUSE_S = 0.1


class EndTracer:
    """A trace of ends of connections; a context.

    Args:
        survey: the system; gaps are noted there.
        where: only events whose socket passes.

    Attributes:
        undecided: events that the filter could not judge.

    Raises:
        SourceUnavailable: the kernel does not announce them (before Linux 4.2).
    """

    def __init__(self, survey: SystemReader, where: Where | None) -> None:
        from sockdiag.model.batch import all_sockets

        self.undecided = 0
        self._survey = survey
        self._where = where
        self._names = interface_names(survey.system.files)
        self._events = DestroyEvents(survey.system.modules)
        sockets = all_sockets(survey.batches(survey.query([OWNERS])._replace(tables=("tcp",))))
        self._owners: dict[int, Owner] = {
            socket.cookie: socket.processes[0] for socket in sockets if socket.cookie and socket.processes
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._events.close()

    def lost(self) -> int:
        """Return 1 if events were lost: the kernel does not say how many."""
        return int(self._events.lost)

    def batches(self, until: Callable[[], float | None]) -> Iterator[list[TraceEvent]]:
        """Yield events in lists that may be empty, several times per second.

        Args:
            until: returns the seconds that are left; None for no end.
        """
        while True:
            left = until()
            yield self._read()
            if left is not None and left <= 0:
                return
            time.sleep(_PAUSE_S if left is None else min(_PAUSE_S, max(left, 0.0)))

    def _read(self) -> list[TraceEvent]:
        events = []
        for message in self._events.pending():
            try:
                socket = decode(message, "tcp", self._names, SOURCE)
            except ParseError as error:
                self._survey.note(Gap.from_error(error))
                continue
            owner = self._owners.pop(socket.cookie or 0, None)
            if self._where is not None:
                answer = self._where.match(socket._replace(processes=None if owner is None else (owner,)))
                if answer is None:
                    self.undecided += 1
                if not answer:
                    continue
            events.append(_event(socket, owner, self._survey.netns.label))
        return events


def _event(socket: Socket, owner: Owner | None, netns: str | None) -> TraceEvent:
    now = time.time_ns()
    info = socket.tcp_info
    sent = received = None
    if info is not None:
        received = info.bytes_received
        if info.bytes_sent is not None and info.bytes_retrans is not None:
            sent = info.bytes_sent - info.bytes_retrans
    return TraceEvent(
        time=f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now // 10**9))}.{now % 10**9 // 1000:06d}Z",
        event="end",
        reason=None,
        meaning=None,
        netid=socket.netid,
        local=socket.local,
        peer=socket.peer,
        state=socket.state,
        old_state=None,
        lifetime_s=None,
        bytes_sent=sent,
        bytes_received=received,
        cookie=socket.cookie,
        inode=None,
        pid=None if owner is None else owner.pid,
        process=None if owner is None else owner.comm,
        unit=None if owner is None else owner.unit,
        container=None if owner is None else owner.container,
        netns=netns,
        attribution=UNKNOWN if owner is None else EXACT,
        cpu=None,
        tracepoint=SOURCE,
    )
