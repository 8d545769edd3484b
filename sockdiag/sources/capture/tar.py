"""Tar archives, read from their beginning to their end: headers of ustar, GNU and pax, each of a bounded size.

Python's tarfile reads what archives demand: a pax header of 128 KiB costs its older versions a minute (CVE-2024-6232), a
chain of long names its stack, and a size that is no number an exception that it does not name. This reader takes time and
memory in proportion to the bytes that it reads, and understands what archives of captures and sosreports contain.

Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header"; tar(5), GNU tar's manual for L, K and S.
"""

from __future__ import annotations

from sockdiag.errors import SockdiagError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    class Source(Protocol):
        """Something that is read once."""

        def read(self, size: int) -> bytes:
            """Return at most so many bytes, none at the end."""
            ...


BLOCK = 512
FILE, FOLDER, LINK, HARD_LINK, DEVICE, OTHER = "file", "folder", "link", "hard link", "device", "other"

# Names and links of the kernel are at most PATH_MAX; extended headers hold times and security labels too.
MAX_NAME = 4096
MAX_HEADER = 1 << 16
# A long name, a long link, a pax header and a global one may precede a member.
_MAX_HEADERS = 4
_PIECE = 1 << 20

_KINDS = {
    b"0": FILE,
    b"\0": FILE,
    b"7": FILE,
    b"1": HARD_LINK,
    b"2": LINK,
    b"3": DEVICE,
    b"4": DEVICE,
    b"6": DEVICE,
    b"5": FOLDER,
}
# Their size field is not the size of data that follow.
_WITHOUT_DATA = (HARD_LINK, LINK, DEVICE, FOLDER)


class BadArchive(SockdiagError):
    """It is no tar archive, or one that nothing but an attack would make."""


class NoArchive(BadArchive):
    """What should be a header is none."""


class Member:
    """One member of an archive.

    Attributes:
        name: as it stands there; bytes that are not UTF-8 as surrogates.
        kind: FILE and the like; OTHER for a sparse file and what is none of them.
        size: bytes of data that follow.
        target: what a link leads to.
    """

    __slots__ = ("kind", "name", "size", "target")

    def __init__(self, name: str, kind: str, size: int, target: str) -> None:
        self.name = name
        self.kind = kind
        self.size = size
        self.target = target


class TarReader:
    """The members of an archive in their order; the data of one can be read until the next is asked for.

    Args:
        source: the archive, without compression.
    """

    __slots__ = ("_left", "_padding", "_source")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._left = 0
        self._padding = 0

    def members(self) -> Iterator[Member]:
        """Yield all members.

        Raises:
            BadArchive: it is none.
            EOFError: it ends early.
        """
        while (member := self._next()) is not None:
            yield member

    def data(self) -> Iterator[bytes]:
        """Yield the data of the current member in pieces; EOFError if they end early."""
        while self._left:
            piece = self._source.read(min(self._left, _PIECE))
            if not piece:
                raise EOFError("truncated within a file")
            self._left -= len(piece)
            yield piece

    def _next(self) -> Member | None:
        extended: dict[str, bytes] = {}
        for _header in range(_MAX_HEADERS + 1):
            self._skip()
            block = self._exactly(BLOCK)
            if not any(block):
                return None
            _check(block)
            kind, size = block[156:157], _size(block[124:136])
            if kind in (b"L", b"K"):
                extended["path" if kind == b"L" else "linkpath"] = self._header(size, MAX_NAME).split(b"\0", 1)[0]
            elif kind in (b"x", b"X"):
                extended.update(_records(self._header(size, MAX_HEADER)))
            elif kind == b"g":
                if {"path", "linkpath", "size"} & _records(self._header(size, MAX_HEADER)).keys():
                    raise BadArchive("a global header that names a file")
            else:
                return self._member(block, kind, size, extended)
        raise BadArchive("too many extended headers before a member")

    def _member(self, block: bytes, code: bytes, size: int, extended: dict[str, bytes]) -> Member:
        name = extended.get("GNU.sparse.name") or extended.get("path") or _name(block)
        target = extended.get("linkpath") or _until_nul(block[157:257])
        if len(name) > MAX_NAME or len(target) > MAX_NAME:
            raise BadArchive(f"a name of more than {MAX_NAME} bytes")
        kind = _KINDS.get(code, OTHER)
        if kind == FILE and code == b"\0" and name.endswith(b"/"):
            kind = FOLDER  # before POSIX
        if "size" in extended:
            size = _decimal(extended["size"])
        if any(key.startswith("GNU.sparse.") for key in extended):
            kind = OTHER
        if code == b"S":
            more = block[482]
            while more:
                more = self._exactly(BLOCK)[504]
        if kind in _WITHOUT_DATA:
            size = 0
        self._left, self._padding = size, -size % BLOCK
        return Member(name.decode("utf-8", "surrogateescape"), kind, size, target.decode("utf-8", "surrogateescape"))

    def _header(self, size: int, most: int) -> bytes:
        if size > most:
            raise BadArchive(f"oversized header ({size} bytes)")
        body = self._exactly(size)
        self._exactly(-size % BLOCK)
        return body

    def _skip(self) -> None:
        for _piece in self.data():
            pass
        self._exactly(self._padding)
        self._padding = 0

    def _exactly(self, size: int) -> bytes:
        data = self._source.read(size) if size else b""
        while len(data) < size:
            more = self._source.read(size - len(data))
            if not more:
                raise EOFError("truncated: it has no end marker")
            data += more
        return data


def _check(block: bytes) -> None:
    # The sum of all bytes, with blanks in its own place; some old programs added signed ones.
    digits = block[148:156].strip(b" \0")
    if digits.strip(b"01234567"):
        raise NoArchive("not a tar archive, or a damaged one: a check sum that is no number")
    noted = _octal(digits)
    own = sum(block[148:156])
    if noted != sum(block) - own + 8 * 0x20:
        signed = sum(byte - 256 if byte > 127 else byte for byte in block[:148] + block[156:]) + 8 * 0x20
        if noted != signed:
            raise NoArchive("not a tar archive, or a damaged one: bad checksum")


def _name(block: bytes) -> bytes:
    name = _until_nul(block[:100])
    prefix = _until_nul(block[345:500]) if block[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _until_nul(data: bytes) -> bytes:
    return data.split(b"\0", 1)[0]


def _size(data: bytes) -> int:
    # GNU and star write what octal digits cannot hold in base 256.
    if data[0] == 0x80:
        size = int.from_bytes(data[1:], "big")
    elif data[0] == 0xFF:
        raise BadArchive("a file of negative size")
    else:
        size = _octal(data)
    if size >> 63:
        raise BadArchive(f"a file of {size} bytes")
    return size


def _octal(data: bytes) -> int:
    digits = data.strip(b" \0")
    if not digits:
        return 0
    if digits.strip(b"01234567"):
        raise BadArchive(f"not a tar archive, or a damaged one: {digits!r} is no octal number")
    return int(digits, 8)


def _decimal(digits: bytes) -> int:
    if not digits or len(digits) > 19 or digits.strip(b"0123456789"):
        raise BadArchive(f"a pax header with a size that is no number: {digits[:20]!r}")
    return int(digits)


def _records(body: bytes) -> dict[str, bytes]:
    """Return the records of a pax header: ``LENGTH KEY=VALUE`` and a newline, LENGTH counting all of it."""
    records: dict[str, bytes] = {}
    offset = 0
    while offset < len(body) and body[offset]:
        blank = body.find(b" ", offset, offset + 8)
        digits = body[offset:blank]
        if blank < 0 or not digits or digits.strip(b"0123456789"):
            raise BadArchive("a pax header with a record of no length")
        end = offset + int(digits)
        key, equals, value = body[blank + 1 : end - 1].partition(b"=")
        if not blank < end - 1 < len(body) or body[end - 1 : end] != b"\n" or not equals:
            raise BadArchive("a pax header with a malformed record")
        records[key.decode("utf-8", "surrogateescape")] = value
        offset = end
    return records
