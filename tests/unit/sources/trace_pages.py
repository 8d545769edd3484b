"""Read pages of a trace ring, as the kernel's include/linux/ring_buffer.h and kernel/trace/ring_buffer.c lay them out."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_PADDING, _TIME_EXTEND, _TIME_STAMP = 29, 30, 31
# Bits 30 and 31 of the length say that events were lost, and that the number of them follows.
_LENGTH = (1 << 30) - 1


class Format(NamedTuple):
    """The layout of an event: its number, and offset, size and sign of each field."""

    name: str
    number: int
    fields: dict[str, tuple[int, int, bool]]

    @classmethod
    def parse(cls, text: str) -> Format:
        """Read a ``format`` file."""
        fields = re.findall(r"field:(.*?);\s*offset:(\d+);\s*size:(\d+);(?:\s*signed:(\d);)?", text)
        return cls(
            re.findall(r"^name: (\w+)$", text, re.MULTILINE)[0],
            int(re.findall(r"^ID: (\d+)$", text, re.MULTILINE)[0]),
            {
                re.findall(r"(\w+)(?:\[[^]]*\])?$", declared)[0]: (int(offset), int(size), sign == "1")
                for declared, offset, size, sign in fields
            },
        )


class Event(NamedTuple):
    """An event: the number of its format, its time on the trace clock, the process, and all its bytes."""

    kind: int
    nanoseconds: int
    pid: int
    body: bytes


def header_sizes(text: str) -> tuple[int, int]:
    """Return where the data of a page begins, and how long a page is."""
    offset, size = re.findall(r"field: char data;\s*offset:(\d+);\s*size:(\d+);", text)[0]
    return int(offset), int(offset) + int(size)


def events(pages: bytes, header: tuple[int, int]) -> Iterator[Event]:
    """Give the events of pages, in their order."""
    begin, size = header
    for at in range(0, len(pages), size):
        page = pages[at : at + size]
        now, commit = struct.unpack_from("=QQ", page)
        place, end = begin, begin + (commit & _LENGTH)
        while place < end:
            (word,) = struct.unpack_from("=I", page, place)
            kind, delta = word & 31, word >> 5
            place += 4
            if kind in (_TIME_EXTEND, _TIME_STAMP):
                (high,) = struct.unpack_from("=I", page, place)
                place += 4
                stamp = (high << 27) + delta
                # An absolute time has 59 bits; the upper ones are those of the time before.
                now = now + stamp if kind == _TIME_EXTEND else (now >> 59 << 59) | stamp
                continue
            if kind == _PADDING:
                if not delta:
                    break
                (length,) = struct.unpack_from("=I", page, place)
                now += delta
                place += length
                continue
            now += delta
            if kind:
                length = kind * 4
            else:
                (length,) = struct.unpack_from("=I", page, place)
                length, place = length - 4, place + 4
            body = page[place : place + length]
            place += length
            number, _flags, _preempt, pid = struct.unpack_from("=HBBi", body)
            yield Event(number, now, pid, body)
