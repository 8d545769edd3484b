"""Listeners, what they refused between the samples and why, and advice on their queues."""

from __future__ import annotations

from sockdiag.analysis.listeners import TABLES, find_listeners
from sockdiag.judging.case import Unseen, batch_table, looked_up
from sockdiag.judging.service import STANDING, Course
from sockdiag.model.address import ANYWHERE
from sockdiag.model.batch import identities
from sockdiag.model.finding import Advice
from sockdiag.model.quantity import counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sockdiag.analysis.listeners import Listener
    from sockdiag.judging.case import Case
    from sockdiag.model.batch import Batch

    # Table, port and address of a listener; places of sockets by identity.
    End = tuple[str, int | None, Any]
    Places = dict[Any, tuple[Batch, int]]

# For the declarations of rules: what listeners() compares, and what queue_is_cause() and backlog_advice() read.
QUEUE_FIELDS = ("recv_q", "skmem.drops")
QUEUE_COUNTERS = ("TcpExt.ListenOverflows", "TcpExt.TCPReqQFullDrop", "TcpExt.ListenDrops")
BACKLOG_SYSCTLS = ("net.core.somaxconn",)

# How many of a listener's connections are asked for their age.
_ASKED = 3
# States of a connection that waits for accept(2): its peer may have closed it meanwhile.
_WAITING = ("ESTABLISHED", "CLOSE_WAIT")

ACCEPT = Advice(
    "Let the process call accept(2) more often, or from more threads or processes.",
    None,
    "A longer queue only absorbs bursts. A process that accepts more slowly than clients connect will fill any queue.",
)


def listeners_seen(case: Case) -> list[Listener]:
    """Return the listeners of all tables; where one could not be read, those of the others."""
    for tables in (TABLES, tuple(table for table in TABLES if table not in case.now.absent)):
        try:
            return [listener for listener, _before, _batch, _row in listeners(case, tables)]
        except Unseen:
            continue
    return []


def listeners(case: Case, tables: tuple[str, ...] = TABLES) -> Iterator[tuple[Listener, int | None, Batch, int]]:
    """Yield each listener, how many connections waited in the earlier sample, and its batch and row.

    Raises:
        Unseen: a table could not be read; raised after the others.
    """
    found = find_listeners(case.batches(tables))
    keys = looked_up(((batch, row) for _listener, batch, row in found), identities)
    past = case.earlier(tables, set(keys.values()), "recv_q", "skmem.drops")
    for listener, batch, row in found:
        before = past.get(keys[id(batch), row])
        if case.before is None:
            yield listener, None, batch, row
            continue
        waiting, drops = before or (0, 0)
        lost = None if listener.drops is None else listener.drops - (drops or 0)
        rate = None if lost is None else case.rate(lost)
        yield listener._replace(drops_in_interval=lost, per_s=rate), waiting or 0, batch, row
    for table in tables:
        if table in case.now.absent:
            raise Unseen(f"sockets: {table}", case.now.absent[table])


class AcceptQueue:
    """A listener in whose queue connections wait.

    Attributes:
        listener: the listener.
        course: how many waited at each moment that it was seen.
        waited_s: how long the connections that were asked have waited, or the queue has at least not been served.
        halted: no process that holds the listener runs.
        row: its batch and row.
    """

    __slots__ = ("course", "halted", "listener", "row", "waited_s")

    def __init__(
        self, listener: Listener, row: tuple[Batch, int], course: Course, waited_s: float, *, halted: bool
    ) -> None:
        self.listener = listener
        self.row = row
        self.course = course
        self.waited_s = waited_s
        self.halted = halted


def accept_queues(case: Case, tables: tuple[str, ...]) -> Iterator[AcceptQueue]:
    """Yield the listeners in whose queue something waits.

    Raises:
        Unseen: a table could not be read; raised after the others.
    """
    found: list[tuple[Listener, Batch, int]] = []
    missing: Unseen | None = None
    try:
        found.extend((listener, batch, row) for listener, _before, batch, row in listeners(case, tables))
    except Unseen as error:
        missing = error
    yield from _served(case, tables, found)
    if missing is not None:
        raise missing


def _served(case: Case, tables: tuple[str, ...], found: list[tuple[Listener, Batch, int]]) -> Iterator[AcceptQueue]:
    shared: dict[End, int] = {}
    for listener, _batch, _row in found:
        shared[_end(listener)] = shared.get(_end(listener), 0) + 1
    waiting = [place for place in found if place[0].accept_queue]
    known = looked_up(((batch, row) for _listener, batch, row in waiting), identities)
    keys = [known[id(batch), row] for _listener, batch, row in waiting]
    seen = case.courses(tables, set(keys), "recv_q")
    courses = []
    for key in keys:
        moments = seen.get(key, ())
        courses.append(Course([when for when, _values in moments], [n or 0 for _when, (n,) in moments]))
    # What falls is served; in a single sample only queues that hold much are worth asking about.
    doubtful = [
        listener
        for (listener, _batch, _row), course in zip(waiting, courses, strict=True)
        if not course.fell and (case.before is not None or (listener.accept_queue_ratio or 0) >= STANDING.value)
    ]
    halted = case.halted(x.socket.inode for x in doubtful) if case.before is not None else frozenset()
    # Connections at listeners that share an address cannot be told apart.
    children = _unaccepted(case, {end for x in doubtful if shared[end := _end(x)] == 1})
    for (listener, batch, row), levels in zip(waiting, courses, strict=True):
        first, last = children.get(_end(listener), ({}, {}))
        stuck = listener.socket.inode in halted
        # accept(2) takes the oldest: while all those of the earlier sample still wait, nobody called it.
        # If some are gone, somebody did, though the queue may be as long as before.
        untouched = first.keys() <= last.keys() if first else None
        if stuck or (untouched is None and not levels.fell and case.ran(listener.socket.inode) is False):
            untouched = True
        course = Course(levels.times, levels.levels, untouched=untouched)
        waited = course.waited_s
        if listener.socket.netid == "tcp":
            oldest = [place for key, place in last.items() if key in first] or list(last.values())
            waited = max([waited, *(_age_s(case, *place) for place in oldest[:_ASKED])])
        yield AcceptQueue(listener, (batch, row), course, waited, halted=stuck)


def _end(listener: Listener) -> End:
    socket = listener.socket
    return socket.netid, socket.local.port, socket.local.address


def _age_s(case: Case, batch: Batch, row: int) -> float:
    # Nobody can have sent anything yet on a connection that waits, and tcp_create_openreq_child() starts that clock.
    ms = case.silence_ms(batch, row, sent=True)
    return 0.0 if ms is None else ms / 1000


def _unaccepted(case: Case, ends: set[End]) -> dict[End, tuple[Places, Places]]:
    """Return the connections that wait at listeners, in the earlier sample and now, by identity.

    They have no inode until accept(2) makes their file. The samples of one run have them; what ``check`` keeps of its
    earlier run does not.
    """
    found: dict[End, tuple[Places, Places]] = {end: ({}, {}) for end in ends}
    if not ends:
        return found
    moments = [(1, case.now)]
    if case.before is not None:
        moments.append((0, case.before))
    tables = {netid for netid, _port, _address in ends}
    for which, sample in moments:
        for batch in sample.batches:
            netid = batch_table(batch)
            if netid not in tables:
                continue
            states = batch.values("state")
            rows = [row for row, inode in enumerate(batch.values("inode")) if inode == 0 and states[row] in _WAITING]
            keys = identities(batch) if rows else ()
            for row, socket in zip(rows, batch.at(rows), strict=True):
                for address in (socket.local.address, *ANYWHERE):
                    if (netid, socket.local.port, address) in found:
                        found[netid, socket.local.port, address][which][keys[row]] = (batch, row)
                        break
    return found


def queue_is_cause(case: Case, listener: Listener, before: int | None) -> bool:
    """Whether a full queue is why a listener refused between the samples, rather than a filter, routing or memory.

    ListenDrops counts every refusal but those by a filter; ListenOverflows and TCPReqQFullDrop count those by full queues.
    Where queues of other listeners in the namespace refuse at the same time, the lengths of this one's queues decide.

    Args:
        case: the samples.
        listener: one that refused something.
        before: how many connections waited in the earlier sample.
    """
    waiting, limit = listener.accept_queue or 0, listener.accept_queue_limit or 0
    if waiting > limit:
        return True
    queues = case.sum_moved("TcpExt.ListenOverflows", "TcpExt.TCPReqQFullDrop") or 0
    if queues <= 0:
        return False
    longest = max(waiting, before or 0, listener.syn_queue or 0)
    others = (case.moved("TcpExt.ListenDrops") or 0) - queues
    return 2 * longest > limit + 1 or 2 * others < (listener.drops_in_interval or 0)


def places(waiting: int, limit: int | None) -> str:
    """Describe how full an accept queue is; it has room for one connection more than its limit."""
    if limit is None:
        return f"{counted(waiting, 'place')} taken, limit unknown"
    # A listener that called listen(2) again with a smaller backlog may have more than fit.
    return f"{waiting} of {counted(max(limit + 1, waiting), 'place')} taken"


def backlog_advice(case: Case, limit: int | None) -> tuple[Advice, ...]:
    """Give advice on an accept queue: somaxconn helps only a listener that asked for more than it got.

    Source: ``__sys_listen_socket()``, net/socket.c: the limit is the smaller of the two when listen(2) is called.
    """
    somaxconn = case.now.limits.number("net.core.somaxconn")
    if limit is None or somaxconn is None:
        return (ACCEPT,)
    if limit >= somaxconn:
        return (
            ACCEPT,
            Advice(
                "Raise net.core.somaxconn and the listen backlog of the process, then restart it.",
                f"sysctl -w net.core.somaxconn={max(4096, 2 * limit)}",
                f"The queue's limit, {limit}, is somaxconn. listen(2) applies it when it is called.",
            ),
        )
    return (
        ACCEPT,
        Advice(
            f"Raise the listen backlog of the process above {limit} (nginx: backlog=) and restart it.",
            None,
            f"somaxconn, {somaxconn}, allows more: the process passed {limit} to listen(2), or somaxconn was that "
            "low at the time.",
        ),
    )
