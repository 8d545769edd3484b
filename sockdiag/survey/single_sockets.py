"""Ask single sockets what rules want to know of a few: of a capture, what was asked when it was made."""

from __future__ import annotations

from sockdiag.errors import SourceError
from sockdiag.model.query import PROC
from sockdiag.sources.system.machine import QUEUE_FULL, RECEIVE_BUFFER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.model.socket import Socket
    from sockdiag.model.tcp_info import TcpInfo
    from sockdiag.survey.reader import SystemReader

# Each costs a process; a host with more queues that stand has the same trouble in all of them.
MOST_QUEUES = 16


def receive_buffers(survey: SystemReader) -> Callable[[int, int, int], int | None] | None:
    """Return who knows the size of a receive buffer, by pid, descriptor and inode; None where nobody does."""
    answers = survey.system.answers
    if answers is not None:
        return lambda _pid, _fd, inode: answers.get((RECEIVE_BUFFER, inode))
    return receive_buffer if survey.system.files.live else None


def receive_buffer(pid: int, fd: int, inode: int) -> int | None:
    """Ask for the size of a receive buffer, on a copy of a descriptor; None where that fails."""
    from sockdiag.sources.process.pidfd_getfd import read_receive_buffer

    try:
        return read_receive_buffer(pid, fd, inode)
    except SourceError:
        return None


def full_queues(survey: SystemReader) -> Callable[[int], bool | None] | None:
    """Return who knows whether the queue of a unix datagram socket is full, by inode; None where nobody does."""
    if survey.options.source == PROC:
        return None
    if (captured := survey.system.answers) is not None:
        return lambda inode: None if (said := captured.get((QUEUE_FULL, inode))) is None else bool(said)
    if not survey.system.files.live:
        return None
    answers: dict[int, bool | None] = {}

    def full(inode: int) -> bool | None:
        from sockdiag.sources.netlink.unix_queue import queue_is_full

        # A rule may judge the same samples twice, by other thresholds.
        if inode not in answers and len(answers) < MOST_QUEUES:
            try:
                answers[inode] = queue_is_full(survey.system, inode)
            except SourceError:
                answers[inode] = None
        return answers.get(inode)

    return full


def tcp_infos(survey: SystemReader) -> Callable[[Socket], TcpInfo | None] | None:
    """Return who knows the tcp_info of a socket, and raises LookupError if it has gone or changed; None where nobody does."""
    if survey.options.source == PROC:
        return None
    if not survey.system.files.live:
        return None if survey.system.answers is None else _captured_infos(survey)

    def info(socket: Socket) -> TcpInfo | None:
        from sockdiag.errors import ParseError
        from sockdiag.sources.netlink.inet_lookup import read_one

        try:
            found, errors = read_one(survey.system, socket)
        except (SourceError, ParseError):
            return None
        if found is None:
            if errors:
                return None
            raise LookupError(socket.cookie)
        if found.state != socket.state:
            raise LookupError(socket.cookie)
        return found.tcp_info

    return info


def _captured_infos(survey: SystemReader) -> Callable[[Socket], TcpInfo | None]:
    from sockdiag.errors import ParseError
    from sockdiag.kernel.byte_order import U64
    from sockdiag.kernel.inet_diag import EXT_INFO
    from sockdiag.kernel.sock_diag import AF_INET, AF_INET6
    from sockdiag.kernel.tcp_states import ALL_STATES
    from sockdiag.sources.netlink.inet_diag import PROTOCOLS, decode
    from sockdiag.sources.netlink.inet_request import request

    def info(socket: Socket) -> TcpInfo | None:
        if socket.cookie is None:
            return None
        family = AF_INET6 if socket.family == "AF_INET6" else AF_INET
        identity = bytes(40) + U64.pack(socket.cookie)
        asked = request(family, PROTOCOLS[socket.netid], ALL_STATES, EXT_INFO, identity=identity)
        try:
            return decode(survey.system.netlink.query(asked), socket.netid, lambda _index: None).tcp_info
        except (SourceError, ParseError):
            return None

    return info
