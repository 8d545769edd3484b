"""TCP_OUT_OF_WINDOW."""

from __future__ import annotations

from sockdiag.judging.case import Explained
from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import Advice
from sockdiag.rules._counters import counter_rule, judge_by_share

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
    drop_reasons=(
        "TCP_OVERWINDOW",
        "TCP_INVALID_SEQUENCE",
        "TCP_INVALID_END_SEQUENCE",
        "TCP_RFC7323_PAWS",
        "TCP_RFC7323_PAWS_ACK",
    ),
)

_ADVICE = (
    Advice(
        "Find connections whose process does not read. If there are none, the peer or a middlebox ignores the window.",
        "sockdiag risk",
        "The peer sends the dropped segments again when the window opens.",
    ),
    Advice(
        "Find the connections that they are dropped from.",
        "sockdiag trace drops --where 'netid = tcp' --for 10s",
        "The counters name none. The trace shows each drop with its connection, process and reason.",
    ),
)

judge = judge_by_share(
    RULE,
    _NAMES,
    _PASSED,
    "TCP",
    "segment",
    "dropped: outside the receive window",
    _ADVICE,
    of="segments received",
)
