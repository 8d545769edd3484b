"""A capture has its name when it is whole, belongs to its owner alone, and replaces and follows nothing of others."""

from __future__ import annotations

import os
import random
import signal
import tarfile
import time
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import SourceDenied, SourceError, UsageError
from sockdiag.sources.capture.archive import read_archive
from sockdiag.sources.capture.output import Output
from sockdiag.sources.system.captured_tree import FolderTree

if TYPE_CHECKING:
    from pathlib import Path

PIECES = 40
BODY = random.Random(1).randbytes(1 << 16)
LONG = "/proc/net/" + "n" * 150


def write(path: Path, *, force: bool = False) -> None:
    """Write something like a capture."""
    output = Output(str(path), force=force, time=1_700_000_000.0)
    try:
        output.folder("/proc/7/fd")
        output.file("/proc/net/tcp", PIECES * len(BODY), (BODY for _ in range(PIECES)))
        output.file(LONG, 3, (b"abc",))
        output.links("/proc/7/fd", ((b"1", b"socket:[4]"), (b"2", b"-"), (b"3", b"x" * 120)))
        output.close()
    finally:
        output.abandon()


def content(path: Path) -> tuple[bytes, bytes, list[tuple[bytes, bytes]]]:
    tree = FolderTree(str(path)) if path.is_dir() else read_archive(str(path))
    tables = (b"".join(tree.chunks(name)) for name in ("/proc/net/tcp", LONG))
    return (*tables, sorted(tree.links("/proc/7/fd")))  # type: ignore[return-value]


WHOLE = (BODY * PIECES, b"abc", [(b"1", b"socket:[4]"), (b"2", b"-"), (b"3", b"x" * 120)])


@pytest.mark.parametrize("name", ["case", "case.tar.gz", "case.tgz"])
def test_what_was_written_is_read(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)
    assert content(tmp_path / name) == WHOLE
    assert os.listdir(tmp_path) == [name]
    assert os.stat(tmp_path / name).st_mode & 0o077 == 0


def test_tar_of_python_reads_it_too(tmp_path: Path) -> None:
    write(tmp_path / "case.tgz")
    with tarfile.open(tmp_path / "case.tgz") as archive:
        kinds = {member.name: (member.size, member.linkname, member.mode, member.mtime) for member in archive}
    assert kinds["proc/net/tcp"] == (PIECES * len(BODY), "", 0o600, 1_700_000_000)
    assert kinds[LONG[1:]] == (3, "", 0o600, 1_700_000_000)
    assert kinds["proc/7/fd/3"] == (0, "x" * 120, 0o777, 1_700_000_000)


@pytest.mark.parametrize("name", ["case", "case.tar.gz"])
def test_nothing_has_its_name_when_it_is_killed(tmp_path: Path, name: str) -> None:
    """SIGKILL at random moments: there is nothing of that name, or all of it."""
    moments = random.Random(3)
    whole = 0
    for number in range(30):
        path = tmp_path / f"{number}{name}"
        child = os.fork()
        if child == 0:
            write(path)
            os._exit(0)
        time.sleep(moments.uniform(0, 0.12))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if path.exists():
            whole += 1
            assert content(path) == WHOLE
    assert whole < 30


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    output = Output(str(tmp_path / "case"), force=False, time=0.0)
    output.file("/proc/net/tcp", 1, (b"a",))
    output.abandon()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["case", "case.tar.gz"])
def test_what_exists_is_not_replaced(tmp_path: Path, name: str) -> None:
    """Unless --force says so of an archive; a folder, a link and a device stay in any case."""
    path = tmp_path / name
    path.write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists: --force replaces it" if "." in name else "exists: remove it first"):
        write(path)
    assert path.read_bytes() == b"mine"
    if "." in name:
        write(path, force=True)
        assert content(path) == WHOLE
        path.unlink()
    else:
        path.unlink()
    target = tmp_path / "target"
    target.write_bytes(b"mine")
    path.symlink_to(target)
    for force in (False, True):
        with pytest.raises(UsageError, match="exists"):
            write(path, force=force)
    assert target.read_bytes() == b"mine"
    assert sorted(os.listdir(tmp_path)) == sorted([name, "target"])


def test_what_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "case.tar.gz"
    output = Output(str(path), force=False, time=0.0)
    path.write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists"):
        output.close()
    output.abandon()
    assert path.read_bytes() == b"mine"
    assert os.listdir(tmp_path) == ["case.tar.gz"]


@pytest.mark.skipif(os.geteuid() != 0, reason="makes files of another user")
def test_link_of_another_user_is_not_followed(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (tmp_path / "elsewhere").mkdir()
    link = shared / "link"
    link.symlink_to(tmp_path / "elsewhere")
    os.lchown(link, 65534, 65534)
    with pytest.raises(SourceDenied, match="symbolic link 'link' of another user"):
        write(link / "case.tar.gz")
    assert os.listdir(tmp_path / "elsewhere") == []


def test_no_place(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        write(tmp_path / "absent" / "case.tar.gz")
    for name in ("", ".", "/", f"{tmp_path}/.."):
        with pytest.raises(UsageError, match="not the name of a new file"):
            Output(name, force=False, time=0.0)


def test_path_that_leads_outside_is_refused(tmp_path: Path) -> None:
    output = Output(str(tmp_path / "case"), force=False, time=0.0)
    for name in ("/proc/../../x", "relative"):
        with pytest.raises(SourceError):
            output.file(name, 0, ())
    output.abandon()
