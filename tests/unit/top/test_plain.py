"""``top --plain`` on a terminal of its own: a pty, whose other side reads what is drawn and presses keys."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from sockdiag.cli import options
from sockdiag.cli.commands.top import _place
from sockdiag.top.plain import Keys
from tests.recorded import FIXTURES
from tests.terminal import DEADLINE_S, ENTERED, LEFT, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal("--root", str(FIXTURES / "6.18-world"))
    yield made
    made.close()


def test_keys_change_the_screen_and_q_restores_the_terminal(terminal: Terminal) -> None:
    at = terminal.wait_for("1 problems")
    terminal.press("2")
    at = terminal.wait_for("RECV-Q", at)
    terminal.press("/")
    at = terminal.wait_for("Filter: ", at)
    terminal.press("netid = udp\r")
    at = terminal.wait_for(r"Filter: .*netid = udp.*escape clears", at)
    terminal.press("\x1b")
    terminal.wait_for("LOST/S", at)
    terminal.press("q")
    assert terminal.end() == 0
    assert terminal.restored()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_restore_the_terminal(terminal: Terminal, number: signal.Signals) -> None:
    terminal.wait_for("1 problems")
    terminal.process.send_signal(number)
    terminal.end()
    assert terminal.restored()
    assert "Traceback" not in terminal.written


def test_ctrl_c_quits(terminal: Terminal) -> None:
    terminal.wait_for("1 problems")
    terminal.press("\x03")
    assert terminal.end() == 0
    assert terminal.restored()


def test_ctrl_z_gives_the_terminal_back_and_takes_it_again(terminal: Terminal) -> None:
    at = terminal.wait_for("1 problems")
    terminal.process.send_signal(signal.SIGTSTP)
    at = terminal.wait_for(re.escape(LEFT), at)
    until = time.monotonic() + DEADLINE_S
    while _state(terminal.process.pid) != "T" and time.monotonic() < until:
        time.sleep(0.02)
    assert _state(terminal.process.pid) == "T"
    assert terminal.restored()
    terminal.process.send_signal(signal.SIGCONT)
    at = terminal.wait_for(re.escape(ENTERED), at)
    terminal.wait_for("1 problems", at)
    terminal.press("q")
    assert terminal.end() == 0


def test_size_changes_at_any_moment(terminal: Terminal) -> None:
    at = terminal.wait_for("1 problems")
    for columns, lines in ((60, 15), (10, 3), (200, 60), (100, 30)):
        terminal.resize(columns, lines)
        terminal.process.send_signal(signal.SIGWINCH)
        at = terminal.wait_for(re.escape("\x1b[2J"), at)
    terminal.wait_for("1 problems", at)
    terminal.press("q")
    assert terminal.end() == 0


def test_terminal_that_goes_away_ends_it(terminal: Terminal) -> None:
    terminal.wait_for("1 problems")
    os.close(terminal._fd)
    terminal._fd = os.open("/dev/null", os.O_RDWR)
    assert terminal.process.wait(DEADLINE_S) is not None


def test_pipe_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sockdiag", "top", "--plain"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "needs a terminal" in done.stderr


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("jk", ["j", "k"]),
        ("\x1b[A\x1b[B\x1bOC\x1b[D", ["up", "down", "right", "left"]),
        ("\x1b[5~\x1b[6~\x1b[H\x1b[F", ["pageup", "pagedown", "home", "end"]),
        ("\r\t \x7f", ["enter", "tab", "space", "backspace"]),
        ("\x1b", ["escape"]),
        ("ä", ["ä"]),
        ("\x1b[200~x", ["x"]),
        ("\x1b[1;5Cq", ["q"]),
    ],
)
def test_names_of_keys(typed: str, names: list[str]) -> None:
    reader, writer = os.pipe()
    os.write(writer, typed.encode())
    assert Keys(reader).read() == names
    os.close(writer)
    os.close(reader)


def _state(pid: int) -> str:
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[0]


@pytest.mark.parametrize(
    ("netns", "place"),
    [(None, "web1"), ("blue", "web1, network namespace blue"), ("all", "web1, all network namespaces")],
)
def test_place_names_the_namespaces(netns: str | None, place: str) -> None:
    survey = SimpleNamespace(
        everywhere=netns == "all",
        provenance=lambda: SimpleNamespace(scope=SimpleNamespace(root=None), host=SimpleNamespace(hostname="web1")),
    )
    assert _place(SimpleNamespace(survey=survey, args={options.NETNS: netns})) == place  # type: ignore[arg-type]
