"""TCP_OUT_OF_WINDOW."""

from __future__ import annotations

from sockdiag.judging.case import Explained
from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import Advice
from sockdiag.rules._counters import counter_rule, lost_in_interval

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit

_NAMES = ("TcpExt.TCPZeroWindowDrop", "TcpExt.BeyondWindow")
_PASSED = ("Tcp.InSegs",)

RULE = counter_rule(
    "TCP_OUT_OF_WINDOW",
    "TCP drops segments with data outside the receive window: the window is closed, or the peer sends more than it "
    "allows.",
    "Data arrives while the window is zero, or a segment extends beyond the announced window.",
    _NAMES,
    _PASSED,
    ("the process that reads too slowly", "a peer or middlebox that ignores the window"),
    guard(20, 10, 0.02, "a window that closes while data is in flight, and window probes"),
    explained_by=(
        Explained("TCP_RECEIVER_STALLED", takes_verdict=True),
        Explained("ZERO_WINDOW_FROM_PEER", takes_verdict=True),
        Explained("TCP_OUT_OF_ORDER_PRUNE"),
        Explained("TCP_RECEIVE_DROP"),
    ),
)

_ADVICE = (
    Advice(
        "Find connections whose process does not read. If there are none, the peer or a middlebox ignores the window.",
        "sockdiag risk",
        "The peer sends the dropped segments again when the window opens.",
    ),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge the counters against the traffic."""
    yield from lost_in_interval(
        case,
        RULE,
        _NAMES,
        "TCP",
        "segment",
        "dropped: outside the receive window",
        _ADVICE,
        passed=case.sum_moved(*_PASSED),
        of="segments received",
        guarded=True,
    )
