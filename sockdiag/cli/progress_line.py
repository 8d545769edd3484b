"""The line on a terminal that shows progress if an answer takes longer than a second."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Work that takes less shows nothing, and the line is updated no more often.
_AFTER_S, _EVERY_S = 1.0, 0.1
_ERASE = b"\r\x1b[K"


class ProgressLine:
    """A line on standard error that is overwritten until it is erased.

    Args:
        fd: a terminal that supports erase-to-end-of-line.
        clock: seconds since any fixed time.
    """

    def __init__(self, fd: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._fd = fd
        self._clock = clock
        self._pid = os.getpid()
        self._next = clock() + _AFTER_S
        self._shown = False

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show a step, if an update is due."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + _EVERY_S
        # Children inherit the watcher, and a job in the background leaves the terminal alone.
        if os.getpid() != self._pid or not self._in_foreground():
            return
        text = f"sockdiag: {done}{f' of {total}' if total else ''} {what}"[: self._columns() - 1]
        # An interrupt may come right after the write.
        self._shown = True
        self._write(b"\r" + text.encode() + b"\x1b[K")

    def erase(self) -> None:
        """Erase the line, before anything else is written."""
        if self._shown and os.getpid() == self._pid:
            self._write(_ERASE)
            self._shown = False

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:
            return True  # it is not this session's terminal, which has no background

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._fd).columns or 80
        except OSError:
            return 80

    def _write(self, data: bytes) -> None:
        try:
            os.write(self._fd, data)
        except OSError:
            return
