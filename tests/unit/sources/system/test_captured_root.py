from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import SourceDenied, SourceUnavailable
from sockdiag.sources.system.captured_root import (
    CapturedProcess,
    CapturedRoot,
    Stat,
    format_stats,
    open_root,
    parse_stats,
)
from sockdiag.sources.system.proc_root import ProcRoot

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "captured"
    (folder / "proc/net").mkdir(parents=True)
    (folder / "proc/net/tcp").write_bytes(b"inside\n")
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "tcp").write_bytes(b"outside\n")
    return folder


def files(root: Path) -> ProcRoot:
    return open_root(str(root))


def test_a_root_makes_a_captured_root(root: Path) -> None:
    assert type(files(root)) is CapturedRoot
    assert not files(root).live
    assert type(ProcRoot()) is ProcRoot
    assert type(open_root("/")) is ProcRoot
    assert open_root("/").live


def test_files_and_folders_are_read(root: Path) -> None:
    assert files(root).read("/proc/net/tcp") == b"inside\n"
    assert files(root).names("/proc/net") == ["tcp"]


def test_what_is_not_there_is_unavailable(root: Path) -> None:
    for path in ("/proc/net/udp", "/proc/net/tcp/x", "/proc/net"):
        with pytest.raises(SourceUnavailable):
            files(root).read(path)
    with pytest.raises(SourceUnavailable) as caught:
        files(root).names("/proc/7")
    assert (caught.value.source, caught.value.errno) == ("/proc/7", errno.ENOENT)


@pytest.mark.parametrize("target", ["../../../secret", "/../../../../secret", "{outside}"])
def test_no_link_leads_out(root: Path, target: str) -> None:
    """A capture whose proc/net is a link to elsewhere shows what that path is inside of it: nothing."""
    outside = root.parent / "secret"
    (root / "proc/net/tcp").unlink()
    (root / "proc/net").rmdir()
    (root / "proc/net").symlink_to(target.format(outside=outside))
    for read in (files(root).read, files(root).names, files(root).inode):
        with pytest.raises(SourceUnavailable):
            read("/proc/net/tcp")


def test_no_file_link_leads_out(root: Path) -> None:
    (root / "proc/net/udp").symlink_to(root.parent / "secret/tcp")
    with pytest.raises(SourceUnavailable):
        files(root).read("/proc/net/udp")


def test_dot_dot_in_a_path_stays_inside(root: Path) -> None:
    assert files(root).read("/../../proc/net/../net/./tcp") == b"inside\n"


def test_links_inside_are_followed_as_in_the_captured_system(root: Path) -> None:
    (root / "proc/self").symlink_to("42")
    (root / "proc/42").mkdir()
    (root / "proc/42/net").symlink_to("/proc/net")
    (root / "proc/mounts").symlink_to("self/net/tcp")
    assert files(root).read("/proc/self/net/tcp") == b"inside\n"
    assert files(root).read("/proc/mounts") == b"inside\n"
    assert files(root).link("/proc/self/net") == "/proc/net"


def test_links_in_a_circle_end(root: Path) -> None:
    (root / "proc/a").symlink_to("b")
    (root / "proc/b").symlink_to("a")
    with pytest.raises(SourceUnavailable) as caught:
        files(root).read("/proc/a")
    assert caught.value.errno == errno.ELOOP


def test_pipe_and_device_are_not_opened(root: Path) -> None:
    os.mkfifo(root / "proc/net/udp")
    started = time.monotonic()
    with pytest.raises(SourceUnavailable):
        files(root).read("/proc/net/udp")
    assert time.monotonic() - started < 1
    if os.geteuid() == 0:
        os.mknod(root / "proc/net/raw", 0o600 | 0o020000, os.makedev(1, 5))
        with pytest.raises(SourceUnavailable):
            files(root).read("/proc/net/raw")


def test_link_texts_are_data(root: Path) -> None:
    folder = root / "proc/42/fd"
    folder.mkdir(parents=True)
    (folder / "3").symlink_to("socket:[4711]")
    (folder / "4").symlink_to("/etc/shadow")
    assert files(root).link("/proc/42/fd/3") == "socket:[4711]"
    with files(root).process(42) as process:
        assert type(process) is CapturedProcess
        assert sorted(process.descriptors()) == [(b"3", b"socket:[4711]"), (b"4", b"/etc/shadow")]
        assert sorted(process.names("fd")) == ["3", "4"]
        assert process.link("fd/3") == "socket:[4711]"


def test_process_files_and_user(root: Path) -> None:
    (root / "proc/42").mkdir()
    (root / "proc/42/comm").write_bytes(b"nginx\n")
    (root / "proc/42/status").write_bytes(b"Name:\tnginx\nUid:\t0\t33\t0\t0\n")
    with files(root).process(42) as process:
        assert process.read("comm") == b"nginx\n"
        assert process.uid() == 33
    assert files(root).owner("/proc/42") == 33
    assert files(root).pids() == [42]


def test_user_is_unknown_without_status(root: Path) -> None:
    """The owner of the copied folder is whoever copied it."""
    (root / "proc/42").mkdir()
    with pytest.raises(SourceUnavailable):
        files(root).owner("/proc/42")
    (root / "proc/42/status").write_bytes(b"Name:\tx\n\n")
    with pytest.raises(SourceUnavailable, match="not captured"):
        files(root).owner("/proc/42")


def test_ended_process_is_unavailable(root: Path) -> None:
    with pytest.raises(SourceUnavailable):
        files(root).process(42)


def test_inode_from_link_or_from_notes(root: Path) -> None:
    (root / "proc/42/ns").mkdir(parents=True)
    (root / "proc/42/ns/net").symlink_to("net:[4026531840]")
    assert files(root).inode("/proc/42/ns/net") == 4026531840
    with pytest.raises(SourceUnavailable):
        files(root).inode("/proc/42")
    (root / "stat.tsv").write_bytes(b"77\t-\t/proc/42\n")
    assert files(root).inode("/proc/42") == 77


def test_folders_have_the_inode_that_was_noted(root: Path) -> None:
    for name in ("a", "b"):
        (root / "sys/fs/cgroup" / name).mkdir(parents=True)
    (root / "sys/fs/cgroup/file").write_bytes(b"")
    (root / "stat.tsv").write_bytes(b"77\t-\t/sys/fs/cgroup/a\n")
    assert sorted(files(root).folders("/sys/fs/cgroup")) == [("a", 77), ("b", 0)]
    with pytest.raises(SourceUnavailable):
        files(root).folders("/sys/fs/absent")


def test_refusal_of_the_captured_system_is_told_again(root: Path) -> None:
    (root / "stat.tsv").write_bytes(b"-\t13\t/proc/42/fd\n-\t22\t/proc/net/odd\n")
    (root / "proc/42").mkdir()
    with files(root).process(42) as process, pytest.raises(SourceDenied) as caught:
        list(process.descriptors())
    assert (caught.value.source, caught.value.errno) == ("/proc/42/fd", errno.EACCES)
    with pytest.raises(SourceUnavailable) as odd:
        files(root).read("/proc/net/odd")
    assert odd.value.errno == errno.EINVAL


def test_notes_survive_any_path() -> None:
    stats = {
        "/sys/fs/cgroup/a\tb\nc\\t\\n\\": Stat(inode=1),
        "/proc/1/fd": Stat(errno=13),
        "/x\udcff": Stat(inode=2, errno=3),
    }
    again = parse_stats(format_stats(stats))
    assert {path: (s.inode, s.errno) for path, s in again.items()} == {
        path: (s.inode, s.errno) for path, s in stats.items()
    }


def test_damaged_notes_are_left_out() -> None:
    assert parse_stats(b"\n1\t2\nx\ty\t/a\n" + b"9" * 30 + b"\t-\t/b\n").keys() == {"/a", "/b"}
    assert parse_stats(b"9999999999999999999999999\t1\t/b\n")["/b"].inode is None


def test_no_descriptor_is_left_open(root: Path) -> None:
    before = os.listdir("/proc/self/fd")
    (root / "proc/loop").symlink_to("loop")
    os.mkfifo(root / "proc/pipe")
    reader = files(root)
    reader.read("/proc/net/tcp")
    reader.names("/proc")
    for path in ("/proc/loop", "/proc/pipe", "/proc/none", "/proc/net/tcp/x", "/proc/net"):
        with pytest.raises(SourceUnavailable):
            reader.read(path)
    assert os.listdir("/proc/self/fd") == before
