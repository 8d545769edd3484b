"""Screens on a terminal of 80 columns: nothing is cut, nothing runs over the edge that can be broken."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

from tests.program import FIXTURES, PROJECT

WORLD = str(FIXTURES / "6.18-world")


def on_terminal(*words: str, columns: int = 80) -> list[str]:
    terminal, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    env = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(PROJECT)}
    env.pop("COLUMNS", None)
    process = subprocess.Popen([sys.executable, "-m", "sockdiag", *words], stdout=other, stderr=other, env=env)
    os.close(other)
    shown = b""
    try:
        while piece := os.read(terminal, 65536):
            shown += piece
    except OSError:
        pass  # EIO is its end
    os.close(terminal)
    assert process.wait(timeout=60) == 0
    text = re.sub(r"\r[^\n]*\x1b\[K", "", shown.decode())  # progress
    return re.sub(r"\x1b\[[0-9;]*m", "", text).replace("\r\n", "\n").splitlines()


@pytest.mark.parametrize(
    "words",
    [
        ["--root", WORLD],
        ["risk", "--root", WORLD],
        ["doctor", "--root", WORLD],
        ["limits", "--root", WORLD],
        ["path", "--root", WORLD],
        ["states", "--root", WORLD],
        ["states", "--by", "process", "--root", WORLD],
        ["protocols", "--root", WORLD],
        ["rules"],
        ["rules", "SYN_QUEUE_FULL"],
        ["fields"],
        ["fields", "skmem"],
        ["list", "--netid", "tcp", "--where", "family = AF_INET", "--root", WORLD],
    ],
    ids=" ".join,
)
def test_screens_fit(words: list[str]) -> None:
    """80 columns hold it, messages included; only a command to paste is not wrapped."""
    lines = [line for line in on_terminal(*words) if not line.startswith(" " * 10 + "sockdiag ")]
    assert [line for line in lines if len(line) > 80 and " " in line.strip()] == []
    assert len(lines) > 1


@pytest.mark.parametrize("words", [["risk"], ["limits"], ["doctor"], ["rules"]], ids=" ".join)
def test_nothing_is_lost_by_breaking(words: list[str]) -> None:
    """The same words in the same order as on a terminal that is wide enough."""
    root = [] if words == ["rules"] else ["--root", WORLD]
    narrow, wide = (on_terminal(*words, *root, columns=columns) for columns in (80, 2000))
    assert " ".join(narrow).split() == " ".join(wide).split()


def test_long_names_are_shortened() -> None:
    """Every row fits, and a wider terminal shows the names whole."""
    words = ("list", "--netid", "tcp,unix", "--where", "state = listening", "--root", WORLD)
    narrow, wide = on_terminal(*words), on_terminal(*words, columns=400)
    assert max(map(len, narrow)) <= 80
    assert any("…" in line for line in narrow)
    assert any("x" * 90 in line for line in wide)
    assert not any("…" in line for line in wide)


def test_what_matters_least_is_left_out_and_named() -> None:
    """PROCESSES stay, and the last line names what is hidden; what was chosen with -o stays too."""
    narrow = on_terminal("memory", "--by", "process", "--root", WORLD)
    heading = next(line for line in narrow if line.startswith("    HELD"))
    assert heading.split()[-2:] == ["LOCAL", "PROCESSES"]
    hidden = next(line for line in narrow if "hidden:" in line)
    assert hidden.startswith("6 columns hidden: FWD, SNDBUF, RCVBUF, WMEM-QUEUED, PEER, STATE ")
    assert not any("hidden:" in line for line in on_terminal("memory", "--by", "process", "--root", WORLD, columns=200))
    chosen = on_terminal("list", "-o", "netid,state,recv_q,send_q,local,peer,processes,cookie", "--root", WORLD)
    assert chosen[0].split()[-1] == "COOKIE"


def test_a_gap_is_told_once() -> None:
    """What a rule does not know for a gap is said with the gap."""
    told = " ".join(on_terminal("risk", "--root", WORLD, columns=2000))
    assert told.count("could not read /sys/fs/cgroup") <= 1
