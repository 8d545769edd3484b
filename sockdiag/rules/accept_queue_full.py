"""ACCEPT_QUEUE_FULL."""

from __future__ import annotations

from sockdiag.judging.case import Compared, DeclaredRule, Hit, Threshold, Unseen, counted
from sockdiag.judging.listeners import BACKLOG_SYSCTLS, QUEUE_FIELDS, backlog_advice, listeners, places
from sockdiag.judging.subjects import at, subject_of
from sockdiag.model.finding import AT_RISK, CRITICAL, WARNING, Evidence, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

RULE = DeclaredRule(
    "ACCEPT_QUEUE_FULL",
    CRITICAL,
    (AT_RISK,),
    "A listener's accept queue is full or nearly so: the next connection attempts will be refused.",
    "The queue takes connections until sk_ack_backlog exceeds sk_max_ack_backlog, that is one more than the limit.",
    "sk_acceptq_is_full(), include/net/sock.h",
    ("recv_q", "send_q"),
    ("tcp",),
    (
        Threshold("fill_ratio", 0.85, "monitoring of accept queues alarms between 70 and 90 % of the limit"),
        Threshold("least", 2, "one connection that waits for a moment is what the queue is for"),
    ),
    ("accept faster", "listen(2) with a larger backlog", "net.core.somaxconn where that is what bounds it"),
    partly=("mptcp",),
    tables=("tcp", "mptcp"),
    sysctls=BACKLOG_SYSCTLS,
    compared=(Compared(("tcp", "mptcp"), QUEUE_FIELDS),),
    commands=("listeners",),
    blames_reader=True,
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge the level of accept queues, and where it is going."""
    for listener, before, batch, row in listeners(case, ("tcp", "mptcp")):
        waiting, limit = listener.accept_queue, listener.accept_queue_limit
        if not waiting or listener.drops_in_interval:
            continue
        if limit is None:
            if waiting < case.threshold(RULE, "least"):
                continue
            raise Unseen(
                "/proc/net/tcp",
                f"{counted(waiting, 'connection waits', 'connections wait')} at {at(listener.socket.local)}; its limit is not in /proc",
            )
        room = limit + 1 - waiting
        growth = 0 if not before else max(0, waiting - before)
        eta = round(room / (growth / case.seconds), 1) if growth and case.seconds else None
        full = room <= 0
        near = waiting / (limit + 1) >= case.threshold(RULE, "fill_ratio") and waiting >= case.threshold(RULE, "least")
        burst = growth > 0 and (growth > room or (eta is not None and eta <= case.horizon))
        if not (full or near or burst):
            continue
        trend = "" if eta is None or full else f", full in {eta} s at this rate"
        what = "is full" if full else "is filling up"
        said = f"the accept queue of {at(listener.socket.local)} {what}: {places(waiting, limit)}{trend}"
        evidence = {"accept_queue": Evidence(waiting, "connections", limit, "idiag_rqueue, idiag_wqueue", "socket")}
        severity = CRITICAL if full else WARNING
        yield Hit(
            Finding(
                RULE.code,
                severity,
                subject_of(listener.socket),
                said,
                evidence,
                max(0.0, round(room / (limit + 1), 4)),
                eta,
                backlog_advice(case, limit),
                AT_RISK,
            ),
            [(batch, row)],
        )
