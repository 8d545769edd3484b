"""``top`` on Textual: keys, the mouse, sizes and pictures reach the screen, and mistakes end the program in a line."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("textual", reason="textual is not installed")

from sockdiag.top import tabs
from sockdiag.top.app import TopApp
from sockdiag.top.session import LOOK
from tests.unit.top.recorded_top import recorded_screen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from textual.pilot import Pilot

    from sockdiag.top.screen import Screen


class Still:
    """A thread of looks that has taken one and takes no more."""

    def __init__(self, screen: Screen, notify: Callable[[str, Any], None]) -> None:
        self._screen = screen
        self._notify = notify
        self.stopped = False

    def start(self) -> None:
        self._notify(LOOK, self._screen.look)

    def stop(self) -> None:
        self.stopped = True


def piloted(
    steps: Callable[[TopApp, Pilot[None]], Awaitable[None]],
    size: tuple[int, int] = (120, 40),
    fixture: str = "6.18-world",
) -> TopApp:
    screen = recorded_screen(fixture)
    app = TopApp(screen, lambda notify: Still(screen, notify), True)  # type: ignore[arg-type,return-value]

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await steps(app, pilot)

    asyncio.run(run())
    return app


def shown(app: TopApp) -> str:
    return "\n".join(
        "".join(segment.text for segment in app.lines_shown.render_line(y)) for y in range(app.lines_shown.size.height)
    )


@pytest.mark.parametrize(("key", "tab"), list(zip("123456", tabs.TABS, strict=True)))
def test_every_tab(key: str, tab: str) -> None:
    async def steps(app: TopApp, pilot: Pilot[None]) -> None:
        await pilot.press(key)
        assert app.top.tab == tab
        # The processes have been looked up by now.
        app.top.actions.look_up(now=True)
        app.lines_shown.draw()
        expected = "\n".join("".join(text for text, _style in line) for line in app.top.lines(120, 40))
        assert shown(app) == expected

    piloted(steps)


def test_every_key() -> None:
    async def steps(app: TopApp, pilot: Pilot[None]) -> None:
        top = app.top
        await pilot.press("2", "j", "down")
        assert top.view.selected_row() == top.view.order[2]
        await pilot.press("k", "up")
        assert top.view.selected_row() == top.view.order[0]
        await pilot.press("G")
        assert top.view.selected_row() == top.view.order[-1]
        await pilot.press("g")
        await pilot.press("pagedown")
        assert top.view.selected_row() != top.view.order[0]
        await pilot.press("pageup", "home")
        await pilot.press("s")
        assert top.view.sort == "lost"
        before = top.view.descending
        await pilot.press("S")
        assert top.view.descending is not before
        await pilot.press("enter")
        assert top.detail is not None
        await pilot.press("escape")
        assert top.detail is None
        await pilot.press("space")
        assert top.frozen
        await pilot.press("space")
        assert not top.frozen
        await pilot.press("question_mark")
        assert top.help
        await pilot.press("question_mark")
        assert not top.help
        await pilot.press("tab")
        assert top.tab == tabs.LISTENERS
        await pilot.press("shift+tab")
        assert top.tab == tabs.SOCKETS
        await pilot.press("c")
        assert top.keep_closed
        await pilot.press("c", "b")
        assert top.tab == tabs.PROCESSES
        await pilot.press("b")
        assert top.facts.by == tabs.GROUPINGS[1]
        await pilot.press("slash", *"netid", "space", "equals_sign", "space", *"udp", "enter")
        assert top.filter == "netid = udp"
        await pilot.press("escape")
        assert top.filter == ""
        await pilot.press("2", "K")
        assert top.message == "a recording cannot be changed"
        await pilot.press("r", "o")

    piloted(steps)


def test_q_ends_it() -> None:
    async def steps(_app: TopApp, pilot: Pilot[None]) -> None:
        await pilot.press("q")

    app = piloted(steps)
    assert app.error is None
    assert app.session.stopped  # type: ignore[attr-defined]


def test_mouse() -> None:
    async def steps(app: TopApp, pilot: Pilot[None]) -> None:
        lines = shown(app).split("\n")
        line = next(i for i, text in enumerate(lines) if " 2 sockets " in text)
        await pilot.click(offset=(lines[line].index("sockets"), line))
        assert app.top.tab == tabs.SOCKETS
        heading = next(i for i, text in enumerate(shown(app).split("\n")) if "RECV-Q" in text)
        await pilot.click(offset=(3, heading + 4))
        assert app.top.view.selected_row() == app.top.view.order[3]

    piloted(steps)


def test_sizes() -> None:
    async def steps(app: TopApp, pilot: Pilot[None]) -> None:
        for size in ((80, 24), (200, 60), (20, 5), (120, 40)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            lines = shown(app).split("\n")
            assert (len(lines), {len(line) for line in lines}) == (size[1], {size[0]})

    piloted(steps)


def test_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def steps(app: TopApp, pilot: Pilot[None]) -> None:
        await pilot.press("p")
        assert app.top.message.startswith("the screen is in sockdiag-problems-")

    piloted(steps)
    (picture,) = tmp_path.glob("*.svg")
    assert "problems" in picture.read_text()
    assert picture.stat().st_mode & 0o777 == 0o600


def test_copy_goes_to_the_terminal() -> None:
    async def steps(app: TopApp, pilot: Pilot[None]) -> None:
        await pilot.press("2", "y")
        assert app.clipboard.split("\t") == app.top.view.selected_texts()

    piloted(steps)


def test_mistake_is_kept_for_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(app: TopApp, pilot: Pilot[None]) -> None:
        def broken(_key: str) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(app.top, "key", broken)
        await pilot.press("j")

    with pytest.raises(ZeroDivisionError):
        piloted(steps)
