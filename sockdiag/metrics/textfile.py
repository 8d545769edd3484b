"""Replace a file atomically, because others may read it at any moment."""

from __future__ import annotations

import os
import time
from errno import EEXIST
from stat import S_ISREG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# The collector runs as another user.
_MODE = 0o644
# Age in seconds at which the leftover of a killed run is removed.
_LEFT_BEHIND_S = 600.0
_SUFFIX = ".tmp"


def replace_file(path: str, text: str) -> None:
    """Replace or create a file, with mode 0644.

    The text goes to a temporary file in the same folder, which rename(2) then moves over the old one, so readers see either
    the old file or the new one. The temporary name does not end in .prom, so that no collector reads it.

    Args:
        path: the file; anything other than a regular file, such as a device, is not replaced.
        text: the whole content.

    Raises:
        OSError: it could not be written, with *path* as its file name; the old file is kept.
    """
    folder, name = os.path.split(path)
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        pass
    else:
        if not S_ISREG(there.st_mode):
            raise OSError(EEXIST, "not a regular file", path)
    temporary = os.path.join(folder, f".{name}.{os.urandom(6).hex()}{_SUFFIX}")
    try:
        _write(temporary, text.encode("utf-8", "backslashreplace"))
        os.replace(temporary, path)
    except OSError as error:
        _remove(temporary)
        raise OSError(error.errno, error.strerror, path) from None
    for old in _left_behind(folder or ".", f".{name}."):
        _remove(old)


def _write(path: str, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.fchmod(fd, _MODE)
        os.fsync(fd)
    finally:
        os.close(fd)


def _left_behind(folder: str, start: str) -> Iterator[str]:
    before = time.time() - _LEFT_BEHIND_S
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        if name.startswith(start) and name.endswith(_SUFFIX):
            path = os.path.join(folder, name)
            try:
                if os.lstat(path).st_mtime < before:
                    yield path
            except OSError:
                continue


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return
