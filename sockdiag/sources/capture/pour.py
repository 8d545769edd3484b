"""Pour a capture that is read into something that takes its parts: the way in which captures are copied."""

from __future__ import annotations

import os

from sockdiag.sources.capture.spool import FILE, FOLDER, LINKS, Extent, new_content

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Protocol

    from sockdiag.sources.system.captured_tree import Tree

    class Sink(Protocol):
        """Takes the parts of a capture."""

        def folder(self, path: str) -> None:
            """Make a folder, and those above it."""
            ...

        def file(self, path: str, size: int, pieces: Iterable[bytes]) -> None:
            """Write a file, and the folders above it."""
            ...

        def links(self, folder: str, links: Iterable[tuple[bytes, bytes]]) -> None:
            """Write symbolic links, by name and text, and the folders above them."""
            ...


# As deep as in an archive.
_MAX_DEPTH = 32


def pour(tree: Tree, sink: Sink) -> None:
    """Give every folder, file and link of a capture to a sink, in the order of their names.

    Raises:
        OSError: something cannot be read.
    """
    pending = [""]
    while pending:
        path = pending.pop()
        folders: list[str] = []
        if path:
            sink.folder(path)
        for name, is_folder in sorted(tree.folders(path or "/")):
            inner = f"{path}/{name}"
            if is_folder:
                if inner.count("/") <= _MAX_DEPTH:
                    folders.append(inner)
            elif not _is_descriptor(path):
                _one(tree, inner, sink)
        if _is_descriptor(path):
            sink.links(path, tree.links(path))
        pending += folders[::-1]


def _is_descriptor(path: str) -> bool:
    # A folder of thousands of links.
    return path.endswith("/fd")


def _one(tree: Tree, path: str, sink: Sink) -> None:
    folder, _, name = path.rpartition("/")
    try:
        text = tree.link(path)
    except OSError:
        sink.file(path, 0, tree.chunks(path))
        return
    sink.links(folder, ((os.fsencode(name), os.fsencode(text)),))


class SpooledParts:
    """Parts of a capture that are kept until they have all come, and can be given to a sink more than once.

    Args:
        place: opens a file without a name for what does not fit in memory.
    """

    __slots__ = ("_content", "_parts")

    def __init__(self, place: Callable[[], int]) -> None:
        self._content = new_content(place)
        self._parts: list[tuple[str, str, Extent]] = []

    def folder(self, path: str) -> None:
        """Keep a folder."""
        self._keep(FOLDER, path, ())

    def file(self, path: str, _size: int, pieces: Iterable[bytes]) -> None:
        """Keep a file."""
        self._keep(FILE, path, pieces)

    def links(self, folder: str, links: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep symbolic links."""
        self._keep(LINKS, folder, (b"%b\0%b\0" % link for link in links))

    def pour(self, sink: Sink) -> None:
        """Give all parts to a sink."""
        for kind, path, extent in self._parts:
            if kind == FOLDER:
                sink.folder(path)
            elif kind == FILE:
                sink.file(path, extent.size, extent.pieces())
            else:
                sink.links(path, _links(extent.pieces()))

    def _keep(self, kind: str, path: str, pieces: Iterable[bytes]) -> None:
        extent = Extent(self._content)
        for piece in pieces:
            extent.append(piece)
        self._parts.append((kind, path, extent))


def _links(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    rest: list[bytes] = [b""]
    for piece in pieces:
        rest[-1:] = (rest[-1] + piece).split(b"\0")
        while len(rest) > 2:
            yield rest[0], rest[1]
            del rest[:2]
