"""Read a capture or a sosreport that comes as an archive, trusting nothing in it.

Only what sockdiag reads is kept: proc, sys, etc/passwd, netlink and the capture's own notes, at the top of the archive or in
one folder of it. Nothing is unpacked to a folder: see ``sockdiag.sources.capture.packed_tree``.
"""

from __future__ import annotations

import errno
import os
from io import BufferedReader, RawIOBase
from time import process_time

from sockdiag.errors import SourceError, SourceTruncated, SourceUnavailable
from sockdiag.sources.bundles.layouts import is_kept, layout_of
from sockdiag.sources.capture import zstd
from sockdiag.sources.capture.packed_tree import PackedTree
from sockdiag.sources.capture.tar import DEVICE, FILE, FOLDER, HARD_LINK, LINK, BadArchive, NoArchive, TarReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any

    from sockdiag.sources.capture.tar import Member
    from sockdiag.sources.system.captured_tree import Tree

# Limits on what is kept of an archive and read of it. A host with a million sockets and one descriptor each stays below.
MAX_MEMBERS = 4_000_000
MAX_UNPACKED = 4 << 30
MAX_INDEX = 1 << 30  # memory for names and links
MAX_READ = 16 << 30  # decompressed, with what is left out
MAX_DEPTH = 32
MAX_CPU_S = 120.0
# Captures shrink to a tenth or a fortieth. What shrank more than to a hundredth is a bomb, if it is large at all.
MAX_RATIO = 100
FREE = 128 << 20
# Decompressing takes as much as the compressor chose: 64 MiB with xz -9.
_XZ_MEMORY = 128 << 20
_PIECE = 1 << 20
NO_CAPTURE = "not a capture: it has neither proc nor netlink, and is no bundle of a known collector"

_WANTED = (
    "proc",
    "sys",
    "netlink",
    "moments",
    "outer",
    "netns",
    "netns.tsv",
    "text",
    "meta.toml",
    "stat.tsv",
    "answers.tsv",
)
_NOTHING_KNOWN = "neither a capture nor a bundle of a known collector, nor text of ss or netstat, nor a dump of ss -D"
_WANTED_FILES = ("etc/passwd",)


def is_archive(path: str) -> bool:
    """Return whether *path* is a file, to be read as an archive, and not a folder."""
    return os.path.isfile(path)


def read_text_file(path: str) -> Tree | None:
    """Return a file with saved text or a dump as a tree (``sockdiag.sources.bundles.tree``); None if it is neither.

    Raises:
        OSError: it cannot be read.
    """
    from sockdiag.sources.bundles.tree import text_tree

    with open(path, "rb") as file:
        return text_tree(file, path)


def is_text_file(path: str) -> bool:
    """Return whether a file begins as saved text of ss or netstat, or as a dump; no other file is one."""
    from sockdiag.sources.bundles.tree import HEAD, is_listing

    try:
        with open(path, "rb") as file:
            return is_listing(file.read(HEAD))
    except OSError:
        return False


def read_archive(path: str) -> PackedTree:
    """Read a tar archive (plain, gzip, bzip2, xz or Zstandard).

    Raises:
        SourceUnavailable: it is no archive of a captured system, or holds what no capture does: absolute names, "..",
            devices, more or larger files than the bounds above.
        SourceTruncated: it is damaged, or there is no room for its content.
    """
    import zlib

    damaged: tuple[type[Exception], ...] = (EOFError, zlib.error, *_lzma_error())
    try:
        with open(path, "rb") as packed, _decompressed(path, packed) as plain:
            size = os.fstat(packed.fileno()).st_size
            if not size:
                raise SourceTruncated(path, "it is empty")
            source = _BoundedSource(plain, path, size)
            reader = _ArchiveReader(path, source)
            try:
                tree = reader.tree()
            except (NoArchive, EOFError) as error:
                # Whatever is compressed, and ends early, was something once.
                if reader.members or (plain is not packed and isinstance(error, EOFError)):
                    raise
                raise SourceUnavailable(path, _NOTHING_KNOWN, errno.EINVAL) from None
            # The check sum stands at the end, after the padding of the last record.
            while source.read(_PIECE):
                pass
            return tree
    except BadArchive as error:
        raise SourceUnavailable(path, str(error), errno.EINVAL) from None
    except damaged as error:
        raise SourceTruncated(path, f"damaged: {error}") from None
    except ImportError as error:
        raise SourceUnavailable(path, f"this Python cannot decompress it: {error}") from None
    except MemoryError:
        raise SourceTruncated(path, os.strerror(errno.ENOMEM), errno.ENOMEM) from None
    except OSError as error:
        raise SourceTruncated(
            path, os.strerror(error.errno) if error.errno else f"damaged: {error}", error.errno
        ) from None


class _ArchiveReader:
    """One archive that is being read."""

    def __init__(self, path: str, source: _BoundedSource) -> None:
        self._path = path
        self._tree = PackedTree(path)
        self._reader = TarReader(source)
        self._source = source
        self._top: str | None = None
        self._bytes = 0
        self._index = 0
        self.members = 0

    def tree(self) -> PackedTree:
        for self.members, member in enumerate(self._reader.members(), 1):  # noqa: B020 - counts what was read
            if self.members > MAX_MEMBERS:
                raise self._refused(f"more than {MAX_MEMBERS} files")
            self._source.check_time()
            wanted = self._wanted(self._parts(member.name))
            if member.kind == DEVICE:
                raise self._refused(f"a device or a pipe: {member.name!r}")
            if wanted:
                try:
                    self._index += self._add(member, wanted)
                except (NotADirectoryError, IsADirectoryError):
                    raise self._refused(f"a file and a folder with the same name: {member.name!r}") from None
                if self._index > MAX_INDEX:
                    raise self._refused(f"names and links that take more than {MAX_INDEX} bytes")
        if not (self._tree.has_folder("/proc") or self._tree.has_folder("/netlink") or layout_of(self._tree)):
            raise self._refused(NO_CAPTURE)
        return self._tree

    def _add(self, member: Member, parts: list[str]) -> int:
        tree = self._tree
        if member.kind == FOLDER:
            return tree.add_folder(parts)
        if member.kind == LINK:
            return tree.add(parts, member.target)
        if member.kind == HARD_LINK:
            linked = tree.file(self._wanted(self._parts(member.target)))
            if linked is None:
                raise self._refused(f"a hard link to a missing file: {member.target!r}")
            return tree.add(parts, linked)
        if member.kind != FILE:
            raise self._refused(f"neither a file nor a folder nor a link: {member.name!r}")
        self._bytes += member.size
        if self._bytes > MAX_UNPACKED:
            raise self._refused(f"more than {MAX_UNPACKED} bytes")
        return tree.add(parts, tree.store(self._reader.data()))

    def _parts(self, name: str) -> list[str]:
        if name.startswith("/"):
            raise self._refused(f"an absolute name: {name!r}")
        parts = [part for part in name.split("/") if part not in {"", "."}]
        if ".." in parts or "\0" in name:
            raise self._refused(f"a name that leads outside: {name!r}")
        if len(parts) > MAX_DEPTH:
            raise self._refused(f"a name of more than {MAX_DEPTH} parts")
        return parts

    def _wanted(self, parts: list[str]) -> list[str]:
        """Return the name below the captured system's root; nothing if it is not of interest."""
        if _is_wanted(parts):
            return parts
        below = parts[1:]
        if _is_wanted(below):
            if self._top is None:
                self._top = parts[0]
            if parts[0] == self._top:
                return below
        return []

    def _refused(self, what: str) -> SourceError:
        return SourceUnavailable(self._path, f"not read: {what}", errno.EINVAL)


def is_of_capture(name: str) -> bool:
    """Return whether a file or folder at the top of a captured system is one that a capture holds."""
    return name in _WANTED or name == "etc"


def _is_wanted(parts: list[str]) -> bool:
    return bool(parts) and (parts[0] in _WANTED or "/".join(parts) in _WANTED_FILES or is_kept(parts))


def _too_much(path: str, what: str) -> SourceError:
    hint = "if you trust it, unpack it and name the folder"
    return SourceUnavailable(path, f"not read: {what}", errno.EINVAL, hint)


class _BoundedSource:
    """An archive without its compression, which refuses to give more than an honest one of its size holds."""

    def __init__(self, plain: IO[bytes], path: str, packed: int) -> None:
        self._plain = plain
        self._path = path
        self._read = 0
        self._most = min(MAX_READ, FREE + MAX_RATIO * packed)
        self._until = process_time() + MAX_CPU_S

    def read(self, size: int) -> bytes:
        data = self._plain.read(size)
        self._read += len(data)
        if self._read > self._most:
            raise _too_much(self._path, f"it grows to more than {self._most} bytes when decompressed")
        if size > 512:
            self.check_time()
        return data

    def check_time(self) -> None:
        if process_time() > self._until:
            raise _too_much(self._path, f"it takes more than {MAX_CPU_S:g} s of CPU time")


def _decompressed(path: str, packed: IO[bytes]) -> Any:
    magic = packed.read(6)
    packed.seek(0)
    if magic[:2] == b"\x1f\x8b":
        import gzip

        return gzip.GzipFile(fileobj=packed)
    if magic[:3] == b"BZh":
        import bz2

        return bz2.BZ2File(packed)
    if magic == b"\xfd7zXZ\0":
        return BufferedReader(_Xz(packed), _PIECE)
    if magic[:4] == zstd.MAGIC:
        return zstd.unpacked(path, packed)
    return packed


class _Xz(RawIOBase):
    """An xz file; unlike lzma's own, which takes as much memory as the file asks for."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        self._next = b""
        self._decoder = self._new()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._some(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _some(self, size: int) -> bytes:
        while True:
            if self._decoder.eof:
                rest = self._decoder.unused_data.lstrip(b"\0")
                while not rest:
                    # Zeros may separate streams.
                    rest = self._packed.read(_PIECE)
                    if not rest:
                        return b""
                    rest = rest.lstrip(b"\0")
                self._next, self._decoder = rest, self._new()
            elif self._decoder.needs_input and not self._next:
                self._next = self._packed.read(_PIECE)
                if not self._next:
                    raise EOFError("truncated within the compressed data")
            data, self._next = self._decoder.decompress(self._next, size), b""
            if data:
                return bytes(data)

    @staticmethod
    def _new() -> Any:
        from lzma import FORMAT_XZ, LZMADecompressor

        return LZMADecompressor(FORMAT_XZ, _XZ_MEMORY)


def _lzma_error() -> tuple[type[Exception], ...]:
    try:
        from lzma import LZMAError
    except ImportError:  # Python can be built without it
        return ()
    return (LZMAError,)
