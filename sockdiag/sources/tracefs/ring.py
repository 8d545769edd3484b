"""Pages of the kernel's trace ring buffer, as ``trace_pipe_raw`` gives them.

Source: ``struct buffer_data_page``, ``struct ring_buffer_event`` and ``rb_update_read_stamp()``, kernel/trace/ring_buffer.c,
include/linux/ring_buffer.h. The header of a page is described by ``events/header_page``.
"""

from __future__ import annotations

from re import compile as regex
from struct import error as struct_error

from sockdiag.errors import ParseError
from sockdiag.kernel.byte_order import LITTLE, U16, U32, U64, integer
from sockdiag.model.record import ID, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PADDING, _TIME_EXTEND, _TIME_STAMP = 29, 30, 31
_DELTA_BITS = 27
_DELTA_MASK = (1 << _DELTA_BITS) - 1
_TOP_BITS = ~((1 << 59) - 1)
# Flags in the word that holds the length of a page's data.
_MISSED_EVENTS, _MISSED_STORED = 1 << 31, 1 << 30
_LENGTH = _MISSED_STORED - 1
_HEADER = regex(rb"field: .*?\b(timestamp|commit|data);\s*offset:(\d+);\s*size:(\d+);")


class PageLayout(Record):
    """Where the parts of a page are."""

    timestamp: int = field("Offset of the time of the page.", kind=ID)
    commit: int = field("Offset of the length of its data.", kind=ID)
    commit_size: int = field("Bytes of that number.", kind=ID)
    data: int = field("Offset of its data.", kind=ID)
    size: int = field("Bytes of a page.", kind=ID)


def parse_header_page(body: bytes, path: str = "events/header_page") -> PageLayout:
    """Parse the description of a page's header.

    Raises:
        ParseError: a part is missing.
    """
    found = {name: (int(offset), int(size)) for name, offset, size in _HEADER.findall(body)}
    if set(found) != {b"timestamp", b"commit", b"data"}:
        raise ParseError(path, 1, "timestamp, commit, data", "three fields", body[:80])
    data, room = found[b"data"]
    size = data + room
    if found[b"commit"][1] not in (4, 8) or not 0 < size <= 1 << 20:
        raise ParseError(path, 1, "commit, data", "a size", body[:80])
    return PageLayout(found[b"timestamp"][0], *found[b"commit"], data, size)


class TracePage:
    """One page.

    Attributes:
        missed: how many events before it were overwritten; None if some were and the kernel does not say how many.
    """

    __slots__ = ("_at", "_bytes", "_end", "_time", "missed")

    def __init__(self, page: bytes, layout: PageLayout, path: str = "trace_pipe_raw") -> None:
        try:
            self._time = U64.unpack_from(page, layout.timestamp)[0]
            commit = (U64 if layout.commit_size == 8 else U32).unpack_from(page, layout.commit)[0]
        except struct_error:
            raise ParseError(path, 0, "page", f"at least {layout.data} bytes", str(len(page))) from None
        self._bytes = page
        self._at = layout.data
        self._end = layout.data + (commit & _LENGTH)
        if self._end > len(page):
            raise ParseError(path, 0, "commit", f"at most {len(page) - layout.data}", str(commit & _LENGTH))
        self.missed: int | None = 0
        if commit & _MISSED_EVENTS:
            stored = page[self._end : self._end + layout.commit_size]
            known = commit & _MISSED_STORED and len(stored) == layout.commit_size
            self.missed = integer(stored) if known else None

    def events(self, path: str = "trace_pipe_raw") -> Iterator[tuple[int, int, int, int]]:
        """Yield time (ns), number of the tracepoint, offset and length of each event.

        Raises:
            ParseError: an event reaches beyond the page.
        """
        page, at, end, now = self._bytes, self._at, self._end, self._time
        word_at, kind_at, little = U32.unpack_from, U16.unpack_from, LITTLE
        while at + 4 <= end:
            word = word_at(page, at)[0]
            if little:
                size, delta = word & 31, word >> 5
            else:
                size, delta = word >> _DELTA_BITS, word & _DELTA_MASK
            begin = at + 4
            if 1 <= size < _PADDING:
                length = size << 2
            elif begin + 4 > end:
                return
            elif size == _PADDING:
                if not delta:
                    return
                at = begin + word_at(page, begin)[0]
                continue
            elif size == _TIME_EXTEND:
                now += (word_at(page, begin)[0] << _DELTA_BITS) + delta
                at = begin + 4
                continue
            elif size == _TIME_STAMP:
                now = (now & _TOP_BITS) | ((word_at(page, begin)[0] << _DELTA_BITS) + delta)
                at = begin + 4
                continue
            else:
                length = word_at(page, begin)[0] - 4
                begin += 4
            if length < 2 or begin + length > end:
                raise ParseError(path, at, "event", f"at most {end - begin} bytes", str(length))
            now += delta
            yield now, kind_at(page, begin)[0], begin, length
            at = begin + (length + 3 & ~3)
