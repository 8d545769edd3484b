"""ACCEPT_QUEUE_OVERFLOW."""

from __future__ import annotations

from sockdiag.judging.case import Compared, DeclaredRule, Hit, per_second
from sockdiag.judging.listeners import (
    ACCEPT,
    BACKLOG_SYSCTLS,
    QUEUE_COUNTERS,
    QUEUE_FIELDS,
    backlog_advice,
    listeners,
    places,
    queue_is_cause,
)
from sockdiag.judging.subjects import WITHOUT_FILTER, at, memory_evidence, subject_of, unseen
from sockdiag.model.finding import CRITICAL, DROPPING, INFO, NAMESPACE, RECOVERED, Evidence, Finding, Subject
from sockdiag.model.quantity import counted
from sockdiag.rules._effects import UNACCEPTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

RULE = DeclaredRule(
    "ACCEPT_QUEUE_OVERFLOW",
    CRITICAL,
    (DROPPING, RECOVERED),
    "A listener refuses connection attempts because its process does not accept connections fast enough. Clients "
    "try again after 1, 3, 7 … seconds, so users first notice latency. Each try counts: the figures are attempts, "
    "not clients.",
    "The kernel ignores a SYN or the last ACK of a handshake (resets it with tcp_abort_on_overflow) when "
    "sk_ack_backlog exceeds sk_max_ack_backlog.",
    "tcp_conn_request(), tcp_v4_syn_recv_sock(), sk_acceptq_is_full()",
    ("recv_q", "send_q", "skmem.drops of the listener", "TcpExt.ListenOverflows", "TcpExt.ListenDrops"),
    ("tcp", "/proc/net/netstat"),
    (),
    ("accept faster", "listen(2) with a larger backlog", "net.core.somaxconn if it is the limit"),
    partly=("mptcp",),
    tables=("tcp", "mptcp"),
    sysctls=BACKLOG_SYSCTLS,
    counters=QUEUE_COUNTERS,
    compared=(Compared(("tcp", "mptcp"), QUEUE_FIELDS),),
    commands=("listeners",),
    blames_reader=True,
    explained_by=UNACCEPTED,
    drop_reasons=("TCP_LISTEN_OVERFLOW",),
)


def _room(limit: int | None) -> int | None:
    """Return how many connections fit: sk_acceptq_is_full() compares with ">", so one more than the limit."""
    return None if limit is None else limit + 1


def _refused(case: Case, drops: int) -> int:
    """Return how many of a listener's drops may have been refusals by a full queue.

    Others refuse nothing: among them are the last ACKs that TCP_DEFER_ACCEPT passes over, one per connection.
    """
    overflows = case.now.counters.get("TcpExt.ListenOverflows")
    return drops if overflows is None else min(drops, overflows)


def judge(case: Case) -> Iterator[Hit]:
    """Judge listeners by their own drops; what no living listener explains is the namespace's."""
    overflows = case.moved("TcpExt.ListenOverflows")
    explained, hidden = 0, False
    for listener, before, batch, row in listeners(case, ("tcp", "mptcp")):
        lost, drops, socket = listener.drops_in_interval, listener.drops, listener.socket
        hidden = hidden or drops is None
        full = (listener.accept_queue or 0) > (listener.accept_queue_limit or 0)
        if not drops or (lost and not (full or (overflows and queue_is_cause(case, listener, before)))):
            continue  # nothing, or refused for another reason: SYN_QUEUE_FULL or LISTEN_DROP
        explained += lost or 0
        held = places(listener.accept_queue or 0, listener.accept_queue_limit)
        evidence = {
            "accept_queue": Evidence(
                listener.accept_queue, "places", _room(listener.accept_queue_limit), "idiag_rqueue", "socket"
            ),
            "drops": memory_evidence(socket, "drops", drops, "attempts since the socket was created"),
            "ListenOverflows": case.counter_evidence("TcpExt.ListenOverflows"),
        }
        room = None if listener.accept_queue_ratio is None else max(0.0, round(1 - listener.accept_queue_ratio, 4))
        where = f"{socket.netid} listener {at(socket.local)}"
        if lost:
            evidence["drops_in_interval"] = memory_evidence(socket, "drops", lost, "attempts")
            said = f"{where} refused {counted(lost, 'connection attempt')}{per_second(case.rate(lost))}: {held}"
            advice = backlog_advice(case, listener.accept_queue_limit)
            yield Hit(
                Finding(
                    RULE.code,
                    CRITICAL,
                    subject_of(socket),
                    said,
                    evidence,
                    room,
                    None,
                    advice,
                    DROPPING,
                    "the process accepts connections more slowly than clients connect",
                    case.rate(lost),
                ),
                [(batch, row)],
            )
        elif not full and (refused := _refused(case, drops)):
            now = "none now" if lost == 0 else "use --interval to see whether it continues"
            said = f"{where} has refused {counted(refused, 'connection attempt')} since it was created; {now}"
            yield Hit(
                Finding(RULE.code, INFO, subject_of(socket), said, evidence, room, None, (), RECOVERED), [(batch, row)]
            )
    if overflows and overflows > explained and explained == 0:
        evidence = {"ListenOverflows": case.counter_evidence("TcpExt.ListenOverflows")}
        whose = "listeners that /proc does not identify" if hidden else unseen(case, "listeners")
        said = f"{counted(overflows, 'connection attempt')} refused by full accept queues of {whose}"
        yield Hit(
            Finding(
                RULE.code,
                CRITICAL,
                Subject(NAMESPACE, "TCP"),
                said,
                evidence,
                None,
                None,
                (WITHOUT_FILTER if case.now.filtered else ACCEPT,),
                DROPPING,
                loss_per_s=case.rate(overflows),
            )
        )
