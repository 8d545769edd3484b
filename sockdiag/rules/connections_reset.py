"""CONNECTIONS_RESET."""

from __future__ import annotations

from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import DROPPING, INFO, OK, Advice
from sockdiag.rules._counters import counter_rule, lost_in_interval, steady

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit

_UNREAD, _PURPOSE, _ENDED = "TcpExt.TCPAbortOnClose", "TcpExt.TCPAbortOnData", "Tcp.EstabResets"
_OPENED = ("Tcp.ActiveOpens", "Tcp.PassiveOpens")
_NEVER_OPEN = "Tcp.AttemptFails"

RULE = counter_rule(
    "CONNECTIONS_RESET",
    "Established TCP connections end with a reset. If the process closed them with unread data, that data is lost, "
    "and the peer's read(2) fails with ECONNRESET.",
    "close(2) with data in the receive queue (TCPAbortOnClose); data that arrives after close(2), or SO_LINGER with "
    "0 (TCPAbortOnData); a reset from the peer.",
    (_UNREAD, _PURPOSE, _ENDED),
    (*_OPENED, _NEVER_OPEN),
    (
        "reading to the end, or shutdown(2), before close(2)",
        "the process that closes early: a crash, a limit, a timeout",
    ),
    guard(8, 5, 0.1, "browsers, load generators and health checks close in the middle of a response"),
    verdicts=(DROPPING, OK),
)

_READ = Advice(
    "Find the process that closes connections before it has read everything: a crash, a request limit, a timeout.",
    "sockdiag trace resets --for 10s",
    "The trace names the process and the reason of each reset. The kernel discards the unread data; shutdown(2) and reading to "
    "the end avoid that.",
)

_WHO = Advice(
    "Find out which side resets, and why.",
    "sockdiag trace resets --for 10s",
    "The counters do not tell; the trace shows each reset as sent or received, with its process and the kernel's reason.",
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge closes with data unread; other resets are reported as such, since proxies and balancers reset on purpose."""
    opened = case.sum_moved(*_OPENED)
    # In the long run as many connections end as are opened.
    ended = None if opened is None else max(0, opened - (case.moved(_NEVER_OPEN) or 0))
    unread, resets = case.moved(_UNREAD) or 0, case.moved(_ENDED) or 0
    found = False
    if steady(case, _ENDED):
        for hit in lost_in_interval(
            case,
            RULE,
            (_UNREAD,),
            "TCP close",
            "connection",
            "reset: the process closed them with unread data",
            (_READ,),
            passed=None if ended is None else max(0, ended - unread),
            of="connections",
            guarded=True,
        ):
            found = True
            yield hit
        if not found:
            yield from lost_in_interval(
                case,
                RULE,
                (_ENDED, _PURPOSE),
                "TCP resets",
                "connection",
                "ended with a reset",
                (_WHO,),
                lost=resets,
                passed=None if ended is None else max(0, ended - resets),
                of="connections",
                cause="Peers reset them, or processes of this host did so on purpose (SO_LINGER). No counter shows "
                "whether data was lost.",
                guarded=True,
                verdict=OK,
                severity=INFO,
            )
