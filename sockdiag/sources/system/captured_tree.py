"""The files of a captured system as a tree in which nothing is trusted: links are followed with its own root as /.

:class:`FolderTree` is a tree on disk. One that is read from an archive is in ``sockdiag.sources.capture.packed_tree``.
"""

from __future__ import annotations

import errno
import os
from stat import S_ISDIR, S_ISLNK, S_ISREG

from sockdiag.sources.system.proc_root import close_fd, pieces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    class Tree(Protocol):
        """Files by absolute path; every method raises OSError."""

        @property
        def path(self) -> str:
            """Name of the folder or archive."""
            ...

        def chunks(self, path: str) -> Iterator[bytes]:
            """Open a regular file now, and yield it in pieces."""
            ...

        def names(self, path: str) -> list[str]:
            """List a folder."""
            ...

        def link(self, path: str) -> str:
            """Read a symbolic link, not following it."""
            ...

        def links(self, path: str) -> Iterator[tuple[bytes, bytes]]:
            """Yield name and text of each symbolic link in a folder."""
            ...

        def folders(self, path: str) -> list[tuple[str, bool]]:
            """List a folder, and which of its entries are folders themselves."""
            ...


# As many as path_resolution(7) allows.
MAX_LINKS = 40

_PATH = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class FolderTree:
    """A folder.

    Args:
        path: the folder. It may be named by a link: whoever names it has chosen it.
        inner: the folder in it that is the root, if it is not itself; not a link.
    """

    __slots__ = ("_inner", "_root", "path")

    def __init__(self, path: str, inner: str = "") -> None:
        self._root = path
        self._inner = inner
        self.path = f"{path}/{inner}" if inner else path

    def chunks(self, path: str) -> Iterator[bytes]:
        """Open a regular file now, and yield it in pieces."""
        return pieces(self._open(path, regular=True), path)

    def names(self, path: str) -> list[str]:
        """List a folder."""
        folder = self._open(path)
        try:
            return os.listdir(folder)
        finally:
            close_fd(folder)

    def link(self, path: str) -> str:
        """Read a symbolic link, not following it."""
        head, _, tail = path.rpartition("/")
        folder = self._open(head)
        try:
            return os.readlink(tail, dir_fd=folder)
        finally:
            close_fd(folder)

    def links(self, path: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield name and text of each symbolic link in a folder."""
        folder = self._open(path)
        try:
            for name in os.listdir(folder):
                one = name.encode("utf-8", "surrogateescape")
                try:
                    yield one, os.readlink(one, dir_fd=folder)
                except OSError:
                    continue
        finally:
            close_fd(folder)

    def folders(self, path: str) -> list[tuple[str, bool]]:
        """List a folder, and which of its entries are folders themselves."""
        folder = self._open(path)
        try:
            return [
                (name, S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode))
                for name in os.listdir(folder)
            ]
        finally:
            close_fd(folder)

    def _open(self, path: str, *, regular: bool = False) -> int:
        if "\0" in path:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        # What openat2(2) with RESOLVE_IN_ROOT does (5.6), for any kernel: one component at a time, links by their text.
        trail = [os.open(self._root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)]
        try:
            if self._inner:
                outer = trail.pop()
                try:
                    trail.append(os.open(self._inner, _PATH | os.O_DIRECTORY, dir_fd=outer))
                finally:
                    close_fd(outer)
            return _opened(trail, path, regular=regular)
        finally:
            for fd in trail:
                close_fd(fd)


class SubTree:
    """A folder of a tree as a tree of its own. Links are followed in the whole tree, and lead out of that nowhere.

    Args:
        tree: the whole.
        prefix: the folder's absolute path.
    """

    __slots__ = ("_prefix", "_tree", "path")

    def __init__(self, tree: Tree, prefix: str) -> None:
        self._tree = tree
        self._prefix = prefix
        self.path = tree.path + prefix

    def chunks(self, path: str) -> Iterator[bytes]:
        """Open a regular file now, and yield it in pieces."""
        return self._tree.chunks(self._prefix + path)

    def names(self, path: str) -> list[str]:
        """List a folder."""
        return self._tree.names(self._prefix + path)

    def link(self, path: str) -> str:
        """Read a symbolic link, not following it."""
        return self._tree.link(self._prefix + path)

    def links(self, path: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield name and text of each symbolic link in a folder."""
        return self._tree.links(self._prefix + path)

    def folders(self, path: str) -> list[tuple[str, bool]]:
        """List a folder, and which of its entries are folders themselves."""
        return self._tree.folders(self._prefix + path)


def _opened(trail: list[int], path: str, *, regular: bool) -> int:
    ahead = path.split("/")[::-1]
    name = "."
    links = 0
    while ahead:
        part = ahead.pop()
        if part in {"", "."}:
            continue
        if part == "..":
            if len(trail) > 1:
                close_fd(trail.pop())
            continue
        found = os.open(part, _PATH, dir_fd=trail[-1])
        if S_ISLNK(os.fstat(found).st_mode):
            try:
                text = os.readlink("", dir_fd=found)
            finally:
                close_fd(found)
            links += 1
            if links > MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            if text.startswith("/"):
                while len(trail) > 1:
                    close_fd(trail.pop())
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
        close_fd(opened)
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return opened
