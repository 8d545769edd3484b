"""Lines end where the terminal does; what was on them stays whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sockdiag.render.escape import width
from sockdiag.render.table import aligned
from sockdiag.render.wrap import TableLine, fitted, wrapped
from tests.program import FIXTURES

WORLD = str(FIXTURES / "6.18-world")
WORDS = st.lists(st.text("abcdefgh\u00e9\u6f22", min_size=1, max_size=12), min_size=1, max_size=30)


@given(WORDS, st.integers(1, 60), st.sampled_from(["", "  ", "      "]))
def test_words_stay_whole_and_in_order(words: list[str], columns: int, rest: str) -> None:
    """No line is longer than it may be, unless one word is."""
    lines = wrapped(" ".join(words), columns, "", rest)
    assert " ".join(lines).split() == words
    for line in lines:
        assert width(line) <= columns or len(line.split()) == 1


@given(WORDS, WORDS)
def test_wide_enough_changes_nothing(first: list[str], second: list[str]) -> None:
    """Blanks and all, where there is room."""
    text = f"  {' '.join(first)}   {'  '.join(second)}"
    assert wrapped(text, 10_000) == [text]
    assert list(fitted(f"{text}\n\nx\n", 10_000)) == [f"{text}\n", "\n", "x\n"]


def test_rest_stands_below_its_text() -> None:
    """After a first column, or a little to the right of the beginning; prose at the margin stays there."""
    assert "".join(fitted("at_risk  CODE  a b c d e f\n", 40)) == "at_risk  CODE  a b c d e f\n"
    assert "".join(fitted("ok  one two three four five six\n", 20)) == "ok  one two three\n    four five six\n"
    assert "".join(fitted("  name: one two three\n", 14)) == "  name: one\n      two\n      three\n"
    assert "".join(fitted("one two three four\n", 9)) == "one two\nthree\nfour\n"


def test_colours_take_no_room() -> None:
    """What colours a word has no width."""
    painted = "\x1b[1;31mred\x1b[0m"
    assert width(painted) == 3
    assert "".join(fitted(f"{painted} two\n", 7)) == f"{painted} two\n"
    assert list(aligned((), [[painted, "x"], ["1", "2"]], [False, False])) == [f"{painted}  1\n", "x    2\n"]


def test_rows_stay_on_their_line() -> None:
    """A row of a table is not prose."""
    row = TableLine("a  b  c\n")
    assert list(fitted(row, 3)) == [row]


def test_prose_of_a_table() -> None:
    """Sentences stand beside the other columns where there is room, else below them."""
    columns = [["name"], ["a sentence of some words that goes on"]]
    assert list(aligned(("N", "HELP"), columns, [False, False], 38, prose=True)) == [
        "N     HELP\n",
        "name  a sentence of some words that\n",
        "      goes on\n",
    ]
    columns[0] = ["a name of twenty-eight chars"]
    assert list(aligned((), columns, [False, False], 38, prose=True)) == [
        "a name of twenty-eight chars\n",
        "    a sentence of some words that goes\n",
        "    on\n",
    ]
