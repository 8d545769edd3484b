"""Listeners, what they refused between the samples and why, and advice on their queues."""

from __future__ import annotations

from sockdiag.analysis.listeners import TABLES, find_listeners
from sockdiag.judging.case import Unseen, counted
from sockdiag.model.batch import identities
from sockdiag.model.finding import Advice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.analysis.listeners import Listener
    from sockdiag.judging.case import Case
    from sockdiag.model.batch import Batch

# For the declarations of rules: what listeners() compares, and what queue_is_cause() and backlog_advice() read.
QUEUE_FIELDS = ("recv_q", "skmem.drops")
QUEUE_COUNTERS = ("TcpExt.ListenOverflows", "TcpExt.TCPReqQFullDrop", "TcpExt.ListenDrops")
BACKLOG_SYSCTLS = ("net.core.somaxconn",)

ACCEPT = Advice(
    "Let the process call accept(2) more often, or from more threads or processes.",
    None,
    "A longer queue only absorbs bursts. A process that accepts more slowly than clients connect will fill any queue.",
)


def listeners(case: Case, tables: tuple[str, ...] = TABLES) -> Iterator[tuple[Listener, int | None, Batch, int]]:
    """Yield each listener, how many connections waited in the earlier sample, and its batch and row.

    Raises:
        Unseen: a table could not be read; raised after the others.
    """
    found = find_listeners(case.batches(tables))
    keys = {(id(batch), row): identities(batch)[row] for _listener, batch, row in found}
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
        return f"{counted(waiting, 'place')} taken, of a limit that is not visible"
    return f"{waiting} of {counted(limit + 1, 'place')} taken"


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
                "Raise net.core.somaxconn, and let the process ask for more in listen(2) and call it again (mostly: restart it).",
                f"sysctl -w net.core.somaxconn={max(4096, 2 * limit)}",
                f"The queue's limit, {limit}, is somaxconn; it is taken when listen(2) is called.",
            ),
        )
    return (
        ACCEPT,
        Advice(
            f"Let the process ask for more than {limit} in listen(2) and call it again (mostly: restart it).",
            None,
            f"somaxconn is {somaxconn}: the process asked for {limit}, or somaxconn was that low when it did.",
        ),
    )
