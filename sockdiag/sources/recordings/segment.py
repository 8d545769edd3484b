"""Segments: files of records that are only ever appended to, each record with checksums of its own.

A segment begins with a whole moment; each later record is what has changed since the one before. What a reader finds behind the last whole
record, because the writer was killed or the disk was full, does not count. Behind a damaged record, the next whole one is looked for.
"""

from __future__ import annotations

import os
from struct import Struct
from zlib import crc32

from sockdiag.model.record import COUNT, ID, LABEL, Record, field
from sockdiag.sources.recordings.packing import Damaged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

START = b"sockdiag recording 1\n\0\0\0"
MAGIC = b"\xf5SDR"
# Kinds of records: a whole moment, and a change.
WHOLE, CHANGE = 1, 2
MAX_PAYLOAD = 1 << 28

# Magic, kind, number in the segment, bytes and checksum of the payload, wall clock, monotonic clock, boot; then the checksum of all this.
_HEAD = Struct("<4sIIIIdd16s")
_SUM = Struct("<I")
HEADER = _HEAD.size + _SUM.size
_PIECE = 1 << 20
_LAST_TIME = 253402300799.0


class Entry(Record):
    """One record of a segment: where it is, and of which moment."""

    offset: int = field("Offset of the record in its segment.", kind=ID)
    kind: int = field("A whole moment or a change.", kind=LABEL)
    number: int = field("Its number in the segment, from 0.", kind=ID)
    size: int = field("Bytes of its payload.", unit=COUNT)
    checksum: int = field("CRC-32 of its payload.", kind=ID)
    wall: float = field("The wall clock, in seconds since the epoch.")
    monotonic: float = field("The monotonic clock, in seconds since boot.")
    boot: bytes = field("The boot, as 16 bytes; zeros if it is not known.", kind=ID)

    @property
    def end(self) -> int:
        """Offset of what follows."""
        return self.offset + HEADER + self.size

    def header(self) -> bytes:
        """Return the bytes in front of the payload."""
        head = _HEAD.pack(MAGIC, self.kind, self.number, self.size, self.checksum, self.wall, self.monotonic, self.boot)
        return head + _SUM.pack(crc32(head))


def entry_of(header: bytes, offset: int) -> Entry | None:
    """Return the record that begins with these bytes; None if none does."""
    if len(header) < HEADER or header[:4] != MAGIC:
        return None
    head = header[: _HEAD.size]
    if _SUM.unpack_from(header, _HEAD.size)[0] != crc32(head):
        return None
    _magic, kind, number, size, checksum, wall, monotonic, boot = _HEAD.unpack(head)
    if kind not in (WHOLE, CHANGE) or size > MAX_PAYLOAD or not (0 <= wall <= _LAST_TIME and 0 <= monotonic < 1e12):
        return None
    return Entry(offset, kind, number, size, checksum, wall, monotonic, boot)


def entries(fd: int) -> Iterator[Entry]:
    """Yield the records of a segment; payloads are not read. OSError: the disk fails."""
    end = os.fstat(fd).st_size
    # A damaged beginning is no reason to give up what follows.
    offset = len(START) if os.pread(fd, len(START), 0) == START else 0
    while offset < end:
        entry = entry_of(os.pread(fd, HEADER, offset), offset)
        if entry is None or entry.end > end:
            found = _next(fd, offset + 1, end)
            if found is None:
                return
            offset = found
            continue
        yield entry
        offset = entry.end


def _next(fd: int, offset: int, end: int) -> int | None:
    """Return where the next record begins that has all its bytes."""
    while offset < end:
        piece = os.pread(fd, _PIECE, offset)
        at = piece.find(MAGIC)
        while at >= 0:
            entry = entry_of(os.pread(fd, HEADER, offset + at), offset + at)
            if entry is not None and entry.end <= end:
                return offset + at
            at = piece.find(MAGIC, at + 1)
        if len(piece) < _PIECE:
            return None
        offset += _PIECE - len(MAGIC) + 1
    return None


def payload(fd: int, entry: Entry) -> bytes:
    """Return the payload of a record.

    Raises:
        Damaged: its bytes are not those that were written.
        OSError: the disk fails.
    """
    body = b""
    at = entry.offset + HEADER
    while len(body) < entry.size:
        piece = os.pread(fd, entry.size - len(body), at + len(body))
        if not piece:
            break
        body = body + piece if body else piece
    if len(body) != entry.size or crc32(body) != entry.checksum:
        raise Damaged("its checksum is another")
    return body
