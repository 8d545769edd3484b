"""Widths, padding, wrapping, and the blocks of long outputs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockdiag.ss.layout import EXT, NETID, PROCESS, STATE, RowLayout, _atoi

_HEADER = "State Recv-Q Send-Q Local Address:Port Peer Address:Port"


def row(
    local: str = "127.0.0.1:", port: str = "22", ext: str = "", process: str = "", state: str = "LISTEN"
) -> list[str]:
    return ["tcp", state, "0     ", "128   ", local, port, "0.0.0.0:", "*", process, ext]


def rendered(
    rows: list[list[str]],
    *,
    old: bool = False,
    screen: int | None = None,
    header: bool = True,
    hidden: tuple[int, ...] = (NETID, PROCESS),
) -> list[str]:
    out: list[str] = []
    layout = RowLayout([h for h in hidden if not (old and h == PROCESS)], old=old, screen=screen, emit=out.append)
    if header:
        layout.header()
    for cells in rows:
        layout.row(cells)
    layout.render()
    return "".join(out).split("\n")


def test_header_alone_and_nothing() -> None:
    assert rendered([]) == [_HEADER, ""]
    assert rendered([], header=False) == [""]


def test_compact_output_does_not_pad_the_last_fixed_column() -> None:
    assert rendered([row()]) == [
        "State  Recv-Q Send-Q Local Address:Port Peer Address:Port",
        "LISTEN 0      128        127.0.0.1:22        0.0.0.0:*",
        "",
    ]


def test_the_last_row_s_extended_cell_is_not_measured() -> None:
    first, second, third, _end = rendered([row(ext=" a"), row(ext=" longer")])
    assert first == "State  Recv-Q Send-Q Local Address:Port Peer Address:Port  "
    assert second.endswith(":* a")
    assert third.endswith(":* longer")


def test_6_1_pads_and_always_has_the_process_column() -> None:
    assert rendered([row(process=" users:(x)", ext=" e"), row()], old=True) == [
        "State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess     ",
        "LISTEN 0      128        127.0.0.1:22        0.0.0.0:*    users:(x) e",
        "LISTEN 0      128        127.0.0.1:22        0.0.0.0:*               ",
        "",
    ]


@given(
    st.lists(st.tuples(st.text("ab", max_size=30), st.text("12", max_size=5), st.text("xyz", max_size=90)), max_size=6),
    st.integers(1, 250),
)
def test_screen_lines_are_full(cells: list[tuple[str, str, str]], screen: int) -> None:
    """Each group of columns fills the screen, unless a cell is longer than its column's share."""
    lines = rendered([row(local, port, ext) for local, port, ext in cells], screen=screen)
    longest = max([19, *(len(cell) + 1 for three in cells for cell in three)])
    if longest < screen:
        for line in lines[:-2]:
            assert len(line) % screen == 0


def test_screen_width_shares_what_is_left_from_the_right() -> None:
    line = rendered([], screen=60)[0]
    # 5 + 7 + 7 + 15 + 4 + 14 + 4 = 56: each of the last four columns gets one more.
    assert line == "State Recv-Q Send-Q  Local Address:Port   Peer Address:Port "
    assert len(line) == 60


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("old", [False, True])
def test_columns_equal_rows(old: bool, extended: bool) -> None:
    """Bulk storage gives the same bytes as row after row, over several blocks with growing widths."""
    out: dict[bool, list[str]] = {True: [], False: []}
    hidden = (NETID,) if old else (NETID, PROCESS)
    for bulk in (True, False):
        layout = RowLayout(hidden, old=old, screen=None, emit=out[bulk].append)
        layout.header()
        for block in range(130):
            count = 300
            locals_ = [f"{n:0>90}.{block % 256}:" for n in range(count)]
            ports = [str(n * (1 if block < 110 else 200)) for n in range(count)]
            columns: list[str | list[str]] = ["ESTAB", "0     ", "0     ", locals_, ports, "1.2.3.4:", "443", ""]
            if extended:
                # The last cell of a block is at times the longest, and at times all are the same.
                columns[-1] = [f" x:{'%' * ((n + block) % (301 + block % 3))}" for n in range(count)]
                if not block % 4:
                    columns[-1] = " y" * (block + 1)
            longest = [max(map(len, c)) if isinstance(c, list) else len(c) for c in columns]
            if bulk:
                layout.store_columns(columns, count, longest)
            else:
                for cells in zip(*[c if isinstance(c, list) else [c] * count for c in columns], strict=True):
                    layout.begin_row()
                    layout.store(cells)
        layout.render()
    assert "".join(out[True]) == "".join(out[False])
    assert len({len(line) for line in "".join(out[True]).split("\n") if line.startswith("ESTAB")}) > 1


def test_a_cell_is_cut_at_65535_bytes() -> None:
    lines = rendered([row(ext="x" * 70000)])
    assert lines[1].endswith(":*" + "x" * 65535)


def test_widths_only_grow_between_blocks() -> None:
    out: list[str] = []
    layout = RowLayout((NETID, STATE, PROCESS), old=False, screen=None, emit=out.append)
    for port in range(30000):
        layout.row(row(port=str(port // 20000 * 99999), ext="x" * 300))
    layout.render()
    widths = [len(line.split("0.0.0.0")[0]) for line in "".join(out).split("\n")[:-1]]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]


@pytest.mark.parametrize(
    ("text", "number"), [("90", 90), ("90x", 90), (" 90", 90), ("-5", -5), ("abc", 0), ("", 0), ("+7", 7)]
)
def test_atoi(text: str, number: int) -> None:
    assert _atoi(text) == number


def test_columns_after_an_open_cell() -> None:
    """The open cell of the row before a block counts, also where the block itself is not counted."""
    out: dict[bool, list[str]] = {True: [], False: []}
    for bulk in (True, False):
        layout = RowLayout((NETID,), old=False, screen=None, emit=out[bulk].append)
        for last, ext in ((PROCESS, ""), (EXT, " wider than the others"), (PROCESS, "")):
            layout.row(row(process=" process", ext=" ext"))
            layout.row(row(process=" p", ext=ext), last)
            columns: list[str | list[str]] = [
                "LISTEN",
                "0     ",
                "128   ",
                "127.0.0.1:",
                "22",
                "0.0.0.0:",
                "*",
                " q",
                " e",
            ]
            if bulk:
                layout.store_columns(columns, 3, [len(cell) for cell in columns])
            else:
                for _ in range(3):
                    layout.row(["", *columns])  # type: ignore[list-item]
        layout.render()
    assert "".join(out[True]) == "".join(out[False])


def test_an_open_cell_before_the_last_column() -> None:
    """A netlink row leaves its process cell open; after the last row the line ends there."""
    out: list[str] = []
    layout = RowLayout((NETID,), old=False, screen=None, emit=out.append)
    layout.row(row(ext=" e"))
    layout.row(row(process=" p"), last=PROCESS)
    layout.render()
    lines = "".join(out).split("\n")
    assert lines[0].endswith(":* e")
    assert lines[1].endswith("p")
    assert layout.columns[-1] == EXT
