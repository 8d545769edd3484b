"""UNIX_LISTENER_FULL."""

from __future__ import annotations

from sockdiag.judging.case import Compared, DeclaredRule, Hit
from sockdiag.judging.listeners import BACKLOG_SYSCTLS, QUEUE_FIELDS, backlog_advice, listeners, places
from sockdiag.judging.subjects import at, subject_of
from sockdiag.model.finding import STALLED, WARNING, Evidence, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

RULE = DeclaredRule(
    "UNIX_LISTENER_FULL",
    WARNING,
    (STALLED,),
    "The queue of a unix listener is full: a client that connects now sleeps in connect(2), or gets EAGAIN. Nothing is lost.",
    "connect(2) waits when more connections are in the queue than the backlog of listen(2).",
    "unix_stream_connect(), unix_recvq_full(), net/unix/af_unix.c",
    ("recv_q", "send_q"),
    ("unix",),
    (),
    ("accept faster", "listen(2) with a larger backlog", "net.core.somaxconn where that is what bounds it"),
    tables=("unix",),
    sysctls=BACKLOG_SYSCTLS,
    compared=(Compared(("unix",), QUEUE_FIELDS),),
    commands=("listeners",),
    blames_reader=True,
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge unix stream listeners; with two looks, only those that were full at both."""
    for listener, before, batch, row in listeners(case, ("unix",)):
        waiting, limit = listener.accept_queue, listener.accept_queue_limit
        if waiting is None or limit is None or waiting <= limit or (before is not None and before <= limit):
            continue
        said = f"{places(waiting, limit)} at the unix listener {at(listener.socket.local)}: connect(2) waits there"
        evidence = {"accept_queue": Evidence(waiting, "connections", limit, "UNIX_DIAG_RQLEN", "socket")}
        yield Hit(
            Finding(
                RULE.code,
                WARNING,
                subject_of(listener.socket),
                said,
                evidence,
                0.0,
                None,
                backlog_advice(case, limit),
                STALLED,
            ),
            [(batch, row)],
        )
