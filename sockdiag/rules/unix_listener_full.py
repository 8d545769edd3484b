"""UNIX_LISTENER_FULL."""

from __future__ import annotations

from sockdiag.judging.case import Compared, DeclaredRule
from sockdiag.judging.listeners import BACKLOG_SYSCTLS, QUEUE_FIELDS
from sockdiag.model.finding import AT_RISK, CRITICAL, STALLED
from sockdiag.rules._accept import THRESHOLDS, judge_accept_queues
from sockdiag.rules._effects import UNACCEPTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit

RULE = DeclaredRule(
    "UNIX_LISTENER_FULL",
    CRITICAL,
    (AT_RISK, STALLED),
    "The queue of a unix listener is full, filling up, or not served. When it is full, connect(2) fails with EAGAIN "
    "on non-blocking sockets and sleeps on others.",
    "connect(2) waits, or fails with EAGAIN, when the queue holds more connections than the backlog of listen(2). "
    "No counter shows how many clients were refused.",
    "unix_stream_connect(), unix_recvq_full(), net/unix/af_unix.c",
    ("recv_q", "send_q"),
    ("unix",),
    THRESHOLDS,
    ("accept faster", "listen(2) with a larger backlog", "net.core.somaxconn if it is the limit"),
    tables=("unix",),
    sysctls=BACKLOG_SYSCTLS,
    compared=(Compared(("unix",), QUEUE_FIELDS),),
    commands=("listeners",),
    blames_reader=True,
    explained_by=UNACCEPTED,
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge unix stream and seqpacket listeners."""
    yield from judge_accept_queues(
        case,
        RULE,
        RULE.tables,
        "UNIX_DIAG_RQLEN",
        "connect(2) fails with EAGAIN on non-blocking sockets and waits on others",
    )
