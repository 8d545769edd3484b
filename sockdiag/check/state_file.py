"""A file that one run leaves for the next. Its folder may be shared, full, read-only, or prepared by an attacker.

A file that another user could have written is not trusted, no folder of another user is passed, only regular files are
opened, and no symbolic link is followed in the last component. A writer holds the lock of ``FILE.lock`` and replaces the file atomically, so a reader needs no lock
and gets either the old file or the new one.
"""

from __future__ import annotations

import os
from _signal import ITIMER_REAL, SIGALRM, setitimer, signal  # type: ignore[import-not-found]  # start-up: docs/rejected.md
from errno import EISDIR, ELOOP, ENOENT, ETIMEDOUT
from stat import S_ISDIR, S_ISREG

from sockdiag.errors import SourceDenied, SourceError, SourceTruncated, SourceUnavailable
from sockdiag.sources.system.folders import open_folder
from sockdiag.sources.system.proc_root import close_fd, source_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# A larger file was not written by this program.
MAX_BYTES = 16 << 20

_COMMON = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_FOREIGN_WRITE = 0o022


class StateFile:
    """One file.

    Args:
        path: its path; the folder must exist.
    """

    __slots__ = ("_name", "folder", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self.folder, self._name = os.path.split(path)

    def read(self) -> bytes | None:
        """Return its content; None if the file or its folder does not exist.

        Raises:
            SourceDenied: another user owns it or may write to it, or it may not be read.
            SourceUnavailable: it is not a regular file.
            SourceTruncated: it is larger than MAX_BYTES.
        """
        try:
            folder = self._open_folder()
        except SourceError as error:
            if error.errno == ENOENT:
                return None
            raise
        try:
            return self._read(folder)
        finally:
            close_fd(folder)

    def update(
        self, change: Callable[[bytes | None], bytes | None], patience_s: float, *, rehearse: bool = False
    ) -> bool:
        """Replace the file.

        Args:
            change: takes the present content, None if there is none, and returns the new content, or None to keep the
                file as it is.
            patience_s: seconds to wait for another writer.
            rehearse: write the new content beside the file, and remove it again: whatever would fail has failed then.

        Returns:
            Whether the file was to be replaced.

        Raises:
            SourceError: it cannot be read (see :meth:`read`) or written, or the lock was not released in time. The old file
                is kept.
        """
        folder = self._open_folder()
        try:
            lock = self._lock(folder, patience_s)
            try:
                data = change(self._read(folder))
                if data is not None:
                    self._replace(folder, data, rehearse=rehearse)
                return data is not None
            finally:
                close_fd(lock)
        finally:
            close_fd(folder)

    def _open_folder(self) -> int:
        return open_folder(self.folder)

    def _open(self, folder: int, name: str, flags: int) -> int:
        path = os.path.join(self.folder, name)
        try:
            fd = os.open(name, flags | _COMMON, 0o600, dir_fd=folder)
        except OSError as error:
            if error.errno == ELOOP:
                raise SourceUnavailable(path, "a symbolic link, which is not followed", ELOOP) from None
            raise _error(path, error) from None
        stat = os.fstat(fd)
        refusal: SourceError | None = None
        if not S_ISREG(stat.st_mode):
            kind = "a folder" if S_ISDIR(stat.st_mode) else "not a regular file"
            refusal = SourceUnavailable(path, kind, EISDIR)
        elif stat.st_uid != os.geteuid():
            refusal = SourceDenied(path, f"belongs to user {stat.st_uid}, not to user {os.geteuid()}")
        elif stat.st_mode & _FOREIGN_WRITE:
            refusal = SourceDenied(path, f"writable by others (mode {stat.st_mode & 0o777:04o})")
        elif stat.st_size > MAX_BYTES:
            refusal = SourceTruncated(path, f"larger than {MAX_BYTES} bytes")
        if refusal is not None:
            close_fd(fd)
            raise refusal
        return fd

    def _read(self, folder: int) -> bytes | None:
        try:
            fd = self._open(folder, self._name, os.O_RDONLY)
        except SourceError as error:
            if error.errno == ENOENT:
                return None
            raise
        try:
            data = b""
            while len(data) <= MAX_BYTES and (piece := os.read(fd, MAX_BYTES + 1 - len(data))):
                data += piece
        except OSError as error:
            raise _error(self.path, error) from None
        finally:
            close_fd(fd)
        if len(data) > MAX_BYTES:
            raise SourceTruncated(self.path, f"larger than {MAX_BYTES} bytes")
        return data

    def _lock(self, folder: int, patience_s: float) -> int:
        from fcntl import LOCK_EX, flock

        path = f"{self.path}.lock"
        fd = self._open(folder, f"{self._name}.lock", os.O_RDWR | os.O_CREAT)
        try:
            # Waiters in the kernel get the lock in turn; polling for it may never succeed.
            with _Patience(patience_s):
                flock(fd, LOCK_EX)
        except BaseException as error:
            close_fd(fd)
            if isinstance(error, _Late):
                reason = f"another process held the lock for more than {patience_s:g} s"
                raise SourceTruncated(path, reason, ETIMEDOUT) from None
            if isinstance(error, OSError):
                raise _error(path, error) from None
            raise
        return fd

    def _replace(self, folder: int, data: bytes, *, rehearse: bool) -> None:
        # The lock protects this name; a leftover of an interrupted run is removed.
        name = f"{self._name}.new"
        try:
            try:  # noqa: SIM105 - contextlib is not for start-up
                os.unlink(name, dir_fd=folder)
            except FileNotFoundError:
                pass
            fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _COMMON, 0o600, dir_fd=folder)
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(fd, rest) :]
            finally:
                # Some file systems report only now that the disk is full.
                os.close(fd)
            if rehearse:
                os.unlink(name, dir_fd=folder)
            else:
                os.rename(name, self._name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError as error:
            try:  # noqa: SIM105 - same
                os.unlink(name, dir_fd=folder)
            except OSError:
                pass
            raise _error(self.path, error) from None


class _Late(Exception):
    """The time to wait for the lock is over."""


class _Patience:
    """Raise _Late in a block that takes too long; for the main thread only."""

    __slots__ = ("_before", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        self._before = signal(SIGALRM, self._end)
        setitimer(ITIMER_REAL, self._seconds)

    def __exit__(self, *_exception: object) -> None:
        setitimer(ITIMER_REAL, 0)
        signal(SIGALRM, self._before)

    def _end(self, _number: int, _frame: object) -> None:
        raise _Late


def _error(path: str, error: OSError) -> SourceError:
    failure = source_error(path, error)
    # "Run as root" would be bad advice for this user's own file.
    return type(failure)(failure.source, failure.reason, failure.errno)


def private_folder(path: str) -> None:
    """Create a folder that only this user may write to, or accept an existing one.

    Raises:
        SourceError: it cannot be created, or another user owns it or may write to it, or owns a folder above it.
    """
    folder = open_folder(path, create=True)
    try:
        stat = os.fstat(folder)
    finally:
        close_fd(folder)
    if stat.st_uid != os.geteuid() or stat.st_mode & _FOREIGN_WRITE:
        raise SourceDenied(path, f"not a folder that only user {os.geteuid()} may write to")
