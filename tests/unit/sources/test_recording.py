from __future__ import annotations

import errno
import struct
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import SourceError, SourceUnavailable
from sockdiag.sources._transport import Request
from sockdiag.sources.capture import CaptureTransport
from sockdiag.sources.recorders import RecordingTransport
from sockdiag.sources.recording import Recording, write_capture
from tests.unit.sources.netlink_messages import DONE, Answers, nlmsg

if TYPE_CHECKING:
    from pathlib import Path


def unix(inode: int, rest: bytes = b"", state: int = 1) -> bytes:
    return nlmsg(struct.pack("=BBBxIQ", 1, 1, state, inode, inode) + rest)


def inet(family: int, cookie: int) -> bytes:
    return nlmsg(struct.pack("=BBBB40xQ20x", family, 1, 0, 0, cookie))


def replay(recording: Recording, folder: Path, request: Request) -> bytes:
    write_capture(str(folder), recording, {"kernel": "x"})
    return b"".join(CaptureTransport(str(folder)).dump(request))


def test_answers_of_one_name_become_one(tmp_path: Path) -> None:
    """Each socket once, with the most attributes, whatever the states and attributes asked for were."""
    recording = Recording()
    listening = Request("unix_diag", b"\1a", states=1 << 10)
    everything = Request("unix_diag", b"\1b")
    list(RecordingTransport(Answers(unix(1, b"more", state=10)), recording).dump(listening))
    list(RecordingTransport(Answers(unix(1, state=10) + unix(2)), recording).dump(everything))
    assert replay(recording, tmp_path / "c", everything) == unix(1, b"more", state=10) + unix(2)
    assert b"".join(CaptureTransport(str(tmp_path / "c")).dump(listening)) == unix(1, b"more", state=10)


def test_what_the_kernel_sent_twice_is_kept_twice(tmp_path: Path) -> None:
    recording = Recording()
    request = Request("unix_diag", b"\1")
    list(RecordingTransport(Answers(unix(1) + unix(1)), recording).dump(request))
    assert replay(recording, tmp_path / "c", request) == unix(1) * 2


def test_walk_of_both_families_is_kept_by_family(tmp_path: Path) -> None:
    recording = Recording()
    both = Request("inet_diag_tcp+tcp6", bytes(64), type=18)
    list(RecordingTransport(Answers(inet(2, 1) + inet(10, 2) + inet(2, 3)), recording).dump(both))
    assert replay(recording, tmp_path / "c", both) == inet(2, 1) + inet(2, 3) + inet(10, 2)
    files = {path.name: path.read_bytes() for path in (tmp_path / "c/netlink").iterdir()}
    assert files["inet_diag_tcp.nl"][:-20] == inet(2, 1) + inet(2, 3)
    assert files["inet_diag_tcp6.nl"][:-20] == inet(10, 2)
    assert files["inet_diag_tcp6.nl"][-20:][:6] == DONE[:6]


def test_failed_answer_does_not_spoil_a_whole_one(tmp_path: Path) -> None:
    recording = Recording()
    request, other = Request("unix_diag", b"\1"), Request("unix_diag", b"\2")
    list(RecordingTransport(Answers(unix(1)), recording).dump(request))
    with pytest.raises(SourceUnavailable):
        list(RecordingTransport(Answers(error=SourceUnavailable("x", "y", errno.ENOENT)), recording).dump(other))
    assert replay(recording, tmp_path / "c", request) == unix(1)


def test_existing_folder_is_not_written_to(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        write_capture(str(tmp_path), Recording(), {})


def test_paths_stay_below_the_folder(tmp_path: Path) -> None:
    recording = Recording()
    recording.files["/proc/../../x"] = b""
    with pytest.raises(AssertionError):
        write_capture(str(tmp_path / "c"), recording, {})
