"""The only opener of /proc and /sys files, below a root that tests and ``--root`` choose."""

from __future__ import annotations

import errno
import os

from sockdiag.errors import SourceDenied, SourceError, SourceTruncated, SourceUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# A row of /proc/net/tcp is 150 bytes: this is room for 7 million sockets, and stops a file that never ends.
MAX_FILE = 1 << 30
_CHUNK = 1 << 18

_ROOT_HINT = "run as root"


class ProcRoot:
    """Files of /proc and /sys at their own absolute paths, read below *root*.

    Args:
        root: "" for this system, or the folder of a captured one.
    """

    __slots__ = ("root",)

    def __init__(self, root: str = "") -> None:
        self.root = root.rstrip("/") if root != "/" else ""

    @property
    def live(self) -> bool:
        """Tell whether this is the running system and not a captured one."""
        return not self.root

    def read(self, path: str) -> bytes:
        """Read a whole file, in as few read(2) calls as the kernel allows.

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
            fd = os.open(self.root + path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise source_error(path, error) from None
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
            os.close(fd)

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


def source_error(path: str, error: OSError) -> SourceError:
    """Turn an OSError on *path* into the SourceError that names it."""
    number = error.errno
    reason = os.strerror(number) if number else str(error)
    if number in (errno.EACCES, errno.EPERM):
        return SourceDenied(path, reason, number, _ROOT_HINT)
    if number in (errno.ENOENT, errno.ESRCH, errno.ENOTDIR, errno.ENXIO, errno.ELOOP, errno.EINVAL, errno.ENODEV):
        return SourceUnavailable(path, reason, number)
    return SourceTruncated(path, reason, number)
