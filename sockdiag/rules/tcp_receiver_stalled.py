"""TCP_RECEIVER_STALLED."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit, Threshold
from sockdiag.judging.subjects import at, memory_evidence, one, subject_of
from sockdiag.model.finding import STALLED, WARNING, Advice, Evidence, Finding
from sockdiag.model.quantity import duration, size
from sockdiag.rules._tcp import UNREAD, halted_receivers, stalled_receivers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case
    from sockdiag.model.batch import Batch

RULE = DeclaredRule(
    "TCP_RECEIVER_STALLED",
    WARNING,
    (STALLED,),
    "A process does not read the data that arrived on a TCP connection: the receive buffer is full, the window is "
    "closed, and the sender waits. Nothing is lost, and a larger buffer does not help.",
    "The window closes when sk_rmem_alloc nears sk_rcvbuf.",
    "__tcp_select_window(), net/ipv4/tcp_output.c",
    ("recv_q", "skmem.rmem_alloc", "skmem.rcvbuf"),
    ("skmem:tcp",),
    (
        Threshold(
            "fill_ratio",
            0.5,
            "with two samples that show the same bytes waiting: overhead varies, so windows may close from half full",
        ),
        Threshold("fill_ratio_once", 0.9, "with a single sample, which may catch a busy reader between two reads"),
    ),
    ("the process that does not read",),
    tables=("tcp",),
    compared=(UNREAD,),
    blames_reader=True,
    drop_reasons=("TCP_ZEROWINDOW",),
)

_ADVICE = Advice(
    "Find out why the process does not read: stopped, blocked elsewhere, or slower than its sender.",
    None,
    "The data has arrived; a larger buffer would only fill up too.",
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge connections whose own reader does not read."""
    found = stalled_receivers(case, case.threshold(RULE, "fill_ratio"), case.threshold(RULE, "fill_ratio_once"))
    full = {(id(batch), row) for batch, row in found}
    for batch, row in found:
        yield _hit(case, batch, row, closed=True)
    for batch, row in halted_receivers(case):
        if (id(batch), row) not in full:
            yield _hit(case, batch, row, closed=False)


def _hit(case: Case, batch: Batch, row: int, *, closed: bool) -> Hit:
    socket = one(batch, row)
    memory = socket.skmem
    rmem, rcvbuf = (None, None) if memory is None else (memory.rmem_alloc, memory.rcvbuf)
    fill = rmem / rcvbuf if rmem is not None and rcvbuf else None
    since = "" if case.seconds is None else f" for {duration(case.seconds)} or more"
    window = "; the window is closed" if closed else ""
    said = f"{size(socket.recv_q)} from {at(socket.peer)} unread at tcp {at(socket.local)}{since}{window}"
    evidence = {
        "recv_q": Evidence(socket.recv_q, "bytes", None, "idiag_rqueue", "socket"),
        "rmem_alloc": memory_evidence(socket, "rmem_alloc", rmem, "bytes", rcvbuf),
    }
    return Hit(
        Finding(
            RULE.code,
            WARNING,
            subject_of(socket),
            said,
            evidence,
            None if fill is None else max(0.0, round(1 - fill, 4)),
            None,
            (_ADVICE,),
            STALLED,
            "the process does not read the connection",
        ),
        [(batch, row)],
    )
