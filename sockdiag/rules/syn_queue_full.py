"""SYN_QUEUE_FULL."""

from __future__ import annotations

from sockdiag.analysis.listeners import syn_counts
from sockdiag.judging.case import Compared, DeclaredRule, Hit, Threshold, per_second
from sockdiag.judging.listeners import QUEUE_FIELDS, listeners, places
from sockdiag.judging.subjects import at, subject_of
from sockdiag.model.finding import AT_RISK, CRITICAL, DROPPING, NAMESPACE, WARNING, Advice, Evidence, Finding, Subject
from sockdiag.model.quantity import counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

RULE = DeclaredRule(
    "SYN_QUEUE_FULL",
    CRITICAL,
    (DROPPING, AT_RISK),
    "A listener has too many incomplete handshakes: a SYN flood, or clients that do not receive the SYN+ACKs. With "
    "SYN cookies the kernel refuses nothing, but connections lose options (window scaling, SACK) that do not fit "
    "into a cookie.",
    "The number of requests in SYN_RECV exceeds the accept queue's limit. With tcp_syncookies the kernel then sends "
    "a cookie, otherwise it drops the SYN.",
    "tcp_conn_request(), inet_csk_reqsk_queue_is_full()",
    (
        "sockets in SYN_RECV",
        "send_q of the listener",
        "TcpExt.TCPReqQFullDrop",
        "TcpExt.TCPReqQFullDoCookies",
        "net.ipv4.tcp_syncookies",
    ),
    ("tcp", "/proc/net/netstat"),
    (
        Threshold("fill_ratio", 0.85, "as for accept queues, which have the same limit"),
        Threshold("least", 5, "handshakes in progress"),
    ),
    ("net.ipv4.tcp_syncookies=1", "a larger backlog", "filter the sources of the flood"),
    tables=("tcp",),
    sysctls=("net.ipv4.tcp_syncookies",),
    counters=("TcpExt.TCPReqQFullDrop", "TcpExt.TCPReqQFullDoCookies"),
    compared=(Compared(("tcp",), QUEUE_FIELDS),),
    commands=("listeners", "states"),
)

_COOKIES = Advice(
    "Let the kernel answer with SYN cookies when a queue is full.",
    "sysctl -w net.ipv4.tcp_syncookies=1",
    "tcp_syncookies is 0, so the kernel drops SYNs when the queue is full.",
)
_SOURCES = Advice(
    "Find the senders: sockdiag list --where 'state = syn-recv'. If they are real clients, raise the backlog of "
    "listen(2).",
    "sockdiag list --netid tcp --where 'state = syn-recv'",
    "Handshakes are not completed: the final ACK never arrives.",
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge SYN queues by their length, and by what the kernel did when they were full."""
    dropped, cookies = case.moved("TcpExt.TCPReqQFullDrop"), case.moved("TcpExt.TCPReqQFullDoCookies")
    syncookies = case.now.limits.number("net.ipv4.tcp_syncookies")
    advice = (_COOKIES, _SOURCES) if syncookies == 0 else (_SOURCES,)
    seen = False
    earlier = {} if case.before is None or not case.between else syn_counts(case.before.batches)
    for listener, _before, batch, row in listeners(case, ("tcp",)):
        length, limit = listener.syn_queue, listener.accept_queue_limit
        if not length or limit is None or length < case.threshold(RULE, "least"):
            continue
        ratio = length / (limit + 1)
        lost = listener.drops_in_interval if dropped else None
        if not lost and ratio < case.threshold(RULE, "fill_ratio"):
            continue
        seen = True
        evidence = {"syn_queue": Evidence(length, "places", max(limit + 1, length), "sockets in SYN_RECV", "socket")}
        evidence |= {
            name: case.counter_evidence(f"TcpExt.{name}")
            for name in ("TCPReqQFullDrop", "TCPReqQFullDoCookies")
            if f"TcpExt.{name}" in case.now.counters
        }
        held = f"SYN queue of {at(listener.socket.local)}: {places(length, limit)} by incomplete handshakes"
        if lost:
            said = f"{held}; {counted(lost, 'SYN')} dropped{per_second(case.rate(lost))}"
            verdict, severity = DROPPING, CRITICAL
        else:
            what = (
                "when it is full, the kernel sends SYN cookies" if syncookies else "the kernel will drop the next SYNs"
            )
            what = "the setting of tcp_syncookies is unknown" if syncookies is None else what
            said = f"{held}; {what}" + (f": {cookies} in the interval" if cookies else "")
            verdict, severity = AT_RISK, WARNING if syncookies else CRITICAL
        room = max(0.0, round(1 - ratio, 4))
        port = listener.socket.local.port
        before = sum(n for (_address, there), n in earlier.items() if there == port)
        eta = None if lost else case.eta_s(length, before, limit + 1)
        yield Hit(
            Finding(
                RULE.code,
                severity,
                subject_of(listener.socket),
                said,
                evidence,
                room,
                eta,
                advice,
                verdict,
                loss_per_s=case.rate(lost) if lost else None,
            ),
            [(batch, row)],
        )
    if dropped and not seen:
        evidence = {"TCPReqQFullDrop": case.counter_evidence("TcpExt.TCPReqQFullDrop")}
        said = f"{counted(dropped, 'SYN')} dropped{per_second(case.rate(dropped))} at full SYN queues"
        yield Hit(Finding(RULE.code, CRITICAL, Subject(NAMESPACE, "TCP"), said, evidence, None, None, advice, DROPPING))
