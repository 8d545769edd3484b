"""Files of a captured system. They may come from anywhere, so nothing in them is trusted.

Symbolic links are followed as on the captured system, with the tree's root as /; none leads out of it. Only regular files
are opened. Inodes and refusals, which a copy loses, are in ``stat.tsv`` if the capture has one.
"""

from __future__ import annotations

import errno
from itertools import islice

from sockdiag.errors import MAX_ERRNO, SourceError, SourceUnavailable
from sockdiag.sources.system.captured_tree import FolderTree, SubTree
from sockdiag.sources.system.proc_root import ProcessFiles, ProcRoot, source_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.sources.system.captured_tree import Tree

STAT_FILE = "/stat.tsv"

_MAX_INODE = (1 << 64) - 1
_MAX_UID = (1 << 32) - 1
_DIGITS = 20


def open_root(root: str) -> ProcRoot:
    """Open the files of this system ("" or "/"), or of a captured one below a folder, in which nothing is trusted."""
    return CapturedRoot(root) if root not in {"", "/"} else ProcRoot()


class CapturedRoot(ProcRoot):
    """Files of a captured system at their own absolute paths, read from a tree and nowhere else.

    Args:
        root: the tree, or a folder that holds it.
    """

    __slots__ = ("_stats", "_tree")

    def __init__(self, root: str | Tree) -> None:
        self._tree = FolderTree(root) if isinstance(root, str) else root
        super().__init__(self._tree.path)
        self._stats: dict[str, Stat] | None = None

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield a file in pieces; errors as :meth:`ProcRoot.read`."""
        try:
            chunks = self._tree.chunks(path)
        except OSError as error:
            raise self._refused(path, error) from None
        yield from chunks

    def names(self, path: str) -> list[str]:
        """List a folder; errors as :meth:`ProcRoot.read`."""
        try:
            return self._tree.names(path)
        except OSError as error:
            raise self._refused(path, error) from None

    def link(self, path: str) -> str:
        """Read a symbolic link; errors as :meth:`ProcRoot.read`."""
        try:
            return self._tree.link(path)
        except OSError as error:
            raise self._refused(path, error) from None

    def links(self, path: str) -> Iterator[tuple[str, str]]:
        """Yield name and target of each symbolic link in a folder; errors as :meth:`ProcRoot.read`."""
        for name, text in self.descriptors(path):
            yield name.decode("utf-8", "surrogateescape"), text.decode("utf-8", "surrogateescape")

    def owner(self, path: str) -> int:
        """Return the effective user of a process; a copied folder belongs to the user who copied it.

        Raises:
            SourceUnavailable: its status was not captured.
        """
        for line in self.read(f"{path}/status").splitlines():
            name, *uids = line.split() or [b""]
            if name == b"Uid:" and len(uids) >= 2 and (uid := _within(uids[1], _MAX_UID)) is not None:
                return uid
        raise SourceUnavailable(path, "its owner was not captured", errno.ENODATA)

    def inode(self, path: str) -> int:
        """Return the inode that a path led to, as far as the capture records it; errors as :meth:`ProcRoot.read`."""
        stat = self._stat(path)
        if stat is not None and stat.inode is not None:
            return stat.inode
        # Links of /proc/PID/ns: TYPE:[INODE]
        number = self.link(path).rpartition("[")[2].removesuffix("]")
        inode = _within(number.encode("utf-8", "surrogateescape"), _MAX_INODE)
        if inode is not None:
            return inode
        raise SourceUnavailable(path, "its inode was not captured", errno.ENODATA)

    def size(self, path: str) -> int:
        """Return the size that was noted of a file that could not be read; 0 for none."""
        stat = self._stat(path)
        return stat.size or 0 if stat is not None else 0

    def folders(self, path: str) -> list[tuple[str, int]]:
        """List name and inode of the folders in a folder; an inode that was not captured is 0."""
        found = []
        try:
            entries = self._tree.folders(path)
        except OSError as error:
            raise self._refused(path, error) from None
        for name, is_folder in entries:
            noted = self._stat(f"{path}/{name}")
            inode = None if noted is None else noted.inode
            if inode is not None or is_folder:
                found.append((name, inode or 0))
        return found

    def below(self, folder: str) -> ProcRoot:
        """Return the files below one of its folders, at the same paths there."""
        return CapturedRoot(SubTree(self._tree, folder))

    def process(self, pid: int) -> ProcessFiles:
        """Open the folder of a process; errors as :meth:`ProcRoot.read`."""
        return CapturedProcess(self, pid)

    def descriptors(self, path: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield name and text of each symbolic link in a folder; errors as :meth:`ProcRoot.read`."""
        try:
            yield from self._tree.links(path)
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

    def size(self, name: str) -> int:
        """Return the size of a file that could not be read, if it was noted; 0 otherwise."""
        return self._files.size(f"{self.path}/{name}")

    def link(self, name: str) -> str:
        """Read a symbolic link; errors as :meth:`ProcRoot.read`."""
        return self._files.link(f"{self.path}/{name}")

    def uid(self) -> int:
        """Return the effective user; errors as :meth:`ProcRoot.owner`."""
        return self._files.owner(self.path)

    def descriptors(self, most: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield number and link target of each open descriptor; errors as :meth:`ProcRoot.read`."""
        return islice(self._files.descriptors(f"{self.path}/fd"), most)


class Stat:
    """What the copy of a file loses: its inode where it was asked for, why it could not be read if it could not, and its size then."""

    __slots__ = ("errno", "inode", "size")

    def __init__(self, inode: int | None = None, errno: int | None = None, size: int | None = None) -> None:
        self.inode = inode
        self.errno = errno
        self.size = size


def parse_stats(body: bytes) -> dict[str, Stat]:
    """Parse ``stat.tsv``: inode, errno ("-" for unknown), path, and perhaps a size; other lines are left out."""
    stats = {}
    for line in body.split(b"\n"):
        columns = line.split(b"\t")
        if len(columns) in (3, 4):
            inode, number = _within(columns[0], _MAX_INODE), _within(columns[1], MAX_ERRNO)
            size = _within(columns[3], _MAX_INODE) if len(columns) == 4 else None
            stats[unescaped(columns[2]).decode("utf-8", "surrogateescape")] = Stat(inode, number, size)
    return stats


def _within(digits: bytes, most: int) -> int | None:
    # A number that the kernel could have given, or None.
    number = int(digits) if digits.isdigit() and len(digits) <= _DIGITS else None
    return number if number is None or number <= most else None


def format_stats(stats: dict[str, Stat]) -> bytes:
    """Format entries as :func:`parse_stats` reads them."""

    def text(number: int | None) -> str:
        return "-" if number is None else str(number)

    return b"".join(
        b"%b\t%b%b\n"
        % (
            "\t".join((text(stat.inode), text(stat.errno))).encode(),
            escaped(path.encode("utf-8", "surrogateescape")),
            b"" if stat.size is None else b"\t%d" % stat.size,
        )
        for path, stat in sorted(stats.items())
    )


def escaped(text: bytes) -> bytes:
    """Return a text as a cell of a captured table: without tabs and line ends."""
    return text.replace(b"\\", b"\\\\").replace(b"\t", b"\\t").replace(b"\n", b"\\n")


def unescaped(cell: bytes) -> bytes:
    """Return the text of a cell that :func:`escaped` made."""
    return b"\\".join(part.replace(b"\\t", b"\t").replace(b"\\n", b"\n") for part in cell.split(b"\\\\"))
