"""Which UDP socket dropped what arrived: the one whose own counter says so.

Before Linux 6.11 a dropped datagram names no socket, and the port may be bound in several network namespaces. The kernel counts
the drops of each socket, and shows the counters of this namespace's.
"""

from __future__ import annotations

from sockdiag.model.query import SKMEM
from sockdiag.model.trace_event import BY_ADDRESS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from sockdiag.analysis.trace_events import Happened
    from sockdiag.analysis.trace_sockets import KnownSocket, TracedSockets
    from sockdiag.model.socket import Socket
    from sockdiag.survey.reader import SystemReader

TABLES = ("udp", "udplite")


class DropWitness:
    """Compares drops that were reported with those that sockets have counted.

    Args:
        survey: the system.
        sockets: the sockets that are known.
    """

    def __init__(self, survey: SystemReader, sockets: TracedSockets) -> None:
        self._survey = survey
        self._sockets = sockets
        # By cookie: drops that are explained, and that were counted.
        self._explained: dict[int, int] = {}
        self._counted: dict[int, int] = {}

    def begin(self, sockets: Sequence[Socket]) -> None:
        """Note what was counted before the trace."""
        for socket in sockets:
            if socket.cookie is not None and socket.skmem is not None and socket.skmem.drops is not None:
                self._explained[socket.cookie] = self._counted[socket.cookie] = socket.skmem.drops

    def read(self) -> None:
        """Read the tables and their counters again."""
        from sockdiag.model.batch import all_sockets

        apart = self._survey.apart()
        sockets = list(all_sockets(apart.batches(apart.query([SKMEM])._replace(tables=TABLES))))
        new = self._sockets.learn_udp(sockets)
        owners, _gaps = self._survey.host.owners([known.inode for known in new if known.inode])
        for known in new:
            held = owners.get(known.inode or 0)
            if held:
                known.owner, known.quality = held[0], BY_ADDRESS
        self._counted = {
            socket.cookie: socket.skmem.drops
            for socket in sockets
            if socket.cookie is not None and socket.skmem is not None and socket.skmem.drops is not None
        }
        self._explained = {cookie: number for cookie, number in self._explained.items() if cookie in self._counted}

    def decide(self, drops: Sequence[Happened]) -> None:
        """Find the socket of each drop, where the counters leave no doubt."""
        groups: dict[tuple[object, object, int], list[Happened]] = {}
        for one in drops:
            groups.setdefault((one.local.address, one.local.port, one.pointer), []).append(one)
        for events in groups.values():
            among = self._sockets.bound("udp", events[0].local) or self._sockets.bound("udplite", events[0].local)
            found = [known for known in among if self._left(known) >= len(events)]
            if len(found) != 1:
                # No counter has moved: the socket is another namespace's.
                elsewhere = not any(self._left(known) for known in among)
                for one in events:
                    one.among, one.elsewhere = among, elsewhere
                continue
            known = found[0]
            if known.cookie is not None:
                self._explained[known.cookie] = self._explained.get(known.cookie, 0) + len(events)
            for one in events:
                one.known = known

    def explain(self, known: KnownSocket) -> None:
        """Note that a drop of a socket was found otherwise."""
        if known.cookie is not None:
            self._explained[known.cookie] = self._explained.get(known.cookie, 0) + 1

    def _left(self, known: KnownSocket) -> int:
        cookie = known.cookie
        if cookie is None:
            return 0
        return self._counted.get(cookie, 0) - self._explained.get(cookie, 0)
