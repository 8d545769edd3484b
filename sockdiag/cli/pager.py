"""Show a long screen in a pager, as git and systemctl do. A screen that fits the terminal never starts one."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from subprocess import Popen

    from sockdiag.cli.env import Env

# Quit if it fits, keep colours, leave the screen as it is.
_LESS = "FRX"


class Paged:
    """Writes to the terminal what fits on it, and all of a longer text to a pager.

    Args:
        env: the program's surroundings; standard output is a terminal.
        command: the pager, for a shell.
    """

    __slots__ = ("_command", "_env", "_held", "_pager", "_room")

    def __init__(self, env: Env, command: str) -> None:
        self._env = env
        self._command = command
        self._held: list[str] = []
        # The prompt takes a line.
        self._room = env.height - 1
        self._pager: Popen[bytes] | None = None

    def write(self, text: str) -> bool:
        """Write a text, and return whether anybody still reads."""
        if self._pager is None:
            self._held.append(text)
            self._room -= text.count("\n")
            if self._room >= 0:
                return True
            self._pager = self._start()
            if self._pager is None:
                return True
            text = "".join(self._held)
            self._held.clear()
        return self._feed(text)

    def close(self) -> None:
        """Write what is held back, or wait until the pager ends."""
        if self._pager is None:
            self._env.write("".join(self._held))
            self._held.clear()
            return
        assert self._pager.stdin is not None
        try:  # noqa: SIM105 - contextlib is not for start-up
            self._pager.stdin.close()
        except BrokenPipeError:
            pass  # what it had not read when the user left it
        self._pager.wait()

    def _feed(self, text: str) -> bool:
        assert self._pager is not None
        assert self._pager.stdin is not None
        data = memoryview(text.encode("utf-8", "surrogateescape"))
        try:
            while data:
                data = data[os.write(self._pager.stdin.fileno(), data) :]
        except BrokenPipeError:
            return False
        return True

    def _start(self) -> Popen[bytes] | None:
        from signal import SIG_DFL, SIG_IGN, SIGINT, SIGPIPE, signal
        from subprocess import PIPE, Popen

        environ = {"LESS": _LESS, **self._env.environ}
        if self._env.environ.get("SUDO_UID"):
            environ.update(LESSSECURE="1")  # no shell of root from within the pager
        self._env.unwatch()

        def restored() -> None:
            signal(SIGINT, SIG_DFL)
            signal(SIGPIPE, SIG_DFL)

        started = Popen(  # noqa: S603 - the user's own choice
            ["/bin/sh", "-c", self._command],
            stdin=PIPE,
            stdout=self._env.out,
            env=environ,
            preexec_fn=restored,  # noqa: PLW1509 - this process has no threads
        )
        # Ctrl-C belongs to the pager, which this process outlives. A pager that the user leaves closes the pipe.
        signal(SIGINT, SIG_IGN)
        signal(SIGPIPE, SIG_IGN)
        return started


def pager_of(environ: Mapping[str, str]) -> str:
    """Return the pager to use; "" for none.

    SOCKDIAG_PAGER comes before PAGER and less; an empty one, or cat, means none.
    """
    if environ.get("TERM", "dumb") == "dumb":
        return ""
    chosen = environ.get("SOCKDIAG_PAGER", environ.get("PAGER", "less")).strip()
    if chosen in ("", "cat"):
        return ""
    program = chosen.split()[0]
    folders = environ.get("PATH", os.defpath).split(":") if "/" not in program else [""]
    found = any(os.access(os.path.join(folder, program), os.X_OK) for folder in folders)
    return chosen if found else ""
