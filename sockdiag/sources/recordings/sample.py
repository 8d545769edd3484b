"""One moment of a recording as what has changed since an earlier one.

A moment is what a capture holds: files, folders and symbolic links. What is as before takes no room at all; of other files the lines
that are as before are named by their number, and netlink answers go through :mod:`~sockdiag.sources.recordings.columns`.
"""

from __future__ import annotations

import zlib

from sockdiag.sources.capture.spool import FILE as OF_FILE
from sockdiag.sources.capture.spool import LINKS as OF_LINKS
from sockdiag.sources.recordings import columns
from sockdiag.sources.recordings.columns import NO_MESSAGES, Messages
from sockdiag.sources.recordings.packing import Damaged, Reader, Writer, places, steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

# Parts of a moment: a letter for what it is, and its path. Links are kept per folder, as name, tab, text.
FILE, FOLDER, LINKS = b"F", b"D", b"L"
_ENDS = {FILE: b"\n", LINKS: b"\0"}

# Bounds of what is read: a host with a million sockets stays below.
MAX_PARTS = 1_000_000
MAX_BYTES = 1 << 30
MAX_LINES = 8_000_000
_MAX_KEY = 4096 + 1

_LEVEL = 6
_WINDOW = 32768
# How a part is written: its lines, or its messages.
_LINES, _MESSAGES = 0, 1
_ANSWER = b".nl"


class StoredMoment:
    """Everything of one moment.

    Attributes:
        parts: by kind and path, their bytes.
    """

    __slots__ = ("_messages", "parts")

    def __init__(self, parts: dict[bytes, bytes] | None = None) -> None:
        self.parts = {} if parts is None else parts
        # Answers that have been cut into messages, which is needed once for the moment before and once for the one behind.
        self._messages: dict[bytes, Messages | None] = {}

    def add(self, kind: str, path: str, content: Iterable[Any]) -> None:
        """Add a part of a capture."""
        if kind == OF_FILE:
            self.file(path, 0, content)
        elif kind == OF_LINKS:
            self.links(path, content)
        else:
            self.folder(path)

    def folder(self, path: str) -> None:
        """Add a folder."""
        self.parts[FOLDER + _bytes(path)] = b""

    def file(self, path: str, size: int, pieces: Iterable[bytes]) -> None:  # noqa: ARG002 - archives need the size
        """Add a file."""
        self.parts[FILE + _bytes(path)] = b"".join(pieces)

    def links(self, folder: str, links: Iterable[tuple[bytes, bytes]]) -> None:
        """Add symbolic links of a folder."""
        key = LINKS + _bytes(folder)
        more = b"\0".join(b"%b\t%b" % link for link in links)
        there = self.parts.get(key)
        self.parts[key] = b"\0".join((there, more)) if there and more else there or more

    def messages(self, key: bytes) -> Messages | None:
        """Return an answer cut into messages; None if it is none."""
        if key not in self._messages:
            body = self.parts.get(key)
            self._messages[key] = None if body is None else Messages.of(body)
        return self._messages[key]

    def keep(self, key: bytes, messages: Messages) -> None:
        """Keep an answer that has been cut into messages."""
        self._messages[key] = messages


def encode(before: StoredMoment, now: StoredMoment) -> bytes:
    """Return what makes a moment out of an earlier one; out of an empty one it is whole."""
    main, lines, gone = Writer(), Writer(), Writer()
    removed = [key for key in before.parts if key not in now.parts]
    changed = [key for key, body in now.parts.items() if before.parts.get(key) != body]
    main.number(len(removed))
    for key in removed:
        main.blob(key)
    main.number(len(changed))
    for key in changed:
        main.blob(key)
        messages = now.messages(key) if key.endswith(_ANSWER) else None
        if messages is not None:
            main.number(_MESSAGES)
            main.blob(columns.encode(before.messages(key) or NO_MESSAGES, messages))
        else:
            main.number(_LINES)
            _encode_lines(main, lines, gone, before.parts.get(key, b""), now.parts[key], _ENDS.get(key[:1], b"\n"))
    head = zlib.compress(main.joined(), _LEVEL)
    packer = _packer(gone.parts)
    tail = packer.compress(lines.joined()) + packer.flush()
    out = Writer()
    out.blob(head)
    out.blob(tail)
    return out.joined()


def decode(before: StoredMoment, body: bytes) -> StoredMoment:
    """Return the moment that :func:`encode` was given.

    Raises:
        Damaged: it is not what :func:`encode` returns, or holds more than a moment may.
    """
    data = Reader(body)
    head, tail = data.blob(), data.blob()
    data.end()
    main = Reader(_unpacked(zlib.decompressobj(), head, MAX_BYTES))
    parts = dict(before.parts)
    for _ in range(main.number()):
        if parts.pop(main.blob(), None) is None:
            raise Damaged("it removes what was not there")
    now = StoredMoment(parts)
    waiting: list[tuple[bytes, list[bytes | None], bytes, list[int]]] = []
    gone: list[bytes] = []
    room = MAX_BYTES
    for _ in range(main.number()):
        key = main.blob()
        if not 2 <= len(key) <= _MAX_KEY or key[:1] not in (FILE, FOLDER, LINKS) or len(parts) > MAX_PARTS:
            raise Damaged(f"a part {key[:40]!r}")
        how = main.number()
        if how == _MESSAGES:
            earlier = before.messages(key) if key in before.parts else NO_MESSAGES
            rows = columns.decode(earlier or NO_MESSAGES, main.blob(), room)
            parts[key] = b"".join(rows)
            room -= len(parts[key])
        elif how == _LINES:
            old = before.parts.get(key, b"").split(_ENDS.get(key[:1], b"\n"))
            found = _numbered(main, len(old))
            kept = [None if place is None else old[place] for place in found]
            fresh = list(main.words(found.count(None)))
            room -= sum(len(line) + 1 for line in kept if line is not None) + sum(fresh)
            gone += _unnamed(old, found)
            waiting.append((key, kept, _ENDS.get(key[:1], b"\n"), fresh))
            parts[key] = b""
        else:
            raise Damaged(f"a part of kind {how}")
        if room < 0:
            raise Damaged(f"more than {MAX_BYTES} bytes")
    main.end()
    lines = Reader(_unpacked(zlib.decompressobj(zdict=_dictionary(gone)), tail, MAX_BYTES))
    for key, kept, end, fresh in waiting:
        sizes = iter(fresh)
        parts[key] = end.join([lines.take(next(sizes)) if line is None else line for line in kept])
    lines.end()
    return now


def _numbered(main: Reader, most: int) -> list[int | None]:
    count = main.number()
    if count > MAX_LINES:
        raise Damaged(f"{count} lines")
    return places(main.words(count), most)


def _encode_lines(main: Writer, lines: Writer, gone: Writer, before: bytes, now: bytes, end: bytes) -> None:
    old, new = before.split(end), now.split(end)
    index: dict[bytes, int] = {}
    for number, line in enumerate(old):
        index.setdefault(line, number)
    found: list[int | None] = []
    following, most = 0, len(old)
    for line in new:
        place = following if following < most and old[following] == line else index.get(line)
        found.append(place)
        if place is not None:
            following = place + 1
    main.number(len(found))
    main.words(steps(found))
    fresh = [line for line, place in zip(new, found, strict=True) if place is None]
    main.words(map(len, fresh))
    lines.parts += fresh
    gone.parts += _unnamed(old, found)


def _unnamed(old: list[bytes], found: list[int | None]) -> list[bytes]:
    # Lines that are not as they were are like those that are gone.
    named = set(found)
    return [line for number, line in enumerate(old) if number not in named]


def _dictionary(gone: list[bytes]) -> bytes:
    return b"".join(gone)[-_WINDOW:]


def _packer(gone: list[bytes]) -> zlib._Compress:
    dictionary = _dictionary(gone)
    return zlib.compressobj(_LEVEL, zdict=dictionary) if dictionary else zlib.compressobj(_LEVEL)


def _unpacked(unpacker: zlib._Decompress, body: bytes, most: int) -> bytes:
    try:
        found = unpacker.decompress(body, most)
    except zlib.error as error:
        raise Damaged(f"damaged: {error}") from None
    if unpacker.unconsumed_tail or unpacker.unused_data or not unpacker.eof:
        raise Damaged("it is longer or shorter than it says")
    return found


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def links_of(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and text of the links of a folder."""
    for entry in body.split(b"\0"):
        name, tab, text = entry.partition(b"\t")
        if tab:
            yield name, text
