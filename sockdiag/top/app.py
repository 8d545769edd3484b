"""``top`` on Textual: draws the screen's lines as a widget, and passes keys, clicks and sizes to the screen."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import time

# Some terminals keep sending keys in the kitty protocol's form after the program has ended. Textual reads this when it is imported.
os.environ.setdefault("TEXTUAL_DISABLE_KITTY_KEY", "1")

from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.strip import Strip
from textual.widget import Widget

from sockdiag.top.export import new_file
from sockdiag.top.plain import deliver
from sockdiag.top.screen import COPY, PICTURE, QUIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from textual import events

    from sockdiag.top.canvas import Line
    from sockdiag.top.screen import Screen
    from sockdiag.top.session import LookThread

# Styles of the 16 ANSI colours: the terminal's own theme decides what they look like, dark or light.
_STYLES = {
    "bold": Style(bold=True),
    "dim": Style(dim=True),
    "reverse": Style(reverse=True),
    "critical": Style(color="red"),
    "warning": Style(color="yellow"),
    "info": Style(color="cyan"),
    "ok": Style(color="green"),
    "graph": Style(color="cyan"),
}
_COLOURS = frozenset(("critical", "warning", "info", "ok", "graph"))


class Lines(Widget):
    """The whole screen, line by line."""

    can_focus = True

    def __init__(self, screen: Screen, *, color: bool) -> None:
        super().__init__()
        self._top = screen
        self._color = color
        self._drawn: list[Line] = []

    def draw(self) -> None:
        """Draw all lines anew."""
        self._drawn = self._top.lines(self.size.width, self.size.height)
        self.refresh()
        self._top.actions.look_up()

    def render_line(self, y: int) -> Strip:
        """Return a line."""
        if y >= len(self._drawn):
            return Strip.blank(self.size.width)
        return Strip([Segment(text, self._style(style)) for text, style in self._drawn[y]])

    def _style(self, names: str) -> Style | None:
        found = [_STYLES[name] for name in names.split() if name in _STYLES and (self._color or name not in _COLOURS)]
        return Style.combine(found) if found else None

    def on_resize(self, _event: events.Resize) -> None:
        """Take another size."""
        self._top.resized()
        self.draw()

    def on_click(self, event: events.Click) -> None:
        """Pass a click on."""
        self._top.click(event.y, event.x)
        self.draw()

    def on_mouse_scroll_down(self, _event: events.MouseScrollDown) -> None:
        """Go down."""
        self._top.key("down")
        self.draw()

    def on_mouse_scroll_up(self, _event: events.MouseScrollUp) -> None:
        """Go up."""
        self._top.key("up")
        self.draw()


class TopApp(App[None]):
    """The program.

    Args:
        screen: what is shown.
        make: makes the session that reads the system.
        color: use colours.
    """

    CSS = "Lines { width: 100%; height: 100%; }"
    ENABLE_COMMAND_PALETTE = False
    TITLE = "sockdiag top"

    def __init__(self, screen: Screen, make: Callable[[Callable[[str, Any], None]], LookThread], color: bool) -> None:
        super().__init__(ansi_color=True)
        self.top = screen
        self.session = make(self._notified)
        self.lines_shown = Lines(screen, color=color)
        # What ended the program, if it was a mistake in it.
        self.error: BaseException | None = None

    def compose(self) -> ComposeResult:
        """Return the one widget."""
        yield self.lines_shown

    def on_mount(self) -> None:
        """Start looking."""
        self.lines_shown.focus()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            # The terminal is to be restored however the program ends.
            with contextlib.suppress(ValueError, NotImplementedError):
                loop.add_signal_handler(number, self.exit)
        self.session.start()

    def on_unmount(self) -> None:
        """Stop looking."""
        self.session.stop()

    def _notified(self, kind: str, content: Any) -> None:
        # In the thread: the loop of the program does the rest.
        if self.is_running:
            self.call_later(self._delivered, kind, content)

    def _delivered(self, kind: str, content: Any) -> None:
        if _hung_up():
            # Without SIGHUP, as under nohup, Textual would draw on for nobody.
            self.exit()
            return
        deliver(self.top, kind, content)
        self.lines_shown.draw()

    async def on_event(self, event: events.Event) -> None:
        """Pass keys to the screen before Textual uses them."""
        from textual import events

        if isinstance(event, events.Key):
            event.prevent_default()
            event.stop()
            self._pressed(_name(event))
            return
        await super().on_event(event)

    def _handle_exception(self, error: Exception) -> None:
        self.error = error
        super()._handle_exception(error)

    def _print_error_renderables(self) -> None:
        """Print nothing: the caller reports the error in a line."""

    def _pressed(self, key: str) -> None:
        if key == "ctrl+z":
            self.action_suspend_process()
            return
        effect = self.top.key(key)
        if effect is not None:
            what, text = effect
            if what == QUIT:
                self.exit()
                return
            if what == COPY:
                self.copy_to_clipboard(text)
                self.top.message = "copied"
            elif what == PICTURE:
                self.top.message = self._picture()
        self.lines_shown.draw()

    def _picture(self) -> str:
        path = f"sockdiag-{self.top.tab}-{time.strftime('%Y%m%d-%H%M%S')}.svg"
        try:
            with new_file(path) as file:
                file.write(self.export_screenshot(title="sockdiag top"))
        except OSError as error:
            return f"{path}: {error.strerror}"
        return f"the screen is in {path}"


def _hung_up() -> bool:
    """Whether the terminal that keys come from has gone."""
    poll = select.poll()
    poll.register(0, 0)
    return any(event & select.POLLHUP for _descriptor, event in poll.poll(0))


def _name(event: events.Key) -> str:
    if event.character is not None and len(event.character) == 1 and event.character.isprintable():
        return "space" if event.character == " " else event.character
    return {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+j": "enter", "ctrl+h": "backspace"}.get(event.key, event.key)


def run_textual(screen: Screen, make: Callable[[Callable[[str, Any], None]], LookThread], color: bool) -> None:
    """Run the program until the user quits."""
    app = TopApp(screen, make, color)
    app.run(mouse=True)
    if app.error is not None:
        raise app.error
