"""CONNECTIONS_TIMED_OUT."""

from __future__ import annotations

from sockdiag.judging.case import Explained
from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import Advice
from sockdiag.rules._counters import counter_rule, lost_in_interval
from sockdiag.rules._effects import SILENCED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit

_NAMES = ("TcpExt.TCPAbortOnTimeout",)
_PASSED = ("Tcp.ActiveOpens", "Tcp.PassiveOpens")

RULE = counter_rule(
    "CONNECTIONS_TIMED_OUT",
    "TCP connections are given up because the peer answers no retransmission, window probe or keep-alive any more. What was not acknowledged is lost.",
    "tcp_retries2, tcp_syn_retries, TCP_USER_TIMEOUT or tcp_keepalive_probes is reached.",
    _NAMES,
    _PASSED,
    ("the peers, and the path to them",),
    guard(3, 0.2, 0.05, "mobile clients disappear without a word"),
    explained_by=(*SILENCED, Explained("PEER_SILENT"), Explained("SYN_SENT_UNANSWERED")),
)

_ADVICE = (
    Advice(
        "Look for peers that are not answering, and at the path to them.",
        "sockdiag doctor --interval 5",
        "Processes get ETIMEDOUT. Connections that are about to end like this have retransmissions: ss -to.",
    ),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge the counters against the traffic."""
    yield from lost_in_interval(
        case,
        RULE,
        _NAMES,
        "TCP",
        "connection",
        "given up: the peer does not answer",
        _ADVICE,
        passed=case.sum_moved(*_PASSED),
        of="connections opened",
        guarded=True,
    )
