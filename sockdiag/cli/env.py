"""The surroundings of the program: streams, environment, clock, and the system that it reads."""

from __future__ import annotations

import os
import time

from sockdiag.defaults import LOAD_MODULES_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from sockdiag.cli.progress_line import ProgressLine
    from sockdiag.sources.system.machine import System

REMEMBERED = "STATE_DIRECTORY, XDG_STATE_HOME, HOME"

# Environment variables that the program obeys, and what they do. ``sockdiag ss`` has its own.
VARIABLES = {
    "NO_COLOR": "If not empty, --color auto uses no colours.",
    "TERM": "If dumb, --color auto uses no colours, no pager is started, and progress is not shown.",
    "COLUMNS": "Overrides the terminal's width.",
    "LINES": "Overrides the terminal's height, which a screen must exceed to go to a pager.",
    "SOCKDIAG_PAGER": "The pager for long screens on a terminal. If empty or cat, none is started.",
    "PAGER": "The pager if SOCKDIAG_PAGER is not set; by default less.",
    "LESS": "Options of less; by default FRX.",
    "PATH": "Where the pager is looked for.",
    "SUDO_UID": "If set, less is told to start no other programs (LESSSECURE).",
    "SSH_CONNECTION": "The connection that kill leaves open unless you give --force.",
    REMEMBERED: "The first one that is set decides where check keeps its state file.",
    LOAD_MODULES_VARIABLE: "auto or never: the value of --load-modules where a command line has none. ss obeys it, too.",
    "SOCKDIAG_CONFIG": "The file with default options for screens. If empty, none is read.",
    "XDG_CONFIG_HOME": "Folder of the user's sockdiag/config.toml; by default ~/.config.",
    "XDG_CONFIG_DIRS": "Folders of the system's sockdiag/config.toml, separated by colons; by default /etc/xdg.",
    "SOCKDIAG_DEBUG": "If not empty, an internal error shows its traceback.",
}


class WriteError(OSError):
    """Standard output takes no more."""


class Env:
    """The program's surroundings; tests make their own.

    Args:
        out: descriptor of standard output, which gets only data.
        err: descriptor of standard error, which gets messages.
        environ: environment variables.
        clock: seconds since the epoch.
        system: makes the System of a root ("" is this host); by default the real one.
    """

    def __init__(
        self,
        out: int = 1,
        err: int = 2,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.time,
        system: Callable[[str], System] | None = None,
    ) -> None:
        self.out = out
        self.err = err
        self.environ = environ
        self.clock = clock
        self._system = system
        # Takes the answer of a command in the place of standard output: one of several hosts.
        self.taker: Callable[[Any, Any], None] | None = None
        # Options that a file set, by the path of the file: an error may be its fault.
        self.defaults: dict[str, list[str]] = {}
        self._progress: ProgressLine | None = None
        self._unwatched = False

    def open_system(self, root: str, load_modules: str) -> System:
        """Open this host, or a captured one.

        Args:
            root: folder or archive of a captured one; "" for this host.
            load_modules: of ``sockdiag.defaults``; a capture has all answers that it can give.
        """
        if self._system is not None:
            return self._system(root)
        if root:
            from sockdiag.sources.recordings.opening import open_captured

            return open_captured(root)
        from sockdiag.sources.system.machine import this_system

        return this_system(load_modules)

    def watch(self) -> None:
        """Show progress of long work, if standard error is a terminal that can erase it again."""
        if (
            not self._unwatched
            and self._progress is None
            and self.environ.get("TERM") != "dumb"
            and os.isatty(self.err)
        ):
            from sockdiag import progress
            from sockdiag.cli.progress_line import ProgressLine

            self._progress = ProgressLine(self.err)
            progress.watch(self._progress)

    def unwatch(self) -> None:
        """Erase the progress line, and show no more progress."""
        self._unwatched = True
        if self._progress is not None:
            from sockdiag import progress

            self._progress.erase()
            self._progress = None
            progress.watch(None)

    def write(self, text: str) -> None:
        """Write all of a text to standard output.

        Raises:
            WriteError: it cannot be written.
        """
        if text:
            # From now on the terminal, or the pager, shows the answer.
            self.unwatch()
        data = memoryview(text.encode("utf-8", "surrogateescape"))
        while data:
            try:
                data = data[os.write(self.out, data) :]
            except OSError as error:
                raise WriteError(error.errno, error.strerror) from None

    def warn(self, text: str, *, several: bool = False) -> None:
        """Write a message to standard error, which is not worth failing for if it cannot be written.

        Args:
            text: the message; the paths and names that it quotes are escaped.
            several: it may have several lines; otherwise a newline is part of a name.
        """
        if self._progress is not None:
            self._progress.erase()
        width = _columns(self.err) if "\n" not in text and os.isatty(self.err) else None
        if not text.isprintable():
            from sockdiag.render.escape import printable_line

            text = "\n".join(map(printable_line, text.split("\n") if several else [text]))
        text = f"sockdiag: {text}"
        if width is not None and len(text) > width:
            from sockdiag.render.wrap import wrapped

            text = "\n".join(wrapped(text, width, "", " " * 4))
        try:
            os.write(self.err, f"{text}\n".encode("utf-8", "backslashreplace"))
        except OSError:
            return

    @property
    def terminal(self) -> bool:
        """Return whether standard output is a terminal."""
        return os.isatty(self.out)

    @property
    def width(self) -> int | None:
        """Columns to fit the output in: the terminal's; None if the output need not fit."""
        if not self.terminal:
            return None
        text = self.environ.get("COLUMNS", "")
        if text.isdecimal() and int(text) > 0:
            return int(text)
        return _columns(self.out)

    @property
    def height(self) -> int:
        """Lines of the terminal that standard output is."""
        text = self.environ.get("LINES", "")
        if text.isdecimal() and int(text) > 0:
            return int(text)
        try:
            return os.get_terminal_size(self.out).lines or _LINES
        except OSError:
            return _LINES

    def color(self, when: str) -> bool:
        """Decide on colour for ``--color`` *when*: auto, always or never."""
        if when != "auto":
            return when == "always"
        return self.terminal and not self.environ.get("NO_COLOR") and self.environ.get("TERM") != "dumb"


# Where the terminal does not report its height.
_LINES = 24


def _columns(fd: int) -> int | None:
    try:
        return os.get_terminal_size(fd).columns or None
    except OSError:
        return None
