"""CLOSE_WAIT_LEAK."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule
from sockdiag.model.finding import CRITICAL, LEAKING, OK, Advice
from sockdiag.rules._states import TABLES, THRESHOLDS, in_state_before, judge_lasting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit
    from sockdiag.model.batch import Batch

RULE = DeclaredRule(
    "CLOSE_WAIT_LEAK",
    CRITICAL,
    (LEAKING, OK),
    "A process does not close connections that its peers have closed. No timer ends them: each keeps a descriptor "
    "and the memory of its queues until the process closes it. A few that do not grow in number, such as an idle "
    "pool, are only noted.",
    "A connection leaves CLOSE_WAIT only when its owner calls close(2) or shutdown(2).",
    "tcp_fin(), tcp_close_state(), net/ipv4/tcp*.c",
    ("state", "inode", "send_q", "owners", "/proc/PID/limits", "tcp_info of a few"),
    ("tcp",),
    THRESHOLDS,
    ("close(2) when recv(2) returns 0",),
    partly=("mptcp",),
    tables=TABLES,
    compared=(in_state_before("CLOSE_WAIT"),),
    commands=("states",),
)

_ADVICE = Advice(
    "Let the process close a connection when recv(2) returns 0. Restarting the process frees them.",
    None,
    "The kernel has no timeout or sysctl that ends CLOSE_WAIT.",
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge CLOSE_WAIT by process. One that still sends is half-closed by its peer, which is no leak."""

    def idle(batch: Batch) -> list[bool]:
        pairs = zip(batch.values("inode"), batch.values("send_q"), strict=True)
        return [bool(inode) and not unsent for inode, unsent in pairs]

    yield from judge_lasting(
        case, RULE, "CLOSE_WAIT", idle, "that their peers have closed", "close_wait", _ADVICE, sent=True
    )
