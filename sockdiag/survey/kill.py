"""Choose sockets, close exactly those, and report what became of each."""

from __future__ import annotations

import os

from sockdiag.errors import SourceDenied, SourceError, SourceUnavailable, UsageError
from sockdiag.model.kill import ABORTED, CLOSED, FAILED, GONE, REFUSED, WOULD_CLOSE, KilledSocket
from sockdiag.model.query import OWNERS
from sockdiag.sources.netlink.inet_destroy import SOURCE, TABLES, NotThere, closes, destroy
from sockdiag.sources.process.capabilities import effective_capabilities
from sockdiag.sources.process.own_session import own_session
from sockdiag.sources.system.transport import KernelTransport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sockdiag.analysis.inspect_target import Target
    from sockdiag.filter.where import Where
    from sockdiag.model.socket import Socket
    from sockdiag.sources.netlink.inet_destroy import Commander
    from sockdiag.survey.reader import SystemReader

_CAP_NET_ADMIN = 12
# Lookups of one listener among many that share its port; the chance to miss one of 64 is 1 in 10 million.
_LOOKUPS = 1024
_FIRST_PORT = 1024

_ONLY = f"SOCK_DESTROY closes sockets of {', '.join(TABLES)} only"


class Candidate:
    """A socket that was chosen.

    Attributes:
        socket: as it was shown.
        outcome: what became of it so far.
        reason: why it was not closed.
    """

    __slots__ = ("outcome", "reason", "socket")

    def __init__(self, socket: Socket, refused: str | None) -> None:
        self.socket = socket
        self.outcome = WOULD_CLOSE if refused is None else REFUSED
        self.reason = refused

    @property
    def row(self) -> KilledSocket:
        """The row that shows it."""
        one = self.socket
        return KilledSocket(
            self.outcome,
            one.netid,
            one.state,
            one.local,
            one.peer,
            one.processes,
            self.reason,
            one.inode,
            one.cookie,
            one.netns,
        )


def tables_to_close(named: Sequence[str], possible: Iterable[str]) -> tuple[str, ...]:
    """Return the tables to look in.

    Args:
        named: those that the user named; empty for all.
        possible: those that the filter or the target can match.

    Raises:
        UsageError: the kernel closes no sockets of these.
    """
    others = [table for table in named if table not in TABLES]
    if others:
        raise UsageError(f"cannot close {others[0]} sockets: {_ONLY}")
    among = set(possible)
    found = tuple(table for table in TABLES if table in among and (not named or table in named))
    if not found:
        raise UsageError(f"only sockets of {', '.join(sorted(among)) or 'no table'} can match: {_ONLY}")
    return found


def chosen(survey: SystemReader, where: Where | None, target: Target | None, *, force: bool) -> list[Candidate]:
    """Find the sockets that a filter or a target selects, with their owners.

    Args:
        survey: the system, read by netlink, which alone shows cookies.
        where: the filter.
        target: the target, instead.
        force: also choose the connection that this command runs through.

    Raises:
        UsageError: the kernel closes no sockets that can match.
        SourceError: the descriptor that the target names is not there, or is no socket.
    """
    query = survey.query([OWNERS], where)
    if target is None:
        query = query._replace(tables=tables_to_close(survey.options.netids, query.tables if where else TABLES))
        from sockdiag.model.batch import all_sockets

        found = list(all_sockets(survey.batches(query, where)))
    else:
        from sockdiag.analysis.inspect_target import matching

        query = query._replace(tables=tables_to_close(survey.options.netids, target.tables))
        found = matching(target, survey.batches(query), _inode(survey, target))
    session = None if force else own_session(survey.system.files)
    return [Candidate(one, _refusal(one) or (session.carries(one) if session else None)) for one in found]


def _inode(survey: SystemReader, target: Target) -> int | None:
    if target.pid is None or target.fd is None:
        return None
    from sockdiag.sources.process.fdinfo import socket_of

    return socket_of(survey.system.files, target.pid, target.fd)


def _refusal(socket: Socket) -> str | None:
    if not socket.cookie:
        return "without netlink it has no cookie, and another socket could be closed instead"
    if socket.netid == "tcp" and socket.state == "CLOSE":
        return "it is neither connected nor listening"
    return None


def check_permission(survey: SystemReader, tables: Iterable[str]) -> None:
    """Find out, before anybody is asked, whether this process can close sockets at all.

    Raises:
        SourceUnavailable: the kernel is built without it.
        SourceDenied: it needs CAP_NET_ADMIN.
    """
    # Netlink has listed the sockets: the modules are loaded.
    kernel = KernelTransport()
    lacking = [table for table in tables if not closes(kernel, table)]
    if lacking:
        what = ", ".join(lacking)
        raise SourceUnavailable(
            SOURCE,
            f"the kernel does not close {what} sockets (SOCK_DESTROY)",
            hint="it needs Linux 4.9 or later built with CONFIG_INET_DIAG_DESTROY, and for udp and raw the modules udp_diag and raw_diag",
        )
    effective = effective_capabilities(survey.system.files)
    # Where that is unknown, the kernel will answer.
    if effective is not None and not effective >> _CAP_NET_ADMIN & 1:
        raise SourceDenied(SOURCE, "closing sockets needs CAP_NET_ADMIN", hint="run as root")


def close_all(survey: SystemReader, candidates: Sequence[Candidate], kernel: Commander | None = None) -> None:
    """Close the sockets, and look whether they are gone; the outcomes are in the candidates.

    Args:
        survey: the system.
        candidates: the sockets, as they were shown.
        kernel: where requests go, if not this system's kernel.
    """
    kernel = KernelTransport() if kernel is None else kernel
    wanted = [one for one in candidates if one.outcome == WOULD_CLOSE]
    for one in wanted:
        _close(kernel, one, None)
    left = _left(survey, wanted)
    missed = [one for one in wanted if one.outcome == GONE and one.socket.cookie in left and not one.socket.peer.port]
    for one in missed:
        _search(kernel, one)
    if missed:
        left = _left(survey, wanted)
    for one in wanted:
        if one.socket.cookie in left:
            _correct(one)


def _close(kernel: Commander, one: Candidate, peer_port: int | None) -> None:
    try:
        destroy(kernel, one.socket, peer_port)
    except NotThere:
        one.outcome, one.reason = GONE, None
    except SourceError as error:
        one.outcome, one.reason = FAILED, _why(error, one.socket)
    else:
        one.outcome, one.reason = CLOSED, None


def _search(kernel: Commander, one: Candidate) -> None:
    # inet_lookup_reuseport() and udp_lib_lookup take one of several by a hash of both ends.
    step = os.getpid() | 1
    for turn in range(_LOOKUPS):
        _close(kernel, one, _FIRST_PORT + turn * step % (0x10000 - _FIRST_PORT))
        if one.outcome != GONE:
            return


def _left(survey: SystemReader, wanted: Sequence[Candidate]) -> set[int]:
    """Return the cookies of all sockets that are there now, in the tables in question."""
    tables = tuple(table for table in TABLES if any(one.socket.netid == table for one in wanted))
    if not tables:
        return set()
    query = survey.query()._replace(tables=tables)
    return {
        cookie
        for batch in survey.apart().batches(query)
        for netid, state, cookie in zip(
            batch.values("netid"), batch.values("state"), batch.values("cookie"), strict=True
        )
        # A listener that was closed stays bound to a port that its process has chosen.
        if cookie and not (netid == "tcp" and state == "CLOSE")
    }


def _correct(one: Candidate) -> None:
    """Set the outcome of a socket that is still there."""
    if one.outcome == CLOSED:
        if one.socket.netid == "tcp":
            one.outcome, one.reason = FAILED, "the kernel acknowledged the request, but the socket is still there"
        else:
            one.outcome = ABORTED
    elif one.outcome == GONE:
        one.outcome, one.reason = FAILED, "the kernel finds another socket at its addresses"


def _why(error: SourceError, socket: Socket) -> str:
    if isinstance(error, SourceUnavailable):
        return f"the kernel does not close {socket.netid} sockets in state {socket.state}"
    return error.reason
