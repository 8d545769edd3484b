"""Search bytes for what a mapping replaces, in every way in which an address or a name is written.

Addresses: dotted or with dashes, as DNS reverses them, as IPv6 in full or shortened, with an IPv4 one in it, as hexadecimal digits in either byte
order, as a decimal number, as bytes in either order. Names: as they are, in capital letters, within other words, with %XX or octal escapes.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from socket import AF_INET6, inet_pton
from sys import byteorder

from sockdiag.model.record import BYTES, LABEL, Record, field
from sockdiag.sources.redaction.addresses import kept
from sockdiag.sources.redaction.kernel_words import kernel_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Literal

    from sockdiag.sources.redaction.mapping import Mapping

    Find = tuple[int, str]


class Leftover(Record):
    """Something in a redacted capture that should not be there."""

    path: str = field("Path in the capture.", kind=LABEL)
    offset: int | None = field("Where in the file; null for its name.", unit=BYTES)
    kind: str = field("What it is, and how it is written.", kind=LABEL)


NAME, IPV4, IPV6, MAC = "name", "IPv4 address", "IPv6 address", "link-layer address"
# Shorter words, and shorter ones among binary numbers, occur by chance.
_SHORTEST, _SHORTEST_BINARY, _SHORTEST_WITHIN = 3, 5, 6
_CONTEXT = 512
# More chance finds of an address among binary numbers than this are expected: numbers are not searched.
_CHANCE = 0.02
_TEXT = re.compile(
    rb"(?P<v6>(?<![0-9A-Za-z:])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}))"
    rb"|(?P<v4>(?<![0-9])(?<![0-9][.])\d{1,3}([.\-_])\d{1,3}(?:\3\d{1,3}){2}(?![0-9]))"
)
_MAC = re.compile(rb"(?<![0-9A-Za-z])[0-9A-Fa-f]{2}([:-])[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4}(?![0-9A-Za-z])")
_NIBBLES = re.compile(rb"(?:[0-9A-Fa-f]\.){32}")
_TOKEN = re.compile(rb"[0-9A-Za-z\x80-\xff]+")
_HEX = re.compile(rb"[0-9A-Fa-f]+")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})|\\([0-3][0-7]{2})|\\x([0-9A-Fa-f]{2})")
_NUMBER = 7


class LeftoverSearch:
    """What to look for.

    Args:
        mapping: its originals are looked for, unless one is also a pseudonym.
        more: other addresses and names to look for.
    """

    __slots__ = ("_macs", "_mapping", "_numbers", "_plain", "_v4", "_v6", "_within", "_words")

    def __init__(self, mapping: Mapping, more: Iterable[bytes] = (), names: Iterable[bytes] = ()) -> None:
        self._mapping = mapping
        given = set(mapping.addresses.values())
        originals = {a for a in mapping.addresses if a not in given and not kept(a)} | set(more)
        self._v4 = {a for a in originals if len(a) == 4}
        self._v6 = {a for a in originals if len(a) == 16}
        self._macs = mapping.macs.keys() - mapping.macs.values() | {a for a in originals if len(a) == 6}
        words = {w for w in mapping.names.table if not mapping.names.is_pseudonym(w)} | set(names)
        self._plain = kernel_words()
        self._words = {w.lower() for w in words if len(w) >= _SHORTEST and not w.isdigit()} - self._plain
        self._within = sorted((w for w in self._words if len(w) >= _SHORTEST_WITHIN), key=len, reverse=True)
        # 10.0.0.1 as a number is an ordinary number.
        self._numbers = {a for a in self._v4 if sum(map(bool, a)) >= 3}

    def finds(self, pieces: Iterable[bytes], size: int, *, binary: bool) -> Iterator[Find]:
        """Yield offset and kind of what is found."""
        chance = 2 * len(self._numbers) * size / (1 << 32)
        numbers = binary and chance < _CHANCE
        window, base = b"", 0
        for piece in pieces:
            window += piece
            if len(window) > 4 * _CONTEXT:
                yield from self._in_window(
                    window, base, 0 if not base else _CONTEXT, len(window) - _CONTEXT, binary, numbers
                )
                base += len(window) - 2 * _CONTEXT
                window = window[-2 * _CONTEXT :]
        yield from self._in_window(window, base, 0 if not base else _CONTEXT, len(window), binary, numbers)

    def _in_window(self, window: bytes, base: int, first: int, end: int, binary: bool, numbers: bool) -> Iterator[Find]:
        found = dict(self._text(window, binary=binary))
        if _ESCAPE.search(window):
            plain, places = _unescaped(window)
            for offset, kind in self._text(plain, binary=binary):
                found.setdefault(_raw_offset(places, offset), kind)
        if binary:
            found.update(self._binary(window, numbers=numbers))
        for offset in sorted(found):
            if first <= offset < end:
                yield base + offset, found[offset]

    def _text(self, text: bytes, *, binary: bool) -> Iterator[Find]:
        if self._v4 or self._v6:
            for match in _TEXT.finditer(text):
                kind = self._v6_text(match[0]) if match["v6"] else self._v4_text(match[0], match[3])
                if kind:
                    yield match.start(), kind
            for match in _NIBBLES.finditer(text):
                if bytes.fromhex(match[0].replace(b".", b"").decode()[::-1]) in self._v6:
                    yield match.start(), f"{IPV6}, as in DNS"
        if self._macs:
            for match in _MAC.finditer(text):
                if bytes.fromhex(match[0].replace(match[1], b"").decode()) in self._macs:
                    yield match.start(), MAC
        shortest = _SHORTEST_BINARY if binary else _SHORTEST
        for match in _TOKEN.finditer(text):
            word = match[0]
            if len(word) < shortest:
                continue
            kind = self._digits(word) or (NAME if self._is_name(word) else "")
            if kind:
                yield match.start(), kind

    def _v4_text(self, text: bytes, dot: bytes) -> str:
        octets = [int(octet) for octet in text.split(dot)]
        if max(octets) > 255:
            return ""
        if bytes(octets) in self._v4:
            return f"{IPV4}, dotted"
        # Of few octets that are not 0, the reverse is an address of its own.
        return f"{IPV4}, reversed" if bytes(octets[::-1]) in self._numbers else ""

    def _v6_text(self, text: bytes) -> str:
        for end in (len(text), text.rfind(b":")):
            try:
                address = inet_pton(AF_INET6, text[:end].decode("ascii"))
            except (OSError, UnicodeDecodeError):
                continue
            if address in self._v6:
                return f"{IPV6}, text"
            if address[12:] in self._v4 and not any(address[:10]):
                return f"{IPV4}, mapped"
        head, _, tail = text.rpartition(b":")
        if head and tail.count(b".") == 3:
            return self._v4_text(tail, b".")
        return ""

    def _digits(self, word: bytes) -> str:
        if not _HEX.fullmatch(word):
            return ""
        if word.isdigit() and _NUMBER <= len(word) <= 10 and int(word) < 1 << 32:
            raw = int(word).to_bytes(4, "big")
            if raw in self._numbers or raw[::-1] in self._numbers:
                return f"{IPV4}, a number"
        length = len(word)
        if length % 2:
            return ""
        raw = bytes.fromhex(word.decode())
        if length == 12 and raw in self._macs:
            return MAC
        for place in range(0, length // 2 - 15, 4):
            one = raw[place : place + 16]
            words = b"".join(one[i : i + 4][::-1] for i in range(0, 16, 4))
            if one in self._v6 or words in self._v6 or one[::-1] in self._v6:
                return f"{IPV6}, hexadecimal"
        for place in range(0, length // 2 - 3, 4):
            one = raw[place : place + 4]
            if one in self._v4 or one[::-1] in self._v4:
                return f"{IPV4}, hexadecimal"
        return ""

    def _is_name(self, word: bytes) -> bool:
        small = word.lower()
        if small in self._words:
            return True
        if len(small) <= _SHORTEST_WITHIN or small in self._plain or self._mapping.names.is_pseudonym(word):
            return False
        return any(name in small for name in self._within)

    def _binary(self, data: bytes, *, numbers: bool) -> Iterator[Find]:
        firsts: dict[int, list[bytes]] = {}
        for address in self._v6:
            for one in (address, _host_words(address)):
                firsts.setdefault(int.from_bytes(one[:8], byteorder), []).append(one)
        for first in _cast(data, "Q", 8) & firsts.keys() if firsts else ():
            for address in firsts[first]:
                yield from ((at, f"{IPV6}, binary") for at in _places(data, address))
        for one in self._macs:
            yield from ((at, f"{MAC}, binary") for at in _places(data, one))
        if numbers and self._numbers:
            values: dict[int, bytes] = {}
            for address in self._numbers:
                values[int.from_bytes(address, "big")] = values[int.from_bytes(address, "little")] = address
            for value in _cast(data, "I", 4) & values.keys():
                yield from ((at, f"{IPV4}, binary") for at in _places(data, value.to_bytes(4, byteorder)))


def _host_words(address: bytes) -> bytes:
    return b"".join(address[i : i + 4][::-1] for i in range(0, 16, 4))


def _cast(data: bytes, code: Literal["I", "Q"], size: int) -> set[int]:
    """Return all numbers of some bytes that stand anywhere in *data*."""
    found: set[int] = set()
    view = memoryview(data)
    for phase in range(size):
        whole = (len(data) - phase) // size * size
        if whole > 0:
            found.update(view[phase : phase + whole].cast(code))
    return found


def _places(data: bytes, wanted: bytes) -> Iterator[int]:
    at = data.find(wanted)
    while at >= 0:
        yield at
        at = data.find(wanted, at + 1)


def _unescaped(text: bytes) -> tuple[bytes, list[tuple[int, int]]]:
    """Return a text with its escapes undone, and where its parts were."""
    out = bytearray()
    places = [(0, 0)]
    last = 0
    for match in _ESCAPE.finditer(text):
        out += text[last : match.start()]
        places.append((len(out), match.start()))
        out.append(int(match[1] or match[3], 16) if match[2] is None else int(match[2], 8))
        last = match.end()
        places.append((len(out), last))
    return bytes(out + text[last:]), places


def _raw_offset(places: list[tuple[int, int]], offset: int) -> int:
    plain, raw = places[bisect_right(places, (offset, 1 << 62)) - 1]
    return raw + offset - plain
