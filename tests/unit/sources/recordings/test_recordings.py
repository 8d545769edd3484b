"""A recording: what was written is read again, whatever happened to the folder."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import SourceError, UsageError
from sockdiag.sources.recordings import writer as writing
from sockdiag.sources.recordings.folder import INDEX, is_recording
from sockdiag.sources.recordings.reader import RecordingReader
from sockdiag.sources.recordings.sample import StoredMoment, decode, encode
from sockdiag.sources.recordings.segment import HEADER, START
from sockdiag.sources.recordings.writer import RecordingWriter, boot_bytes
from tests.program import FIXTURES, invoke
from tests.recordings import BEGIN, BOOT, moment_of, record, small

if TYPE_CHECKING:
    from pathlib import Path


def recorded(path: Path, numbers: range) -> None:
    """Record small moments, 5 s apart."""
    record(path, ((small(n), BEGIN + 5 * n, 100.0 + 5 * n, BOOT) for n in numbers))


def readable(path: Path) -> list[int]:
    """Return the numbers of the moments that can be read, which hold what was recorded then."""
    recording = RecordingReader(str(path))
    found = []
    for moment in recording.moments:
        try:
            parts = recording.parts(moment).parts
        except SourceError:
            continue
        number = round((moment.monotonic - 100) / 5)
        assert parts == small(number).parts
        found.append(number)
    return found


def segment(path: Path, number: int = 1) -> Path:
    """Return the file of a segment."""
    return path / f"{number:08d}.seg"


def test_a_moment_comes_back() -> None:
    """From nothing, and as a change of another."""
    whole, other = moment_of(FIXTURES / "6.18-world"), moment_of(FIXTURES / "6.18-unprivileged")
    for before, now in ((StoredMoment(), whole), (whole, whole), (whole, other), (other, whole)):
        assert decode(before, encode(before, now)).parts == now.parts
    assert len(encode(whole, whole)) < 100


def test_moments_come_back(tmp_path: Path) -> None:
    """In several segments, of which no process writes into that of another."""
    recorded(tmp_path / "r", range(5))
    recorded(tmp_path / "r", range(5, 9))
    assert is_recording(str(tmp_path / "r"))
    assert readable(tmp_path / "r") == list(range(9))
    assert sorted(p.name for p in (tmp_path / "r").glob("*.seg")) == ["00000001.seg", "00000002.seg"]


@pytest.mark.parametrize("damage", ["missing", "empty", "short", "other", "torn"])
def test_an_index_can_be_lost(tmp_path: Path, damage: str) -> None:
    """What it does not tell is read from the segment."""
    recorded(tmp_path / "r", range(6))
    index = segment(tmp_path / "r").with_suffix(INDEX)
    whole = index.read_bytes()
    index.unlink()
    if damage != "missing":
        told = {"empty": b"", "short": whole[: len(whole) // 2], "torn": whole[:-7], "other": bytes(len(whole))}
        index.write_bytes(told[damage])
    assert readable(tmp_path / "r") == list(range(6))


def test_an_index_of_another_segment_misleads_nobody(tmp_path: Path) -> None:
    """Of the same size, with other moments."""
    recorded(tmp_path / "r", range(6))
    recorded(tmp_path / "other", range(50, 56))
    shutil.copy(segment(tmp_path / "other").with_suffix(INDEX), segment(tmp_path / "r").with_suffix(INDEX))
    recording = RecordingReader(str(tmp_path / "r"))
    for moment in recording.moments:
        try:
            assert recording.parts(moment).parts in [small(n).parts for n in range(6)]
        except SourceError:
            continue


def test_a_torn_end_costs_the_last_moment(tmp_path: Path) -> None:
    """Wherever the writer was killed, with an index or without one; and the next recorder goes on in a segment of its own."""
    recorded(tmp_path / "whole", range(4))
    body = segment(tmp_path / "whole").read_bytes()
    last = RecordingReader(str(tmp_path / "whole")).moments[-1].entry
    for cut in (last.offset, last.offset + 1, last.offset + HEADER, last.end - 1):
        path = tmp_path / f"cut{cut}"
        shutil.copytree(tmp_path / "whole", path)
        segment(path).write_bytes(body[:cut])
        assert readable(path) == [0, 1, 2]
        recorded(path, range(4, 6))
        assert readable(path) == [0, 1, 2, 4, 5]


def test_every_byte_may_be_another(tmp_path: Path) -> None:
    """What can be read is right; segments that are not damaged are read whole."""
    chance = random.Random(2)
    recorded(tmp_path / "r", range(4))
    recorded(tmp_path / "r", range(4, 8))
    recorded(tmp_path / "r", range(8, 12))
    body = segment(tmp_path / "r", 2).read_bytes()
    for _ in range(60):
        damaged = bytearray(body)
        at = chance.randrange(len(body))
        damaged[at] ^= 1 << chance.randrange(8)
        segment(tmp_path / "r", 2).write_bytes(bytes(damaged))
        if chance.random() < 0.5:
            segment(tmp_path / "r", 2).with_suffix(INDEX).unlink(missing_ok=True)
        found = readable(tmp_path / "r")
        assert [n for n in found if not 4 <= n < 8] == [*range(4), *range(8, 12)]
        first = RecordingReader(str(tmp_path / "r"))
        # Moments in front of the damage are there.
        before = [m for m in first.moments if m.segment == 2 and m.entry.end <= at]
        assert found[4 : 4 + len(before)] == [4, 5, 6, 7][: len(before)]


def test_a_recorder_refuses_what_is_not_its_own(tmp_path: Path) -> None:
    """A folder of something else, and a recording that another one writes to."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter").touch()
    with pytest.raises(UsageError, match="something else"):
        RecordingWriter(str(tmp_path / "home"))
    assert [p.name for p in (tmp_path / "home").iterdir()] == ["letter"]
    first = RecordingWriter(str(tmp_path / "r"))
    with pytest.raises(SourceError, match=f"another recorder writes to it .process {os.getpid()}"):
        RecordingWriter(str(tmp_path / "r"))
    first.close()
    RecordingWriter(str(tmp_path / "r")).close()


@pytest.mark.parametrize("fails", ["begin", "write", "sync"])
def test_a_full_disk_costs_what_is_written_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str) -> None:
    """The moment is not there, those before are, and the next one is a change of the last that is."""
    path = tmp_path / "r"
    writer = RecordingWriter(str(path))
    if fails != "begin":
        writer.append(small(0), BEGIN, 100.0, BOOT)

    def full(fd: int, data: bytes) -> None:
        os.write(fd, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "full")

    def sync(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patched:
        if fails == "sync":
            patched.setattr("os.fdatasync", sync)
        else:
            patched.setattr(writing, "write_all", full)
        for _ in range(3):
            with pytest.raises(OSError, match="full"):
                writer.append(small(1), BEGIN + 5, 105.0, BOOT)
    for number in (2, 3):
        writer.append(small(number), BEGIN + 5 * number, 100.0 + 5 * number, BOOT)
    writer.close()
    assert readable(path) == [*([0] if fails != "begin" else []), 2, 3]
    assert segment(path).read_bytes()[: len(START)] == START
    assert sorted(p.name for p in path.iterdir()) == ["00000001.idx", "00000001.seg", "lock"]


def test_old_segments_are_deleted_whole(tmp_path: Path) -> None:
    """By age, which the monotonic clock counts within a boot: a clock that was set deletes nothing."""
    path = tmp_path / "r"
    writer = RecordingWriter(str(path), keep_s=100)
    year = 365 * 86400.0
    for number in range(60):
        wall = BEGIN + 5 * number + (year if number > 30 else 0)
        writer.append(small(number), wall, 100.0 + 5 * number, BOOT)
        kept = readable(path)
        assert kept == list(range(kept[0], number + 1))
        # What is younger than --keep is there, and little else.
        assert number - 25 <= kept[0] <= max(0, number - 20)
    writer.close()
    recorded(path, range(60, 61))
    assert readable(path)[-1] == 60


def test_a_recording_stays_below_its_size(tmp_path: Path) -> None:
    """The oldest segments go; the one that is written to stays."""
    path, most = tmp_path / "r", 40_000
    writer = RecordingWriter(str(path), max_bytes=most)
    for number in range(300):
        moment = small(number)
        moment.file("/proc/noise", 0, (random.Random(number).randbytes(500),))
        writer.append(moment, BEGIN + 5 * number, 100.0 + 5 * number, BOOT)
        assert writer.size <= most + 6000
    writer.close()
    assert 20 < len(RecordingReader(str(path)).moments) < 100
    assert sum(p.stat().st_size for p in path.glob("*.seg")) <= most + 6000


def test_a_boot_begins_a_segment(tmp_path: Path) -> None:
    """Without a process in between, as if a machine had been restored from a snapshot."""
    other = boot_bytes("6f1c1bd7-0000-4000-8000-0123456789ab")
    moments = [(0, 100.0, BOOT), (1, 105.0, BOOT), (2, 3.0, other), (3, 8.0, other)]
    record(tmp_path / "r", ((small(n), BEGIN + 5 * n, at, boot) for n, at, boot in moments))
    assert [m.segment for m in RecordingReader(str(tmp_path / "r")).moments] == [1, 1, 2, 2]


def test_hostile_folders(tmp_path: Path) -> None:
    """Links, pipes and folders in the place of segments are no segments, and nothing waits for them."""
    path = tmp_path / "r"
    recorded(path, range(3))
    os.mkfifo(path / "00000002.seg")
    (path / "00000004.seg").mkdir()
    with pytest.raises(SourceError):
        RecordingReader(str(path))
    os.unlink(path / "00000002.seg")
    (path / "00000004.seg").rmdir()
    (path / "00000003.seg").symlink_to("/etc/passwd")
    with pytest.raises(SourceError):
        RecordingReader(str(path))


def test_a_damaged_end_leaves_the_moments_before_it(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    record(folder, [(small(number), BEGIN + 5 * number, 100.0 + 5 * number, BOOT) for number in range(6)])
    recording = RecordingReader(str(folder))
    assert recording.newest_readable().number == 5
    entry = recording.moments[4].entry
    file = segment(folder)
    body = bytearray(file.read_bytes())
    body[entry.offset + HEADER + 3] ^= 0x55
    file.write_bytes(body)
    damaged = RecordingReader(str(folder))
    assert damaged.newest_readable().number == 3
    body[damaged.moments[0].entry.offset + HEADER + 3] ^= 0x55
    file.write_bytes(body)
    with pytest.raises(SourceError, match="moment 5 cannot be read"):
        RecordingReader(str(folder)).newest_readable()


def test_a_history_tells_of_the_moments_before_a_damaged_end(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    record(folder, [(small(number), BEGIN + 5 * number, 100.0 + 5 * number, BOOT) for number in range(6)])
    file = segment(folder)
    body = bytearray(file.read_bytes())
    body[RecordingReader(str(folder)).moments[4].entry.offset + HEADER + 3] ^= 0x55
    file.write_bytes(body)
    shown = invoke("history", str(folder), "--json")
    assert shown.status == 0, shown.err
    document = json.loads(shown.out)
    assert [document[key] for key in ("judged", "unread", "recorded")] == [4, 2, 6]
