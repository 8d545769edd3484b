"""Run both programs from one warm process: starting an interpreter for each of a thousand command lines takes minutes.

Command lines come in as JSON, with how to run them; differences go out.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import sys
import termios
import traceback
import tty
from typing import TYPE_CHECKING, NoReturn

from tests.differential.pair import Result, compared, environment

if TYPE_CHECKING:
    from collections.abc import Callable


def spawn(child: Callable[[], NoReturn], columns: int) -> Result:
    """Fork and call a function with standard output and standard error kept, on a terminal if *columns*."""
    err = os.memfd_create("err")
    master = -1
    if columns:
        master, out = os.openpty()
        tty.setraw(out)
        fcntl.ioctl(out, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    else:
        out = os.memfd_create("out")
    pid = os.fork()
    if pid == 0:
        try:
            null = os.open(os.devnull, os.O_RDONLY)
            for fd, standard in ((null, 0), (out, 1), (err, 2)):
                os.dup2(fd, standard)
            os.closerange(3, 64)
            child()
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(99)
    try:
        shown = _from_terminal(master, out) if columns else b""
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return Result(shown if columns else _content(out), code, _content(err))
    finally:
        os.close(err)
        os.close(master if columns else out)


def _content(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0)


def _from_terminal(master: int, slave: int) -> bytes:
    os.close(slave)
    parts = []
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:  # EIO: the last writer closed its end
            return b"".join(parts)
        if not data:
            return b"".join(parts)
        parts.append(data)


def theirs(words: list[str], env: dict[str, str]) -> NoReturn:
    os.execvpe("ss", ["ss", *words], env)


def ours(words: list[str], env: dict[str, str]) -> NoReturn:
    from sockdiag.ss.main import run

    os.environ.clear()
    os.environ.update(env)
    os._exit(run(["ss", *words]))


def main() -> None:
    """Answer on standard output."""
    job = json.load(sys.stdin)
    env = environment(**job["env"])
    columns, before = job["columns"], job["before"]
    found = []
    for line in job["lines"]:
        words = [*before, *line]
        text = compared(
            words,
            lambda words=words: spawn(lambda: theirs(words, env), columns),  # type: ignore[misc]
            lambda words=words: spawn(lambda: ours(words, env), columns),  # type: ignore[misc]
            errors=True,
        )
        if text:
            found.append(text)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
