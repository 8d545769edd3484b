"""Ask for tcp_info without ever hanging.

To fill tcp_info the kernel takes the socket lock (``lock_sock_fast()`` in ``tcp_get_info()``, ``mptcp_diag_fill_info()``).
If the owner of the socket sleeps while it holds the lock, in a page fault on a dead file server for instance, the reader
sleeps too, uninterruptibly. :class:`GuardedTransport` leaves such requests to processes that it can abandon: one dumps
the table; if its answer stalls, the remaining sockets are listed without tcp_info, which takes no lock, and tcp_info is
requested for one at a time. A socket whose answer does not come in time has no tcp_info, and is named.
"""

from __future__ import annotations

import errno
from struct import unpack_from
from time import monotonic

from sockdiag.errors import SourceError, SourceTruncated, SourceUnavailable
from sockdiag.kernel.byte_order import U32
from sockdiag.kernel.inet_diag import (
    MSG_ATTRIBUTES,
    MSG_DST,
    MSG_FAMILY,
    MSG_INODE,
    MSG_SPORT,
    MSG_SRC,
)
from sockdiag.kernel.netlink import align4
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6, IPPROTO_SCTP, IPPROTO_TCP
from sockdiag.sources.netlink.attributes import ip_text
from sockdiag.sources.netlink.cookies import Cookies, cookie_of
from sockdiag.sources.netlink.inet_request import request as inet_request
from sockdiag.sources.netlink.inet_rewrite import has_info, protocol_of, questions, takes_lock, without, without_info
from sockdiag.sources.system.detached import FAILED, DetachedProcess, error_of, wait
from sockdiag.sources.system.transport import messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sockdiag.sources.netlink.inet_rewrite import Question
    from sockdiag.sources.system.detached import Emit
    from sockdiag.sources.system.transport import Request, Transport

# Frames: a datagram of a dump; the end of a question about one socket, and the message if there was just one.
_ROWS, _ASKED = 2, 3

# A listing without tcp_info that stops for this many limits is blocked: on a busy machine it may take its time.
_PLAIN_LIMITS = 5

# So many sockets are asked for one at a time (some 50 us each) before the others are dumped once more.
_SINGLES = 2048

_HINT = "its owner sleeps in a system call: see /proc/PID/wchan, /proc/PID/stack"


class SocketQueries:
    """Ask for sockets one at a time, so that a locked one holds up only itself.

    A child process asks for one after the other. While it waits for a locked one, another child goes on with the next.
    A socket that does not answer in time is locked.

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
        # Take answers until they stop; return the position of the question pending then, and when it was asked.
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
            elif monotonic() - asked_at >= self.patience and not child.is_running():
                break
        return position, asked_at

    def _catch_up(self, child: DetachedProcess) -> None:
        # A late socket has answered. Another process has taken over its process's further requests.
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


class GuardedTransport:
    """A transport that asks through another one, and cannot hang on a locked socket.

    All requests may go through it; those that take no socket lock go straight to the other transport. Keep one for as
    long as tables are read again and again: a socket that was found locked is not asked for again while the process
    that waits for it is there.

    Args:
        transport: who answers.
        limit: seconds that a socket may take to answer until it is given up.
        patience: seconds that an answer of many sockets may stop until they are asked for one at a time; of one socket, a
            quarter of it until the next is asked for meanwhile. Nothing but time is lost when it was too short.
        total: seconds after which no more sockets are asked for one at a time.
        most: processes that may be left waiting.
    """

    __slots__ = ("_blocked", "_errors", "_stuck", "_transport", "limit", "most", "patience", "total")

    def __init__(
        self,
        transport: Transport,
        *,
        limit: float = 1.0,
        patience: float = 0.2,
        total: float = 10.0,
        most: int = 64,
    ) -> None:
        self._transport = transport
        self.limit = limit
        self.patience = patience
        self.total = total
        self.most = most
        self._stuck: dict[int, tuple[DetachedProcess, bytes]] = {}
        self._blocked: DetachedProcess | None = None
        self._errors: list[SourceError] = []

    def take_errors(self) -> list[SourceError]:
        """Return and forget the failed requests: one error for each locked socket."""
        errors, self._errors = self._errors, []
        return errors

    def close(self) -> None:
        """Let go of the processes that wait for locked sockets; they end when they wake up."""
        for child, _row in self._stuck.values():
            child.close()
        self._stuck.clear()
        if self._blocked is not None:
            self._blocked.close()
            self._blocked = None

    def dump(self, request: Request) -> Iterator[bytes]:
        """Yield the answer to a dump request; see :class:`~sockdiag.sources.system.transport.Transport`.

        Rows of locked sockets come without tcp_info; :meth:`take_errors` names them.

        Raises:
            SourceUnavailable: also when the kernel answers nothing at all any more. Before Linux 6.9 one question that
                waits for a socket lock keeps all others waiting (``sock_diag_mutex``, ``inet_diag_table_mutex``).
            SourceError: of the other transport.
        """
        if not takes_lock(request):
            yield from self._transport.dump(request)
            return
        self._forget_woken()
        locked = [row for _child, row in self._stuck.values()]
        seen = Cookies()
        filtered = without(request, locked)
        if filtered is not None:
            child = self._dumper(filtered)
            try:
                for datagram in self._stream(child, self.patience):
                    if not seen.add_alike(datagram):
                        seen.add(messages(request, datagram))
                    yield datagram
            finally:
                child.close()
            if child.ended and not locked:
                return
        yield from self._rest(request, seen.all())

    def query(self, request: Request) -> bytes:
        """Return the one message that answers a request; see :class:`~sockdiag.sources.system.transport.Transport`.

        Raises:
            SourceTruncated: there was no answer within the limit (ETIMEDOUT).
            SourceError: of the other transport.
        """
        if not takes_lock(request):
            return self._transport.query(request)
        transport = self._transport

        def task(emit: Emit) -> None:
            emit(_ROWS, transport.query(request))

        child = DetachedProcess(task, request.source)
        try:
            answer = b"".join(self._stream(child, self.limit))
        finally:
            child.close()
        if not child.ended:
            raise SourceTruncated(request.source, "no answer: the socket is locked", errno.ETIMEDOUT, _HINT)
        return answer

    @property
    def locked(self) -> frozenset[int]:
        """The cookies of sockets that were found locked and have not answered since."""
        return frozenset(self._stuck)

    def check(self) -> None:
        """Make certain that the kernel answers other questions while a process waits for a locked socket; they would hang.

        Raises:
            SourceUnavailable: it does not, as before Linux 6.9 (:meth:`dump`).
        """
        self._forget_woken()
        if self._stuck:
            # No state: an answer without sockets.
            self._plain(inet_request(AF_INET, IPPROTO_TCP, 0), set())

    def ask(self, request: Request, rows: Sequence[bytes]) -> dict[int, bytes]:
        """Ask for some sockets again, each on its own, instead of for a table.

        Args:
            request: a dump of their table.
            rows: messages that the kernel listed them by; of their attributes none is needed.

        Returns:
            Their present rows by cookie, without those of locked sockets (:attr:`locked`), which are not asked for again, and of
            sockets that have closed.
        """
        self._forget_woken()
        found: dict[int, bytes] = {}
        singles = SocketQueries(
            self._transport,
            lambda datagram: found.update(_identified(request, datagram)),
            limit=self.limit,
            patience=self.patience / 4,
            most=self.most - len(self._stuck),
        )
        wanted = [row for row in rows if cookie_of(row) not in self._stuck and has_info(request, row)]
        if wanted:
            singles.ask(questions(request, wanted), monotonic() + self.total)
        for child, row in singles.settle():
            self._stuck[cookie_of(row)] = (child, row)
        return found

    def _forget_woken(self) -> None:
        children = [child for child, _row in self._stuck.values()]
        woken = wait(children, 0) if children else []
        for cookie, (child, _row) in list(self._stuck.items()):
            if child in woken:
                child.close()
                del self._stuck[cookie]

    def _dumper(self, request: Request) -> DetachedProcess:
        transport = self._transport

        def task(emit: Emit) -> None:
            for datagram in transport.dump(request):
                emit(_ROWS, datagram)

        return DetachedProcess(task, request.source)

    def _stream(self, child: DetachedProcess, seconds: float) -> Iterator[bytes]:
        # Datagrams until the answer ends (child.ended) or none arrives for this many seconds. On a busy machine that says
        # nothing while the process has not had a CPU: one that waits for a lock does not ask for any.
        until = monotonic() + self.total
        while not child.ended:
            if not wait((child,), seconds):
                if monotonic() < until and child.is_running():
                    continue
                return
            until = monotonic() + self.total
            for kind, payload in child.frames():
                if kind == _ROWS:
                    yield payload
                elif kind == FAILED:
                    raise error_of(payload)

    def _rest(self, request: Request, seen: set[int]) -> Iterator[bytes]:
        # The sockets that the dump has not answered for, with tcp_info where they do answer.
        if protocol_of(request) == IPPROTO_SCTP:
            # Listing them takes the lock too (sctp_sock_dump()), with or without tcp_info.
            self._error(request, "a socket is locked; it and the sockets after it are missing")
            return
        rows = self._plain(request, seen)
        left = {c: row for c, row in rows.items() if c not in self._stuck and has_info(request, row)}

        def take(datagram: bytes) -> None:
            for cookie, row in _identified(request, datagram):
                if cookie in rows:
                    rows[cookie] = row
                left.pop(cookie, None)

        most = self.most - len(self._stuck)
        singles = SocketQueries(self._transport, take, limit=self.limit, patience=self.patience / 4, most=most)
        until = monotonic() + self.total
        while left and monotonic() < until and len(singles.late) < most:
            asked = questions(request, list(left.values())[:_SINGLES])
            for question in asked[: singles.ask(asked, until)]:
                left.pop(cookie_of(question.message), None)
            again = without(request, [*singles.late, *(row for _child, row in self._stuck.values())]) if left else None
            if again is not None and self._dump_again(again, take):
                left.clear()  # they have closed since they were listed
        for child, row in singles.settle():
            self._stuck[cookie_of(row)] = (child, row)
        for cookie, (_child, row) in self._stuck.items():
            if cookie in rows:
                self._error(request, f"no tcp_info of {describe(row)}: the socket is locked")
        if left:
            self._error(
                request, f"no tcp_info of {len(left)} sockets: too many are locked, or the queries took too long"
            )
        yield from _joined(list(rows.values()))

    def _plain(self, request: Request, seen: set[int]) -> dict[int, bytes]:
        # The rows that were not seen, by cookie, in the kernel's order.
        if self._blocked is not None and wait((self._blocked,), 0):
            self._blocked.close()
            self._blocked = None
        if self._blocked is None:
            rows: dict[int, bytes] = {}
            child = self._dumper(without_info(request))
            for datagram in self._stream(child, _PLAIN_LIMITS * self.limit):
                rows.update((c, row) for c, row in _identified(request, datagram) if c not in seen)
            if child.ended:
                child.close()
                return rows
            self._blocked = child
        reason = "sock_diag is blocked: another query waits for a socket lock"
        raise SourceUnavailable(request.source, reason, errno.ETIMEDOUT, _HINT)

    def _dump_again(self, request: Request, take: Callable[[bytes], None]) -> bool:
        # Whether the dump came to its end.
        child = self._dumper(request)
        try:
            for datagram in self._stream(child, self.patience):
                take(datagram)
        finally:
            child.close()
        return child.ended

    def _error(self, request: Request, reason: str) -> None:
        self._errors.append(SourceTruncated(request.source, reason, errno.ETIMEDOUT, _HINT))


def describe(row: bytes) -> str:
    """Name the socket of a message by addresses, inode and cookie."""
    family = row[MSG_FAMILY]
    sport, dport = unpack_from("!HH", row, MSG_SPORT)
    form = "[%s]:%d" if family == AF_INET6 else "%s:%d"
    local = form % (ip_text(family, row[MSG_SRC:MSG_DST]), sport)
    peer = form % (ip_text(family, row[MSG_DST : MSG_DST + 16]), dport)
    return f"{local} -> {peer} (inode {U32.unpack_from(row, MSG_INODE)[0]}, cookie {cookie_of(row):x})"


def _identified(request: Request, datagram: bytes) -> Iterator[tuple[int, bytes]]:
    # Messages by cookie. One that is too short to have a cookie is nothing that can be asked for.
    return ((cookie_of(row), row) for row in messages(request, datagram) if len(row) >= MSG_ATTRIBUTES)


def _joined(rows: list[bytes]) -> Iterator[bytes]:
    # As datagrams of about the kernel's size.
    for start in range(0, len(rows), 64):
        yield b"".join([row + bytes(align4(len(row)) - len(row)) for row in rows[start : start + 64]])
