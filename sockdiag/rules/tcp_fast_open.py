"""TCP_FAST_OPEN."""

from __future__ import annotations

from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import AT_RISK, INFO, OK, WARNING, Advice
from sockdiag.rules._counters import counter_rule, lost_in_interval

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit

_FULL = "TcpExt.TCPFastOpenListenOverflow"
_REFUSED = ("TcpExt.TCPFastOpenPassiveFail", "TcpExt.TCPFastOpenActiveFail", "TcpExt.TCPFastOpenBlackhole")
_PASSED = ("TcpExt.TCPFastOpenPassive", "TcpExt.TCPFastOpenActive")

RULE = counter_rule(
    "TCP_FAST_OPEN",
    "TCP Fast Open does not work: its queue is full, cookies are refused, or the path drops SYNs with data. "
    "Connections fall back to an ordinary handshake, one round trip later.",
    "More requests wait for their last ACK than setsockopt(TCP_FASTOPEN) allows; the cookie is not valid; a timeout follows a SYN with data.",
    (_FULL, *_REFUSED),
    _PASSED,
    ("the number in setsockopt(TCP_FASTOPEN)", "net.ipv4.tcp_fastopen_key, equal on all hosts behind one address"),
    guard(5, 1, 0.05, "a client with an old cookie"),
    severity=WARNING,
    verdicts=(AT_RISK, OK),
)

_LARGER = Advice(
    "Let the process pass a larger number to setsockopt(TCP_FASTOPEN).",
    None,
    "It limits the connections that may carry data before the handshake is complete.",
)
_KEYS = Advice(
    "Give all hosts behind one address the same net.ipv4.tcp_fastopen_key.",
    "sysctl net.ipv4.tcp_fastopen_key",
    "A cookie from another host is valid here only with the same key.",
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge the queue, and refused attempts, which cost time and nothing else."""
    passed = case.sum_moved(*_PASSED)
    yield from lost_in_interval(
        case,
        RULE,
        (_FULL,),
        "TCP Fast Open queue",
        "SYN",
        "with data fell back to an ordinary handshake: the Fast Open queue is full",
        (_LARGER,),
        passed=passed,
        of="Fast Open attempts",
        guarded=True,
        verdict=AT_RISK,
    )
    yield from lost_in_interval(
        case,
        RULE,
        _REFUSED,
        "TCP Fast Open",
        "attempt",
        "at Fast Open failed and fell back to an ordinary handshake",
        (_KEYS,),
        passed=passed,
        of="Fast Open attempts",
        guarded=True,
        verdict=OK,
        severity=INFO,
    )
