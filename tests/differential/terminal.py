"""Run a command with a pseudo terminal of a given width as its standard output."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import termios
import tty
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def run_on_terminal(command: Sequence[str], columns: int, env: dict[str, str], cwd: str | None = None) -> bytes:
    """Return what a command writes to a terminal of *columns* columns."""
    master, slave = os.openpty()
    try:
        tty.setraw(slave)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=slave, stderr=subprocess.DEVNULL, env=env, cwd=cwd
        )
        os.close(slave)
        out = []
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:  # EIO: the last writer closed its end
                break
            if not data:
                break
            out.append(data)
        child.wait(60)
        return b"".join(out)
    finally:
        os.close(master)
