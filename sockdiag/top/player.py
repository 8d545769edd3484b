"""The keys that move through a recording, and the place in it as the header shows it."""

from __future__ import annotations

import time

from sockdiag.errors import UsageError
from sockdiag.render.escape import printable_line
from sockdiag.sources.recordings.moments import span
from sockdiag.top.canvas import BOLD, REVERSE
from sockdiag.top.prompt import Prompt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.top.canvas import Line
    from sockdiag.top.playback import Playback
    from sockdiag.top.shown import Shown

_LEAP = 10


class Player:
    """The keys.

    The place changes in the thread that takes the looks, and the header shows the place of the look that is on the screen.

    Args:
        playback: the recording.
        screen: shows it.
        play: changes the place, and with ``look`` takes a look there (:meth:`sockdiag.top.actions.Actions.play`).
    """

    def __init__(self, playback: Playback, screen: Shown, play: Callable[..., None]) -> None:
        self.playback = playback
        self._screen = screen
        self._play = play

    def keys(self) -> dict[str, Callable[[], None]]:
        """Return what keys do."""
        return {
            "space": self._toggle,
            " ": self._toggle,
            ".": lambda: self._step(1),
            ",": lambda: self._step(-1),
            ">": lambda: self._step(_LEAP),
            "<": lambda: self._step(-_LEAP),
            "]": lambda: self._speed(1),
            "[": lambda: self._speed(-1),
            "t": self._ask_time,
        }

    def _do(self, change: Callable[[], object], *, look: bool = True) -> None:
        self._play(change, look=look)

    def _toggle(self) -> None:
        # A new beginning is to be seen; else the moment that is shown stays.
        self._do(self.playback.toggle, look=self.playback.at_end)

    def _step(self, moments: int) -> None:
        playback = self.playback
        if moments > 0 and playback.at_end:
            self._screen.message = "the recording ends here"
        elif moments < 0 and not playback.number:
            self._screen.message = "the recording begins here"
        self._do(lambda: playback.step(moments))

    def _speed(self, steps: int) -> None:
        self.playback.change_speed(steps)
        self._screen.message = f"speed {self.playback.speed:g}x"
        self._do(lambda: None, look=False)

    def _ask_time(self) -> None:
        self._screen.prompt = Prompt(
            "Go to: ", self._seek, hint=f"{span(self.playback.recording)}; -10m before the end, 13:07:30, first, last"
        )

    def _seek(self, text: str) -> str:
        if not text.strip():
            return ""
        try:
            number, remarks = self.playback.find(text)
        except UsageError as error:
            return printable_line(str(error))
        self._screen.message = ", ".join(remarks)
        self._do(lambda: self.playback.jump(number))
        return ""

    def place(self, number: int, at: float) -> Line:
        """Return the place in the recording: of the moment that is shown, its number and time, and whether it goes on."""
        playback = self.playback
        of = f"{number + 1}/{playback.count}"
        if number >= playback.count - 1:
            state = "END"
        else:
            state = f"PLAYING {playback.speed:g}x" if playback.playing else "PAUSED"
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
        return [(f"  {when}  moment {of} ", ""), (f" {state} ", f"{BOLD} {REVERSE}")]
