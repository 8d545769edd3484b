"""Keys, tabs, sorting, selection and details of ``top``, on a recorded system."""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING

import pytest

from sockdiag.model.provenance import Gap
from sockdiag.render.escape import width
from sockdiag.render.table import no_formula
from sockdiag.top import tabs
from sockdiag.top.keys import HELP
from sockdiag.top.prompt import Prompt
from sockdiag.top.screen import COPY, PICTURE, QUIT
from tests.unit.top.recorded_top import drawn, recorded_screen

if TYPE_CHECKING:
    from pathlib import Path

    from sockdiag.top.screen import Screen

SIZES = ((80, 24), (120, 40), (200, 60), (40, 12), (20, 5), (1, 1))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("tab", tabs.TABS)
def test_every_line_fills_the_screen_exactly(tab: str, size: tuple[int, int]) -> None:
    screen = recorded_screen()
    screen.go(tab)
    for _ in range(2):
        lines = drawn(screen, *size).split("\n")
        assert len(lines) == size[1]
        assert {width(line) for line in lines} == {size[0]}
        screen.key("enter")
    screen.key("?")
    assert {width(line) for line in drawn(screen, *size).split("\n")} == {size[0]}


@pytest.mark.parametrize(("key", "tab"), list(zip("123456", tabs.TABS, strict=True)))
def test_number_shows_a_tab(key: str, tab: str) -> None:
    screen = recorded_screen()
    screen.key(key)
    assert screen.tab == tab


def test_tab_goes_round() -> None:
    screen = recorded_screen()
    seen = []
    for _ in tabs.TABS:
        seen.append(screen.tab)
        screen.key("tab")
    assert tuple(seen) == tabs.TABS
    assert screen.tab == tabs.TABS[0]
    screen.key("shift+tab")
    assert screen.tab == tabs.TABS[-1]


def test_verdict_and_worst_findings_are_on_top() -> None:
    screen = recorded_screen()
    lines = drawn(screen, 120, 40).split("\n")
    assert screen.look is not None
    assert lines[0].startswith(screen.look.verdict.upper())
    assert screen.look.findings[0].code in lines[1]


def test_each_finding_opens_with_its_advice() -> None:
    screen = recorded_screen()
    assert screen.look is not None
    for finding in screen.look.findings:
        screen.key("enter")
        text = " ".join(drawn(screen, 200, 60).split())
        assert finding.code in text
        assert not finding.advice or " ".join(finding.advice[0].action.split()[:4]) in text
        screen.key("escape")
        screen.key("j")


def test_sockets_that_findings_are_about_come_first() -> None:
    screen = recorded_screen()
    screen.key("2")
    order = screen.view.order
    troubled = screen.look.sockets.troubled() if screen.look is not None else {}
    assert troubled
    assert set(order[: len(troubled)]) == set(troubled)
    assert sorted(order) == list(range(screen.view.grid.size))


def test_sorting_by_every_column_in_both_directions() -> None:
    screen = recorded_screen("6.18-world")
    for tab in tabs.TABS:
        screen.go(tab)
        sortable = [column.name for column in screen.view.grid.columns if column.values is not None]
        names = []
        for _ in sortable:
            screen.key("s")
            names.append(screen.view.sort)
            column = screen.view.grid.column(screen.view.sort)
            assert column is not None
            assert column.values is not None
            for _ in range(2):
                values = column.values()
                shown = [values[row] for row in screen.view.order]
                known = [value for value in shown if value is not None]
                assert shown == known + [None] * (len(shown) - len(known))
                assert known == sorted(known, reverse=screen.view.descending)
                screen.key("S")
        assert names == sortable
        screen.key("s")
        assert screen.view.sort == ""


def test_selection_follows_its_socket() -> None:
    screen = recorded_screen("6.18-world")
    screen.key("2")
    for _ in range(5):
        screen.key("j")
    chosen = screen.view.selected
    screen.key("s")
    screen.key("s")
    screen.actions.refresh()
    row = screen.view.selected_row()
    assert row is not None
    assert screen.view.grid.identity(row) == chosen
    screen.key("G")
    assert screen.view.selected_row() == screen.view.order[-1]
    screen.key("g")
    assert screen.view.selected_row() == screen.view.order[0]


def test_paging_shows_every_row_once() -> None:
    screen = recorded_screen("6.18-world")
    screen.key("2")
    seen: list[int] = []
    drawn(screen, 100, 20)
    while len(seen) < screen.view.grid.size:
        row = screen.view.selected_row()
        assert row is not None
        seen.append(row)
        screen.key("down")
        drawn(screen, 100, 20)
    assert seen == list(screen.view.order)


def test_socket_opens_with_all_its_layers() -> None:
    screen = recorded_screen("6.18-world")
    screen.key("3")
    screen.key("enter")
    assert screen.detail is not None
    whole = "\n".join(screen.detail.texts(100))
    for heading in ("What it is", "FD", "STRUCT SOCK", "STRUCT PROTO"):
        assert heading in whole
    first = drawn(screen, 100, 20)
    screen.key("pagedown")
    assert drawn(screen, 100, 20) != first
    screen.key("g")
    assert drawn(screen, 100, 20) == first


def test_filter_narrows_and_is_shown() -> None:
    screen = recorded_screen("6.18-world")
    screen.key("2")
    everything = screen.view.grid.size
    for key in "/":
        screen.key(key)
    for key in "netid = udp":
        screen.key("space" if key == " " else key)
    screen.key("enter")
    assert screen.prompt is None
    assert 0 < screen.view.grid.size < everything
    text = drawn(screen)
    assert "Filter: netid = udp" in text
    assert {screen.look.sockets.socket(row).netid for row in screen.view.order} == {"udp"}  # type: ignore[union-attr]
    screen.key("escape")
    assert screen.view.grid.size == everything


def test_wrong_filter_stays_with_a_caret_at_the_mistake() -> None:
    screen = recorded_screen("6.18-world")
    screen.key("/")
    for key in "netid = udp frob":
        screen.key("space" if key == " " else key)
    screen.key("enter")
    assert screen.prompt is not None
    above, below = drawn(screen).split("\n")[-2:]
    assert above.index("frob") == below.index("^")
    assert screen.filter == ""
    screen.key("escape")
    assert screen.prompt is None


def test_words_of_filters_are_completed() -> None:
    screen = recorded_screen("6.18-world")
    screen.key("/")
    for key in "recv":
        screen.key(key)
    screen.key("tab")
    assert screen.prompt is not None
    assert screen.prompt.text.startswith("recv_q")


def test_freezing_keeps_the_look_and_says_so() -> None:
    screen = recorded_screen()
    screen.key("space")
    assert "FROZEN" in drawn(screen)
    screen.key("2")
    screen.key("s")
    assert screen.view.sort
    screen.key("space")
    assert "FROZEN" not in drawn(screen)


def test_groups_follow_the_key() -> None:
    screen = recorded_screen("6.18-world")
    screen.key("4")
    seen = []
    for _ in tabs.GROUPINGS:
        seen.append(screen.facts.by)
        assert sum(group.count for group in screen.facts.groups) == screen.look.sockets.size  # type: ignore[union-attr]
        screen.key("b")
    assert tuple(seen) == tabs.GROUPINGS


def test_enter_on_a_process_shows_its_sockets() -> None:
    screen = recorded_screen("6.18-world")
    screen.key("4")
    row = next(i for i, group in enumerate(screen.facts.groups) if group.pid is not None)
    while screen.view.selected_row() != row:
        screen.key("j")
    group = screen.facts.groups[row]
    screen.key("enter")
    assert screen.tab == tabs.SOCKETS
    assert screen.filter == f"pid = {group.pid}"
    assert screen.view.grid.size > 0


def test_recordings_are_not_changed() -> None:
    screen = recorded_screen("6.18-world")
    screen.key("2")
    screen.key("K")
    assert screen.prompt is None
    assert screen.message == "a recording cannot be changed"


def test_help_names_every_key() -> None:
    screen = recorded_screen()
    for tab in tabs.TABS:
        screen.go(tab)
        screen.key("?")
        text = drawn(screen, 120, 60)
        for keys, meaning, where in HELP:
            if not where or tab in where:
                assert keys in text
                assert meaning in text
        screen.key("x")
        assert not screen.help


@pytest.mark.parametrize("size", [(80, 24), (30, 8)], ids=str)
def test_help_that_does_not_fit_scrolls_to_its_end(size: tuple[int, int]) -> None:
    screen = recorded_screen()
    assert screen.look is not None
    screen.look.gaps = (Gap("/proc/PID/fd", "Permission denied", hint="run as root"),)
    screen.go(tabs.SOCKETS)
    assert "1 gap: ?" in drawn(screen, 120, 24)
    screen.key("?")
    seen = set(drawn(screen, *size).split("\n"))
    first = min(seen)
    for _ in range(40):
        screen.key("j")
        seen.update(drawn(screen, *size).split("\n"))
    assert screen.help
    assert sum(line.startswith(f"  {'q':<14}") for line in seen) == 1
    assert any("could not read" in line for line in seen)
    assert any(line.rstrip().endswith("root)") for line in seen)
    screen.key("g")
    assert min(drawn(screen, *size).split("\n")) == first
    screen.key("escape")
    assert not screen.help


def test_escape_closes_the_help_and_keeps_the_filter() -> None:
    screen = recorded_screen()
    screen.go(tabs.SOCKETS)
    for key in ("/", *"dport=1", "enter", "?"):
        screen.key(key)
    assert screen.filter == "dport=1"
    screen.key("escape")
    assert not screen.help
    assert screen.filter == "dport=1"
    screen.key("escape")
    assert screen.filter == ""


def test_quit_copy_and_picture_are_the_front_ends() -> None:
    screen = recorded_screen()
    assert screen.key("q") == (QUIT, "")
    assert screen.key("ctrl+c") == (QUIT, "")
    assert screen.key("p") == (PICTURE, "")
    screen.key("2")
    what, text = screen.key("y") or ("", "")
    assert what == COPY
    assert text.split("\t") == screen.view.selected_texts()
    assert screen.key("escape") is None


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_export_has_what_is_shown(ending: str, tmp_path: Path) -> None:
    screen = recorded_screen("6.18-world")
    screen.key("3")
    path = tmp_path / f"rows.{ending}"
    for _ in range(2):
        screen.key("x")
        screen.key("ctrl+u")
        for key in str(path):
            screen.key(key)
        screen.key("enter")
    # The second time it was there.
    assert screen.prompt is not None
    assert "exists" in screen.prompt.error
    names = [column.name for column in screen.view.grid.columns]
    rows = [[column.text(row) for column in screen.view.grid.columns] for row in screen.view.order]
    assert "…" not in {text for row in rows for text in row}
    if ending == "json":
        assert json.loads(path.read_text()) == [dict(zip(names, row, strict=True)) for row in rows]
    else:
        with path.open(newline="") as file:
            assert list(csv.reader(file)) == [names, *([no_formula(text) for text in row] for row in rows)]
    assert path.stat().st_mode & 0o777 == 0o600


def test_clicks_choose_rows_tabs_and_orders() -> None:
    screen = recorded_screen("6.18-world")
    lines = drawn(screen, 120, 40).split("\n")
    line = next(i for i, text in enumerate(lines) if " 2 sockets " in text)
    screen.click(line, lines[line].index("sockets"))
    assert screen.tab == tabs.SOCKETS
    lines = drawn(screen, 120, 40).split("\n")
    heading = next(i for i, text in enumerate(lines) if "RECV-Q" in text)
    screen.click(heading, lines[heading].index("RECV-Q"))
    assert screen.view.sort == "recv_q"
    screen.click(heading + 3, 0)
    assert screen.view.selected_row() == screen.view.order[2]


def test_narrow_terminals_drop_the_least_important_columns() -> None:
    screen = recorded_screen("6.18-world")
    screen.key("2")
    wide, narrow = drawn(screen, 160, 30), drawn(screen, 60, 30)
    assert "SEND-Q" in wide
    assert "SEND-Q" not in narrow
    assert "LOCAL" in narrow


def test_columns_do_not_jump() -> None:
    screen = recorded_screen("6.18-world")
    screen.key("2")
    drawn(screen, 160, 20)
    places = [(column.name, start) for column, start, _taken in screen.view._drawn]
    screen.key("G")
    drawn(screen, 160, 20)
    screen.key("g")
    drawn(screen, 160, 20)
    again = [(column.name, start) for column, start, _taken in screen.view._drawn]
    assert [name for name, _start in again] == [name for name, _start in places]
    assert all(now >= then for (_n, then), (_m, now) in zip(places, again, strict=True))


def test_nothing_but_ascii_where_the_terminal_has_nothing_else() -> None:
    screen = recorded_screen("reports/6.18-busy", ascii_only=True)
    for tab in tabs.TABS:
        screen.go(tab)
        if tab != tabs.PROCESSES:
            screen.key("s")
        assert re.fullmatch(r"[ -~\n…]*", drawn(screen, 70, 30)), tab


def test_gaps_are_counted_and_listed() -> None:
    screen = recorded_screen("6.18-unprivileged")
    assert screen.look is not None
    assert screen.look.gaps
    assert f"{len(screen.look.gaps)} gaps" in drawn(screen, 120, 40)
    screen.key("?")
    assert "could not read" in drawn(screen, 120, 60)


@pytest.mark.parametrize("columns", [40, 80])
def test_question_is_visible_to_its_end(columns: int) -> None:
    screen = recorded_screen()
    screen.prompt = Prompt(f"Close tcp ESTAB {'a' * 30} {'b' * 30} of nginx(12)? [y/N] ", lambda _: "", one_key=True)
    text = drawn(screen, columns, 24)
    assert "of nginx(12)?" in " ".join(text.split())
    assert text.rstrip().endswith("[y/N]")
    assert {width(line) for line in text.split("\n")} == {columns}


def typed(screen: Screen, text: str) -> None:
    for key in (*text, "enter"):
        screen.key("space" if key == " " else key)


@pytest.mark.parametrize(
    "name", ["tcp_info.rtt_us", "-tcp_info.rtt_us", "tcp_info.bytes_acked", "skmem.rmem_alloc", "uid", "processes"]
)
def test_sockets_are_sorted_by_any_field(name: str) -> None:
    screen = recorded_screen("6.18-world")
    typed(screen, f"F{name}")
    assert screen.tab == tabs.SOCKETS
    field = name.removeprefix("-")
    assert screen.view.sort == field
    assert screen.view.descending is not name.startswith("-")
    assert field in {column.name for column in screen.view.grid.columns}
    table = screen.look.sockets  # type: ignore[union-attr]
    values = table.column(field)
    known = [values[row] for row in screen.view.order if values[row] is not None]
    assert len(known) > 2
    assert [values[row] for row in screen.view.order][: len(known)] == known
    if field != "processes":
        assert known == sorted(known, reverse=not name.startswith("-"))


def test_tcp_info_of_all_sockets_is_read_only_while_it_sorts_them() -> None:
    screen = recorded_screen("6.18-world")
    watch = screen.actions.session.watch  # type: ignore[union-attr]
    typed(screen, "Ftcp_info.rtt_us")
    assert watch.sorting == {"tcp_info"}
    screen.key("1")
    assert watch.sorting == frozenset()
    screen.key("2")
    assert watch.sorting == {"tcp_info"}
    screen.view.sort_by("recv_q", descending=True)
    screen.key("s")
    assert watch.sorting == frozenset()


def test_columns_are_chosen_as_with_output() -> None:
    screen = recorded_screen("6.18-world")
    screen.key("O")
    screen.key("ctrl+u")
    typed(screen, "local,tcp_info.rtt_us")
    assert [column.name for column in screen.view.grid.columns] == ["lost", "local", "tcp_info.rtt_us", "process"]
    screen.key("O")
    assert screen.prompt is not None
    assert screen.prompt.text == "local,tcp_info.rtt_us"
    typed(screen, ",frob")
    assert "frob" in screen.prompt.error
    screen.key("escape")
    screen.key("O")
    screen.key("ctrl+u")
    screen.key("enter")
    assert "recv_q" in {column.name for column in screen.view.grid.columns}


def test_wrong_field_is_refused_and_names_are_completed() -> None:
    screen = recorded_screen("6.18-world")
    typed(screen, "Ffrob")
    assert screen.prompt is not None
    assert "frob" in screen.prompt.error
    screen.key("ctrl+u")
    for key in "-tcp_info.min_r":
        screen.key(key)
    screen.key("tab")
    assert screen.prompt.text.strip() == "-tcp_info.min_rtt_us"


def test_locked_sockets_are_shown_as_locked() -> None:
    screen = recorded_screen("6.18-world")
    typed(screen, "F-tcp_info.rtt_us")
    row = next(row for row in screen.view.order if screen.look.sockets.socket(row).state == "TIME_WAIT")  # type: ignore[union-attr]
    column = screen.view.grid.column("tcp_info.rtt_us")
    assert column is not None
    assert column.text(row) == "-"
    screen.facts.locked = frozenset((screen.look.sockets.socket(row).cookie or 0,))  # type: ignore[union-attr]
    assert column.text(row) == "locked"
