"""FIN_WAIT2_LEAK."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule
from sockdiag.model.finding import CRITICAL, LEAKING, OK, Advice
from sockdiag.rules._states import TABLES, THRESHOLDS, in_state_before, judge_lasting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sockdiag.judging.case import Case, Hit
    from sockdiag.model.batch import Batch

RULE = DeclaredRule(
    "FIN_WAIT2_LEAK",
    CRITICAL,
    (LEAKING, OK),
    "A process has shut down connections for writing and keeps them open, waiting for peers that do not close their "
    "side.",
    "tcp_fin_timeout ends FIN_WAIT2 only for sockets that no process holds; a socket with a file has no time limit.",
    "tcp_rcv_state_process(), tcp_shutdown(), net/ipv4/tcp*.c",
    ("state", "inode", "owners", "/proc/PID/limits", "tcp_info of a few"),
    ("tcp",),
    THRESHOLDS,
    ("close(2), or a timeout in the process",),
    partly=("mptcp",),
    tables=TABLES,
    compared=(in_state_before("FIN_WAIT2"),),
    commands=("states",),
)

_ADVICE = Advice(
    "Let the process close these connections after a timeout.",
    None,
    "net.ipv4.tcp_fin_timeout does not apply while the process holds them.",
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge FIN_WAIT2 sockets that have a file, by process. One that still brings data is in use."""

    def held(batch: Batch) -> Sequence[int | None]:
        return batch.values("inode")

    yield from judge_lasting(
        case,
        RULE,
        "FIN_WAIT2",
        held,
        "shut down for writing that their peers do not close",
        "fin_wait2",
        _ADVICE,
        sent=False,
    )
