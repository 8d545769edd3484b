"""Names of others cannot move the cursor, forge rows or hide themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockdiag.render.escape import printable, socket_name, width


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
        ("\x9b31m".encode(), r"\x9b31m"),
        (b"\x7f", r"\x7f"),
    ],
)
def test_printable(name: bytes, shown: str) -> None:
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


def test_socket_names() -> None:
    """An abstract name shows its NULs as @; a path is shown as it is."""
    assert socket_name(b"\0abc\0d") == "@abc@d"
    assert socket_name(b"/run/x\n") == r"/run/x\x0a"


def test_width_counts_columns() -> None:
    """Wide characters take two columns, combining ones none."""
    assert [width(text) for text in ("abc", "日本", "e\u0301")] == [3, 4, 1]
