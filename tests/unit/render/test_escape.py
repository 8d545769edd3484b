"""Names of others cannot move the cursor, forge rows or hide themselves."""

from __future__ import annotations

from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockdiag.render.escape import printable, printable_line, socket_name, width


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"nginx", "nginx"),
        (b"a) b", "a) b"),
        (b"\x1b[31mred\n", r"\x1b[31mred\x0a"),
        (b"back\\slash", r"back\\slash"),
        ("été".encode(), "été"),
        (b"\xff\xfe", r"\xff\xfe"),
        ("\u202egnp.exe".encode(), r"\u202egnp.exe"),
        ("a\u200bb".encode(), r"a\u200bb"),
        ("\U000e0041".encode(), r"\U000e0041"),
        ("\x9b31m".encode(), r"\u009b31m"),
        (b"\x9b31m", r"\x9b31m"),
        (b"\x7f", r"\x7f"),
        ("a\u2028b\u2029c\x85d".encode(), r"a\u2028b\u2029c\u0085d"),
        ("\u3164\u2800\ufe0f\u00a0".encode(), r"\u3164\u2800\ufe0f\u00a0"),
        ("\ud800", r"\ud800"),
    ],
)
def test_printable(name: bytes | str, shown: str) -> None:
    """Controls, bidirectional marks, invisible characters and invalid UTF-8 are spelled out."""
    assert printable(name) == shown


@given(st.binary())
def test_printable_has_nothing_to_obey(name: bytes) -> None:
    """Whatever the bytes, what is shown is one line of printable characters, and no two names look alike."""
    shown = printable(name)
    assert shown == "" or shown.replace(" ", "x").isprintable()
    assert shown.encode() or name == b""


@given(st.lists(st.binary(), min_size=2, max_size=2, unique=True))
def test_printable_is_injective(names: list[bytes]) -> None:
    """Different names are shown differently."""
    assert printable(names[0]) != printable(names[1])


def test_every_character_of_unicode() -> None:
    """No control, format, separator, unassigned or invisible character is left, and no message differs but in backslashes."""
    for code in range(0x110000):
        char = chr(code)
        shown = printable(char)
        kind = category(char)
        assert shown == printable_line(char) or char == "\\"
        if kind[0] == "C" or (kind[0] == "Z" and char != " "):
            assert shown.isascii(), hex(code)
            assert shown.isprintable()


@given(st.text())
def test_a_message_keeps_what_is_spelled_out(text: str) -> None:
    """Escaped names in messages are not escaped again, and nothing else gets through."""
    once = printable(text)
    assert printable_line(once) == once
    assert printable_line(text).replace(" ", "").isprintable()


def test_socket_names() -> None:
    """An abstract name shows its NULs as @; a path is shown as it is."""
    assert socket_name(b"\0abc\0d") == "@abc@d"
    assert socket_name(b"/run/x\n") == r"/run/x\x0a"


def test_width_counts_columns() -> None:
    """Wide characters take two columns, combining ones none."""
    assert [width(text) for text in ("abc", "日本", "e\u0301")] == [3, 4, 1]
