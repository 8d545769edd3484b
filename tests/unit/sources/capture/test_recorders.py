from __future__ import annotations

import errno
import os
import struct
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import (
    SourceDenied,
    SourceError,
    SourceInterrupted,
    SourceTruncated,
    SourceUnavailable,
)
from sockdiag.sources.capture.recorders import RecordingProcRoot, RecordingTransport
from sockdiag.sources.capture.recording import Recording, write_capture
from sockdiag.sources.capture.transport import CaptureTransport
from sockdiag.sources.system.captured_root import open_root
from sockdiag.sources.system.proc_root import ProcRoot
from sockdiag.sources.system.transport import Request
from tests.unit.sources.netlink_messages import Answers, nlmsg

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """Give a small /proc to record; a folder will do, as the recorder does not care."""
    root = tmp_path / "original"
    process = root / "proc/42"
    (process / "fd").mkdir(parents=True)
    (process / "ns").mkdir()
    (root / "proc/43").mkdir()
    (root / "proc/net").mkdir()
    (root / "proc/net/tcp").write_bytes(b"table\n")
    (root / "proc/net/udp").write_bytes(b"not read\n")
    (process / "comm").write_bytes(b"ngi\nnx\n")
    (process / "status").write_bytes(b"Uid:\t1\t2\t3\t4\n")
    (process / "fd/3").symlink_to("socket:[4711]")
    (process / "fd/4").symlink_to("/home/me/secret plans")
    (process / "ns/net").symlink_to("net:[4026531840]")
    return root


def unix(inode: int, rest: bytes = b"", state: int = 1) -> bytes:
    return nlmsg(struct.pack("=BBBxIQ", 1, 1, state, inode, inode) + rest)


def inet(family: int, cookie: int) -> bytes:
    return nlmsg(struct.pack("=BBBB40xQ20x", family, 1, 0, 0, cookie))


def replay(recording: Recording, folder: Path, request: Request) -> bytes:
    write_capture(str(folder), recording, {"kernel": "x"})
    return b"".join(CaptureTransport(str(folder)).dump(request))


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_files_that_were_read_are_kept_and_no_others(original: Path, tmp_path: Path) -> None:
    recording = Recording()
    files = RecordingProcRoot(open_root(str(original)), recording)
    assert files.read("/proc/net/tcp") == b"table\n"
    with pytest.raises(SourceUnavailable):
        files.read("/proc/net/raw")
    write_capture(str(tmp_path / "c"), recording, {"kernel": "6.18", "captured_at": 1.5, "how": 'by "hand"\n'})
    assert tree(tmp_path / "c") == {"proc", "proc/net", "proc/net/tcp", "meta.toml"}
    assert (tmp_path / "c/proc/net/tcp").read_bytes() == b"table\n"
    import tomllib

    meta = tomllib.loads((tmp_path / "c/meta.toml").read_text())
    assert meta == {"kernel": "6.18", "captured_at": 1.5, "how": 'by "hand"\n'}


def test_file_that_was_not_read_to_its_end_is_not_kept(original: Path) -> None:
    recording = Recording()
    files = RecordingProcRoot(open_root(str(original)), recording)
    next(files.chunks("/proc/net/tcp"))
    assert recording.files == {}


def test_everything_reads_the_same_from_the_capture(original: Path, tmp_path: Path) -> None:
    recording = Recording()

    def look(files: ProcRoot) -> list[object]:
        with files.process(42) as process:
            seen: list[object] = [
                sorted(number for number, target in process.descriptors()),
                dict(process.descriptors())[b"3"],
                process.read("comm"),
                process.uid(),
                process.link("ns/net"),
                sorted(process.names("fd")),
            ]
        return [
            *seen,
            files.pids(),
            files.inode("/proc/42/ns/net"),
            files.owner("/proc/42"),
            files.link("/proc/42/ns/net"),
            files.read("/proc/net/tcp"),
        ]

    live = look(RecordingProcRoot(open_root(str(original)), recording))
    write_capture(str(tmp_path / "c"), recording, {})
    assert look(open_root(str(tmp_path / "c"))) == live


def test_names_of_files_that_others_have_open_stay_private(original: Path, tmp_path: Path) -> None:
    recording = Recording()
    with RecordingProcRoot(open_root(str(original)), recording).process(42) as process:
        assert dict(process.descriptors())[b"4"] == b"/home/me/secret plans"
    write_capture(str(tmp_path / "c"), recording, {})
    assert os.readlink(tmp_path / "c/proc/42/fd/3") == "socket:[4711]"
    assert os.readlink(tmp_path / "c/proc/42/fd/4") == "-"


def test_inodes_of_folders_are_kept(tmp_path: Path) -> None:
    (tmp_path / "cg/a b").mkdir(parents=True)

    class Folders(ProcRoot):
        def folders(self, path: str) -> list[tuple[str, int]]:
            return [("a b", 77), ("c\td\n", 78)]

        def inode(self, path: str) -> int:
            return 1

    recording = Recording()
    files = RecordingProcRoot(Folders(), recording)
    assert files.folders("/sys/fs/cgroup") == [("a b", 77), ("c\td\n", 78)]
    assert files.inode("/sys/fs/cgroup") == 1
    write_capture(str(tmp_path / "c"), recording, {})
    captured = open_root(str(tmp_path / "c"))
    assert sorted(captured.folders("/sys/fs/cgroup")) == [("a b", 77), ("c\td\n", 78)]
    assert captured.inode("/sys/fs/cgroup") == 1


def test_refusal_is_kept(tmp_path: Path) -> None:
    class Refusing(ProcRoot):
        def names(self, path: str) -> list[str]:
            raise SourceDenied(path, "Permission denied", errno.EACCES)

    recording = Recording()
    with pytest.raises(SourceDenied):
        RecordingProcRoot(Refusing(), recording).names("/proc/1/fd")
    write_capture(str(tmp_path / "c"), recording, {})
    with pytest.raises(SourceDenied):
        open_root(str(tmp_path / "c")).names("/proc/1/fd")


def test_recorder_lets_nothing_but_files_be_asked() -> None:
    assert not RecordingProcRoot(ProcRoot(), Recording()).live


def test_answer_is_kept_as_it_came(tmp_path: Path) -> None:
    recording = Recording()
    request = Request("unix_diag", b"\1" + bytes(23))
    datagrams = [unix(1) + unix(2), unix(3, b"abc")]
    assert list(RecordingTransport(Answers(*datagrams), recording).dump(request)) == datagrams
    assert replay(recording, tmp_path / "c", request) == b"".join(datagrams)
    assert (tmp_path / "c/netlink/unix_diag.nl").read_bytes()[:-20] == b"".join(datagrams)


def test_empty_answer_is_kept(tmp_path: Path) -> None:
    recording = Recording()
    request = Request("unix_diag", b"\1" + bytes(23))
    assert list(RecordingTransport(Answers(), recording).dump(request)) == []
    assert replay(recording, tmp_path / "c", request) == b""


@pytest.mark.parametrize(
    "error",
    [
        SourceUnavailable("netlink:unix_diag", "No such file or directory", errno.ENOENT),
        SourceDenied("netlink:unix_diag", "Operation not permitted", errno.EPERM),
        SourceInterrupted("netlink:unix_diag", "changed"),
        SourceTruncated("netlink:unix_diag", "lost", errno.ENOBUFS),
        SourceTruncated("netlink:unix_diag", "MSG_TRUNC"),
    ],
)
def test_failure_is_replayed(error: SourceError, tmp_path: Path) -> None:
    recording = Recording()
    request = Request("unix_diag", b"\1" + bytes(23))
    with pytest.raises(type(error)):
        list(RecordingTransport(Answers(unix(1), error=error), recording).dump(request))
    got = []
    write_capture(str(tmp_path / "c"), recording, {})
    with pytest.raises(type(error)) as caught:  # noqa: PT012
        for datagram in CaptureTransport(str(tmp_path / "c")).dump(request):
            got.append(datagram)  # noqa: PERF402
    assert got == [unix(1)]
    if error.errno:
        assert caught.value.errno == error.errno


def test_answer_that_was_not_read_to_its_end_is_incomplete(tmp_path: Path) -> None:
    recording = Recording()
    request = Request("unix_diag", b"\1" + bytes(23))
    answer = RecordingTransport(Answers(unix(1), unix(2)), recording).dump(request)
    next(answer)
    answer.close()
    with pytest.raises(SourceTruncated):
        replay(recording, tmp_path / "c", request)


def test_second_attempt_replaces_the_first(tmp_path: Path) -> None:
    recording = Recording()
    request = Request("unix_diag", b"\1" + bytes(23))
    failing = Answers(unix(1), unix(2), error=SourceInterrupted("netlink:unix_diag", "changed"))
    with pytest.raises(SourceInterrupted):
        list(RecordingTransport(failing, recording).dump(request))
    list(RecordingTransport(Answers(unix(1)), recording).dump(request))
    assert replay(recording, tmp_path / "c", request) == unix(1)
