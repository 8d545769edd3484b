"""The only opener of /proc and /sys files, below a root that tests and ``--root`` choose."""

from __future__ import annotations

import errno
import os

from sockdiag.errors import SourceDenied, SourceError, SourceTruncated, SourceUnavailable, strerror

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

# A row of /proc/net/tcp is 150 bytes: this is room for 7 million sockets, and stops a file that never ends.
MAX_FILE = 1 << 30
_CHUNK = 1 << 18
_PID_DIGITS = 7  # of PID_MAX_LIMIT, 4194304

_ROOT_HINT = "run as root"

_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_FOLDER = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY


def close_fd(fd: int) -> None:
    """Close a descriptor that nothing was written to; the kernel lets go of it whatever it answers."""
    try:  # noqa: SIM105 - contextlib is not for start-up
        os.close(fd)
    except OSError:
        pass


def write_all(fd: int, data: bytes | bytearray) -> None:
    """Write all of some bytes; OSError if that fails."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


class ProcRoot:
    """Files of /proc and /sys at their own absolute paths, read below *root*.

    Args:
        root: "" for this system. Captured ones are opened by :func:`sockdiag.sources.system.captured_root.open_root`.
    """

    __slots__ = ("root",)

    def __init__(self, root: str = "") -> None:
        self.root = root.rstrip("/")

    @property
    def live(self) -> bool:
        """Return whether this is the running system and not a captured one."""
        return not self.root

    def read(self, path: str) -> bytes:
        """Read a whole file, in as few system calls as the kernel allows.

        Raises:
            SourceUnavailable: it does not exist.
            SourceDenied: it may not be read.
            SourceTruncated: it is larger than MAX_FILE, or a read failed half way.
        """
        chunks = list(self.chunks(path))
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield a file in pieces, for tables that are large; errors as :meth:`read`."""
        try:
            fd = os.open(self.root + path, _FILE)
        except OSError as error:
            raise source_error(path, error) from None
        yield from pieces(fd, path)

    def names(self, path: str) -> list[str]:
        """List a directory; errors as :meth:`read`."""
        try:
            return os.listdir(self.root + path)
        except OSError as error:
            raise source_error(path, error) from None

    def link(self, path: str) -> str:
        """Read a symbolic link, as those of /proc/PID/fd and /proc/PID/ns; errors as :meth:`read`."""
        try:
            return os.readlink(self.root + path)
        except OSError as error:
            raise source_error(path, error) from None

    def links(self, path: str) -> Iterator[tuple[str, str]]:
        """Yield name and target of each symbolic link in a folder, in the folder's order; errors of listing as :meth:`read`."""
        try:
            folder = os.open(self.root + path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise source_error(path, error) from None
        readlink = os.readlink
        try:
            for name in os.listdir(folder):
                try:
                    yield name, readlink(name, dir_fd=folder)
                except OSError:
                    continue
        except OSError as error:
            raise source_error(path, error) from None
        finally:
            close_fd(folder)

    def owner(self, path: str) -> int:
        """Return the uid that owns a file, for /proc/PID the process's effective user; errors as :meth:`read`."""
        try:
            return os.stat(self.root + path).st_uid
        except OSError as error:
            raise source_error(path, error) from None

    def inode(self, path: str) -> int:
        """Return the inode that a path leads to; errors as :meth:`read`."""
        try:
            return os.stat(self.root + path).st_ino
        except OSError as error:
            raise source_error(path, error) from None

    def folders(self, path: str) -> list[tuple[str, int]]:
        """List name and inode of the folders in a folder; errors as :meth:`read`."""
        try:
            with os.scandir(self.root + path) as entries:
                return [(e.name, e.inode()) for e in entries if e.is_dir(follow_symlinks=False)]
        except OSError as error:
            raise source_error(path, error) from None

    def below(self, folder: str) -> ProcRoot:
        """Return the files that a captured system holds below one of its folders, at the same paths there."""
        return ProcRoot(self.root + folder)

    def pids(self) -> list[int]:
        """List the processes, lowest number first; errors as :meth:`read`."""
        names = self.names("/proc")
        return sorted(
            int(n) for n in names if n[0] in "123456789" and n.isascii() and n.isdecimal() and len(n) <= _PID_DIGITS
        )

    def process(self, pid: int) -> ProcessFiles:
        """Open the folder of a process; errors as :meth:`read`."""
        return ProcessFiles(self.root, pid)


class ProcessFiles:
    """Files of one process through its opened folder: they stay that process's when its number is given out again.

    Names are relative to /proc/PID. When the process has ended, everything raises SourceUnavailable.
    """

    __slots__ = ("_folder", "path")

    def __init__(self, root: str, pid: int) -> None:
        self.path = f"/proc/{pid}"
        try:
            self._folder = os.open(root + self.path, os.O_PATH | _FOLDER)
        except OSError as error:
            raise source_error(self.path, error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        close_fd(self._folder)

    def read(self, name: str) -> bytes:
        """Read a whole file; errors as :meth:`ProcRoot.read`."""
        return b"".join(pieces(self._open(name, _FILE), f"{self.path}/{name}"))

    def names(self, name: str) -> list[str]:
        """List a folder; errors as :meth:`ProcRoot.read`."""
        folder = self._open(name, _FOLDER)
        try:
            return os.listdir(folder)
        except OSError as error:
            raise source_error(f"{self.path}/{name}", error) from None
        finally:
            close_fd(folder)

    def size(self, name: str) -> int:
        """Return the size of a file by stat(2); errors as :meth:`ProcRoot.read`."""
        try:
            return os.stat(name, dir_fd=self._folder).st_size
        except OSError as error:
            raise source_error(f"{self.path}/{name}", error) from None

    def link(self, name: str) -> str:
        """Read a symbolic link; errors as :meth:`ProcRoot.read`."""
        try:
            return os.readlink(name, dir_fd=self._folder)
        except OSError as error:
            raise source_error(f"{self.path}/{name}", error) from None

    def uid(self) -> int:
        """Return the effective user. The kernel reports 0 for a process that has ended: read something else afterwards."""
        try:
            return os.stat(self._folder).st_uid
        except OSError as error:
            raise source_error(self.path, error) from None

    def descriptors(self, most: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield number and link target of each open descriptor; errors as :meth:`ProcRoot.read`.

        One that is closed meanwhile is left out. Nothing that a descriptor leads to is touched: stat(2) on a file of a
        dead network file system would wait for it.

        Source: ``proc_readfd()``, ``proc_pid_readlink()``.

        Args:
            most: how many are wanted, those with the lowest numbers; None for all.
        """
        folder = self._open("fd", _FOLDER)
        readlink = os.readlink
        try:
            for name in os.listdir(folder) if most is None else _first_names(folder, most):
                number = name.encode("utf-8", "surrogateescape")
                try:
                    target = readlink(number, dir_fd=folder)
                except OSError as error:
                    # Who may list the folder need not be allowed to read its links (ptrace_may_access()).
                    if error.errno in (errno.EACCES, errno.EPERM):
                        raise
                    continue
                yield number, target
        except OSError as error:
            raise source_error(f"{self.path}/fd", error) from None
        finally:
            close_fd(folder)

    def _open(self, name: str, flags: int) -> int:
        try:
            return os.open(name, flags, dir_fd=self._folder)
        except OSError as error:
            raise source_error(f"{self.path}/{name}", error) from None


def _first_names(folder: int, most: int) -> list[str]:
    # The kernel makes an inode of each descriptor that it lists (5 us): the rest of 100,000 is not asked for.
    with os.scandir(folder) as entries:
        return [entry.name for _number, entry in zip(range(most), entries, strict=False)]


def pieces(fd: int, path: str) -> Iterator[bytes]:
    """Yield an opened file in pieces and close it; *path* names it in errors, which are those of ProcRoot.read()."""
    total = 0
    try:
        while True:
            chunk = os.read(fd, _CHUNK)
            if not chunk:
                return
            total += len(chunk)
            yield chunk
            if total > MAX_FILE:
                raise SourceTruncated(path, f"larger than {MAX_FILE} bytes, rest not read")
    except OSError as error:
        raise source_error(path, error) from None
    finally:
        close_fd(fd)


def source_error(path: str, error: OSError) -> SourceError:
    """Turn an OSError on *path* into the SourceError that names it."""
    number = error.errno
    reason = strerror(number) if number else str(error)
    if number in (errno.EACCES, errno.EPERM):
        return SourceDenied(path, reason, number, _ROOT_HINT)
    if number in (
        errno.ENOENT,
        errno.ESRCH,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ENXIO,
        errno.ELOOP,
        errno.EINVAL,
        errno.ENODEV,
    ):
        return SourceUnavailable(path, reason, number)
    return SourceTruncated(path, reason, number)
