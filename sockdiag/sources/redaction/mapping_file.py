"""The file in which the giver of a redacted capture keeps its mapping."""

from __future__ import annotations

import os

from sockdiag.errors import SourceTruncated, UsageError
from sockdiag.sources.redaction.mapping import Mapping, new_mapping, parse_mapping
from sockdiag.sources.system.folders import open_folder
from sockdiag.sources.system.proc_root import close_fd, source_error, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_LINE = 1 << 16
_MAX_MAPPING = 1 << 30
_MODE = 0o600
_PIECE = 1 << 16


class MappingFile:
    """The file that holds a mapping.

    Args:
        path: the file.
        reuse: it may exist, and its pseudonyms are used again.

    Raises:
        UsageError: it exists, and is not to be used again.
        SourceError: it cannot be read, or is no mapping.
    """

    def __init__(self, path: str, *, reuse: bool) -> None:
        self.path = path
        exists = os.path.lexists(path)
        if exists and not reuse:
            raise UsageError(f"{path} exists: --mapping {path} uses its pseudonyms again")
        self.mapping: Mapping = read_mapping(path) if exists else new_mapping()

    def write(self) -> None:
        """Write the mapping under another name, for its owner only, and rename it.

        Raises:
            SourceError: it cannot be written.
        """
        place, name = os.path.split(self.path)
        folder = open_folder(place, foreign=True)
        temporary = f".{name}.{os.urandom(6).hex()}.tmp"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            fd = os.open(temporary, flags, _MODE, dir_fd=folder)
            try:
                os.fchmod(fd, _MODE)
                for piece in _pieces(self.mapping.to_json()):
                    write_all(fd, piece)
                os.fsync(fd)
                os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                os.unlink(temporary, dir_fd=folder)
                raise
            finally:
                close_fd(fd)
        except OSError as error:
            raise source_error(self.path, error) from None
        finally:
            close_fd(folder)


def _pieces(lines: Iterator[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for line in lines:
        held += line
        if len(held) > _PIECE:
            yield bytes(held)
            held.clear()
    yield bytes(held)


def read_mapping(path: str) -> Mapping:
    """Read a mapping.

    Raises:
        SourceError: it cannot be read, or is no mapping.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            if os.fstat(file.fileno()).st_size > _MAX_MAPPING:
                raise SourceTruncated(path, f"larger than {_MAX_MAPPING} bytes")
            return parse_mapping(iter(lambda: file.readline(_MAX_LINE), b""), path)
    except OSError as error:
        raise source_error(path, error) from None
