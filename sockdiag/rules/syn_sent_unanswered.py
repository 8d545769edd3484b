"""SYN_SENT_UNANSWERED."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Threshold
from sockdiag.model.finding import STALLED, WARNING, Advice
from sockdiag.rules._effects import SILENCED
from sockdiag.rules._tcp import TABLES, asking, unanswered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit

RULE = DeclaredRule(
    "SYN_SENT_UNANSWERED",
    WARNING,
    (STALLED,),
    "A peer does not answer connection attempts: it is down, a firewall drops them, or its accept queue is full.",
    "The kernel sends the SYN again after 1, 2, 3 … seconds, tcp_syn_retries times; then connect(2) fails with "
    "ETIMEDOUT.",
    "tcp_retransmit_timer(), net/ipv4/tcp_timer.c",
    ("state", "timer.retransmits", "peer", "owners"),
    ("tcp",),
    (
        Threshold("retransmits", 1, "a SYN without an answer for a second was lost"),
        Threshold("least", 1, "one connection that hangs for seconds is worth reporting"),
    ),
    ("the peer, and the network path to it",),
    partly=("mptcp",),
    tables=TABLES,
    explained_by=SILENCED,
    commands=("states",),
)

_ADVICE = Advice(
    "Check the peer's accept queue (sockdiag listeners, run there), its firewall, and the network path to it.",
    None,
    "SYNs go out and nothing comes back. A peer that refused them would answer with a reset.",
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge connection attempts by peer and port."""
    yield from unanswered(
        case, RULE, ("SYN_SENT",), "connection attempt", lambda end: (asking(end, _ADVICE),), port=True
    )
