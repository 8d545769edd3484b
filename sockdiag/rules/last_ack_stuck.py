"""LAST_ACK_STUCK."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Threshold
from sockdiag.model.finding import INFO, STALLED, Advice
from sockdiag.rules._effects import SILENCED
from sockdiag.rules._tcp import TABLES, unanswered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit

RULE = DeclaredRule(
    "LAST_ACK_STUCK",
    INFO,
    (STALLED,),
    "Connections that both sides have closed wait for the acknowledgement of their last FIN or data. No process "
    "holds them any more, and they count as orphans.",
    "The kernel sends the FIN again tcp_orphan_retries times (8 if that is 0), then frees the socket.",
    "tcp_out_of_resources(), tcp_orphan_retries(), net/ipv4/tcp_timer.c",
    ("state", "timer.retransmits", "peer"),
    ("tcp",),
    (
        Threshold("retransmits", 2, "one retransmission can be chance"),
        Threshold("least", 1, "each pins the memory of its send queue"),
    ),
    ("net.ipv4.tcp_orphan_retries, if many hold memory",),
    partly=("mptcp",),
    tables=TABLES,
    explained_by=SILENCED,
    commands=("states",),
)

_ADVICE = Advice(
    "Do nothing unless there are many: they end by themselves. A smaller net.ipv4.tcp_orphan_retries ends them sooner.",
    None,
    "The peer vanished before it acknowledged the last segment.",
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge connections at their end, by the peer's address."""
    states = ("LAST_ACK", "FIN_WAIT1", "CLOSING")
    yield from unanswered(case, RULE, states, "closed connection", lambda _end: (_ADVICE,), port=False)
