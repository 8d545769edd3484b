"""What is recorded of one moment, kept in a file without a name until it is written as a part of a capture.

A host may have hundreds of thousands of sockets: their answers and their descriptors would not fit in memory, and compressing them while
they are read would pull the moments of a capture apart.
"""

from __future__ import annotations

import os
import re
from itertools import islice

from sockdiag.errors import SourceError
from sockdiag.sources.capture.packed_tree import Content
from sockdiag.sources.capture.recording import UNREAD, Recording, ending_of, kept
from sockdiag.sources.capture.transport import file_names
from sockdiag.sources.system.captured_root import STAT_FILE, format_stats
from sockdiag.sources.system.transport import messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TypeAlias

    from sockdiag.sources.system.transport import Request, Transport

    # A part of a capture: what it is, its path, and a file's size and content, or the name and text of links.
    Part: TypeAlias = "tuple[str, str, int, Iterable[Any]]"

FOLDER, FILE, LINKS = "folder", "file", "links"
_PIECE = 1 << 18
_LINES = 4096
# Bytes of all moments together that are kept in memory.
_IN_MEMORY = 8 << 20
_PROCESS = re.compile(r"/proc/([1-9]\d*)(?:/|$)")


class Extent:
    """Bytes in a :class:`Content`, in one piece or several."""

    __slots__ = ("_content", "_parts", "size")

    def __init__(self, content: Content) -> None:
        self._content = content
        self._parts: list[tuple[int, int]] = []
        self.size = 0

    def append(self, data: bytes) -> None:
        """Add bytes; OSError if there is no room."""
        if not data:
            return
        start = self._content.size
        self._content.append(data)
        self.size += len(data)
        if self._parts and sum(self._parts[-1]) == start:
            self._parts[-1] = self._parts[-1][0], self._parts[-1][1] + len(data)
        else:
            self._parts.append((start, len(data)))

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes."""
        for start, length in self._parts:
            for offset in range(0, length, _PIECE):
                yield self._content.read(start + offset, min(_PIECE, length - offset))


class SpooledFiles:
    """Files by path, as a recorder sets them."""

    __slots__ = ("_content", "_extents")

    def __init__(self, content: Content) -> None:
        self._content = content
        self._extents: dict[str, Extent] = {}

    def __setitem__(self, path: str, body: bytes) -> None:
        extent = self._extents[path] = Extent(self._content)
        extent.append(body)

    def __contains__(self, path: str) -> bool:
        return path in self._extents

    def items(self) -> Iterator[tuple[str, Extent]]:
        """Yield paths and contents, in the order of the paths."""
        return iter(sorted(self._extents.items()))


class MomentRecording(Recording):
    """What was read at one moment.

    Attributes:
        notes: for its ``meta.toml``.
        processes: those to keep, of which enough was read before they ended; None: all.
    """

    __slots__ = ("_content", "_descriptors", "_files", "netlink_answers", "notes", "processes")

    def __init__(self, content: Content) -> None:
        super().__init__()
        self._content = content
        self._files = SpooledFiles(content)
        self.files = self._files  # type: ignore[assignment]
        self.netlink_answers: dict[str, Extent] = {}
        self._descriptors: dict[int, Extent] = {}
        self.notes: dict[str, str | float] = {}
        self.processes: set[int] | None = None

    def answer(self) -> Extent:
        """Return room for an answer."""
        return Extent(self._content)

    def descriptors(self, pid: int, links: Iterable[tuple[bytes, bytes]]) -> None:
        """Note the open descriptors of a process: their numbers, and what they lead to. None is noted if *links* raises an error."""
        extent = Extent(self._content)
        lines = (b"%b\t%b\n" % link for link in links)
        # A process may have hundreds of thousands.
        while some := b"".join(islice(lines, _LINES)):
            extent.append(some)
        self._descriptors[pid] = extent
        self.folders.add(f"/proc/{pid}/fd")

    def parts(self, prefix: str = "", kept: Callable[[str], bool] | None = None) -> Iterator[Part]:
        """Yield what it consists of, for a folder of a capture.

        Args:
            prefix: the folder.
            kept: which paths; all by default.
        """

        def wanted(path: str) -> bool:
            found = _PROCESS.match(path)
            there = found is None or self.processes is None or int(found[1]) in self.processes
            return there and (kept is None or kept(path))

        for path in sorted(filter(wanted, self.folders)):
            yield FOLDER, prefix + path, 0, ()
        for path, extent in self._files.items():
            if wanted(path):
                yield FILE, prefix + path, extent.size, extent.pieces()
        for path, text in sorted(self.links.items()):
            # Descriptors are noted per process.
            if wanted(path) and not ("/fd/" in path and _PROCESS.match(path)):
                folder, _, name = path.rpartition("/")
                yield LINKS, prefix + folder, 1, ((os.fsencode(name), os.fsencode(text)),)
        for pid, extent in self._descriptors.items():
            if wanted(folder := f"/proc/{pid}/fd"):
                links = (line.partition(b"\t")[::2] for line in _lines(extent.pieces()))
                yield LINKS, prefix + folder, 0, links
        for name, extent in sorted(self.netlink_answers.items()):
            yield FILE, f"{prefix}/netlink/{name}.nl", extent.size, extent.pieces()
        stats = {path: stat for path, stat in self.stats.items() if wanted(path)}
        if stats:
            yield of_bytes(prefix + STAT_FILE, format_stats(stats))


def of_bytes(path: str, body: bytes) -> Part:
    """Return a small file as a part of a capture."""
    return FILE, path, len(body), (body,)


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines


class SpoolingTransport:
    """Pass requests on and note the answers, each once.

    Args:
        inner: who answers.
        recording: where to note.
    """

    __slots__ = ("_inner", "_recording")

    def __init__(self, inner: Transport, recording: MomentRecording) -> None:
        self._inner = inner
        self._recording = recording

    def dump(self, request: Request) -> Iterator[bytes]:
        """Yield the datagrams that the inner transport gives; errors are its own."""
        extent = self._recording.answer()
        (name,) = file_names(request.name)
        ending: bytes | None = UNREAD
        try:
            for datagram in self._inner.dump(request):
                extent.append(b"".join(map(kept, messages(request, datagram))))
                yield datagram
            ending = ending_of(None)
        except SourceError as error:
            ending = ending_of(error)
            raise
        finally:
            if ending is not None:
                extent.append(ending)
                self._recording.netlink_answers[name] = extent

    def query(self, request: Request) -> bytes:
        """Return the inner transport's answer; a single socket is noted with the dump of its table, or not at all."""
        return self._inner.query(request)


def new_content(place: Callable[[], int]) -> Content:
    """Return room for all moments of a capture; *place* opens the file that holds it if it is much."""
    return Content(place, _IN_MEMORY)
