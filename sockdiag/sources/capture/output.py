"""Write a capture to a folder or a compressed archive, under another name until it is whole.

Whoever may write to the folder that it goes to could put a link there: neither such a link nor the folder's path is followed where another
user decides where it leads (``sockdiag.sources.system.folders``).
"""

from __future__ import annotations

import errno
import os
import signal
from hashlib import sha256

from sockdiag.errors import SourceError, UsageError
from sockdiag.sources.capture import zstd
from sockdiag.sources.capture.tar_writer import TarWriter
from sockdiag.sources.system.folders import open_folder
from sockdiag.sources.system.proc_root import close_fd, source_error, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

    from sockdiag.sources.capture.zstd import Packer

ARCHIVES = (".tar.gz", ".tgz", zstd.SUFFIX)
# Whoever gives such a name does not want a folder that is called so.
_NOT_WRITTEN = (".tar", ".txz", ".tbz2", ".zip", ".7z", ".gz", ".zst", ".xz", ".bz2", ".tzst", ".rar", *ARCHIVES)
CHECKSUMS = "sha256sums"
# They end the program where it stands; an interrupt is an exception.
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)
_MODE = 0o600
_SUFFIX = ".tmp"
# Level 1 takes a third of the time of the usual one and a tenth more room.
_LEVEL = 1
_PIECE = 1 << 16


class Output:
    """A capture that is being written; :meth:`close` gives it its name.

    Args:
        path: where to; an archive if the name says so, otherwise a folder.
        force: an archive may replace a file.
        time: seconds since the epoch, for the files in an archive.

    Attributes:
        size: bytes of the archive, when it is whole.

    Raises:
        UsageError: there is something of that name.
        SourceError: it cannot be written there.
    """

    def __init__(self, path: str, *, force: bool, time: float) -> None:
        place, name = os.path.split(path.rstrip("/") or path)
        if name in {"", ".", ".."}:
            raise UsageError(f"{path}: not the name of a new file or folder")
        if path == "-":
            raise UsageError("a capture is not written to standard output: name a file or a folder (./- is a folder)")
        if name.lower().endswith(_NOT_WRITTEN) and not name.endswith(ARCHIVES):
            raise UsageError(f"{path}: captures are written as {', '.join(ARCHIVES)}, or to a folder")
        self._path = path
        self._name = name
        self._archive = name.endswith(ARCHIVES)
        self._force = force and self._archive
        self._sums: list[bytes] = []
        self.size: int | None = None
        self._temporary = f".{name}.{os.urandom(6).hex()}{_SUFFIX}"
        self._sink: _Archive | _Folder | None = None
        self._pid = os.getpid()
        self._caught: list[signal.Signals] = []
        self._begun = False
        self._place = place
        self._folder = open_folder(place, foreign=True)
        try:
            self._refuse()
            self._catch()
            self._begun = True
            if self._archive:
                self._sink = _Archive(self._folder, self._temporary, int(time), path)
            else:
                self._sink = _Folder(self._folder, self._temporary)
        except OSError as error:
            self.abandon()
            raise source_error(path, error) from None
        except BaseException:
            self.abandon()
            raise

    def place(self) -> int:
        """Open a file without a name where the capture will be, for what is to be written; a worker has no descriptors of this process."""
        if os.getpid() == self._pid:
            return unnamed(self._folder)
        folder = open_folder(self._place, foreign=True)
        try:
            return unnamed(folder)
        finally:
            close_fd(folder)

    def folder(self, path: str) -> None:
        """Make a folder, and those above it; OSError if it cannot be written."""
        self._open.folder(_relative(path))

    def file(self, path: str, size: int, pieces: Iterable[bytes]) -> None:
        """Write a file, and the folders above it; OSError if it cannot be written."""
        name = _relative(path)
        digest = sha256()

        def passed() -> Iterable[bytes]:
            for piece in pieces:
                digest.update(piece)
                yield piece

        self._open.file(name, size, passed())
        self._sums.append(_sum_line(digest.hexdigest(), name))

    def links(self, folder: str, links: Iterable[tuple[bytes, bytes]]) -> None:
        """Write symbolic links, by name and text, and the folders above them; OSError if they cannot be written."""
        self._open.links(_relative(folder), links)

    def close(self) -> None:
        """Write the checksums, and give the capture its name.

        Raises:
            UsageError: there is something of that name by now.
            OSError: it cannot be written.
        """
        body = b"".join(self._sums)
        self._open.file(CHECKSUMS.encode(), len(body), (body,))
        self.size = self._open.close()
        self._refuse()
        if self._archive and not self._force:
            # Unlike rename(2), this fails if there is something by now.
            os.link(
                self._temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder, follow_symlinks=False
            )
            os.unlink(self._temporary, dir_fd=self._folder)
        else:
            os.rename(self._temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._sink = None
        self._begun = False
        self._release()
        _sync(self._folder)
        close_fd(self._folder)
        self._folder = -1

    def abandon(self) -> None:
        """Remove what was written, unless it is whole."""
        if self._sink is not None:
            self._sink.abandon()
            self._sink = None
        elif self._begun:
            # An interrupt came when it had just been made.
            _quietly(lambda: os.unlink(self._temporary, dir_fd=self._folder))
            _quietly(lambda: os.rmdir(self._temporary, dir_fd=self._folder))
        self._begun = False
        self._release()
        if self._folder >= 0:
            close_fd(self._folder)
            self._folder = -1

    def _catch(self) -> None:
        """Remove what was written when a signal ends the program that has no handler of its own."""
        for number in _ENDINGS:
            if signal.getsignal(number) == signal.SIG_DFL:
                try:
                    signal.signal(number, self._ended)
                except ValueError:
                    return  # in a thread, which cannot have handlers
                self._caught.append(number)

    def _release(self) -> None:
        while self._caught:
            signal.signal(self._caught.pop(), signal.SIG_DFL)

    def _ended(self, number: int, _frame: FrameType | None) -> None:
        # Workers inherit the handler, and have nothing to remove.
        if os.getpid() == self._pid:
            self.abandon()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    @property
    def _open(self) -> _Archive | _Folder:
        assert self._sink is not None
        return self._sink

    def _refuse(self) -> None:
        try:
            there = os.lstat(self._name, dir_fd=self._folder)
        except FileNotFoundError:
            return
        from stat import S_ISREG

        if self._force and S_ISREG(there.st_mode):
            return
        what = "--force replaces it" if self._archive and S_ISREG(there.st_mode) else "remove it first"
        raise UsageError(f"{self._path} exists: {what}")


class _Archive:
    """A compressed tar archive, in a folder that is open; *path* is its name to be."""

    def __init__(self, folder: int, name: str, time: int, path: str) -> None:
        from zlib import DEFLATED, MAX_WBITS, compressobj

        self._folder = folder
        self._name = name
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(name, flags, _MODE, dir_fd=folder)
        os.fchmod(self._fd, _MODE)
        self._packer: Packer
        try:
            zipped = not path.endswith(zstd.SUFFIX)
            self._packer = compressobj(_LEVEL, DEFLATED, MAX_WBITS | 16) if zipped else zstd.packer(path, self._fd)
        except SourceError:
            self.abandon()
            raise
        self._held = bytearray()
        self._tar = TarWriter(self._take, time)
        self._made: set[bytes] = set()

    def folder(self, name: bytes) -> None:
        if name and name not in self._made:
            self.folder(name.rpartition(b"/")[0])
            self._made.add(name)
            self._tar.folder(name)

    def file(self, name: bytes, size: int, pieces: Iterable[bytes]) -> None:
        self._tar.file(name, size, pieces)

    def links(self, folder: bytes, links: Iterable[tuple[bytes, bytes]]) -> None:
        link, start = self._tar.link, folder + b"/"
        for name, text in links:
            link(start + name, text)

    def close(self) -> int:
        self._tar.close()
        self._pack(0)
        write_all(self._fd, self._packer.flush())
        os.fsync(self._fd)
        size = os.fstat(self._fd).st_size
        os.close(self._fd)
        self._fd = -1
        return size

    def abandon(self) -> None:
        if self._fd >= 0:
            close_fd(self._fd)
            self._fd = -1
        _quietly(lambda: os.unlink(self._name, dir_fd=self._folder))

    def _take(self, data: bytes) -> None:
        self._held += data
        self._pack(_PIECE)

    def _pack(self, least: int) -> None:
        if len(self._held) >= least:
            write_all(self._fd, self._packer.compress(self._held))
            self._held.clear()


class _Folder:
    """A folder in one that is open."""

    def __init__(self, folder: int, name: str) -> None:
        self._folder = folder
        self._name = name
        os.mkdir(name, 0o700, dir_fd=folder)
        self._fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        self._made = {b""}

    def folder(self, name: bytes) -> None:
        if name not in self._made:
            self.folder(name.rpartition(b"/")[0])
            os.mkdir(name, 0o700, dir_fd=self._fd)
            self._made.add(name)

    def file(self, name: bytes, size: int, pieces: Iterable[bytes]) -> None:  # noqa: ARG002 - archives need the size
        self.folder(name.rpartition(b"/")[0])
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(name, flags, _MODE, dir_fd=self._fd)
        try:
            for piece in pieces:
                write_all(fd, piece)
        finally:
            os.close(fd)

    def links(self, folder: bytes, links: Iterable[tuple[bytes, bytes]]) -> None:
        self.folder(folder)
        there = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._fd)
        try:
            for name, text in links:
                os.symlink(text, name, dir_fd=there)
        finally:
            close_fd(there)

    def close(self) -> int | None:
        # One call for thousands of small files. Source: syncfs(2).
        import ctypes

        if ctypes.CDLL(None, use_errno=True).syncfs(self._fd):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        close_fd(self._fd)
        self._fd = -1
        return None

    def abandon(self) -> None:
        if self._fd >= 0:
            close_fd(self._fd)
            self._fd = -1
        from shutil import rmtree

        _quietly(lambda: rmtree(self._name, dir_fd=self._folder))


def unnamed(folder: int) -> int:
    """Open a file without a name in a folder that is open."""
    try:
        return os.open(".", os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, _MODE, dir_fd=folder)
    except OSError as error:
        # Not every file system can, and old kernels take the flag for O_DIRECTORY.
        if error.errno not in {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL}:
            raise
    name = f".sockdiag.{os.urandom(6).hex()}{_SUFFIX}"
    fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE, dir_fd=folder)
    os.unlink(name, dir_fd=folder)
    return fd


def _relative(path: str) -> bytes:
    name = os.fsencode(path).strip(b"/")
    if not path.startswith("/") or b".." in name.split(b"/"):
        raise SourceError(path, "not a path of the captured system")
    return name


def _sum_line(digest: str, name: bytes) -> bytes:
    # As sha256sum(1) writes and reads it.
    escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return b"%b%b  %b\n" % (b"\\" if escaped != name else b"", digest.encode(), escaped)


def _sync(folder: int) -> None:
    # The descriptor of the folder is for paths only.
    readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.fsync(readable)
    finally:
        close_fd(readable)


def _quietly(remove: Callable[[], object]) -> None:
    try:
        remove()
    except OSError:
        return
