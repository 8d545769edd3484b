"""TCP_RECEIVER_STALLED."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit, Threshold, counted
from sockdiag.judging.subjects import at, memory_evidence, one, subject_of
from sockdiag.model.finding import STALLED, WARNING, Advice, Evidence, Finding
from sockdiag.rules._tcp import UNREAD, stalled_receivers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

RULE = DeclaredRule(
    "TCP_RECEIVER_STALLED",
    WARNING,
    (STALLED,),
    "A process does not read what has arrived on a TCP connection: the receive buffer is full, its window closed, and the "
    "sender waits. Nothing is lost, and a larger buffer changes nothing.",
    "The window closes when sk_rmem_alloc nears sk_rcvbuf.",
    "__tcp_select_window(), net/ipv4/tcp_output.c",
    ("recv_q", "skmem.rmem_alloc", "skmem.rcvbuf"),
    ("skmem:tcp",),
    (
        Threshold(
            "fill_ratio",
            0.5,
            "with two looks that show the same bytes waiting: overhead differs, so that windows close from half full on",
        ),
        Threshold("fill_ratio_once", 0.9, "with one look, where a busy reader may be seen between two reads"),
    ),
    ("the process that does not read",),
    tables=("tcp",),
    compared=(UNREAD,),
    blames_reader=True,
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge connections whose own reader does not read."""
    for batch, row in stalled_receivers(
        case, case.threshold(RULE, "fill_ratio"), case.threshold(RULE, "fill_ratio_once")
    ):
        socket = one(batch, row)
        memory = socket.skmem
        assert memory is not None
        assert memory.rmem_alloc is not None
        assert memory.rcvbuf
        since = "" if case.seconds is None else f", unread for at least {case.seconds:.3g} s"
        said = f"{counted(socket.recv_q or 0, 'byte waits', 'bytes wait')} at tcp {at(socket.local)} from {at(socket.peer)}{since}; the window is closed"
        evidence = {
            "recv_q": Evidence(socket.recv_q, "bytes", None, "idiag_rqueue", "socket"),
            "rmem_alloc": memory_evidence(socket, "rmem_alloc", memory.rmem_alloc, "bytes", memory.rcvbuf),
        }
        advice = Advice(
            "Find out why the process does not read: stopped, blocked elsewhere, or slower than its sender.",
            None,
            "The data is there; more buffer would only be filled too.",
        )
        room = max(0.0, round(1 - memory.rmem_alloc / memory.rcvbuf, 4))
        yield Hit(
            Finding(RULE.code, WARNING, subject_of(socket), said, evidence, room, None, (advice,), STALLED),
            [(batch, row)],
        )
