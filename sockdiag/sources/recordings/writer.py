"""Write a recording: append moments, begin new segments, delete old ones.

A moment is in the recording when its record is whole on the disk; a process that is killed at any moment loses the one that it was writing and no
other. Nothing is ever written into the segment of an earlier process.
"""

from __future__ import annotations

import os
from zlib import crc32

from sockdiag.errors import UsageError
from sockdiag.sources.recordings.folder import (
    INDEX,
    LOCK,
    SEGMENT,
    Lock,
    index_row,
    read_entries,
    segment_name,
    segments,
)
from sockdiag.sources.recordings.sample import StoredMoment, encode
from sockdiag.sources.recordings.segment import CHANGE, START, WHOLE, Entry
from sockdiag.sources.system.folders import open_folder
from sockdiag.sources.system.proc_root import close_fd, source_error, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# A new segment begins when the changes take so many times the room of the whole moment, or at the latest after so many moments: to
# show one, a reader goes through its segment up to it.
_TIMES, _MOMENTS = 3, 240
# A segment is at most this part of the bounds, because only whole ones are deleted.
_PART = 8
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE = 0o600


class RecordingWriter:
    """Appends moments to a recording.

    Args:
        path: its folder, which is made if it does not exist.
        keep_s: seconds after which segments are deleted; None for never.
        max_bytes: bytes that all segments together may take; None for any number.

    Raises:
        UsageError: the folder holds something else.
        SourceError: it cannot be written, or another recorder writes to it.
    """

    def __init__(self, path: str, *, keep_s: float | None = None, max_bytes: int | None = None) -> None:
        self.path = path
        self._keep_s = keep_s
        self._max_bytes = max_bytes
        self._folder = open_folder(path, foreign=True, create=True)
        self._lock: Lock | None = None
        self._open: _Segment | None = None
        # Segments on the disk: number, bytes, and the last record.
        self._closed: list[tuple[int, int, Entry | None]] = []
        try:
            place = f"/proc/self/fd/{self._folder}"
            self._refuse_others(place)
            self._lock = Lock(self._folder, path)
            for number in segments(place):
                size = os.stat(segment_name(number), dir_fd=self._folder, follow_symlinks=False).st_size
                self._closed.append((number, size, next(reversed(read_entries(place, number)), None)))
        except OSError as error:
            self.close()
            raise source_error(path, error) from None
        except BaseException:
            self.close()
            raise

    @property
    def size(self) -> int:
        """Bytes that all segments take."""
        return sum(size for _number, size, _last in self._closed) + (self._open.size if self._open else 0)

    @property
    def segments(self) -> int:
        """Number of segments."""
        return len(self._closed) + (self._open is not None)

    def append(self, moment: StoredMoment, wall: float, monotonic: float, boot: bytes) -> Entry:
        """Add a moment.

        Returns:
            Its record.

        Raises:
            OSError: it could not be written. Everything is as before, and the next moment may be tried.
        """
        self.delete_old(wall, monotonic, boot)
        if self._open is not None and not self._full(monotonic, boot):
            return self._open.append(moment, wall, monotonic, boot)
        number = (self._open.number if self._open else self._closed[-1][0] if self._closed else 0) + 1
        begun = _Segment(self._folder, number)
        try:
            entry = begun.append(moment, wall, monotonic, boot)
        except BaseException:
            begun.abandon()
            raise
        if self._open is not None:
            self._closed.append((self._open.number, self._open.size, self._open.last))
            self._open.close()
        self._open = begun
        return entry

    def delete_old(self, wall: float, monotonic: float, boot: bytes) -> None:
        """Delete whole segments that are too old, or too many; never the one that is written to."""
        while self._closed:
            number, _size, last = self._closed[0]
            too_large = self._max_bytes is not None and self.size > self._max_bytes
            if not too_large and not (last is not None and self._too_old(last, wall, monotonic, boot)):
                return
            # The index first: without a segment it would mean nothing.
            for suffix in (INDEX, SEGMENT):
                _quietly(lambda name: os.unlink(name, dir_fd=self._folder), segment_name(number, suffix))
            del self._closed[0]

    def close(self) -> None:
        """End writing."""
        if self._open is not None:
            self._open.close()
            self._open = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self._folder >= 0:
            close_fd(self._folder)
            self._folder = -1

    def _refuse_others(self, place: str) -> None:
        names = os.listdir(place)
        if names and LOCK not in names and not segments(place):
            raise UsageError(f"{self.path} holds something else than a recording: name a new folder")

    def _too_old(self, last: Entry, wall: float, monotonic: float, boot: bytes) -> bool:
        if self._keep_s is None:
            return False
        # Within a boot the wall clock, which may be set, does not count.
        age = monotonic - last.monotonic if boot == last.boot and any(boot) else wall - last.wall
        return age > self._keep_s

    def _full(self, monotonic: float, boot: bytes) -> bool:
        there = self._open
        assert there is not None
        first, last = there.first, there.last
        assert first is not None
        assert last is not None
        if last.boot != boot or last.monotonic > monotonic:
            return True
        changes = there.size - first.size
        if there.moments >= _MOMENTS or changes > _TIMES * first.size + (1 << 16):
            return True
        if self._max_bytes is not None and there.size > self._max_bytes // _PART:
            return True
        return self._keep_s is not None and monotonic - first.monotonic > self._keep_s / _PART


class _Segment:
    """The segment that is written to."""

    def __init__(self, folder: int, number: int) -> None:
        self._folder = folder
        self.number = number
        self._fd = os.open(segment_name(number), _CREATE, _MODE, dir_fd=folder)
        self._index = -1
        self._before = StoredMoment()
        self.size = 0
        self.moments = 0
        self.first: Entry | None = None
        self.last: Entry | None = None

    def append(self, moment: StoredMoment, wall: float, monotonic: float, boot: bytes) -> Entry:
        body = encode(self._before, moment)
        start = START if self.size == 0 else b""
        kind = WHOLE if self.moments == 0 else CHANGE
        entry = Entry(self.size + len(start), kind, self.moments, len(body), crc32(body), wall, monotonic, boot)
        try:
            write_all(self._fd, start + entry.header() + body)
            os.fdatasync(self._fd)
        except BaseException:
            # What is there of it would hide what follows.
            _quietly(lambda _: self._cut(), "")
            raise
        self.size = entry.end
        self.moments += 1
        self._before = moment
        self.first = self.first or entry
        self.last = entry
        self._note(entry)
        return entry

    def close(self) -> None:
        for fd in (self._fd, self._index):
            if fd >= 0:
                close_fd(fd)
        self._fd = self._index = -1

    def abandon(self) -> None:
        self.close()
        for suffix in (INDEX, SEGMENT):
            _quietly(lambda name: os.unlink(name, dir_fd=self._folder), segment_name(self.number, suffix))

    def _cut(self) -> None:
        os.ftruncate(self._fd, self.size)
        os.lseek(self._fd, self.size, os.SEEK_SET)

    def _note(self, entry: Entry) -> None:
        # A reader that finds less in the index than in the segment does not use it.
        try:
            if self._index < 0:
                self._index = os.open(segment_name(self.number, INDEX), _CREATE, _MODE, dir_fd=self._folder)
            write_all(self._index, index_row(entry))
        except OSError:
            return


def boot_bytes(boot_id: str | None) -> bytes:
    """Return a boot id as a record holds it."""
    try:
        return bytes.fromhex((boot_id or "").replace("-", "")).ljust(16, b"\0")[:16]
    except ValueError:
        return bytes(16)


def _quietly(do: Callable[[str], object], name: str) -> None:
    try:
        do(name)
    except OSError:
        return
