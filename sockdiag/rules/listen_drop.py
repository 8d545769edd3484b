"""LISTEN_DROP."""

from __future__ import annotations

from sockdiag.judging.case import Compared, DeclaredRule, Explained, Hit
from sockdiag.judging.listeners import QUEUE_COUNTERS, QUEUE_FIELDS, listeners, queue_is_cause
from sockdiag.judging.magnitude import THRESHOLDS, severity_of
from sockdiag.judging.subjects import at, memory_evidence, subject_of
from sockdiag.model.finding import CRITICAL, DROPPING, Advice, Finding
from sockdiag.model.quantity import counted, rate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

# Drops of a listener by which nothing is refused: handshakes that the client itself reset, as health checks and port scans do,
# and last ACKs that TCP_DEFER_ACCEPT passes over until data comes.
_HARMLESS = ("TcpExt.EmbryonicRsts", "TcpExt.TCPDeferAcceptDrop")
_OPENED = "Tcp.PassiveOpens"

RULE = DeclaredRule(
    "LISTEN_DROP",
    CRITICAL,
    (DROPPING,),
    "A listener refuses connection attempts although neither its accept queue nor its SYN queue is full.",
    "No memory for the request or the socket, no route back to the client, a filter on the listener, or a security "
    "module.",
    "tcp_listendrop(), include/net/tcp.h",
    (
        "skmem.drops of the listener",
        "TcpExt.ListenDrops",
        "TcpExt.ListenOverflows",
        "TcpExt.TCPReqQFullDrop",
        *_HARMLESS,
    ),
    ("skmem:tcp", "/proc/net/netstat"),
    THRESHOLDS,
    ("the listener's filter, routes back to the clients, free memory",),
    partly=("mptcp",),
    tables=("tcp", "mptcp"),
    counters=(*QUEUE_COUNTERS, *_HARMLESS, _OPENED),
    compared=(Compared(("tcp", "mptcp"), QUEUE_FIELDS),),
    commands=("listeners",),
    explained_by=(Explained("TTL_TOO_LOW"), Explained("TCP_AUTHENTICATION"), Explained("CHECKSUM_ERRORS")),
)

_WHY = Advice(
    "Check the listener's filter (SO_ATTACH_FILTER), the routes back to the clients, and free memory.",
    "sockdiag trace drops --for 10s",
    "The counters do not show the reason. The trace does: SOCKET_FILTER is a filter.",
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge drops of listeners that no queue explains."""
    if case.before is None:
        return
    gone = case.sum_moved(*_HARMLESS) or 0
    for listener, before, batch, row in listeners(case, ("tcp", "mptcp")):
        lost = listener.drops_in_interval or 0
        reset = min(gone, lost)
        if 2 * reset >= lost:
            continue  # counters and sockets are read milliseconds apart: the rest may be of the same kind
        gone, lost = gone - reset, lost - reset
        if lost and not queue_is_cause(case, listener, before):
            per_s = case.rate(lost)
            said = f"{listener.socket.netid} listener {at(listener.socket.local)} refused {counted(lost, 'segment')} ({rate(per_s)}) although its queues are not full"
            evidence = {
                "drops_in_interval": memory_evidence(listener.socket, "drops", listener.drops_in_interval, "count"),
                "ListenDrops": case.counter_evidence("TcpExt.ListenDrops"),
            }
            yield Hit(
                Finding(
                    RULE.code,
                    severity_of(lost, case.moved(_OPENED), case.seconds),
                    subject_of(listener.socket),
                    said,
                    evidence,
                    None,
                    None,
                    (_WHY,),
                    DROPPING,
                    loss_per_s=per_s,
                ),
                [(batch, row)],
            )
