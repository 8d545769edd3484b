"""Ask for sockets one at a time, so that one that is locked costs itself only.

A child process asks for one after the other. While it waits for a locked one, another child goes on with the next; who
does not answer in time is locked. See ``sockdiag.sources.netlink.tcp_info_guard``.
"""

from __future__ import annotations

from time import monotonic

from sockdiag.errors import SourceError
from sockdiag.sources.system.detached import FAILED, DetachedProcess, wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sockdiag.sources.netlink.inet_rewrite import Question
    from sockdiag.sources.system.detached import Emit
    from sockdiag.sources.system.transport import Transport

# Frames: a datagram of a dump; the end of a question, and the message if there was just one.
_ROWS, _ASKED = 2, 3


class SocketQueries:
    """Questions and the processes that ask them.

    Args:
        transport: who answers.
        take: called with each datagram of an answer.
        limit: seconds that a socket may take to answer.
        patience: seconds without an answer after which the next is asked for meanwhile.
        most: processes that may be waiting at a time.
    """

    __slots__ = ("_late", "_transport", "limit", "most", "patience", "take")

    def __init__(
        self, transport: Transport, take: Callable[[bytes], None], *, limit: float, patience: float, most: int
    ) -> None:
        self._transport = transport
        self.take = take
        self.limit = limit
        self.patience = patience
        self.most = most
        self._late: list[tuple[float, DetachedProcess, Question]] = []

    @property
    def late(self) -> list[bytes]:
        """Return the rows whose sockets have not answered so far."""
        return [question.message for _deadline, _child, question in self._late]

    def ask(self, questions: Sequence[Question], until: float) -> int:
        """Ask one after the other.

        Returns:
            How many were asked when all were, when it was *until* or when too many sockets did not answer.
        """
        position = 0
        while position < len(questions) and len(self._late) < self.most and monotonic() < until:
            child = self._start(questions[position:])
            position, asked_at = self._follow(child, position, until)
            if child.ended or monotonic() >= until:
                child.close()
            else:
                self._late.append((asked_at + self.limit, child, questions[position]))
                position += 1
        return position

    def settle(self) -> list[tuple[DetachedProcess, bytes]]:
        """Wait for the sockets that are late until their time is over.

        Returns:
            Those that are locked: the process that waits, and the row.
        """
        locked = []
        while self._late:
            deadline, child, question = self._late[0]
            left = deadline - monotonic()
            if left > 0:
                for other in wait([c for _deadline, c, _question in self._late], left):
                    self._catch_up(other)
            else:
                locked.append((child, question.message))
                del self._late[0]
        return locked

    def _start(self, questions: Sequence[Question]) -> DetachedProcess:
        transport = self._transport

        def task(emit: Emit) -> None:
            for question in questions:
                answer = b""
                try:
                    if question.dump:
                        for datagram in transport.dump(question.request):
                            emit(_ROWS, datagram)
                    else:
                        answer = transport.query(question.request)
                except SourceError:
                    pass  # it has closed since it was listed
                emit(_ASKED, answer)

        return DetachedProcess(task, questions[0].request.source)

    def _follow(self, child: DetachedProcess, position: int, until: float) -> tuple[int, float]:
        # Take answers until they stop; returns what is asked then, and since when.
        asked_at = monotonic()
        while not child.ended and monotonic() < until:
            ready = wait([child, *(c for _deadline, c, _question in self._late)], self.patience)
            for other in ready:
                if other is not child:
                    self._catch_up(other)
            if child in ready:
                asked = self._take_from(child)
                position += asked
                asked_at = monotonic()
            elif monotonic() - asked_at >= self.patience:
                break
        return position, asked_at

    def _catch_up(self, child: DetachedProcess) -> None:
        # A late socket has answered. What its process would ask next, another one has asked.
        if self._take_from(child) or child.ended:
            child.close()
            self._late = [entry for entry in self._late if entry[1] is not child]

    def _take_from(self, child: DetachedProcess) -> int:
        asked = 0
        for kind, payload in child.frames():
            if kind in (_ROWS, _ASKED) and payload:
                self.take(payload)
            asked += kind in (_ASKED, FAILED)
        return asked
