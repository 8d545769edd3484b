"""Zstandard for captures: by the package ``zstandard``, or else by the program ``zstd``.

Python 3.11 has none of its own. Either decompresses in bounded memory: a frame may demand a window of 2 GiB.
"""

from __future__ import annotations

import errno
import os
from shutil import which

from sockdiag.errors import SourceUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any, Protocol, Self

    class Packer(Protocol):
        """Compresses a stream."""

        def compress(self, data: bytes | bytearray) -> bytes:
            """Return what is ready."""
            ...

        def flush(self) -> bytes:
            """End the stream; return the rest."""
            ...


MAGIC = b"\x28\xb5\x2f\xfd"
SUFFIX = ".tar.zst"
# As much as level 19 takes; --ultra and --long take more.
_MOST_WINDOW = 1 << 27
_LEVEL = 3
_PROGRAM = "zstd"
_HINT = "install the package zstandard or the program zstd, or use .tar.gz"


def _program(path: str) -> str:
    found = which(_PROGRAM)
    if found is None:
        raise SourceUnavailable(path, "this Python has no Zstandard, and there is no program zstd", None, _HINT)
    return found


def packer(path: str, fd: int) -> Packer:
    """Return a compressor.

    Args:
        path: the archive, for messages.
        fd: the file that is written; the program writes there what it is given.

    Raises:
        SourceUnavailable: nothing here can compress it.
    """
    try:
        import zstandard
    except ImportError:
        return _PackingProgram(_program(path), fd)
    made: Packer = zstandard.ZstdCompressor(level=_LEVEL).compressobj()
    return made


class _PackingProgram:
    """The program zstd, which writes what it is given, compressed, to a descriptor."""

    def __init__(self, program: str, fd: int) -> None:
        from subprocess import DEVNULL, PIPE, Popen

        words = [program, "-q", f"-{_LEVEL}", "-c"]
        self._process = Popen(words, stdin=PIPE, stdout=fd, stderr=DEVNULL)  # noqa: S603

    def compress(self, data: bytes | bytearray) -> bytes:
        """Take some bytes; OSError if the program has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        return b""

    def flush(self) -> bytes:
        """Wait for its end; OSError if it could not write everything."""
        self._process.communicate()
        if self._process.returncode:
            raise OSError(errno.EIO, f"zstd ended with status {self._process.returncode}")
        return b""

    def __del__(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def unpacked(path: str, packed: IO[bytes]) -> Any:
    """Return a file to read the decompressed bytes from.

    Raises:
        SourceUnavailable: nothing here can decompress it.
    """
    try:
        import zstandard
    except ImportError:
        return _UnpackingProgram(path, packed.fileno())
    decompressor = zstandard.ZstdDecompressor(max_window_size=_MOST_WINDOW)
    return _Unpacked(decompressor.stream_reader(packed, read_across_frames=True), zstandard.ZstdError)


class _Unpacked:
    """A stream of the package, whose errors are those of a damaged file."""

    def __init__(self, stream: Any, error: type[Exception]) -> None:
        self._stream = stream
        self._error = error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stream.close()

    def read(self, size: int) -> bytes:
        try:
            return bytes(self._stream.read(size))
        except self._error as error:
            raise EOFError(str(error)) from None


class _UnpackingProgram:
    """The program zstd as a filter."""

    def __init__(self, path: str, fd: int) -> None:
        from subprocess import DEVNULL, PIPE, Popen

        program = _program(path)
        # The program reads from the descriptor's position.
        os.lseek(fd, 0, os.SEEK_SET)
        words = [program, "-q", "-d", "-c", f"--memory={_MOST_WINDOW >> 20}MB"]
        self._process = Popen(words, stdin=fd, stdout=PIPE, stderr=DEVNULL)  # noqa: S603

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def read(self, size: int) -> bytes:
        assert self._process.stdout is not None
        data = self._process.stdout.read(size)
        if not data and self._process.wait():
            raise EOFError("zstd cannot decompress it")
        return data
