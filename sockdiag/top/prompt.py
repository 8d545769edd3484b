"""A line that the user types into, with what is wrong with it below."""

from __future__ import annotations

from textwrap import wrap

from sockdiag.render.escape import printable_line
from sockdiag.top.canvas import BOLD, REVERSE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sockdiag.top.canvas import Line

# Longer texts are not taken.
_LONGEST = 2000


class Prompt:
    """The line.

    Args:
        title: what it asks for.
        done: called with the text when Enter is pressed; returns what is wrong, in which case the line stays, or "".
        text: what is in the line at first.
        one_key: the next key is the answer.
        completes: returns the words that the last word of a text may become.
        hint: what may be typed, below the line.
    """

    def __init__(
        self,
        title: str,
        done: Callable[[str], str],
        text: str = "",
        *,
        one_key: bool = False,
        completes: Callable[[str], Sequence[str]] = lambda _text: (),
        hint: str = "",
    ) -> None:
        self.title = title
        self.text = text
        self.cursor = len(text)
        self.error = ""
        self._done = done
        self._one_key = one_key
        self._completes = completes
        self._hint = hint
        self._offered: Sequence[str] = ()

    def key(self, key: str) -> bool:
        """Take a key; return whether the line is done."""
        if self._one_key:
            self._done(key if len(key) == 1 else "")
            return True
        self._offered = ()
        if key in ("escape", "ctrl+c"):
            return True
        if key == "enter":
            self.error = self._done(self.text)
            return not self.error
        self.error = ""
        if key == "tab":
            self._complete()
        elif key == "backspace":
            if self.cursor:
                self.text = self.text[: self.cursor - 1] + self.text[self.cursor :]
                self.cursor -= 1
        elif key == "delete":
            self.text = self.text[: self.cursor] + self.text[self.cursor + 1 :]
        elif key in ("left", "right"):
            self.cursor = min(len(self.text), max(0, self.cursor + (1 if key == "right" else -1)))
        elif key in ("home", "ctrl+a"):
            self.cursor = 0
        elif key in ("end", "ctrl+e"):
            self.cursor = len(self.text)
        elif key == "ctrl+u":
            self.text, self.cursor = self.text[self.cursor :], 0
        elif key == "ctrl+w":
            kept = self.text[: self.cursor].rstrip()
            kept = kept[: kept.rfind(" ") + 1]
            self.text, self.cursor = kept + self.text[self.cursor :], len(kept)
        else:
            char = " " if key == "space" else key
            if len(char) == 1 and char.isprintable() and len(self.text) < _LONGEST:
                self.text = self.text[: self.cursor] + char + self.text[self.cursor :]
                self.cursor += 1
        return False

    def _complete(self) -> None:
        before = self.text[: self.cursor]
        words = self._completes(before)
        if not words:
            return
        start = len(before) - len(before.split(" ")[-1])
        common = _common(words)
        ending = " " if len(words) == 1 else ""
        self.text = before[:start] + common + ending + self.text[self.cursor :]
        self.cursor = start + len(common) + len(ending)
        self._offered = words if len(words) > 1 else ()

    def lines(self, width: int) -> list[Line]:
        """Draw the line, with the place of the cursor, and what is wrong or offered below."""
        if self._one_key:
            # A question is wrapped: what is agreed to, and how, must be visible.
            return [[(part, BOLD)] for part in wrap(self.title, max(width, 10))]
        shift = max(0, len(self.title) + self.cursor + 2 - width)
        text = printable_line(self.text)[shift:]
        cursor = self.cursor - shift
        drawn: Line = [
            (self.title, BOLD),
            (text[:cursor], ""),
            (text[cursor : cursor + 1] or " ", REVERSE),
            (text[cursor + 1 :], ""),
        ]
        below: list[Line] = []
        if self.error:
            below.append([((" " * len(self.title) + self.error)[shift:], "critical")])
        elif self._offered:
            below.append([(" " * len(self.title) + " ".join(self._offered), "")])
        elif self._hint:
            below.append([(self._hint, "")])
        return [drawn, *below]


def _common(words: Sequence[str]) -> str:
    first, last = min(words), max(words)
    for place, char in enumerate(first):
        if place >= len(last) or char != last[place]:
            return first[:place]
    return first
