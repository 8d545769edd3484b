"""A file that a run leaves for the next one. Its place may be shared, full, read-only, or laid out by somebody else.

Nothing that another user could have written is believed, nothing but a regular file is opened, no symbolic link is followed in
the last component. Whoever writes holds the lock of ``FILE.lock`` and puts a whole new file in the old one's place, so that a
reader, which needs no lock, gets the old one or the new one.
"""

from __future__ import annotations

import os
from _signal import ITIMER_REAL, SIGALRM, setitimer, signal  # type: ignore[import-not-found]  # start-up: docs/rejected.md
from errno import EISDIR, ELOOP, ENOENT, ETIMEDOUT
from stat import S_ISDIR, S_ISREG

from sockdiag.errors import SourceDenied, SourceError, SourceTruncated, SourceUnavailable
from sockdiag.sources.system.proc_root import source_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# What is larger was not written here.
MAX_BYTES = 16 << 20

_COMMON = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_FOREIGN_WRITE = 0o022


class StateFile:
    """One file.

    Args:
        path: where it is; its folder must be there.
    """

    __slots__ = ("_name", "folder", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self.folder, self._name = os.path.split(path)

    def read(self) -> bytes | None:
        """Return its content, None where there is no such file (nor folder).

        Raises:
            SourceDenied: others own it or may write to it, or it may not be read.
            SourceUnavailable: it is no regular file.
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
            os.close(folder)

    def update(self, change: Callable[[bytes | None], bytes | None], patience_s: float) -> bool:
        """Put a new file in the place of the old one.

        Args:
            change: makes the new content of the present one, None where there is none; it returns None to leave it.
            patience_s: how long to wait for whoever is just writing.

        Returns:
            Whether there is a new file.

        Raises:
            SourceError: it cannot be written, as :meth:`read`, or the lock was not to be had. The old file is still there.
        """
        folder = self._open_folder()
        try:
            lock = self._lock(folder, patience_s)
            try:
                data = change(self._read(folder))
                if data is not None:
                    self._replace(folder, data)
                return data is not None
            finally:
                os.close(lock)
        finally:
            os.close(folder)

    def _open_folder(self) -> int:
        path = self.folder or "."
        try:
            return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise source_error(path, error) from None

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
            kind = "a folder" if S_ISDIR(stat.st_mode) else "no regular file"
            refusal = SourceUnavailable(path, kind, EISDIR)
        elif stat.st_uid != os.geteuid():
            refusal = SourceDenied(path, f"belongs to user {stat.st_uid}, and this is user {os.geteuid()}")
        elif stat.st_mode & _FOREIGN_WRITE:
            refusal = SourceDenied(path, f"may be written by others (mode {stat.st_mode & 0o777:04o})")
        elif stat.st_size > MAX_BYTES:
            refusal = SourceTruncated(path, f"larger than {MAX_BYTES} bytes")
        if refusal is not None:
            os.close(fd)
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
            os.close(fd)
        if len(data) > MAX_BYTES:
            raise SourceTruncated(self.path, f"larger than {MAX_BYTES} bytes")
        return data

    def _lock(self, folder: int, patience_s: float) -> int:
        from fcntl import LOCK_EX, flock

        path = f"{self.path}.lock"
        fd = self._open(folder, f"{self._name}.lock", os.O_RDWR | os.O_CREAT)
        try:
            # Whoever waits in the kernel gets it in turn; who tries again and again may never get it.
            with _Patience(patience_s):
                flock(fd, LOCK_EX)
        except BaseException as error:
            os.close(fd)
            if isinstance(error, _Late):
                reason = f"others hold the lock for more than {patience_s:g} s"
                raise SourceTruncated(path, reason, ETIMEDOUT) from None
            if isinstance(error, OSError):
                raise _error(path, error) from None
            raise
        return fd

    def _replace(self, folder: int, data: bytes) -> None:
        # Under the lock nobody else has this name; what an interrupted run left of it goes.
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
                # Some file systems say only now that the disk is full.
                os.close(fd)
            os.rename(name, self._name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError as error:
            try:  # noqa: SIM105 - same
                os.unlink(name, dir_fd=folder)
            except OSError:
                pass
            raise _error(self.path, error) from None


class _Late(Exception):
    """Patience is at its end."""


class _Patience:
    """Raise _Late in a block that takes longer; for the main thread."""

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
    # "Run as root" is no advice on a file that is this user's own.
    return type(failure)(failure.source, failure.reason, failure.errno)


def private_folder(path: str) -> None:
    """Make a folder that only this user may write to, or take one that is there.

    Raises:
        SourceError: it cannot be made, or others own it or may write to it.
    """
    try:
        os.makedirs(path, 0o700, exist_ok=True)
        stat = os.lstat(path)
    except OSError as error:
        raise _error(path, error) from None
    if not S_ISDIR(stat.st_mode) or stat.st_uid != os.geteuid() or stat.st_mode & _FOREIGN_WRITE:
        raise SourceDenied(path, f"no folder that only user {os.geteuid()} may write to")
