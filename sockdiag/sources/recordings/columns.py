"""Netlink answers as what has changed since an earlier answer, column by column.

The messages of sockets are found again by their identity. Those of one size stand below each other, and each 32-bit column of the table
that they make is compared with the earlier one: most columns of most sockets do not change, and counters grow by a little. What is
left is small numbers, which compress well. Of 10,000 connections that rest three columns change, all by the time that has passed.
"""

from __future__ import annotations

from array import array
from itertools import accumulate
from struct import Struct

from sockdiag.kernel.byte_order import ORDER
from sockdiag.kernel.families import FAMILIES
from sockdiag.kernel.netlink import NLMSG_HDRLEN
from sockdiag.kernel.sock_diag import SOCK_DIAG_BY_FAMILY
from sockdiag.sources.recordings.packing import MASK, Damaged, Reader, Writer, places, steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_MESSAGE = 1 << 20
MAX_MESSAGES = 4_000_000
# Rows of a table; larger ones are cut, so that 200,000 sockets need no second and third copy of their answer.
_ROWS = 1 << 14
# How the differences of a column are written: one for each row; the change from row to row; those that are not zero.
_PLAIN, _RUNNING, _SPARSE = 0, 1, 2
# One in so many rows may differ for _SPARSE.
_FEW = 8
# Columns that change in most rows are looked for in so many rows, behind the header, and set apart if so many columns hold them.
_SAMPLED, _FIRST, _NEAR = 64, 4, 16

_HEADER = Struct(f"{ORDER}IH")
_IDENTITY: dict[int, slice] = {
    family.number: slice(
        NLMSG_HDRLEN + (family.identity.start or 0),
        None if family.identity.stop is None else NLMSG_HDRLEN + family.identity.stop,
    )
    for family in FAMILIES
}


class Messages:
    """The messages of an answer, padded, and where each is found by its identity.

    Attributes:
        rows: the messages.
        index: identity -> number of the message.
    """

    __slots__ = ("index", "keys", "rows")

    def __init__(self, rows: list[bytes], keys: list[bytes]) -> None:
        self.rows = rows
        self.keys = keys
        self.index = dict(zip(keys, range(len(keys)), strict=True))

    @classmethod
    def of(cls, body: bytes) -> Messages | None:
        """Cut an answer into messages; None if it does not consist of padded messages and nothing else."""
        rows: list[bytes] = []
        keys: list[bytes] = []
        offset, end = 0, len(body)
        header, identity = _HEADER.unpack_from, _IDENTITY
        ordinals: dict[int, int] = {}
        while offset < end:
            if end - offset < NLMSG_HDRLEN:
                return None
            length, kind = header(body, offset)
            size = (length + 3) & ~3
            if not NLMSG_HDRLEN <= length <= MAX_MESSAGE or size > end - offset or len(rows) >= MAX_MESSAGES:
                return None
            row = body[offset : offset + size]
            rows.append(row)
            if kind == SOCK_DIAG_BY_FAMILY and length > NLMSG_HDRLEN and row[NLMSG_HDRLEN] in identity:
                family = row[NLMSG_HDRLEN]
                keys.append(row[NLMSG_HDRLEN : NLMSG_HDRLEN + 1] + row[identity[family]])
            else:
                number = ordinals[kind] = ordinals.get(kind, 0) + 1
                keys.append(b"%d/%d" % (kind, number))
            offset += size
        return cls(rows, keys)


NO_MESSAGES = Messages([], [])


def encode(before: Messages, now: Messages) -> bytes:
    """Return what makes the messages *now* out of those *before*."""
    out = Writer()
    old, find = before.rows, before.index.get
    found = [
        place if place is not None and len(old[place]) == len(row) else None
        for place, row in zip(map(find, now.keys), now.rows, strict=True)
    ]
    out.number(len(found))
    out.words(steps(found))
    out.words(len(row) >> 2 for row, place in zip(now.rows, found, strict=True) if place is None)
    for size, known, numbers in _tables(found, [len(row) for row in now.rows]):
        new = [now.rows[number] for number in numbers]
        if not known:
            _encode_table(out, array("I", b"".join(new)), None, size >> 2)
            continue
        earlier = [old[found[number]] for number in numbers]  # type: ignore[index]
        low, high = _restless(new, earlier, size)
        rest = _active(new, earlier, low, high) if high else range(len(new))
        out.number(low << 16 | high)
        if high:
            _encode_resting(out, new, earlier, rest, low, high)
            new, earlier = [new[row] for row in rest], [earlier[row] for row in rest]
        _encode_table(out, array("I", b"".join(new)), array("I", b"".join(earlier)), size >> 2)
    return out.joined()


def decode(before: Messages, body: bytes, most: int) -> list[bytes]:
    """Return the messages that :func:`encode` was given.

    Args:
        before: the earlier ones.
        body: what it returned.
        most: bytes that they may have.

    Raises:
        Damaged: it is not what :func:`encode` returns.
    """
    data = Reader(body)
    count = data.number()
    if count > MAX_MESSAGES:
        raise Damaged(f"{count} messages")
    found = places(data.words(count), len(before.rows))
    fresh = iter(data.words(found.count(None)))
    sizes = [next(fresh) << 2 if place is None else len(before.rows[place]) for place in found]
    if sum(sizes) > most or max(sizes, default=0) > MAX_MESSAGE:
        raise Damaged(f"messages of {sum(sizes)} bytes")
    rows = [b""] * count
    for size, known, numbers in _tables(found, sizes):
        if not known:
            _put(rows, numbers, _decode_table(data, None, size >> 2, len(numbers)).tobytes(), size)
            continue
        earlier = [before.rows[found[number]] for number in numbers]  # type: ignore[index]
        told = data.number()
        low, high = told >> 16, told & 0xFFFF
        rest: Sequence[int] = range(len(numbers))
        if high:
            if not _FIRST <= low < high <= size >> 2:
                raise Damaged(f"columns {low} to {high} of {size >> 2}")
            rest = _decode_resting(data, rows, numbers, earlier, low, high)
        table = array("I", b"".join([earlier[row] for row in rest]))
        _put(rows, [numbers[row] for row in rest], _decode_table(data, table, size >> 2, len(rest)).tobytes(), size)
    data.end()
    return rows


def _put(rows: list[bytes], numbers: Sequence[int], table: bytes, size: int) -> None:
    for position, number in enumerate(numbers):
        rows[number] = table[position * size : (position + 1) * size]


def _restless(new: Sequence[bytes], earlier: Sequence[bytes], size: int) -> tuple[int, int]:
    """Return the first and the last but one column that change in most rows, by some of them; 0, 0 if they are not near each other."""
    if len(new) < _SAMPLED or size >> 2 > 0xFFFF:
        return 0, 0
    chosen = range(0, len(new), len(new) // _SAMPLED)
    words = [(array("I", new[row]), array("I", earlier[row])) for row in chosen]
    moving = [lane for lane in range(_FIRST, size >> 2) if 2 * sum(a[lane] != b[lane] for a, b in words) > len(words)]
    if not moving or moving[-1] - moving[0] >= _NEAR:
        return 0, 0
    return moving[0], moving[-1] + 1


def _active(new: Sequence[bytes], earlier: Sequence[bytes], low: int, high: int) -> list[int]:
    """Return the rows that change in other columns than the restless ones and those of the header that name the request."""
    start, end, asked = low << 2, high << 2, new[0][8:16]
    return [
        number
        for number, (a, b) in enumerate(zip(new, earlier, strict=True))
        if a[16:start] != b[16:start] or a[end:] != b[end:] or a[8:16] != asked or a[:8] != b[:8]
    ]


def _encode_resting(
    out: Writer, new: Sequence[bytes], earlier: Sequence[bytes], active: Sequence[int], low: int, high: int
) -> None:
    out.number(len(active))
    out.words(_growth(active))
    out.parts.append(new[0][8:16])
    busy = set(active)
    start, end = low << 2, high << 2
    resting = [row for row in range(len(new)) if row not in busy]
    _encode_table(
        out,
        array("I", b"".join([new[row][start:end] for row in resting])),
        array("I", b"".join([earlier[row][start:end] for row in resting])),
        high - low,
    )


def _decode_resting(
    data: Reader, rows: list[bytes], numbers: Sequence[int], earlier: Sequence[bytes], low: int, high: int
) -> list[int]:
    count = data.number()
    if count > len(numbers):
        raise Damaged(f"{count} of {len(numbers)} rows")
    active = list(accumulate(data.words(count)))
    busy = set(active)
    if len(busy) != count or active[-1:] > [len(numbers) - 1]:
        raise Damaged(f"{count} of {len(numbers)} rows")
    asked = data.take(8)
    start, end = low << 2, high << 2
    resting = [row for row in range(len(numbers)) if row not in busy]
    table = array("I", b"".join([earlier[row][start:end] for row in resting]))
    body = _decode_table(data, table, high - low, len(resting)).tobytes()
    size = end - start
    for position, row in enumerate(resting):
        before = earlier[row]
        middle = body[position * size : (position + 1) * size]
        rows[numbers[row]] = b"".join((before[:8], asked, before[16:start], middle, before[end:]))
    return active


def _tables(found: Sequence[int | None], sizes: Sequence[int]) -> Iterator[tuple[int, bool, list[int]]]:
    """Yield the tables that both sides make: size of a row, whether it was there before, and the numbers of the messages."""
    groups: dict[tuple[int, bool], list[int]] = {}
    for number, (place, size) in enumerate(zip(found, sizes, strict=True)):
        key = size, place is not None
        rows = groups.get(key)
        if rows is None:
            rows = groups[key] = []
        rows.append(number)
    for (size, known), numbers in groups.items():
        for start in range(0, len(numbers), _ROWS):
            yield size, known, numbers[start : start + _ROWS]


def _encode_table(out: Writer, new: array[int], earlier: array[int] | None, lanes: int) -> None:
    written = Writer()
    count = 0
    for lane in range(lanes):
        column = new[lane::lanes]
        if earlier is None:
            # Sockets of one kind have the same attributes, and many the same values: the difference to the row above.
            if any(column):
                count += 1
                written.number(lane << 2 | _PLAIN)
                written.words(_small(_growth(column)))
            continue
        other = earlier[lane::lanes]
        if column == other:
            continue
        count += 1
        rows = [row for row, (a, b) in enumerate(zip(column, other, strict=True)) if a != b]
        if len(rows) * _FEW <= len(column):
            written.number(lane << 2 | _SPARSE)
            written.number(len(rows))
            written.words(_growth(rows))
            written.words(_small(column[row] - other[row] for row in rows))
            continue
        changes = [a - b for a, b in zip(column, other, strict=True)]
        written.number(lane << 2 | _RUNNING)
        written.words(_small(_growth(changes)))
    out.number(count)
    out.parts += written.parts


def _decode_table(data: Reader, earlier: array[int] | None, lanes: int, rows: int) -> array[int]:
    table = array("I", bytes(4 * lanes * rows)) if earlier is None else earlier
    for _ in range(data.number()):
        told = data.number()
        lane, how = told >> 2, told & 3
        if lane >= lanes:
            raise Damaged(f"column {lane} of {lanes}")
        if how == _SPARSE:
            count = data.number()
            if count > rows:
                raise Damaged(f"{count} of {rows} rows")
            row = 0
            for step, change in zip(data.words(count), _large(data.words(count)), strict=True):
                row += step
                if row >= rows:
                    raise Damaged(f"row {row} of {rows}")
                place = row * lanes + lane
                table[place] = (table[place] + change) & MASK
            continue
        if how not in (_PLAIN, _RUNNING):
            raise Damaged(f"a column of kind {how}")
        changes = accumulate(_large(data.words(rows)))
        table[lane::lanes] = array("I", [(a + b) & MASK for a, b in zip(table[lane::lanes], changes, strict=True)])
    return table


def _growth(numbers: Iterable[int]) -> list[int]:
    last = 0
    out = []
    for number in numbers:
        out.append(number - last)
        last = number
    return out


def _small(changes: Iterable[int]) -> list[int]:
    # A change either way is a small number: 0, -1, 1, -2 are 0, 1, 2, 3. All is modulo 2^32, as the kernel counts.
    return [(c & MASK) << 1 if not c & 0x80000000 else (~c & MASK) << 1 | 1 for c in changes]


def _large(numbers: array[int]) -> Iterator[int]:
    return (~(n >> 1) & MASK if n & 1 else n >> 1 for n in numbers)
