"""Unpack a capture or a sosreport that comes as an archive, trusting nothing in it.

Only what sockdiag reads is unpacked: proc, sys, etc/passwd, netlink and the capture's own notes, at the top of the archive or
in one folder of it. Symbolic links are kept as text; nothing is written through one, and
``sockdiag.sources.system.captured_root`` follows none out of the folder.
"""

from __future__ import annotations

import errno
import os

from sockdiag.errors import SourceError, SourceTruncated, SourceUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tarfile import TarFile, TarInfo
    from typing import IO, Any

# Limits on unpacking and reading an archive. A host with a million sockets and one descriptor each stays below.
MAX_MEMBERS = 4_000_000
MAX_UNPACKED = 4 << 30
MAX_READ = 16 << 30  # decompressed, with what is left out
MAX_DEPTH = 32
# The tar format's own headers (long names) are read in one piece.
_MAX_PIECE = 16 << 20

_WANTED = ("proc", "sys", "netlink", "meta.toml", "stat.tsv")
_WANTED_FILES = ("etc/passwd",)


def is_archive(path: str) -> bool:
    """Return whether *path* is a file, to be unpacked, and not a folder."""
    return os.path.isfile(path)


def unpack(path: str) -> str:
    """Unpack a tar archive (plain, gzip, bzip2 or xz) to a temporary folder that is removed when the process ends.

    Returns:
        The folder that holds ``proc``.

    Raises:
        SourceUnavailable: it is no archive of a captured system, or holds what no capture does: absolute names, "..",
            links out of it, devices, more or larger files than the bounds above.
        SourceTruncated: it is damaged.
    """
    import tarfile
    import zlib
    from tempfile import mkdtemp

    damaged: tuple[type[Exception], ...] = (EOFError, zlib.error, *_lzma_error())
    folder = mkdtemp(prefix="sockdiag-")
    _remove_at_exit(folder)
    try:
        with open(path, "rb") as packed, _decompressed(packed) as plain:
            bounded: Any = _BoundedStream(plain, path)
            archive = tarfile.TarFile(fileobj=bounded, errors="surrogateescape")
            _Unpacking(path, folder).run(archive)
            # The check sum stands at the end, after the padding of the last record.
            plain.read(_MAX_PIECE)
    except tarfile.TarError as error:
        raise SourceUnavailable(path, f"not a tar archive: {error}", errno.EINVAL) from None
    except damaged as error:
        raise SourceTruncated(path, f"damaged: {error}") from None
    except OSError as error:
        raise SourceTruncated(
            path, os.strerror(error.errno) if error.errno else f"damaged: {error}", error.errno
        ) from None
    return folder


class _Unpacking:
    """One archive being unpacked into a folder; it remembers the files it made instead of asking the file system."""

    def __init__(self, path: str, folder: str) -> None:
        self._path = path
        self._folder = folder
        self._made: dict[str, str] = {"": "folder"}
        self._top: str | None = None
        self._bytes = 0

    def run(self, archive: TarFile) -> None:
        members = 0
        while (member := archive.next()) is not None:
            members += 1
            if members > MAX_MEMBERS:
                raise self._refused(f"more than {MAX_MEMBERS} files")
            if member.size < 0:
                raise self._refused(f"a file of negative size: {member.name!r}")
            parts = self._parts(member.name)
            wanted = self._wanted(parts)
            if member.isdev():
                raise self._refused(f"a device or a pipe: {member.name!r}")
            if wanted:
                self._make(archive, member, wanted)
            # The list of members would grow with the archive.
            archive.members = []  # type: ignore[attr-defined]
        if not any(name in self._made for name in ("proc", "netlink")):
            raise self._refused("not a capture: it has neither proc nor netlink")

    def _make(self, archive: TarFile, member: TarInfo, parts: list[str]) -> None:
        name = "/".join(parts)
        target = f"{self._folder}/{name}"
        for depth in range(1, len(parts)):
            self._make_folder("/".join(parts[:depth]))
        if member.isdir():
            self._make_folder(name)
            return
        if self._made.get(name) == "folder":
            raise self._refused(f"a file and a folder with the same name: {name!r}")
        if name in self._made:
            os.unlink(target)
        if member.issym():
            os.symlink(member.linkname, target)
            self._made[name] = "link"
        elif member.islnk():
            source = "/".join(self._wanted(self._parts(member.linkname)))
            if self._made.get(source) != "file":
                raise self._refused(f"a hard link to a missing file: {member.linkname!r}")
            os.link(f"{self._folder}/{source}", target, follow_symlinks=False)
            self._made[name] = "file"
        elif member.isreg() and not member.issparse():
            self._copy(archive, member, target)
            self._made[name] = "file"
        else:
            raise self._refused(f"neither a file nor a folder nor a link: {name!r}")

    def _copy(self, archive: TarFile, member: TarInfo, target: str) -> None:
        self._bytes += member.size
        if self._bytes > MAX_UNPACKED:
            raise self._refused(f"more than {MAX_UNPACKED} bytes")
        body: Any = archive.extractfile(member)
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as out:
            left = member.size
            while left:
                piece = body.read(min(left, 1 << 20))
                if not piece:
                    raise EOFError("truncated within a file")
                out.write(piece)
                left -= len(piece)

    def _make_folder(self, name: str) -> None:
        kind = self._made.get(name)
        if kind is None:
            os.mkdir(f"{self._folder}/{name}", 0o700)
            self._made[name] = "folder"
        elif kind != "folder":
            raise self._refused(f"a name below a file: {name!r}")

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
        if parts[:1] and (parts[0] in _WANTED or "/".join(parts) in _WANTED_FILES):
            return parts
        below = parts[1:]
        if below and (below[0] in _WANTED or "/".join(below) in _WANTED_FILES):
            if self._top is None:
                self._top = parts[0]
            if parts[0] == self._top:
                return below
        return []

    def _refused(self, what: str) -> SourceError:
        return SourceUnavailable(self._path, f"not unpacked: {what}", errno.EINVAL)


class _BoundedStream:
    """A file that refuses to give more than a bound, for one piece and in all."""

    def __init__(self, plain: IO[bytes], path: str) -> None:
        self._plain = plain
        self._path = path
        self._asked = 0

    def read(self, size: int = -1) -> bytes:
        # tarfile seeks to each header and each piece of a member; newer ones read what follows a header in pieces.
        self._asked += size
        if size < 0 or self._asked > _MAX_PIECE:
            raise SourceUnavailable(self._path, "not unpacked: oversized header", errno.EINVAL)
        return self._plain.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence != 0 or offset > MAX_READ:
            raise SourceUnavailable(self._path, f"not unpacked: more than {MAX_READ} bytes", errno.EINVAL)
        self._asked = 0
        return self._plain.seek(offset)

    def tell(self) -> int:
        return self._plain.tell()


def _decompressed(packed: IO[bytes]) -> Any:
    magic = packed.read(6)
    packed.seek(0)
    if magic[:2] == b"\x1f\x8b":
        import gzip

        return gzip.GzipFile(fileobj=packed)
    if magic[:3] == b"BZh":
        import bz2

        return bz2.BZ2File(packed)
    if magic == b"\xfd7zXZ\0":
        import lzma

        return lzma.LZMAFile(packed)
    return packed


def _lzma_error() -> tuple[type[Exception], ...]:
    try:
        from lzma import LZMAError
    except ImportError:  # Python can be built without it
        return ()
    return (LZMAError,)


def _remove_at_exit(folder: str) -> None:
    import atexit

    owner = os.getpid()

    def remove() -> None:
        # A forked child that ends in the ordinary way must leave it to its parent.
        if os.getpid() == owner:
            import shutil

            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
