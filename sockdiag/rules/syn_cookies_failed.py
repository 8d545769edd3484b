"""SYN_COOKIES_FAILED."""

from __future__ import annotations

from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import Advice
from sockdiag.rules._counters import counter_rule, judge_by_share

_NAMES = ("TcpExt.SyncookiesFailed",)
_PASSED = ("TcpExt.SyncookiesRecv", "Tcp.PassiveOpens")

RULE = counter_rule(
    "SYN_COOKIES_FAILED",
    "A listener that sends SYN cookies receives ACKs without a valid cookie: a client's handshake was too slow, or "
    "the segments are forged.",
    "A SYN queue overflowed within the last minutes, and the ACK belongs to no request and carries no cookie of the "
    "last two minutes.",
    _NAMES,
    _PASSED,
    ("the source of the flood",),
    guard(5, 1, 0.05, "late acknowledgements after a flood"),
)

_ADVICE = (
    Advice(
        "Find the source of the SYNs or ACKs that flood the listener.",
        "sockdiag listeners",
        "Valid clients get a reset if their last ACK arrives too late or the cookie was damaged on the path.",
    ),
)

judge = judge_by_share(
    RULE,
    _NAMES,
    _PASSED,
    "TCP",
    "acknowledgement",
    "refused: no valid SYN cookie",
    _ADVICE,
    of="connections accepted",
)
