"""What a process is: by psutil where it runs, from the files of a capture where it ran."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from sockdiag.errors import SourceDenied, SourceUnavailable
from sockdiag.model.process import Ancestor, Process
from sockdiag.sources.process.details import MAX_COMMAND, read_process, resident_bytes
from sockdiag.sources.system.captured_root import CapturedRoot
from sockdiag.sources.system.proc_root import ProcRoot

if TYPE_CHECKING:
    from collections.abc import Callable

# Column 22 is starttime: 250 s after boot.
STAT = b"7 (a) b) D 5 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 25000 1 1 1\n"
STATUS = b"Name:\ta\nState:\tD (disk sleep)\nPPid:\t5\nUid:\t33\t0\t0\t0\n"


def user(uid: int) -> str:
    return f"user{uid}"


@pytest.fixture
def capture(tmp_path: Path) -> Callable[..., CapturedRoot]:
    """Write files below /proc, by path, and open them as a capture."""

    def made(**processes: dict[str, bytes]) -> CapturedRoot:
        for name, files in processes.items():
            folder = tmp_path / "proc" / name.removeprefix("pid")
            folder.mkdir(parents=True, exist_ok=True)
            for file, body in files.items():
                (folder / file).write_bytes(body)
        (tmp_path / "proc" / "stat").write_bytes(b"cpu 1 2\nbtime 1700000000\n")
        return CapturedRoot(str(tmp_path))

    return made


def test_captured(capture: Callable[..., CapturedRoot]) -> None:
    """Every file of the capture is used, and nothing is missing."""
    files = capture(
        pid7={"stat": STAT, "status": STATUS, "cmdline": b"/bin/a\0-x y\0\0\0"},
        pid5={"comm": b"parent\n", "status": b"PPid:\t1\n"},
        pid1={"comm": b"init\n", "status": b"PPid:\t0\n"},
    )
    assert read_process(files, 7, user) == (
        Process(
            b"/bin/a -x y",
            "disk sleep",
            "user33",
            "2023-11-14T22:17:30.000Z",
            (Ancestor(5, b"parent"), Ancestor(1, b"init")),
            1,
        ),
        [],
    )


def test_what_a_capture_lacks(capture: Callable[..., CapturedRoot]) -> None:
    """What is not there is unknown, and one gap names the files."""
    found, gaps = read_process(capture(pid7={"status": b"PPid:\t5\n"}), 7, user)
    assert found == Process(None, None, None, None, (Ancestor(5, None),))
    assert [(gap.source, gap.reason) for gap in gaps] == [("/proc/7/cmdline, /proc/7/stat", "not captured")]


@pytest.mark.parametrize(
    ("stat", "status"),
    [
        (b"", b""),
        (b"\xff" * 5000, b"\xff:\n" * 500),
        (STAT.replace(b"25000", b"9" * 40), b"Uid:\t" + b"9" * 40 + b"\nPPid:\t-1\nState:\t\x1b[m\n"),
        (STAT.replace(b"25000", b"9" * 19), b"Uid:\nPPid:\nState:\n"),
        (b"7 (a", b"PPid:\t\xb2\n"),
    ],
)
def test_damaged_captures(capture: Callable[..., CapturedRoot], stat: bytes, status: bytes) -> None:
    """Numbers and shapes that no kernel writes leave what they tell unknown."""
    found, gaps = read_process(capture(pid7={"stat": stat, "status": status, "cmdline": b""}), 7, user)
    assert (found._replace(state=None, threads=None), gaps) == (Process(b"", None, None, None, None), [])
    assert found.state in (None, "disk sleep")


def test_ancestors_that_go_round(capture: Callable[..., CapturedRoot]) -> None:
    """A capture in which two processes are each other's parents ends."""
    one, other = {"status": b"PPid:\t8\n"}, {"status": b"PPid:\t7\n"}
    found, _gaps = read_process(capture(pid7=one, pid8=other), 7, user)
    assert found.ancestors == (Ancestor(8, None),)


def test_a_long_line_of_ancestors_is_cut(capture: Callable[..., CapturedRoot]) -> None:
    """So does one of thousands."""
    files = capture(**{f"pid{n}": {"status": b"PPid:\t%d\n" % (n + 1)} for n in range(7, 307)})
    found, _gaps = read_process(files, 7, user)
    assert found.ancestors is not None
    assert len(found.ancestors) == 64


def test_no_such_process_in_a_capture(capture: Callable[..., CapturedRoot]) -> None:
    """The capture has others."""
    with pytest.raises(SourceUnavailable):
        read_process(capture(pid7={}), 8, user)


def test_running() -> None:
    """This process, as its own files tell."""
    found, gaps = read_process(ProcRoot(), os.getpid(), user)
    assert gaps == []
    assert found.command == Path("/proc/self/cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ")[:MAX_COMMAND]
    assert found.state in ("running", "sleeping", "disk sleep")
    assert found.user == user(os.getuid())
    assert found.ancestors is not None
    assert found.ancestors[0] == Ancestor(
        os.getppid(), Path(f"/proc/{os.getppid()}/comm").read_bytes().removesuffix(b"\n")
    )
    ticks = int(Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()[19])
    boot = next(int(line.split()[1]) for line in Path("/proc/stat").read_text().splitlines() if "btime" in line)
    assert found.started is not None
    started = time.mktime(time.strptime(found.started[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    # The kernel's time of boot moves with the clock.
    assert abs(started - (boot + ticks / os.sysconf("SC_CLK_TCK"))) <= 2


class Fake:
    """Stands in for psutil.Process."""

    def __init__(self, error: Exception | None = None, *, running: bool = True, arguments: list[str] | None = None):
        self.error = error
        self.running = running
        self.arguments = arguments or []

    def __call__(self, pid: int) -> Fake:
        self.pid = pid
        return self

    def oneshot(self) -> Any:
        import contextlib

        return contextlib.nullcontext()

    def cmdline(self) -> list[str]:
        if self.error is not None:
            raise self.error
        return self.arguments

    def uids(self) -> Any:
        return type("uids", (), {"real": 4711})

    def create_time(self) -> float:
        return 1.5

    def parents(self) -> list[Any]:
        return [type("parent", (), {"pid": 999999999})]

    def is_running(self) -> bool:
        return self.running

    def memory_info(self) -> Any:
        if self.error is not None:
            raise self.error
        return type("memory", (), {"rss": 4096})


def test_names_that_are_hostile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes stay what they are; a parent that has ended meanwhile has no name."""
    monkeypatch.setattr(psutil, "Process", Fake(arguments=["\udcff\x1b[2J", "", "a b", "", ""]))
    found, _gaps = read_process(ProcRoot(), 7, user)
    expected = Process(b"\xff\x1b[2J  a b", None, "user4711", "1970-01-01T00:00:01.500Z", (Ancestor(999999999, None),))
    assert found._replace(state=None, threads=None, waits_in=None) == expected


def test_a_command_line_of_megabytes_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more of it is kept than is declared."""
    monkeypatch.setattr(psutil, "Process", Fake(arguments=["x" * 3_000_000]))
    found, _gaps = read_process(ProcRoot(), 7, user)
    assert found.command == b"x" * MAX_COMMAND


@pytest.mark.parametrize(
    ("fake", "expected"),
    [
        (Fake(psutil.NoSuchProcess(7)), SourceUnavailable),
        (Fake(running=False), SourceUnavailable),
        (Fake(psutil.AccessDenied(7)), SourceDenied),
    ],
)
def test_what_ends_or_may_not_be_seen(monkeypatch: pytest.MonkeyPatch, fake: Fake, expected: type[Exception]) -> None:
    """A process that ends while it is read, and one of another user where /proc hides those."""
    monkeypatch.setattr(psutil, "Process", fake)
    with pytest.raises(expected):
        read_process(ProcRoot(), 7, user)


def test_without_psutil(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(SourceUnavailable) as caught:
        read_process(ProcRoot(), os.getpid(), user)
    assert caught.value.hint == "install psutil"


def test_resident_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the kernel counts it, or unknown."""
    assert resident_bytes(os.getpid())
    assert resident_bytes(999999999) is None
    monkeypatch.setattr(psutil, "Process", Fake(psutil.AccessDenied(7)))
    assert resident_bytes(7) is None
