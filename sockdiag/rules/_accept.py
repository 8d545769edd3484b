"""Queues of connections that wait for accept(2): how the tables with listeners judge them."""

from __future__ import annotations

from sockdiag.judging.case import Hit, Threshold, Unseen
from sockdiag.judging.listeners import AcceptQueue, accept_queues, backlog_advice, places
from sockdiag.judging.magnitude import stuck_severity
from sockdiag.judging.service import PATIENCE, STANDING
from sockdiag.judging.subjects import at, subject_of
from sockdiag.model.finding import AT_RISK, CRITICAL, STALLED, WARNING, Advice, Evidence, Finding
from sockdiag.model.quantity import counted, duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Rule

    # Verdict, severity, condition, what follows the figures, seconds until the queue is full.
    Said = tuple[str, str, str, str, float | None]

THRESHOLDS = (
    Threshold("fill_ratio", 0.85, "monitoring systems alert between 70 and 90 % of the limit"),
    Threshold("least", 2, "the queue is there to hold one connection for a moment"),
    Threshold("least_standing", 4, "with fewer, it may be chance that none arrived meanwhile"),
    PATIENCE,
    STANDING,
)

_STUCK = Advice(
    "Find out why the process does not call accept(2).",
    None,
    "The process accepted no connection between the two samples; a longer queue would only fill up too.",
)


def judge_accept_queues(case: Case, rule: Rule, tables: tuple[str, ...], source: str, when_full: str) -> Iterator[Hit]:
    """Judge the level of accept queues, and where it is going.

    Args:
        case: the samples.
        rule: the rule that the findings belong to.
        tables: the tables.
        source: where the length and the limit are read.
        when_full: what happens to clients when the queue is full.

    Raises:
        Unseen: a table could not be read, or the limit of a queue is not visible.
    """
    for queue in accept_queues(case, tables):
        listener = queue.listener
        waiting, limit = listener.accept_queue or 0, listener.accept_queue_limit
        if listener.drops_in_interval:
            continue  # ACCEPT_QUEUE_OVERFLOW, SYN_QUEUE_FULL or LISTEN_DROP
        if limit is None:
            if waiting < case.threshold(rule, "least"):
                continue
            raise Unseen(
                f"/proc/net/{listener.socket.netid}",
                f"{counted(waiting, 'connection waits', 'connections wait')} at {at(listener.socket.local)}; /proc "
                "does not show the limit",
            )
        said = _judge_one(case, rule, queue, waiting, limit, when_full)
        if said is None:
            continue
        verdict, severity, condition, more, eta = said
        evidence = {"accept_queue": Evidence(waiting, "places", max(limit + 1, waiting), source, "socket")}
        if queue.waited_s:
            evidence["waited_s"] = Evidence(
                round(queue.waited_s, 1), "s", None, "tcpi_last_data_sent, samples", "socket"
            )
        unserved = queue.course.untouched
        yield Hit(
            Finding(
                rule.code,
                severity,
                subject_of(listener.socket),
                f"accept queue of {listener.socket.netid} {at(listener.socket.local)} {condition}: {places(waiting, limit)}{more}",
                evidence,
                max(0.0, round((limit + 1 - waiting) / (limit + 1), 4)),
                eta,
                (_STUCK,) if unserved else backlog_advice(case, limit),
                verdict,
                "the process does not accept connections" if unserved else "",
            ),
            [queue.row],
        )


def _judge_one(case: Case, rule: Rule, queue: AcceptQueue, waiting: int, limit: int, when_full: str) -> Said | None:
    course, room, places_ = queue.course, limit + 1 - waiting, limit + 1
    least = waiting >= case.threshold(rule, "least")
    eta = round(max(0, room) / course.rate, 1) if course.rate else None
    waited = f", waiting for {duration(queue.waited_s)}" if queue.waited_s else ""
    if room <= 0:
        return AT_RISK, WARNING if course.drained else CRITICAL, "is full", f"; {when_full}", eta
    if waiting / places_ >= case.threshold(rule, "fill_ratio") and least and not course.drained:
        return AT_RISK, WARNING, "is nearly full", waited, eta
    lasting = queue.halted or queue.waited_s >= case.threshold(rule, "patience_s")
    if lasting and least and eta is not None and (waiting > room or eta <= case.horizon):
        return AT_RISK, WARNING, "is filling up", f", full in {duration(eta)} at this rate", eta
    # Connections that arrive while nobody accepts may wait for a process that accepts in batches.
    if course.fell or not (lasting or (course.untouched and not course.grew)):
        return None
    said = "is not served" if course.untouched else "is served slowly"
    many = waiting >= case.threshold(rule, "least_standing")
    if waiting > room and (many or (lasting and least)):
        return AT_RISK, WARNING, said, waited, eta
    if lasting or (waiting / places_ >= case.threshold(rule, "standing_ratio") and many):
        # Clients get no answer, however long the queue may become: from a process that does not run, or if several have
        # waited longer than processes that accept in batches let them.
        outage = queue.halted or (lasting and many and course.untouched)
        severity = WARNING if outage else stuck_severity(waiting / places_, lasting=lasting)
        return STALLED, severity, said, waited, eta
    return None
