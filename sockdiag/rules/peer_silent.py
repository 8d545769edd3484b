"""PEER_SILENT."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Threshold
from sockdiag.model.finding import STALLED, WARNING, Advice
from sockdiag.rules._tcp import TABLES, unanswered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit

RULE = DeclaredRule(
    "PEER_SILENT",
    WARNING,
    (STALLED,),
    "A peer no longer acknowledges what is sent to it on established connections: it vanished, or the way to it is broken.",
    "The retransmission timer doubles after each try; the connection is given up after tcp_retries2, 15 minutes or more.",
    "tcp_retransmit_timer(), tcp_write_timeout(), net/ipv4/tcp_timer.c",
    ("state", "timer.retransmits", "peer"),
    ("tcp",),
    (
        Threshold(
            "retransmits", 3, "three timeouts in a row are no accident: the chance of it at 5 % loss is one in 8000"
        ),
        Threshold("least", 1, "one connection that hangs is worth telling"),
    ),
    ("the peer, and the way to it", "TCP_USER_TIMEOUT"),
    partly=("mptcp",),
    tables=TABLES,
)

_ADVICE = Advice(
    "Look at the peer and the way to it; TCP_USER_TIMEOUT lets the process learn of it sooner.",
    None,
    "What is sent is not acknowledged, in spite of retransmissions.",
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge connections that have data under way, by the peer's address."""
    yield from unanswered(case, RULE, ("ESTABLISHED", "CLOSE_WAIT"), "connection", (_ADVICE,), port=False)
