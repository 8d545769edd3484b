"""/proc/PID/stat: hostile names, states, and frozen cgroups."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import ParseError
from sockdiag.kernel.task_states import FROZEN, HALTED, TASK_STATES
from sockdiag.sources.process.details import read_process
from sockdiag.sources.process.stat import ProcessStat, parse_stat, read_states, read_turns
from sockdiag.sources.system.captured_root import CapturedRoot
from sockdiag.sources.system.proc_root import ProcRoot

if TYPE_CHECKING:
    from collections.abc import Iterator

TAIL = b" 5 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 3 0 25000 1 1 1\n"


@pytest.mark.parametrize(
    "comm", [b"a", b"", b"a) R 1 2 3", b"(((", b")))", b"a\nb (x)\n", b"\xff\x1b[2J", b") T 1 1 1 1 1 1"]
)
def test_hostile_names(comm: bytes) -> None:
    """A name cannot pretend to be a state."""
    assert parse_stat(b"7 (" + comm + b") S" + TAIL) == ProcessStat(comm, "S", 5, 3, 25000, 0)


@pytest.mark.parametrize("body", [b"", b"7", b"7 (a", b"7 a) S 1", b"7 (a)", b"7 (a) 5 5", b"7 (a) SS 5", b")("])
def test_what_no_kernel_writes(body: bytes) -> None:
    """That is an error, not a state."""
    with pytest.raises(ParseError):
        parse_stat(body)


def test_columns_that_are_missing_or_no_numbers_are_unknown() -> None:
    """The state is there all the same; a letter of a newer kernel stands for itself."""
    assert parse_stat(b"7 (a) S") == ProcessStat(b"a", "S")
    assert parse_stat(b"7 (a) S x" + b" 1" * 15 + b" y 0 " + b"9" * 40).threads is None
    assert parse_stat(b"7 (a) q 1").letter == "q"


def test_the_words_are_the_kernels() -> None:
    """/proc/PID/status has them in parentheses."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("State:"))
    letter, _, word = line.removeprefix("State:").strip().partition(" ")
    assert TASK_STATES[letter] == word.strip("()")


@pytest.fixture
def child() -> Iterator[int]:
    """Start a process that sleeps."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process.pid
        process.kill()


def _state(pid: int, wanted: str) -> str | None:
    deadline = time.monotonic() + 10
    while (found := read_states(ProcRoot(), [pid]).get(pid)) != wanted and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def test_stopped_and_resumed(child: int) -> None:
    """SIGSTOP and SIGCONT show."""
    assert _state(child, "sleeping") == "sleeping"
    os.kill(child, signal.SIGSTOP)
    assert _state(child, "stopped") == "stopped"
    assert "stopped" in HALTED
    os.kill(child, signal.SIGCONT)
    assert _state(child, "sleeping") == "sleeping"


def test_zombie() -> None:
    """Nobody has waited for it."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    try:
        assert _state(pid, "zombie") == "zombie"
    finally:
        os.waitpid(pid, 0)
    assert read_states(ProcRoot(), [pid, 999999999]) == {}


def test_frozen(child: int) -> None:
    """As docker pause does it: the task itself only sleeps."""
    point = next(
        (line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if line.split()[2] == "cgroup2"),
        None,
    )
    if point is None or os.geteuid() or not os.access(point, os.W_OK):
        pytest.skip("no cgroup2 that this user may write to")
    group = Path(point) / f"sockdiag-test-{os.getpid()}"
    group.mkdir()
    try:
        (group / "cgroup.procs").write_text(str(child))
        (group / "cgroup.freeze").write_text("1")
        assert _state(child, FROZEN) == FROZEN
        (group / "cgroup.freeze").write_text("0")
        assert _state(child, "sleeping") == "sleeping"
        os.kill(child, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while "populated 1" in (group / "cgroup.events").read_text() and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        group.rmdir()


def test_captures(tmp_path: Path) -> None:
    """A capture is read by the same files; a cgroup outside its tree is not followed."""
    for pid, letter, group in ((7, b"T", b"/a"), (8, b"S", b"/a"), (9, b"S", b"/../../a"), (10, b"S", b"/")):
        folder = tmp_path / "proc" / str(pid)
        folder.mkdir(parents=True)
        (folder / "stat").write_bytes(b"%d (x) %s" % (pid, letter) + TAIL)
        (folder / "cgroup").write_bytes(b"1:cpu:/\n0::%s\n" % group)
    (tmp_path / "proc" / "self").mkdir()
    (tmp_path / "proc" / "self" / "mountinfo").write_bytes(b"1 1 0:1 / /cg rw - cgroup2 cgroup2 rw\n")
    (tmp_path / "cg" / "a").mkdir(parents=True)
    (tmp_path / "cg" / "a" / "cgroup.events").write_bytes(b"populated 1\nfrozen 1\n")
    # Older captures have the status file only.
    for pid, line in ((12, b"State:\tS (sleeping)"), (13, b"State:\tt (tracing stop)"), (14, b"State:\t\x1b (x)")):
        (tmp_path / "proc" / str(pid)).mkdir()
        (tmp_path / "proc" / str(pid) / "status").write_bytes(b"Name:\tx\n" + line + b"\nPid:\t1\n")
        (tmp_path / "proc" / str(pid) / "cgroup").write_bytes(b"0::/a\n")
    files = CapturedRoot(str(tmp_path))
    states = read_states(files, range(7, 16))
    assert states == {7: "stopped", 8: FROZEN, 9: "sleeping", 10: "sleeping", 12: FROZEN, 13: "tracing stop"}
    # inspect and port describe them in the same words.
    assert {pid: read_process(files, pid, str)[0].state for pid in states} == states


def test_turns() -> None:
    """A process that sleeps is given no CPU; one that works is, and one that is gone is left out."""
    with subprocess.Popen([sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"], stdout=-1) as child:
        try:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(0.2)
            files = ProcRoot()
            before = read_turns(files, [child.pid, os.getpid(), 2**22 + 1])
            time.sleep(0.05)
            after = read_turns(files, [child.pid, os.getpid()])
        finally:
            child.kill()
    assert set(before) == set(after) == {child.pid, os.getpid()}
    assert after[child.pid] == before[child.pid]
    assert after[os.getpid()] > before[os.getpid()]
