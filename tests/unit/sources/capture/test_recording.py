from __future__ import annotations

import errno
import struct
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import SourceError, SourceUnavailable
from sockdiag.sources.capture.recorders import RecordingTransport
from sockdiag.sources.capture.recording import Recording, without_secrets, write_capture
from sockdiag.sources.capture.transport import CaptureTransport
from sockdiag.sources.system.transport import Request
from tests.unit.sources.netlink_messages import DONE, Answers, nlattr, nlmsg

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


def test_md5_keys_are_not_written(tmp_path: Path) -> None:
    """They are visible with CAP_NET_ADMIN, and a capture is passed on."""
    keys = struct.pack("=BBH16s80s", 2, 32, 6, b"", b"secret") + struct.pack("=BBH16s80s", 2, 24, 3, b"", b"top")
    plain = inet(2, 1)
    message = nlmsg(plain[16:] + nlattr(15, b"abcd") + nlattr(18, keys) + nlattr(21, b"kept"))
    recording = Recording()
    request = Request("inet_diag_tcp", b"\2\0\2" + bytes(53))  # EXT_INFO asks for keys, too
    assert list(RecordingTransport(Answers(message + plain), recording).dump(request)) == [message + plain]
    written = replay(recording, tmp_path / "c", request)
    assert written == message.replace(b"secret", b"******").replace(b"top", b"***") + plain


@pytest.mark.parametrize("damage", [nlattr(18, b"short"), b"\0\0\x12\0", b"\xff\xff\x12\0key", b"\x12"])
def test_damaged_attributes_are_written_as_they_are_or_hidden(damage: bytes) -> None:
    message = nlmsg(inet(2, 1)[16:] + damage)
    assert len(without_secrets(message)) == len(message)
    assert b"key" not in without_secrets(nlmsg(inet(2, 1)[16:] + struct.pack("=HH20s", 200, 18, b"") + b"key"))
