"""Replace a file atomically, because others may read it at any moment. Its folder is often the collector's, not ours."""

from __future__ import annotations

import os
import time
from errno import EEXIST
from stat import S_ISREG

from sockdiag.errors import SourceError
from sockdiag.sources.system.folders import open_folder
from sockdiag.sources.system.proc_root import close_fd

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
        path: the file; anything other than a regular file, such as a device, is not replaced. Links of other users on the
            way to it are not followed.
        text: the whole content.

    Raises:
        OSError: it could not be written, with *path* as its file name; the old file is kept.
    """
    place, name = os.path.split(path)
    try:
        folder = open_folder(place, foreign=True)
    except SourceError as error:
        raise OSError(error.errno, error.reason, path) from None
    try:
        _replace(folder, name, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        close_fd(folder)


def _replace(folder: int, name: str, data: bytes) -> None:
    try:
        there = os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        pass
    else:
        if not S_ISREG(there.st_mode):
            raise OSError(EEXIST, "not a regular file")
    temporary = f".{name}.{os.urandom(6).hex()}{_SUFFIX}"
    try:
        _write(folder, temporary, data)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        _remove(folder, temporary)
        raise
    for old in _left_behind(folder, f".{name}."):
        _remove(folder, old)


def _write(folder: int, name: str, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.fchmod(fd, _MODE)
        os.fsync(fd)
    finally:
        os.close(fd)


def _left_behind(folder: int, start: str) -> Iterator[str]:
    before = time.time() - _LEFT_BEHIND_S
    try:
        names = _names(folder)
    except OSError:
        return
    for name in names:
        if name.startswith(start) and name.endswith(_SUFFIX):
            try:
                if os.lstat(name, dir_fd=folder).st_mtime < before:
                    yield name
            except OSError:
                continue


def _names(folder: int) -> list[str]:
    # The descriptor of the folder is for paths only, which listdir() cannot read.
    readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        return os.listdir(readable)
    finally:
        close_fd(readable)


def _remove(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        return
