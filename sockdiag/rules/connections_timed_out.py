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
    "The kernel gives up TCP connections because the peer no longer answers retransmissions, window probes or "
    "keep-alive probes. Unacknowledged data is lost.",
    "A connection reaches tcp_retries2, tcp_syn_retries, TCP_USER_TIMEOUT or tcp_keepalive_probes.",
    _NAMES,
    _PASSED,
    ("the peers, and the path to them",),
    guard(3, 0.2, 0.05, "mobile clients disappear without closing their connections"),
    explained_by=(*SILENCED, Explained("PEER_SILENT"), Explained("SYN_SENT_UNANSWERED")),
)

_ADVICE = (
    Advice(
        "Find the peers that do not answer, and check the path to them.",
        "sockdiag doctor --interval 5",
        "Processes get ETIMEDOUT. Connections about to time out show retransmissions: ss -to.",
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
        "timed out: the peer does not answer",
        _ADVICE,
        passed=case.sum_moved(*_PASSED),
        of="connections opened",
        guarded=True,
    )
