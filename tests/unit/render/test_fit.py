"""Tables on narrow terminals: columns are left out in their order, identifiers are shortened by display cells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockdiag.render.document import Style
from sockdiag.render.escape import width
from sockdiag.render.fit import TextColumns, fitted_columns, hidden_lines, is_rigid, shortened
from sockdiag.render.table import aligned, fitting

ID = "3f2a9c1d" * 8
PATH = "/run/user/1000/systemd/private/deep/socket.sock"


@pytest.mark.parametrize(
    ("text", "cells", "short"),
    [
        (ID, 13, "3f2a9c1d3f2a…"),
        (PATH, 16, "/run/…ocket.sock"),
        ("nginx(1,fd=3),nginx(2,fd=3)", 14, "nginx(1,fd=3)…"),
        ("short", 14, "short"),
        ("10.0.0.1:443", 5, "10.0.0.1:443"),
        ("[2001:db8::1]:443", 5, "[2001:db8::1]:443"),
        ("0.0.0.0%eth0:53", 5, "0.0.0.0%eth0:53"),
        ("漢字漢字漢字漢字", 8, "漢…漢字"),
        ("e\u0301" * 20, 8, "e\u0301e\u0301…" + "e\u0301" * 5),
    ],
)
def test_shortened(text: str, cells: int, short: str) -> None:
    """An id or a list keeps its beginning, a path both ends, an address everything."""
    assert shortened(text, cells) == short


@given(st.text("abc/漢é\u0301", min_size=1, max_size=60), st.integers(4, 40))
def test_no_shortened_text_is_too_wide(text: str, cells: int) -> None:
    """Widths are display cells; what fits is left alone."""
    short = shortened(text, cells)
    assert width(short) <= cells
    assert (short == text) == (width(text) <= cells)


def test_columns_go_in_their_order() -> None:
    """The least important first, and only as many as must."""
    columns = TextColumns(("A", "B", "C"), [["x" * 20], ["y" * 20], ["1" * 20]], [False, False, True])
    assert fitted_columns(columns, 64, ["C", "A"])[1] == []
    shown, hidden = fitted_columns(columns, 42, ["C", "A"])
    assert (shown.headings, hidden) == (["A", "B"], ["C"])
    shown, hidden = fitted_columns(columns, 20, ["C", "X", "A"])
    assert (shown.headings, hidden) == (["B"], ["C", "A"])
    shown, hidden = fitted_columns(columns, 15, ["C", "A", "B"])
    assert (shown.headings, shown.texts, hidden) == (["B"], [["yyyy…yyyyyyyyyy"]], ["C", "A"])


def test_numbers_are_never_shortened() -> None:
    """A wrong number is worse than a long line."""
    columns = TextColumns(("A", "B"), [["x/" * 30], ["1" * 30]], [False, True])
    shown, _hidden = fitted_columns(columns, 10)
    assert shown.texts[1] == ["1" * 30]
    assert len(shown.texts[0][0]) == 14


def test_the_screen_says_what_is_hidden() -> None:
    """One dim line, and none if nothing is; a pipe hides nothing."""
    table = (("A", "B"), [[f"10.0.0.10:{10**20}"], ["z" * 30]], [False, False])
    assert list(fitting(*table, Style(48, False), ["A"]))[-1] == "1 column hidden: A (-o, or a wider terminal)\n"
    assert list(fitting(*table, Style(40, False), ["A"]))[-2:] == [
        "1 column hidden: A (-o, or a wider\n",
        "  terminal)\n",
    ]
    assert list(fitting(*table, Style(47, True), ["A"]))[-1].startswith("\x1b[2m1 column hidden: A")
    assert list(fitting(*table, Style(None, False), ["A"])) == list(aligned(*table))
    assert list(fitting(*table, Style(80, False), ["A"])) == list(aligned(*table))
    assert hidden_lines([], "x", 80) == []


def test_what_is_rigid() -> None:
    """Addresses with ports, and words with numbers; not names that end in a number."""
    assert [is_rigid(text) for text in ("1.2.3.4:5", "*:5", "[::]:*", "inode:5", "/x:5", "@x:5", "5", "")] == [
        True,
        True,
        True,
        True,
        False,
        False,
        False,
        False,
    ]
