"""The other side of a terminal that ``sockdiag top --plain`` runs on: reads what is drawn, presses keys, and changes the size."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

ENTERED, LEFT = "\x1b[?1049h", "\x1b[?1049l"
DEADLINE_S = 60


class Terminal:
    """The other side of the terminal that the program runs on."""

    def __init__(self, *words: str, size: tuple[int, int] = (100, 30), term: str = "xterm") -> None:
        self._fd, there = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(there)
        environ = {**os.environ, "TERM": term, "LC_ALL": "C.UTF-8"}
        for name in ("COLUMNS", "LINES"):
            environ.pop(name, None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sockdiag", "top", "--plain", *words],
            stdin=there,
            stdout=there,
            stderr=there,
            start_new_session=True,
            env=environ,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no threads here
        )
        self._there = there
        self.written = ""

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def wait_for(self, pattern: str, since: int = 0) -> int:
        """Wait until the program has written something; return where it ends."""
        until = time.monotonic() + DEADLINE_S
        while time.monotonic() < until:
            found = re.search(pattern, self.written[since:], re.DOTALL)
            if found:
                return since + found.end()
            ready, _, _ = select.select([self._fd], [], [], 0.5)
            if ready:
                try:
                    self.written += os.read(self._fd, 1 << 16).decode("utf-8", "replace")
                except OSError:
                    break
        raise AssertionError(f"no {pattern!r} in {self.written[since:][-2000:]!r}")

    def end(self) -> int:
        """Wait for the end of the program; what it wrote until then is kept."""
        until = time.monotonic() + DEADLINE_S
        while self.process.poll() is None and time.monotonic() < until:
            ready, _, _ = select.select([self._fd], [], [], 0.1)
            if ready:
                self.written += os.read(self._fd, 1 << 16).decode("utf-8", "replace")
        while select.select([self._fd], [], [], 0.2)[0]:
            self.written += os.read(self._fd, 1 << 16).decode("utf-8", "replace")
        return self.process.wait(1)

    def restored(self) -> bool:
        """Whether the terminal is as it was: its modes, and the last word about its screen and its cursor."""
        modes = termios.tcgetattr(self._there) == self.before
        screens = re.findall(r"\x1b\[\?(1049|25)([hl])", self.written)
        last = dict(screens)
        return modes and last == {"1049": "l", "25": "h"}

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._fd)
        os.close(self._there)
