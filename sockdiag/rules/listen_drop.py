"""LISTEN_DROP."""

from __future__ import annotations

from sockdiag.judging.case import Compared, DeclaredRule, Hit, counted, per_second
from sockdiag.judging.listeners import QUEUE_COUNTERS, QUEUE_FIELDS, listeners, queue_is_cause
from sockdiag.judging.subjects import at, memory_evidence, subject_of
from sockdiag.model.finding import CRITICAL, DROPPING, Advice, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

RULE = DeclaredRule(
    "LISTEN_DROP",
    CRITICAL,
    (DROPPING,),
    "A listener refuses connection attempts although neither its accept queue nor its SYN queue is full.",
    "No memory for the request or the socket, no route back to the client, a filter of the listener, a security module.",
    "tcp_listendrop(), include/net/tcp.h",
    ("skmem.drops of the listener", "TcpExt.ListenDrops", "TcpExt.ListenOverflows", "TcpExt.TCPReqQFullDrop"),
    ("skmem:tcp", "/proc/net/netstat"),
    (),
    ("look at its filter, at routes back to the clients, at memory",),
    partly=("mptcp",),
    tables=("tcp", "mptcp"),
    counters=QUEUE_COUNTERS,
    compared=(Compared(("tcp", "mptcp"), QUEUE_FIELDS),),
    commands=("listeners",),
)

_WHY = Advice(
    "Look at the listener's filter (SO_ATTACH_FILTER), at routes back to the clients, and at free memory.",
    None,
    "The counters tell that, and not why. A filter shows at the tracepoint skb:kfree_skb, as SOCKET_FILTER.",
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge drops of listeners that no queue explains."""
    if case.before is None:
        return
    for listener, before, batch, row in listeners(case, ("tcp", "mptcp")):
        lost = listener.drops_in_interval
        if lost and not queue_is_cause(case, listener, before):
            said = (
                f"the listener {at(listener.socket.local)} refused {counted(lost, 'segment')}{per_second(case.rate(lost))} "
                "though its queues are not full"
            )
            evidence = {
                "drops_in_interval": memory_evidence(listener.socket, "drops", lost, "count"),
                "ListenDrops": case.counter_evidence("TcpExt.ListenDrops"),
            }
            yield Hit(
                Finding(
                    RULE.code, CRITICAL, subject_of(listener.socket), said, evidence, None, None, (_WHY,), DROPPING
                ),
                [(batch, row)],
            )
