"""The folder of a recording: its segments, an index for each, and the lock of the one recorder that may write.

``00000001.seg`` is a segment and ``00000001.idx`` the headers of its records, so that a reader need not look for them in the segment. An index
that is missing, damaged or short is no loss: what it lacks is read from the segment.
"""

from __future__ import annotations

import errno
import os
from stat import S_ISREG
from struct import Struct

from sockdiag.errors import SourceError, SourceUnavailable
from sockdiag.sources.recordings.segment import HEADER, START, entries, entry_of
from sockdiag.sources.system.proc_root import close_fd, source_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.recordings.segment import Entry

SEGMENT, INDEX, LOCK = ".seg", ".idx", "lock"
_DIGITS = 8
MAX_SEGMENTS = 100_000
MAX_ENTRIES = 4_000_000

_OFFSET = Struct("<Q")
_ROW = _OFFSET.size + HEADER
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def segment_name(number: int, suffix: str = SEGMENT) -> str:
    """Return the name of a segment, or of its index."""
    return f"{number:0{_DIGITS}d}{suffix}"


def is_recording(path: str) -> bool:
    """Return whether a folder holds a recording."""
    try:
        return any(map(_number, os.listdir(path)))
    except OSError:
        return False


def segments(folder: str | int) -> list[int]:
    """Return the numbers of a recording's segments, oldest first; OSError if the folder cannot be read."""
    return sorted(filter(None, map(_number, os.listdir(folder))))[-MAX_SEGMENTS:]


def _number(name: str) -> int:
    stem = name.removesuffix(SEGMENT)
    return int(stem) if stem != name and len(stem) == _DIGITS and stem.isascii() and stem.isdecimal() else 0


def open_segment(folder: str, number: int, suffix: str = SEGMENT) -> int:
    """Open a segment or its index for reading; OSError if it is gone, or no regular file."""
    fd = os.open(f"{folder}/{segment_name(number, suffix)}", _READ)
    if not S_ISREG(os.fstat(fd).st_mode):
        close_fd(fd)
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return fd


def read_entries(folder: str, number: int) -> list[Entry]:
    """Return the records of a segment, from its index as far as that goes; none if the segment is gone.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        fd = open_segment(folder, number)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise source_error(f"{folder}/{segment_name(number)}", error) from None
    try:
        size = os.fstat(fd).st_size
        found = _indexed(folder, number, size)
        if (found[-1].end if found else len(START)) != size:
            return list(entries(fd))
    except OSError as error:
        raise source_error(f"{folder}/{segment_name(number)}", error) from None
    else:
        return found
    finally:
        close_fd(fd)


def _indexed(folder: str, number: int, size: int) -> list[Entry]:
    """Return the records that an index names, if they follow each other without a gap; else none."""
    try:
        fd = open_segment(folder, number, INDEX)
    except OSError:
        return []
    try:
        body = os.pread(fd, min(os.fstat(fd).st_size, _ROW * MAX_ENTRIES), 0)
    except OSError:
        return []
    finally:
        close_fd(fd)
    found: list[Entry] = []
    following = len(START)
    for at in range(0, len(body) - _ROW + 1, _ROW):
        (offset,) = _OFFSET.unpack_from(body, at)
        entry = entry_of(body[at + _OFFSET.size : at + _ROW], offset)
        if entry is None or offset != following or entry.end > size or entry.number != len(found):
            return []
        found.append(entry)
        following = entry.end
    return found


def index_row(entry: Entry) -> bytes:
    """Return a record's line of the index."""
    return _OFFSET.pack(entry.offset) + entry.header()


class Lock:
    """The right to write to a recording, which one process has at a time; the kernel gives it back when the process ends.

    Args:
        folder: descriptor of the recording's folder.
        path: its path, for messages.

    Raises:
        SourceError: another recorder has it, or the folder may not be written.
    """

    __slots__ = ("_fd",)

    def __init__(self, folder: int, path: str) -> None:
        import fcntl

        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            self._fd = os.open(LOCK, flags, 0o600, dir_fd=folder)
        except OSError as error:
            raise source_error(path, error) from None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._fd, 20, 0).strip()
            close_fd(self._fd)
            if error.errno != errno.EWOULDBLOCK:
                raise source_error(path, error) from None
            who = f" (process {holder.decode()})" if holder.isdigit() else ""
            raise SourceUnavailable(path, f"another recorder writes to it{who}", error.errno) from None
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, b"%d\n" % os.getpid(), 0)
        except OSError:
            return  # the number is only for people

    def close(self) -> None:
        """Give it back."""
        close_fd(self._fd)


def not_a_recording(path: str) -> SourceError:
    """Return the error of a folder without segments."""
    return SourceUnavailable(path, "no recording: it has no segments", errno.ENOENT)
