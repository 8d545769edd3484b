"""State words and their sets."""

from __future__ import annotations

import pytest

from sockdiag.filter.states import BadState, StateSets, consume, words_of

ALL = 0x3FFF
LISTEN, CLOSE, ESTABLISHED, TIME_WAIT, SYN_RECV, SYN_SENT = 1 << 10, 1 << 7, 1 << 1, 1 << 6, 1 << 3, 1 << 2
CONNECTED = ALL & ~(CLOSE | LISTEN)


@pytest.mark.parametrize(
    ("word", "mask"),
    [
        ("established", 1 << 1),
        ("syn-sent", 1 << 2),
        ("syn-recv", 1 << 3),
        ("syn-rcv", 1 << 3),
        ("fin-wait-1", 1 << 4),
        ("fin-wait-2", 1 << 5),
        ("time-wait", 1 << 6),
        ("unconnected", 1 << 7),
        ("close", 1 << 7),
        ("closed", 1 << 7),
        ("close-wait", 1 << 8),
        ("last-ack", 1 << 9),
        ("listening", 1 << 10),
        ("closing", 1 << 11),
        ("bound-inactive", 1 << 13),
        ("UNKNOWN", 1),
        ("Established", 1 << 1),
        ("all", ALL),
        ("connected", CONNECTED),
        ("synchronized", CONNECTED & ~SYN_SENT),
        ("bucket", SYN_RECV | TIME_WAIT),
        ("big", ALL & ~(SYN_RECV | TIME_WAIT)),
        ("listen", None),
        ("estab", None),
        ("fin-wait1", None),
        ("new-syn-recv", None),
        ("", None),
        ("est", None),
    ],
)
def test_words(word: str, mask: int | None) -> None:
    """Each word names its states, in any case and without abbreviation."""
    assert StateSets().mask(word) == mask


def test_older_program_knows_fewer_states() -> None:
    """6.1 has no bound-inactive."""
    assert StateSets(12).mask("bound-inactive") is None
    assert StateSets(12).all == 0xFFF


@pytest.mark.parametrize(
    ("words", "chosen", "result"),
    [
        ("", ALL, (ALL, 0)),
        ("sport 22", 5, (5, 0)),
        ("state listening", ALL, (LISTEN, 2)),
        ("state listening state established sport 22", ALL, (LISTEN | ESTABLISHED, 4)),
        ("exclude listening", LISTEN, (ALL & ~LISTEN, 2)),
        ("excl listening exclude close", 0, (ALL & ~LISTEN & ~CLOSE, 4)),
        ("state connected exclude established", 0, (CONNECTED & ~ESTABLISHED, 4)),
        ("state listening exclude listening", ALL, (ALL, 4)),
        ("state listening exclude listening", 0, (0, 4)),
        ("state listening exclude listening state time-wait", ALL, (TIME_WAIT, 6)),
        ("exclude all", 7, (7, 2)),
        ("exclude all state listening", 7, (LISTEN, 4)),
        ("exclude listening state close", 0, (ALL & ~LISTEN, 4)),
        ("STATE listening", 7, (7, 0)),
    ],
)
def test_consume(words: str, chosen: int, result: tuple[int, int]) -> None:
    """The words at the beginning, read in sequence."""
    assert consume(words.split(), StateSets(), chosen) == result


@pytest.mark.parametrize(
    ("words", "word"),
    [("state", None), ("state listening exclude", None), ("state foo", "foo"), ("exclude listening state x", "x")],
)
def test_bad_words(words: str, word: str | None) -> None:
    """A word that is no state, or a missing one."""
    with pytest.raises(BadState) as caught:
        consume(words.split(), StateSets(), 0)
    assert caught.value.word == word


def test_words_of_a_state() -> None:
    """All words of one state."""
    assert words_of(7) == ("unconnected", "close", "closed")
    assert words_of(12) == ()
