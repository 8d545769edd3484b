"""Files of a captured system. The folder may come from anywhere, so nothing in it is trusted.

Symbolic links are followed as on the captured system, with the folder as /; none leads out of it. Only regular files
are opened. Inodes and refusals, which a copy loses, are in ``stat.tsv`` if the capture has one.
"""

from __future__ import annotations

import errno
import os
from stat import S_ISDIR, S_ISLNK, S_ISREG

from sockdiag.errors import SourceError, SourceUnavailable
from sockdiag.sources.system.proc_root import ProcessFiles, ProcRoot, pieces, source_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

STAT_FILE = "/stat.tsv"

# As many as path_resolution(7) allows.
_MAX_LINKS = 40

_PATH = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def open_root(root: str) -> ProcRoot:
    """Open the files of this system ("" or "/"), or of a captured one below a folder, in which nothing is trusted."""
    return CapturedRoot(root) if root not in {"", "/"} else ProcRoot()


class CapturedRoot(ProcRoot):
    """Files of a captured system at their own absolute paths, read below *root* and nowhere else."""

    __slots__ = ("_stats",)

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self._stats: dict[str, Stat] | None = None

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield a file in pieces; errors as :meth:`ProcRoot.read`."""
        yield from pieces(self._open(path, regular=True), path)

    def names(self, path: str) -> list[str]:
        """List a folder; errors as :meth:`ProcRoot.read`."""
        folder = self._open(path)
        try:
            return os.listdir(folder)
        except OSError as error:
            raise source_error(path, error) from None
        finally:
            os.close(folder)

    def link(self, path: str) -> str:
        """Read a symbolic link; errors as :meth:`ProcRoot.read`."""
        head, _, tail = path.rpartition("/")
        folder = self._open(head)
        try:
            return os.readlink(tail, dir_fd=folder)
        except OSError as error:
            raise self._refused(path, error) from None
        finally:
            os.close(folder)

    def owner(self, path: str) -> int:
        """Return the effective user of a process; a copied folder belongs to the user who copied it.

        Raises:
            SourceUnavailable: its status was not captured.
        """
        for line in self.read(f"{path}/status").splitlines():
            name, *uids = line.split() or [b""]
            if name == b"Uid:" and len(uids) >= 2 and uids[1].isdigit():
                return int(uids[1])
        raise SourceUnavailable(path, "its owner was not captured", errno.ENODATA)

    def inode(self, path: str) -> int:
        """Return the inode that a path led to, as far as the capture records it; errors as :meth:`ProcRoot.read`."""
        stat = self._stat(path)
        if stat is not None and stat.inode is not None:
            return stat.inode
        # Links of /proc/PID/ns: TYPE:[INODE]
        number = self.link(path).rpartition("[")[2].removesuffix("]")
        if number.isascii() and number.isdecimal():
            return int(number)
        raise SourceUnavailable(path, "its inode was not captured", errno.ENODATA)

    def folders(self, path: str) -> list[tuple[str, int]]:
        """List name and inode of the folders in a folder; an inode that was not captured is 0."""
        folder = self._open(path)
        found = []
        try:
            for name in os.listdir(folder):
                noted = self._stat(f"{path}/{name}")
                inode = None if noted is None else noted.inode
                if inode is not None or S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                    found.append((name, inode or 0))
        except OSError as error:
            raise source_error(path, error) from None
        finally:
            os.close(folder)
        return found

    def process(self, pid: int) -> ProcessFiles:
        """Open the folder of a process; errors as :meth:`ProcRoot.read`."""
        return CapturedProcess(self, pid)

    def descriptors(self, path: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield name and text of each symbolic link in a folder; errors as :meth:`ProcRoot.read`."""
        folder = self._open(path)
        try:
            for name in os.listdir(folder):
                number = name.encode("utf-8", "surrogateescape")
                try:
                    yield number, os.readlink(number, dir_fd=folder)
                except OSError:
                    continue
        except OSError as error:
            raise source_error(path, error) from None
        finally:
            os.close(folder)

    def _open(self, path: str, *, regular: bool = False) -> int:
        try:
            return _open_beneath(self.root, path, regular=regular)
        except OSError as error:
            raise self._refused(path, error) from None

    def _refused(self, path: str, error: OSError) -> SourceError:
        # The error that the captured system itself gave, if it was noted; that of a folder counts for its content.
        if path != STAT_FILE and error.errno == errno.ENOENT:
            stat = self._stat(path) or self._stat(path.rpartition("/")[0])
            if stat is not None and stat.errno:
                return source_error(path, OSError(stat.errno, ""))
        return source_error(path, error)

    def _stat(self, path: str) -> Stat | None:
        if self._stats is None:
            try:
                self._stats = parse_stats(self.read(STAT_FILE))
            except SourceUnavailable:
                self._stats = {}
        return self._stats.get(path)


class CapturedProcess(ProcessFiles):
    """Files of one process of a captured system."""

    __slots__ = ("_files",)

    def __init__(self, files: CapturedRoot, pid: int) -> None:
        self.path = f"/proc/{pid}"
        self._files = files
        files.names(self.path)

    def __exit__(self, *_exception: object) -> None:
        pass

    def read(self, name: str) -> bytes:
        """Read a whole file; errors as :meth:`ProcRoot.read`."""
        return self._files.read(f"{self.path}/{name}")

    def names(self, name: str) -> list[str]:
        """List a folder; errors as :meth:`ProcRoot.read`."""
        return self._files.names(f"{self.path}/{name}")

    def link(self, name: str) -> str:
        """Read a symbolic link; errors as :meth:`ProcRoot.read`."""
        return self._files.link(f"{self.path}/{name}")

    def uid(self) -> int:
        """Return the effective user; errors as :meth:`ProcRoot.owner`."""
        return self._files.owner(self.path)

    def descriptors(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield number and link target of each open descriptor; errors as :meth:`ProcRoot.read`."""
        return self._files.descriptors(f"{self.path}/fd")


class Stat:
    """What the copy of a file loses: its inode where it was asked for, and why it could not be read if it could not."""

    __slots__ = ("errno", "inode")

    def __init__(self, inode: int | None = None, errno: int | None = None) -> None:
        self.inode = inode
        self.errno = errno


def parse_stats(body: bytes) -> dict[str, Stat]:
    """Parse ``stat.tsv``: inode, errno ("-" for unknown) and path; other lines are left out."""
    stats = {}
    for line in body.split(b"\n"):
        columns = line.split(b"\t", 2)
        if len(columns) == 3:
            numbers = [int(c) if c.isdigit() and len(c) <= 20 else None for c in columns[:2]]
            parts = columns[2].split(b"\\\\")
            path = b"\\".join(part.replace(b"\\t", b"\t").replace(b"\\n", b"\n") for part in parts)
            stats[path.decode("utf-8", "surrogateescape")] = Stat(*numbers)
    return stats


def format_stats(stats: dict[str, Stat]) -> bytes:
    """Format entries as :func:`parse_stats` reads them."""

    def text(number: int | None) -> str:
        return "-" if number is None else str(number)

    return b"".join(
        b"%b\t%b\n"
        % (
            "\t".join((text(stat.inode), text(stat.errno))).encode(),
            path.encode("utf-8", "surrogateescape")
            .replace(b"\\", b"\\\\")
            .replace(b"\t", b"\\t")
            .replace(b"\n", b"\\n"),
        )
        for path, stat in sorted(stats.items())
    )


def _open_beneath(root: str, path: str, *, regular: bool) -> int:
    # What openat2(2) with RESOLVE_IN_ROOT does (5.6), for any kernel: one component at a time, links by their text.
    trail = [os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)]
    try:
        ahead = path.split("/")[::-1]
        name = "."
        links = 0
        while ahead:
            part = ahead.pop()
            if part in {"", "."}:
                continue
            if part == "..":
                if len(trail) > 1:
                    os.close(trail.pop())
                continue
            found = os.open(part, _PATH, dir_fd=trail[-1])
            if S_ISLNK(os.fstat(found).st_mode):
                try:
                    text = os.readlink("", dir_fd=found)
                finally:
                    os.close(found)
                links += 1
                if links > _MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                if text.startswith("/"):
                    while len(trail) > 1:
                        os.close(trail.pop())
                ahead.extend(text.split("/")[::-1])
            else:
                trail.append(found)
                name = part
        mode = os.fstat(trail[-1]).st_mode
        if not regular:
            return os.open(".", _READ | os.O_DIRECTORY, dir_fd=trail[-1])
        if S_ISDIR(mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not S_ISREG(mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        opened = os.open(name, _READ, dir_fd=trail[-2])
        if not S_ISREG(os.fstat(opened).st_mode):
            os.close(opened)
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return opened
    finally:
        for fd in trail:
            os.close(fd)
