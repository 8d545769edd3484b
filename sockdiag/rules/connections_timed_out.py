"""CONNECTIONS_TIMED_OUT."""

from __future__ import annotations

from sockdiag.judging.case import Explained
from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import Advice
from sockdiag.rules._counters import counter_rule, judge_by_share
from sockdiag.rules._effects import SILENCED

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
    Advice(
        "Find the processes whose connections time out.",
        "sockdiag trace errors --for 1m",
        "A connection that has timed out is gone. The trace shows each with its process and peer, at the moment of ETIMEDOUT.",
    ),
)

judge = judge_by_share(
    RULE,
    _NAMES,
    _PASSED,
    "TCP",
    "connection",
    "timed out: the peer does not answer",
    _ADVICE,
    of="connections opened",
)
