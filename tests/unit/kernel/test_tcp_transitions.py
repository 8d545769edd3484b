"""The TCP state machine: every state has its ways out, and they are those of RFC 9293."""

from __future__ import annotations

import pytest

from sockdiag.kernel.tcp_states import STATE_NAMES
from sockdiag.kernel.tcp_transitions import TCP_NEXT, next_states
from sockdiag.render.document import Style
from sockdiag.render.inspect_text import state_machine

STATES = [name for name in STATE_NAMES[1:] if name not in ("NEW_SYN_RECV", "BOUND_INACTIVE")]

# RFC 9293, figure 5, without the ways that end in a reset or a timeout, which lead to CLOSE from everywhere.
FIGURE = {
    ("CLOSE", "SYN_SENT"),
    ("CLOSE", "LISTEN"),
    ("LISTEN", "SYN_RECV"),
    ("LISTEN", "CLOSE"),
    ("SYN_SENT", "SYN_RECV"),
    ("SYN_SENT", "ESTABLISHED"),
    ("SYN_RECV", "ESTABLISHED"),
    ("ESTABLISHED", "FIN_WAIT1"),
    ("ESTABLISHED", "CLOSE_WAIT"),
    ("FIN_WAIT1", "FIN_WAIT2"),
    ("FIN_WAIT1", "CLOSING"),
    ("FIN_WAIT2", "TIME_WAIT"),
    ("CLOSING", "TIME_WAIT"),
    ("CLOSE_WAIT", "LAST_ACK"),
    ("LAST_ACK", "CLOSE"),
    ("TIME_WAIT", "CLOSE"),
}
# What Linux does beyond: FIN and ACK in one segment; a new SYN in TIME_WAIT.
MORE = {("FIN_WAIT1", "TIME_WAIT"), ("TIME_WAIT", "SYN_RECV")}


def test_every_state_and_no_other() -> None:
    """The table has every state that the kernel tells."""
    assert sorted(TCP_NEXT) == sorted(STATES)


def test_ways_are_those_of_the_rfc() -> None:
    """Nothing of the figure is missing, and nothing but resets, timeouts and the two of Linux is added."""
    ways = {(state, there) for state, nexts in TCP_NEXT.items() for there, _by in nexts}
    assert ways >= FIGURE | MORE
    assert {there for _state, there in ways - FIGURE - MORE} == {"CLOSE"}


@pytest.mark.parametrize("state", STATES)
def test_drawing_marks_the_state(state: str) -> None:
    """The drawing has every state, marks the present one wherever it stands, and fits a terminal."""
    text = "".join(state_machine(state, Style(None, False)))
    assert text.count("[") == text.count(f"[{state}]") == (2 if state == "CLOSE" else 1)
    assert all(name in text for name in STATES)
    assert all(len(line) <= 80 and line == line.rstrip() for line in text.split("\n"))


@pytest.mark.parametrize(
    ("netid", "kind", "state", "there"),
    [
        ("udp", "SOCK_DGRAM", "CLOSE", "ESTABLISHED"),
        ("udp", "SOCK_DGRAM", "ESTABLISHED", "CLOSE"),
        ("unix", "SOCK_DGRAM", "CLOSE", "ESTABLISHED"),
        ("unix", "SOCK_STREAM", "LISTEN", "CLOSE"),
        ("unix", "SOCK_SEQPACKET", "CLOSE", "LISTEN"),
        ("mptcp", "SOCK_STREAM", "CLOSE_WAIT", "LAST_ACK"),
    ],
)
def test_other_sockets(netid: str, kind: str, state: str, there: str) -> None:
    """Sockets that borrow states have ways of their own."""
    assert there in [way for way, _by in next_states(netid, kind, state)]


def test_sockets_without_states() -> None:
    """A netlink socket has none; an unknown state leads nowhere."""
    assert next_states("netlink", "SOCK_RAW", "CLOSE") == ()
    assert next_states("tcp", "SOCK_STREAM", "UNKNOWN(99)") == ()
    assert next_states("tcp", "SOCK_STREAM", None) == ()
