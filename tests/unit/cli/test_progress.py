"""Progress: on a terminal, after a second, gone when the answer comes; nowhere else, and never in the data."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sockdiag import progress
from sockdiag.cli.env import Env
from sockdiag.cli.progress_line import ProgressLine
from tests.program import FIXTURES, PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

WORLD = str(FIXTURES / "6.18-world")
STEP = re.compile(r"\rsockdiag: \d+ of \d+ [a-z ]+\x1b\[K")

# The scan of a captured system's two processes takes as long as that of a host with thousands.
SLOW = f"""
import sys, time
sys.path.insert(0, {str(PROJECT)!r})
from sockdiag.sources.process import fd
look = fd._Scan._look
def slow(self, pid, process):
    for number in range(SECONDS * 10):
        time.sleep(0.1)
        fd.progress.step("processes", number, SECONDS * 10)
    return look(self, pid, process)
fd._Scan._look = slow
from sockdiag.cli.main import run
sys.exit(run(["sockdiag", *sys.argv[1:]]))
"""
WORDS = ["states", "--by", "process", "--root", WORLD]


def program(seconds: int, *words: str) -> list[str]:
    return [sys.executable, "-c", SLOW.replace("SECONDS", str(seconds)), *words]


class Terminal:
    """A terminal, and what was written to it."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()

    def text(self) -> str:
        """Return what it got; to be called when its programs have ended."""
        os.close(self.slave)
        shown = b""
        try:
            while piece := os.read(self.master, 65536):
                shown += piece
        except OSError:
            pass  # EIO is its end
        os.close(self.master)
        return shown.decode("utf-8", "surrogateescape").replace("\r\n", "\n")


@pytest.fixture
def unwatched() -> Iterator[None]:
    yield
    progress.watch(None)


def plain(*words: str) -> bytes:
    return subprocess.run(
        [sys.executable, "-m", "sockdiag", *words], cwd=PROJECT, capture_output=True, check=True
    ).stdout


def run_on(terminal: Terminal, command: list[str], **environ: str) -> bytes:
    """Run with standard error on a terminal; return standard output, which is a pipe."""
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "", **environ}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=terminal.slave, env=env, check=False, timeout=60)
    return done.stdout


def test_a_slow_scan_tells_how_far_it_is() -> None:
    """Steps appear on standard error, each over the last, and the line is erased before anything else."""
    terminal = Terminal()
    out = run_on(terminal, program(1, *WORDS))
    shown = terminal.text()
    assert out == plain(*WORDS)
    steps = STEP.findall(shown)
    assert len(steps) >= 2
    assert shown.startswith("".join(steps) + "\r\x1b[K")
    assert "\x1b" not in shown.removeprefix("".join(steps) + "\r\x1b[K")


def test_the_answer_is_whole_on_the_same_terminal() -> None:
    """Where data and progress share a terminal, what remains on it is the data."""
    terminal = Terminal()
    env = {**os.environ, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "200"}
    subprocess.run(program(1, *WORDS), stdout=terminal.slave, stderr=terminal.slave, env=env, check=True, timeout=60)
    shown = terminal.text()
    steps = STEP.findall(shown)
    assert steps
    rest = shown.removeprefix("".join(steps) + "\r\x1b[K")
    assert rest.startswith(plain(*WORDS).decode())


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}], ids=str)
def test_a_terminal_that_cannot_erase_gets_none(environ: dict[str, str]) -> None:
    """Nothing but messages."""
    terminal = Terminal()
    assert run_on(terminal, program(1, *WORDS), **environ) == plain(*WORDS)
    assert "processes\x1b" not in (shown := terminal.text())
    assert "\r" not in shown


def test_a_line_has_no_colour() -> None:
    """NO_COLOR asks for what is so anyway: the only escape sequence is the one that erases."""
    terminal = Terminal()
    run_on(terminal, program(1, *WORDS), NO_COLOR="1")
    shown = terminal.text()
    assert STEP.search(shown)
    assert set(re.findall(r"\x1b\[[0-9;]*[A-Za-z]", shown)) == {"\x1b[K"}


def test_pipes_get_none() -> None:
    """However long it takes."""
    done = subprocess.run(program(1, *WORDS), capture_output=True, check=True, timeout=60)
    assert done.stdout == plain(*WORDS)
    assert b"\r" not in done.stderr
    assert b"\x1b" not in done.stderr


def test_quick_answers_show_none() -> None:
    """What takes less than a second shows nothing."""
    terminal = Terminal()
    out = run_on(terminal, program(0, *WORDS))
    assert out == plain(*WORDS)
    assert "\r" not in terminal.text()


def test_interrupt_takes_it_away() -> None:
    """Ctrl-C leaves the line of the prompt clean."""
    terminal = Terminal()
    env = {**os.environ, "TERM": "xterm"}
    process = subprocess.Popen(program(30, *WORDS), stdout=subprocess.PIPE, stderr=terminal.slave, env=env)
    first = os.read(terminal.master, 1 << 16)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30)[0] == b""
    shown = first.decode() + terminal.text()
    assert process.returncode == 130
    assert STEP.match(shown)
    assert shown.endswith("\r\x1b[K")


def test_waiting_for_the_second_look() -> None:
    """An interval counts its seconds."""
    terminal = Terminal()
    out = run_on(terminal, [sys.executable, "-m", "sockdiag", "--interval", "3", "--json"])
    shown = terminal.text()
    assert b'"interval_s"' in out
    assert re.search(r"\rsockdiag: [12] of 3 seconds of the interval\x1b\[K", shown)


@pytest.mark.usefixtures("unwatched")
def test_watching_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread, and without a terminal not even an import."""
    import threading

    before = threading.active_count()
    read, write = os.pipe()
    Env(err=write, environ={}).watch()
    assert not progress.watched()
    terminal = Terminal()
    env = Env(err=terminal.slave, environ={"TERM": "xterm"})
    env.watch()
    assert progress.watched()
    assert threading.active_count() == before
    env.unwatch()
    assert not progress.watched()
    env.watch()
    assert not progress.watched(), "what has answered, or serves, shows no progress any more"
    assert terminal.text() == ""
    os.close(read)
    os.close(write)


def test_line_by_a_clock_of_its_own() -> None:
    """Nothing for a second, then ten times a second at most, cut to the terminal's width."""
    import fcntl
    import struct
    import termios

    now = [0.0]
    terminal = Terminal()
    fcntl.ioctl(terminal.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 30, 0, 0))
    line = ProgressLine(terminal.slave, lambda: now[0])
    for tick in range(14):
        now[0] = tick / 8
        line("processes", tick, 14)
        line("processes", tick, 14)
    line.erase()
    line.erase()
    shown = terminal.text()
    steps = [f"\r{f'sockdiag: {n} of 14 processes'[:29]}\x1b[K" for n in range(8, 14)]
    assert shown == "".join(steps) + "\r\x1b[K"


def test_a_total_that_nobody_knows() -> None:
    """Then there is what is done alone."""
    terminal = Terminal()
    line = ProgressLine(terminal.slave, lambda: 0.0)
    line._next = -1.0
    line("KiB of the kernel's answer", 4096, 0)
    assert terminal.text() == "\rsockdiag: 4096 KiB of the kernel's answer\x1b[K"


@pytest.mark.usefixtures("unwatched")
def test_dumps_are_counted() -> None:
    """A dump tells how much of it was read."""
    from tests.program import invoke

    steps: list[tuple[str, int, int]] = []
    progress.watch(lambda *step: steps.append(step))
    invoke("states", "--exact", "--netid", "tcp")
    assert ("KiB of the kernel's answer", 0, 0) in [(what, min(done, 0), total) for what, done, total in steps]


@pytest.mark.usefixtures("unwatched")
def test_children_leave_the_terminal_alone() -> None:
    """A forked child inherits the watcher and writes nothing."""
    terminal = Terminal()
    line = ProgressLine(terminal.slave, lambda: 0.0)
    line._next = -1.0
    child = os.fork()
    if child == 0:
        line("processes", 1, 2)
        line.erase()
        os._exit(0)
    os.waitpid(child, 0)
    assert terminal.text() == ""
