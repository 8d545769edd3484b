"""The extended column of many rows at once: timers, details, memory and what else the options add to it.

What follows the fixed part of a message repeats from row to row, so its text is made once for each such tail. The
memory counters, which the kernel sends last, are kept apart where they are, for they differ more than the rest.
**Source:** struct inet_diag_msg and its attributes, include/uapi/linux/inet_diag.h.
"""

from __future__ import annotations

from struct import Struct

from sockdiag.errors import ParseError
from sockdiag.kernel.byte_order import ORDER, integer, units
from sockdiag.kernel.inet_diag import (
    CGROUP_ID,
    INFO,
    MARK,
    MD5SIG,
    MEMINFO,
    MSG_ATTRIBUTES,
    MSG_COOKIE,
    MSG_EXPIRES,
    MSG_INODE,
    MSG_RETRANS,
    MSG_TIMER,
    MSG_UID,
    PROTOCOL,
    SHUTDOWN,
    SKMEMINFO,
    SKV6ONLY,
    ULP_INFO,
    VEGASINFO,
)
from sockdiag.kernel.netlink import NLA_HDRLEN, NLA_TYPE_MASK, NLATTR
from sockdiag.sources.netlink.attributes import attributes
from sockdiag.ss.details import arrows, cgroup_text, mark_text, memory, timer_text
from sockdiag.ss.inet import sockopt_text, tos_text
from sockdiag.ss.row import Texts, texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from sockdiag.ss.listing import Listing
    from sockdiag.ss.tcp_columns import TcpColumns

# Places in units of 32 bits.
_COOKIE, _EXPIRES, _UID, _INODE = MSG_COOKIE >> 2, MSG_EXPIRES >> 2, MSG_UID >> 2, MSG_INODE >> 2
# What changes other columns, or belongs to -i.
_UNFIT = (PROTOCOL, SKV6ONLY, INFO, MD5SIG, ULP_INFO)
_UNFIT_INTERNALS = (PROTOCOL, SKV6ONLY, MD5SIG, ULP_INFO, VEGASINFO)
_UNFIT_BEGINNING = (*_UNFIT, MEMINFO, SKMEMINFO)
# The last attributes of a message where -m asked for them: MEMINFO and SKMEMINFO of today's size.
_MEMINFO_HEAD, _SKMEMINFO_HEAD = NLATTR.pack(20, MEMINFO), NLATTR.pack(40, SKMEMINFO)
_SKMEMINFO = Struct(f"{ORDER}9I")
_MEMORY_LEN, _SKMEMINFO_LEN = 60, _SKMEMINFO.size
_SKMEM = " skmem:(r%d,rb%d,t%d,tb%d,f%d,w%d,o%d,bl%d,d%d)"
# Expiries that take part in a text with their milliseconds.
_PRECISE_MS = 10_000
_MOST_TAILS = 16384


class Unfit(Exception):
    """A message needs the clear way."""


class _Mixed(Exception):
    """Messages of one length have different attributes."""


class Extended:
    """The extended column.

    Args:
        listing: the run.
    """

    __slots__ = (
        "_beginnings",
        "_details",
        "_listing",
        "_memories",
        "_memory",
        "_ordinary",
        "_tails",
        "_tcp",
        "_template",
        "_timers",
        "_uids",
    )

    def __init__(self, listing: Listing) -> None:
        settings = listing.settings
        self._listing = listing
        self._details = settings.details
        self._memory = settings.memory
        self._timers: Texts | None = None
        if settings.timers:
            self._timers = Texts(lambda key: timer_text(*key, old=settings.old))
        self._uids = Texts(lambda uid: f" uid:{uid}" if uid else "")
        self._tails = Texts(lambda tail: self._tail(tail, whole=True))
        self._beginnings = Texts(lambda tail: self._tail(tail, whole=False))
        self._memories = Texts(_skmem)
        self._ordinary = Texts(lambda some: self._before(attributes(some, 0, "")))
        self._tcp: TcpColumns | None = None
        if settings.info:
            from sockdiag.ss.tcp_columns import TcpColumns

            self._tcp = TcpColumns(settings)
        self._template = (("", 0), "")

    def cells(
        self, data: bytes, length: int, count: int, words: memoryview[int], tails: list[bytes] | None
    ) -> str | list[str]:
        """Return the cells, or the text that all of them have.

        Args:
            data: messages of one size, or the fixed parts of messages.
            length: that size.
            count: how many there are.
            words: the data in units of 32 bits.
            tails: what follows the fixed part of each message; None: it is in the data.

        Raises:
            Unfit: a row has what needs the clear way.
        """
        stride = length >> 2
        parts: list[tuple[str, str | Sequence[Any]]] = []
        timers = data[MSG_TIMER::length]
        if self._timers is not None and timers.count(0) != count:
            expires = [e if e < _PRECISE_MS else e - e % 1000 for e in words[_EXPIRES::stride].tolist()]
            keys = zip(timers, expires, data[MSG_RETRANS::length], strict=True)
            parts.append(("%s", list(map(self._timers.__getitem__, keys))))
        if self._details:
            parts.append(("%s", texts(self._uids, words[_UID::stride].tolist())))
            parts.append((" ino:%d", words[_INODE::stride].tolist()))
            parts.append((" sk:%x", _wide(words[_COOKIE::stride].tolist(), words[_COOKIE + 1 :: stride].tolist())))
        for memo in (self._tails, self._beginnings, self._memories, self._ordinary):
            if len(memo) > _MOST_TAILS:
                memo.clear()
        if self._tcp is not None:
            try:
                parts += self._internals(self._tcp, data, length, count, words)
            except _Mixed:
                return self.sorted_cells([data[at : at + length] for at in range(0, len(data), length)])
            return self._joined(parts, count)
        for memo, keys_of_memo in self._cut(data, length, count, words, tails):
            parts.append(("%s", texts(memo, keys_of_memo)))
        return self._joined(parts, count)

    def _cut(
        self, data: bytes, length: int, count: int, words: memoryview[int], tails: list[bytes] | None
    ) -> list[tuple[Texts, list[bytes]]]:
        """Cut the tails, where the memory counters are the last of all of them in two."""
        if tails is not None:
            if self._memory and all(map(_memory_last, tails)):
                return [
                    (self._beginnings, [tail[:-_MEMORY_LEN] for tail in tails]),
                    (self._memories, [tail[-_SKMEMINFO_LEN:] for tail in tails]),
                ]
            return [(self._tails, tails)]
        starts = range(0, len(data), length)
        end = length
        cut = []
        if self._memory and length >= MSG_ATTRIBUTES + _MEMORY_LEN and _memory_last(data[MSG_ATTRIBUTES:length]):
            heads = [words[(length - at) >> 2 :: length >> 2].tolist() for at in (_MEMORY_LEN, _SKMEMINFO_LEN + 4)]
            if all(head.count(head[0]) == count for head in heads):
                begin, end = length - _SKMEMINFO_LEN, length - _MEMORY_LEN
                cut.append((self._memories, [data[at + begin : at + length] for at in starts]))
        cut.insert(
            0, (self._beginnings if cut else self._tails, [data[at + MSG_ATTRIBUTES : at + end] for at in starts])
        )
        return cut

    def sorted_cells(self, messages: list[bytes]) -> list[str]:
        """Return the cells of messages of several layouts; Unfit as :meth:`cells`."""
        groups: dict[tuple[bytes, ...], list[int]] = {}
        for row, message in enumerate(messages):
            groups.setdefault(_layout_of(message), []).append(row)
        found = [""] * len(messages)
        for rows in groups.values():
            data = b"".join([messages[row] for row in rows])
            length = len(messages[rows[0]])
            if length & 3:
                raise Unfit
            cells = self.cells(data, length, len(rows), units(data, "I"), None)
            for row, cell in zip(rows, [cells] * len(rows) if isinstance(cells, str) else cells, strict=True):
                found[row] = cell
        return found

    def _internals(
        self, tcp: TcpColumns, data: bytes, length: int, count: int, words: memoryview[int]
    ) -> list[tuple[str, str | Sequence[Any]]]:
        """Return the parts of -i and of what is printed of attributes before it."""
        places = _places(data, length, count, words)
        if not places.keys().isdisjoint(_UNFIT_INTERNALS):
            raise Unfit
        from sockdiag.ss.tcp_columns import SHOWN

        parts: list[tuple[str, str | Sequence[Any]]] = []
        kept = [place for number, place in places.items() if number not in (MEMINFO, SKMEMINFO, *SHOWN)]
        if kept:
            # Those before the first and after the last of the others repeat, and are next to each other.
            cuts = _neighbours(kept)
            keys = [
                b"".join([data[at + begin : at + end] for begin, end in cuts]) for at in range(0, len(data), length)
            ]
            parts.append(("%s", texts(self._ordinary, keys)))
        if not self._listing.settings.oneline:
            parts.append(("%s", "\n\t"))
        number = SKMEMINFO if SKMEMINFO in places else MEMINFO
        if number in places:
            offset, size = places[number]
            payloads = [data[at : at + size] for at in range(offset, len(data), length)]
            if number == SKMEMINFO:
                parts.append(("%s", texts(self._memories, payloads)))
            else:
                parts.append(("%s", [memory({number: payload}) for payload in payloads]))
        if INFO in places:
            parts += tcp.parts(data, length, places)
        return parts

    def _joined(self, parts: list[tuple[str, str | Sequence[Any]]], count: int) -> str | list[str]:
        template = "".join([form % p.replace("%", "%%") if isinstance(p, str) else form for form, p in parts])
        columns = [p for _form, p in parts if not isinstance(p, str)]
        if not columns:
            return template % ()
        if template == "%s" and isinstance(columns[0], list):
            return columns[0]
        key = (template, count)
        if self._template[0] != key:
            self._template = (key, f"{template}\0" * count)
        flat = [""] * (len(columns) * count)
        for i, values in enumerate(columns):
            flat[i :: len(columns)] = values
        cells = (self._template[1] % tuple(flat)).split("\0")
        cells.pop()
        return cells

    def _tail(self, tail: bytes, *, whole: bool) -> str:
        try:
            found = attributes(tail, 0, "")
        except ParseError:
            raise Unfit from None
        if not found.keys().isdisjoint(_UNFIT if whole else _UNFIT_BEGINNING):
            raise Unfit
        settings = self._listing.settings
        text = self._before(found)
        if settings.memory:
            if not settings.oneline:
                text += "\n\t"
            text += memory(found)
        return text

    def _before(self, found: Mapping[int, bytes]) -> str:
        """Print what comes before the memory counters."""
        settings, names = self._listing.settings, self._listing.names
        text = ""
        if settings.details:
            if MARK in found:
                text += mark_text(integer(found[MARK]))
            if CGROUP_ID in found:
                text += cgroup_text(integer(found[CGROUP_ID]), names)
            if SHUTDOWN in found:
                text += arrows(integer(found[SHUTDOWN][:1]))
        if settings.tos:
            text += tos_text(found)
        if settings.cgroup and CGROUP_ID in found:
            text += f" cgroup:{names.cgroup(integer(found[CGROUP_ID]))}"
        if settings.sockopt:
            text += sockopt_text(found, self._listing)
        return text


def _memory_last(tail: bytes) -> bool:
    return tail[-60:-56] == _MEMINFO_HEAD and tail[-40:-36] == _SKMEMINFO_HEAD and not len(tail) & 3


def _wide(low: list[int], high: list[int]) -> list[int]:
    return [lo | hi << 32 for lo, hi in zip(low, high, strict=True)] if any(high) else low


def _skmem(data: bytes) -> str:
    return _SKMEM % _SKMEMINFO.unpack(data) if len(data) == _SKMEMINFO_LEN else memory({SKMEMINFO: data})


def _layout_of(message: bytes) -> tuple[bytes, ...]:
    """Return the heads of a message's attributes, and what is not whole behind them."""
    offset, heads = MSG_ATTRIBUTES, []
    while len(message) - offset >= NLA_HDRLEN:
        head = message[offset : offset + NLA_HDRLEN]
        size = NLATTR.unpack(head)[0]
        if not NLA_HDRLEN <= size <= len(message) - offset:
            raise Unfit
        heads.append(head)
        offset += (size + 3) & ~3
    return tuple(heads)


def _places(data: bytes, length: int, count: int, words: memoryview[int]) -> dict[int, tuple[int, int]]:
    """Return offset and length of the payload of each attribute, where all messages have the same.

    Raises:
        _Mixed: they have not.
        Unfit: they have one of them twice, or one that is damaged.
    """
    found: dict[int, tuple[int, int]] = {}
    offset = MSG_ATTRIBUTES
    while length - offset >= NLA_HDRLEN:
        size, kind = NLATTR.unpack_from(data, offset)
        number = kind & NLA_TYPE_MASK
        heads = words[offset >> 2 :: length >> 2].tolist()
        if heads.count(heads[0]) != count:
            raise _Mixed
        if not NLA_HDRLEN <= size <= length - offset or number in found:
            raise Unfit
        found[number] = (offset + NLA_HDRLEN, size - NLA_HDRLEN)
        offset += (size + 3) & ~3
    return found


def _neighbours(places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return from where to where attributes reach, heads included, those that follow each other as one."""
    cuts: list[tuple[int, int]] = []
    for offset, size in places:
        begin, end = offset - NLA_HDRLEN, offset + (size + 3 & ~3)
        if cuts and cuts[-1][1] == begin:
            begin = cuts.pop()[0]
        cuts.append((begin, end))
    return cuts
