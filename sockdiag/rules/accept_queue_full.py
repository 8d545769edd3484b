"""ACCEPT_QUEUE_FULL."""

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
    "ACCEPT_QUEUE_FULL",
    CRITICAL,
    (AT_RISK, STALLED),
    "A listener's accept queue is full, filling up, or not served: the kernel refuses the next connection attempts, "
    "or clients wait for an answer.",
    "The queue takes connections until sk_ack_backlog exceeds sk_max_ack_backlog, that is one more than the limit.",
    "sk_acceptq_is_full(), include/net/sock.h",
    ("recv_q", "send_q", "connections without an inode", "tcp_info of a few"),
    ("tcp",),
    THRESHOLDS,
    ("accept faster", "listen(2) with a larger backlog", "net.core.somaxconn where that is what bounds it"),
    partly=("mptcp",),
    tables=("tcp", "mptcp"),
    sysctls=BACKLOG_SYSCTLS,
    compared=(Compared(("tcp", "mptcp"), QUEUE_FIELDS),),
    commands=("listeners",),
    blames_reader=True,
    explained_by=UNACCEPTED,
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge the level of accept queues, and where it is going."""
    yield from judge_accept_queues(
        case, RULE, RULE.tables, "idiag_rqueue, idiag_wqueue", "the next connection attempt is dropped"
    )
