"""TCP states: number, kernel name, and the other spellings in use.

Source: include/net/tcp_states.h; the mask of a state is ``1 << number``. UDP, raw, unix and packet sockets reuse the
numbers (ESTABLISHED: connected, CLOSE: not connected, LISTEN).
"""

from __future__ import annotations

ESTABLISHED = 1
SYN_SENT = 2
SYN_RECV = 3
FIN_WAIT1 = 4
FIN_WAIT2 = 5
TIME_WAIT = 6
CLOSE = 7
CLOSE_WAIT = 8
LAST_ACK = 9
LISTEN = 10
CLOSING = 11
NEW_SYN_RECV = 12  # internal: the kernel reports such sockets as SYN_RECV
BOUND_INACTIVE = 13  # a mask bit only (6.8): the kernel reports such sockets as CLOSE

STATE_NAMES = (
    "UNKNOWN",
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "NEW_SYN_RECV",
    "BOUND_INACTIVE",
)

STATE_NUMBERS = {name: number for number, name in enumerate(STATE_NAMES)}

# The words of the ss filter language and of RFC 9293 that differ from the kernel's by more than case and "-" for "_".
STATE_ALIASES = {
    "ESTAB": ESTABLISHED,
    "FIN_WAIT_1": FIN_WAIT1,
    "FIN_WAIT_2": FIN_WAIT2,
    "SYN_RCV": SYN_RECV,
    "SYN_RECEIVED": SYN_RECV,
    "UNCONN": CLOSE,
    "UNCONNECTED": CLOSE,
    "CLOSED": CLOSE,
    "LISTENING": LISTEN,
}

# What screens say, as ss does: a socket without a connection is not closed.
SHOWN_STATES = {"CLOSE": "UNCONN"}

ALL_STATES = (1 << 14) - 1
# States that /proc/net/tcp lists and every kernel has: all but bound-inactive, which costs a walk of the bind hash.
HASHED_STATES = ALL_STATES & ~(1 << BOUND_INACTIVE)


def state_name(number: int) -> str:
    """Name a state number in the kernel's word; a number of a newer kernel becomes ``UNKNOWN(n)``."""
    return STATE_NAMES[number] if 0 < number < len(STATE_NAMES) else f"UNKNOWN({number})"


# enum dccp_state has TCP's numbers, and one more behind them: 13, and 14 since 6.8 gave TCP another state.
DCCP_PARTOPEN = 14
PARTOPEN = "PARTOPEN"


def dccp_state_name(number: int) -> str:
    """Name the state of a DCCP socket."""
    return PARTOPEN if number in (BOUND_INACTIVE, DCCP_PARTOPEN) else state_name(number)


def state_number(word: str) -> int | None:
    """Look up a state by any spelling (``fin-wait-1``, ``FIN_WAIT1``, ``estab``); None if it is none."""
    name = word.upper().replace("-", "_")
    return STATE_NUMBERS.get(name, STATE_ALIASES.get(name))
