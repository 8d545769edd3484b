"""The files of a captured system out of an archive, without a folder on disk: an index, and the content in one place.

The content is kept in memory or, if there is more, in a file without a name: the kernel frees both when the last process
that uses them ends, however it ends.
"""

from __future__ import annotations

import errno
import os

from sockdiag.sources.system.captured_tree import MAX_LINKS
from sockdiag.sources.system.proc_root import close_fd, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    # A folder, the text of a link, or first byte and length of a file's content.
    Node: TypeAlias = "dict[str, Node] | str | tuple[int, int]"

# Memory that an entry of a folder takes besides the letters of its name, roughly.
NODE_BYTES = 256
_IN_MEMORY = 64 << 20
_PIECE = 1 << 18


class Content:
    """Bytes that are written once, one piece after the other, and read at any place.

    Args:
        place: opens the file for more than is kept in memory; by default one without a name in the folder for temporary files.
        in_memory: bytes that are kept in memory.
    """

    __slots__ = ("_fd", "_held", "_in_memory", "_place", "size")

    def __init__(self, place: Callable[[], int] | None = None, in_memory: int | None = None) -> None:
        self.size = 0
        self._place = place or unnamed_file
        self._in_memory = _IN_MEMORY if in_memory is None else in_memory
        self._held = bytearray()
        self._fd = -1

    def __del__(self) -> None:
        if self._fd >= 0:
            close_fd(self._fd)

    def append(self, piece: bytes) -> None:
        """Write at the end; OSError if there is no room."""
        self.size += len(piece)
        if self._fd < 0:
            if self.size <= self._in_memory:
                self._held += piece
                return
            self._fd = self._place()
            self._write(self._held)
            self._held = bytearray()
        self._write(piece)

    def read(self, start: int, length: int) -> bytes:
        """Return some bytes; OSError if the disk fails."""
        if self._fd < 0:
            return bytes(self._held[start : start + length])
        # Without the file's position, which forked processes share.
        return os.pread(self._fd, length, start)

    def _write(self, data: bytes | bytearray) -> None:
        write_all(self._fd, data)


def unnamed_file() -> int:
    """Open a file without a name in the folder for temporary files; OSError if there is no room."""
    from tempfile import TemporaryFile

    with TemporaryFile(prefix="sockdiag-") as file:
        return os.dup(file.fileno())


class PackedTree:
    """The tree of an archive; see :class:`~sockdiag.sources.system.captured_tree.Tree`.

    Args:
        path: the archive, for messages.
    """

    __slots__ = ("_content", "_root", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._root: dict[str, Node] = {}
        self._content = Content()

    def add_folder(self, parts: list[str]) -> int:
        """Make a folder and those above it.

        Returns:
            Bytes of memory that the new entries take.

        Raises:
            NotADirectoryError: one of the names is taken by something else.
        """
        new = 0
        folder = self._root
        for part in parts:
            inner = folder.get(part)
            if inner is None:
                inner = folder[part] = {}
                new += len(part) + NODE_BYTES
            if not isinstance(inner, dict):
                raise NotADirectoryError(part)
            folder = inner
        return new

    def add(self, parts: list[str], node: str | tuple[int, int]) -> int:
        """Put a link or a file in its place, and in that of an earlier one; returns and raises as :meth:`add_folder`."""
        new = self.add_folder(parts[:-1])
        folder = self._root
        for part in parts[:-1]:
            folder = folder[part]  # type: ignore[assignment]
        if isinstance(folder.get(parts[-1]), dict):
            raise IsADirectoryError(parts[-1])
        folder[parts[-1]] = node
        return new + NODE_BYTES + len(parts[-1]) + (len(node) if isinstance(node, str) else 0)

    def file(self, parts: list[str]) -> tuple[int, int] | None:
        """Return a file, for a hard link to it; None if there is none, no link being followed."""
        node: Node = self._root
        for part in parts:
            node = node.get(part) if isinstance(node, dict) else None  # type: ignore[assignment]
        return node if isinstance(node, tuple) else None

    def store(self, pieces: Iterator[bytes]) -> tuple[int, int]:
        """Keep the content of a file; OSError if there is no room."""
        start = self._content.size
        for piece in pieces:
            self._content.append(piece)
        return start, self._content.size - start

    def has_folder(self, path: str) -> bool:
        """Return whether a path leads to a folder."""
        try:
            return isinstance(self._find(path), dict)
        except OSError:
            return False

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield a file in pieces."""
        node = self._find(path)
        if not isinstance(node, tuple):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        return self._pieces(*node)

    def names(self, path: str) -> list[str]:
        """List a folder."""
        return list(self._folder(path))

    def link(self, path: str) -> str:
        """Read a symbolic link, not following it."""
        head, _, tail = path.rpartition("/")
        folder = self._folder(head)
        if tail not in folder:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        node = folder[tail]
        if not isinstance(node, str):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return node

    def links(self, path: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield name and text of each symbolic link in a folder."""
        for name, node in self._folder(path).items():
            if isinstance(node, str):
                yield name.encode("utf-8", "surrogateescape"), node.encode("utf-8", "surrogateescape")

    def folders(self, path: str) -> list[tuple[str, bool]]:
        """List a folder, and which of its entries are folders themselves."""
        return [(name, isinstance(node, dict)) for name, node in self._folder(path).items()]

    def _pieces(self, start: int, length: int) -> Iterator[bytes]:
        while length:
            piece = self._content.read(start, min(length, _PIECE))
            if not piece:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            yield piece
            start += len(piece)
            length -= len(piece)

    def _folder(self, path: str) -> dict[str, Node]:
        node = self._find(path)
        if not isinstance(node, dict):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return node

    def _find(self, path: str) -> Node:
        trail: list[Node] = [self._root]
        ahead = path.split("/")[::-1]
        links = 0
        while ahead:
            part = ahead.pop()
            if part in {"", "."}:
                continue
            if part == "..":
                if len(trail) > 1:
                    trail.pop()
                continue
            folder = trail[-1]
            if not isinstance(folder, dict):
                raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            node = folder.get(part)
            if node is None:
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
            if not isinstance(node, str):
                trail.append(node)
                continue
            links += 1
            if links > MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            if node.startswith("/"):
                del trail[1:]
            ahead.extend(node.split("/")[::-1])
        return trail[-1]
