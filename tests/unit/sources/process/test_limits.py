"""/proc/PID/limits and processes near their limit of open files."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import ParseError
from sockdiag.sources.process.limits import parse_open_files, read_crowded
from sockdiag.sources.system.captured_root import open_root
from sockdiag.sources.system.proc_root import ProcRoot

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = b"""Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max open files            4                    524288               files
"""


def test_soft_limit() -> None:
    """The soft limit is the first number; unlimited is None."""
    assert parse_open_files(LIMITS, "x") == 4
    assert parse_open_files(LIMITS.replace(b"4   ", b"unlimited"), "x") is None


@pytest.mark.parametrize("body", [b"", b"Max open files\n", b"Max open files  x  y files\n"])
def test_damaged(body: bytes) -> None:
    """What is not such a file is refused."""
    with pytest.raises(ParseError):
        parse_open_files(body, "/proc/1/limits")


def test_captured_process(tmp_path: Path) -> None:
    """A process at its limit is found, with the sockets that it holds; one far from it is not."""
    for pid, n in ((7, 4), (8, 1)):
        fds = tmp_path / "proc" / str(pid) / "fd"
        fds.mkdir(parents=True)
        for fd in range(n):
            os.symlink(f"socket:[{100 + fd}]", fds / str(fd))
        (fds.parent / "limits").write_bytes(LIMITS)
        (fds.parent / "comm").write_bytes(b"server\n")
    found, gaps = read_crowded(open_root(str(tmp_path)), 0.8)
    assert gaps == []
    assert list(found) == [7]
    assert (found[7].open, found[7].limit, found[7].comm) == (4, 4, b"server")
    assert found[7].inodes == {100, 101, 102, 103}


def test_this_process() -> None:
    """This process is told with what the kernel says of it."""
    found, _gaps = read_crowded(ProcRoot(), 0.0)
    mine = found[os.getpid()]
    assert mine.limit == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert abs(mine.open - len(os.listdir("/proc/self/fd"))) <= 2  # each of the two listings holds the folder open


def test_the_lowest_descriptors() -> None:
    """As many as are wanted, lowest first: a process may have a million."""
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(3000)]
    try:
        with ProcRoot().process(os.getpid()) as process:
            few = [int(number) for number, _target in process.descriptors(5)]
            every = [int(number) for number, _target in process.descriptors()]
    finally:
        for fd in held:
            os.close(fd)
    assert few == every[:5]  # the listing holds the folder open, above all of these
    assert len(every) > len(held)


def test_a_capture_notes_how_many_files_are_open_where_they_cannot_be_listed(tmp_path: Path) -> None:
    """As on the running system, whose folder fd tells its size to everybody (Linux 6.2)."""
    for pid in (1, 2, 3):
        (tmp_path / f"proc/{pid}").mkdir(parents=True)
        (tmp_path / f"proc/{pid}/limits").write_text(
            "Max open files            1024                 4096                 files\n"
        )
        (tmp_path / f"proc/{pid}/comm").write_text("x\n")
    (tmp_path / "stat.tsv").write_text("-\t13\t/proc/1/fd\t282\n-\t13\t/proc/2/fd\t1000\n-\t13\t/proc/3/fd\n")
    found, gaps = read_crowded(open_root(str(tmp_path)), 0.85)
    assert found == {}
    # The first is far from its limit; of the others it must be known what they hold.
    assert [gap.reason for gap in gaps] == ["open files of 2 of 3 processes: Permission denied"]


@pytest.mark.parametrize(("room", "gaps"), [(b"3", 0), (b"64", 1), (b"x", 1), (None, 1)])
def test_descriptors_that_may_not_be_listed(tmp_path: Path, room: bytes | None, gaps: int) -> None:
    """A process that has no room for so many descriptors is far from its limit, whoever may list them."""
    process = tmp_path / "proc/7"
    process.mkdir(parents=True)
    (process / "limits").write_bytes(LIMITS)
    (process / "status").write_bytes(b"Name:\tserver\n" + (b"" if room is None else b"FDSize:\t" + room + b"\n"))
    (tmp_path / "stat.tsv").write_bytes(b"-\t13\t/proc/7/fd\n")
    found, missed = read_crowded(open_root(str(tmp_path)), 0.8)
    assert (found, len(missed)) == ({}, gaps)
