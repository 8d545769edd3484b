"""State words and the sets that they name.

Source: ss(8); bits are ``1 << state`` of include/net/tcp_states.h.
"""

from __future__ import annotations

from sockdiag.kernel.tcp_states import (
    BOUND_INACTIVE,
    CLOSE,
    CLOSE_WAIT,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT1,
    FIN_WAIT2,
    LAST_ACK,
    LISTEN,
    SYN_RECV,
    SYN_SENT,
    TIME_WAIT,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_SINGLE = {
    "established": ESTABLISHED,
    "syn-sent": SYN_SENT,
    "syn-recv": SYN_RECV,
    "syn-rcv": SYN_RECV,
    "fin-wait-1": FIN_WAIT1,
    "fin-wait-2": FIN_WAIT2,
    "time-wait": TIME_WAIT,
    "unconnected": CLOSE,
    "close": CLOSE,
    "closed": CLOSE,
    "close-wait": CLOSE_WAIT,
    "last-ack": LAST_ACK,
    "listening": LISTEN,
    "closing": CLOSING,
    "bound-inactive": BOUND_INACTIVE,
    "unknown": 0,
}

STATE_WORDS = ("state", "exclude", "excl")


class StateSets:
    """The state sets of a program that has *count* states: 14, or 12 before bound-inactive (ss 6.1)."""

    __slots__ = ("all", "big", "bucket", "connected", "named", "synchronized")

    def __init__(self, count: int = 14) -> None:
        self.all = (1 << count) - 1
        self.bucket = 1 << SYN_RECV | 1 << TIME_WAIT
        self.big = self.all & ~self.bucket
        self.connected = self.all & ~(1 << CLOSE | 1 << LISTEN)
        self.synchronized = self.connected & ~(1 << SYN_SENT)
        self.named = {
            "all": self.all,
            "connected": self.connected,
            "synchronized": self.synchronized,
            "bucket": self.bucket,
            "big": self.big,
        }

    @property
    def words(self) -> tuple[str, ...]:
        """Every word for one state."""
        return tuple(word for word in _SINGLE if self.mask(word))

    def mask(self, word: str) -> int | None:
        """Return the states that a state word names, None if it is none. Letter case does not count."""
        word = word.lower()
        if word in self.named:
            return self.named[word]
        number = _SINGLE.get(word)
        if number is None or not self.all >> number & 1:
            return None
        return 1 << number


class BadState(Exception):
    """A state word is missing (*word* is None) or none."""

    def __init__(self, word: str | None) -> None:
        super().__init__(word)
        self.word = word


def consume(words: Sequence[str], sets: StateSets, chosen: int) -> tuple[int, int]:
    """Read the ``state`` and ``exclude`` words that a command line begins with.

    The first ``state`` drops what options have chosen, later ones add; ``exclude`` subtracts, from all states if it
    comes first.

    Args:
        words: the words.
        sets: the states that are known.
        chosen: the states that options have chosen, 0 for none.

    Returns:
        The chosen states (0 means "not given" again), and how many words were read.

    Raises:
        BadState: a word is no state, or is missing.
    """
    at = 0
    given: int | None = None
    while at < len(words) and words[at] in STATE_WORDS:
        if at + 1 == len(words):
            raise BadState(None)
        mask = sets.mask(words[at + 1])
        if mask is None:
            raise BadState(words[at + 1])
        if words[at] == "state":
            given = (given or 0) | mask
        elif given is None:
            given = sets.all & ~mask
        else:
            given &= ~mask
        at += 2
    return given or chosen, at


def single_words() -> tuple[str, ...]:
    """Return one word for each state, in the order in which people meet them."""
    return tuple({number: word for word, number in reversed(_SINGLE.items()) if number}.values())[::-1]


def words_of(number: int) -> tuple[str, ...]:
    """Return the words for one state."""
    return tuple(word for word, found in _SINGLE.items() if found == number)
