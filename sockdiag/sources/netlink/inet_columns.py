"""inet_diag answers in bulk: cut columns out of the kernel's bytes instead of decoding one message after the other.

The kernel packs up to 32 KiB of messages into a datagram. Messages of one table, family and set of attributes have the
same length and layout, so one field of all of them is a strided slice. :class:`Columns` sorts messages by layout and
gives :class:`~sockdiag.model.batch.Batch` es; a message whose layout is not the one of its group, and attributes that
need more than slicing, go through the clear decoder, ``sockdiag.sources.netlink.inet_diag.decode()``. The two are tested equal.
An unknown attribute, such as a newer kernel may add to every socket, is a column of bytes.
"""

from __future__ import annotations

from _socket import AF_INET6, inet_ntop  # start-up: docs/rejected.md
from array import array
from itertools import compress
from struct import calcsize

from sockdiag.errors import ParseError
from sockdiag.kernel.byte_order import LITTLE, U16, U32, units
from sockdiag.kernel.inet_diag import (
    CGROUP_ID,
    INFO,
    LOCALS,
    MARK,
    MD5SIG,
    MEMINFO,
    MSG_ATTRIBUTES,
    MSG_COOKIE,
    MSG_DPORT,
    MSG_DST,
    MSG_EXPIRES,
    MSG_FAMILY,
    MSG_IF,
    MSG_INODE,
    MSG_RETRANS,
    MSG_RQUEUE,
    MSG_SPORT,
    MSG_SRC,
    MSG_STATE,
    MSG_TIMER,
    MSG_UID,
    MSG_WQUEUE,
    PAD,
    PEERS,
    PROTOCOL,
    SHUTDOWN,
    SK_BPF_STORAGES,
    SKMEMINFO,
    ULP_INFO,
)
from sockdiag.kernel.netlink import NLA_HDRLEN, NLA_TYPE_MASK, NLATTR
from sockdiag.kernel.sock_diag import AF_INET, SK_MEMINFO
from sockdiag.kernel.tcp_states import LISTEN
from sockdiag.model.batch import Batch, Column, uniform
from sockdiag.model.socket import IN_BYTES, IN_CONNECTIONS, INET_FAMILIES, Socket, Timer
from sockdiag.sources.netlink.cookies import Cookies, cookie_of
from sockdiag.sources.netlink.inet_diag import PROTOCOLS, TABLES, decode, interface_label, state_namer, timer_name
from sockdiag.sources.reading import MAX_ERRORS
from sockdiag.sources.system.kernel_version import unknown_version
from sockdiag.sources.system.transport import Request, messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from sockdiag.errors import SourceError
    from sockdiag.sources.system.kernel_version import Version

# Attributes that a decoder must see row by row: their values differ in every row, or their content decides whether they
# are understood. A group with one of them goes to the clear decoder.
_ROW_BY_ROW = {MEMINFO, MD5SIG, ULP_INFO, LOCALS, PEERS, SK_BPF_STORAGES}

# Rows of a batch: enough that the work a batch costs does not show, few enough that its text stays in the caches.
_BATCH_ROWS = 2048


class Columns:
    """Sort the messages of an answer by layout and hand them out as batches.

    Args:
        table: netid of the rows.
        request: what was asked, to name the source in errors.
        interfaces: name of an interface by index.
        version: of the kernel that answers.
    """

    __slots__ = (
        *("_full", "_given", "_groups", "_interfaces", "_known", "_request", "_rows", "_table", "_version", "errors"),
    )

    def __init__(
        self,
        table: str,
        request: Request,
        interfaces: Callable[[int], str | None],
        version: Version = unknown_version,
    ) -> None:
        self._table = table
        self._request = request
        self._interfaces = interfaces
        self._version = version
        self._given = Cookies()
        self.begin()

    def begin(self) -> None:
        """Forget everything but the sockets that were handed out, for an answer that begins again."""
        self._known = self._given.all()
        self._groups: dict[tuple[int, int, bool], list[bytes]] = {}
        self._rows: dict[tuple[int, int, bool], int] = {}
        self._full: list[tuple[tuple[int, int, bool], list[bytes]]] = []
        self.errors: list[ParseError | SourceError] = []

    def take(self, datagram: bytes) -> None:
        """Sort in one datagram of whole messages."""
        if self._known:
            datagram = self._unknown(datagram)
            if not datagram:
                return
        length = U32.unpack_from(datagram)[0]
        rows, rest = divmod(len(datagram), length) if length >= MSG_ATTRIBUTES else (0, 1)
        if not rest and not length & 3 and uniform(array("I", datagram)[:: length >> 2]):
            family, listening = datagram[MSG_FAMILY], datagram[MSG_STATE] == LISTEN
            states = datagram[MSG_STATE::length]
            if uniform(datagram[MSG_FAMILY::length]) and states.count(LISTEN) == (rows if listening else 0):
                self._add((length, family, listening), datagram, rows)
                return
            # One walk of both families mixes them.
            cuts = [datagram[at : at + length] for at in range(0, len(datagram), length)]
            kinds = [
                (state == LISTEN) << 8 | of for of, state in zip(datagram[MSG_FAMILY::length], states, strict=True)
            ]
            for kind in dict.fromkeys(kinds):
                self._add_all((length, kind & 0xFF, kind > 0xFF), list(compress(cuts, map(kind.__eq__, kinds))))
            return
        mixed: dict[tuple[int, int, bool], list[bytes]] = {}
        for message in messages(self._request, datagram):
            size = len(message)
            if size < MSG_ATTRIBUTES:
                self._error(ParseError(self._request.source, 0, "nlmsg_len", f"at least {MSG_ATTRIBUTES}", size))
                continue
            key = (size, message[MSG_FAMILY], message[MSG_STATE] == LISTEN)
            alike = mixed.get(key)
            if alike is None:
                mixed[key] = [message]
            else:
                alike.append(message)
        for key, alike in mixed.items():
            self._add_all(key, alike)

    def full(self) -> Iterator[Batch]:
        """Yield the batches that are full, while the answer comes: a long one is never held as a whole."""
        if self._table == "sctp":
            return  # its rows are associations, and those of a socket have one cookie
        full, self._full = self._full, []
        for key, parts in full:
            data = b"".join(parts)
            if not self._given.add_alike(data):
                self._given.add(messages(self._request, data))
            yield self._batch(data, *key)

    def _unknown(self, datagram: bytes) -> bytes:
        kept = [
            message + bytes(-len(message) & 3)
            for message in messages(self._request, datagram)
            if len(message) < MSG_ATTRIBUTES or cookie_of(message) not in self._known
        ]
        return b"".join(kept)

    def rest(self) -> Iterator[Batch]:
        """Yield the batches, when the answer has ended: IPv4 first. Each is made when its turn comes, in little memory."""
        groups = [*self._full, *self._groups.items()]
        self._full, self._groups, self._rows = [], {}, {}
        groups.sort(key=_family)
        groups.reverse()
        while groups:
            key, parts = groups.pop()
            yield self._batch(b"".join(parts), *key)

    def _error(self, error: ParseError) -> None:
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(error)

    def _add_all(self, key: tuple[int, int, bool], alike: list[bytes]) -> None:
        self._add(key, b"".join(alike), len(alike))

    def _add(self, key: tuple[int, int, bool], data: bytes, rows: int) -> None:
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = []
            self._rows[key] = 0
        group.append(data)
        self._rows[key] += rows
        if self._rows[key] >= _BATCH_ROWS:
            self._full.append((key, group))
            del self._groups[key], self._rows[key]

    def _batch(self, data: bytes, length: int, family: int, listening: bool) -> Batch:
        cut = _Cut(data, length)
        layout = self._layout(cut) if family in INET_FAMILIES else None
        if layout is None:
            return Batch.of(self._decode(data, length))
        # The number and the size of an attribute decide whether it is understood: the first row speaks for all.
        (first,) = self._decode(data[:length], length)
        opaque = {}
        for number, payload in first.unknown_attributes:
            offset, size = layout[number]
            opaque[number] = (offset + size - len(payload), len(payload))
            if len(payload) == size:
                del layout[number]
        protocol = layout.get(PROTOCOL)
        if protocol and cut.octets(protocol[0]) != bytes((PROTOCOLS[self._table] & 0xFF,)) * cut.rows:
            return Batch.of(self._decode(data, length))
        batch = self._columnar(cut, family, listening, layout)
        if opaque:
            _put_opaque(batch, cut, opaque)
        return batch

    def _decode(self, data: bytes, length: int) -> list[Socket]:
        sockets = []
        for offset in range(0, len(data), length):
            message = data[offset : offset + length]
            try:
                sockets.append(decode(message, self._table, self._interfaces, version=self._version))
            except ParseError as error:
                self._error(error)
        return sockets

    def _pick(self, data: bytes, length: int, rows: Sequence[int]) -> list[Socket]:
        return self._decode(b"".join([data[row * length : (row + 1) * length] for row in rows]), length)

    def _layout(self, cut: _Cut) -> dict[int, tuple[int, int]] | None:
        # Offset and payload length of each attribute; None where rows differ in that, or must be decoded one by one.
        found: dict[int, tuple[int, int]] = {}
        data, length = cut.data, cut.length
        if length & 3 or self._table == "raw":
            return None
        offset = MSG_ATTRIBUTES
        while length - offset >= NLA_HDRLEN:
            size, kind = NLATTR.unpack_from(data, offset)
            number = kind & NLA_TYPE_MASK
            if not NLA_HDRLEN <= size <= length - offset or number in _ROW_BY_ROW or number in found:
                return None
            if number == INFO and self._table != "tcp":
                return None
            if not uniform(cut.words(offset)) or (number == SKMEMINFO and size == NLA_HDRLEN):
                return None
            found[number] = (offset + NLA_HDRLEN, size - NLA_HDRLEN)
            offset += (size + 3) & ~3
        return found

    def _columnar(self, cut: _Cut, family: int, listening: bool, layout: dict[int, tuple[int, int]]) -> Batch:
        kind, protocol = TABLES[self._table]
        constants: dict[str, Any] = {
            "netid": self._table,
            "family": INET_FAMILIES[family],
            "type": kind,
            "protocol": protocol,
            "recv_q_unit": IN_CONNECTIONS if listening else IN_BYTES,
            "unknown_attributes": (),
            "source": "netlink",
        }
        # Most are cut when they are first needed: to count by one field takes no other.
        columns: dict[str, Column] = {
            "recv_q": cut.numbers(MSG_RQUEUE),
            "send_q": cut.numbers(MSG_WQUEUE),
            "local.address": _address(cut, MSG_SRC, family),
            "peer.address": _address(cut, MSG_DST, family),
            "local.port": Column("%d", lambda: [cut.ports(MSG_SPORT)]),
            "peer.port": Column("%d", lambda: [cut.ports(MSG_DPORT)]),
            # Two u32, the low word first on every machine.
            "cookie": Column('"%x"', lambda: [_wide(cut.words(MSG_COOKIE), cut.words(MSG_COOKIE + 4))]),
        }
        _put(columns, constants, "state", cut.octets(MSG_STATE), state_namer(self._table), quoted=True)
        _put(columns, constants, "local.interface", cut.words(MSG_IF), lambda i: interface_label(i, self._interfaces))
        inodes = cut.words(MSG_INODE)
        columns["inode"] = Column("%d", [inodes])
        if 0 in inodes:
            # For a socket without a file, which has no owner, the kernel reports 0.
            columns["uid"] = Column("", lambda: [_whose(inodes, cut.words(MSG_UID))])
        else:
            columns["uid"] = cut.numbers(MSG_UID)
        timers = cut.octets(MSG_TIMER)
        if timers[0] or not uniform(timers):
            columns["timer"] = Column(
                "", lambda: [_timers(self._table, timers, cut.words(MSG_EXPIRES), cut.octets(MSG_RETRANS))]
            )
        self._attribute_columns(layout, cut, columns, constants)
        data, length = cut.data, cut.length
        return Batch(
            cut.rows,
            lambda: self._decode(data, length),
            constants,
            columns,
            lambda some: self._pick(data, length, some),
        )

    def _attribute_columns(
        self, layout: dict[int, tuple[int, int]], cut: _Cut, columns: dict[str, Column], constants: dict[str, Any]
    ) -> None:
        few: dict[int, tuple[int, int]] = {}
        for number, (offset, size) in layout.items():
            if number == SKMEMINFO:
                for index, name in enumerate(SK_MEMINFO[: size >> 2]):
                    columns[f"skmem.{name}"] = cut.numbers(offset + 4 * index)
            elif number == SHUTDOWN:
                _put(columns, constants, "shutdown", cut.octets(offset), int)
            elif number == MARK:
                columns["mark"] = cut.numbers(offset)
            elif number == CGROUP_ID:
                columns["cgroup_id"] = _cgroup_ids(cut, offset)
            elif number == INFO:
                columns["tcp_info"] = _tcp_infos(cut, offset, size, self._version)
            elif number not in (PROTOCOL, PAD):
                # Options of a socket: rows have few different values of them.
                few[number] = (offset, size)
        if few:
            columns["inet"] = Column("", lambda: [self._inet_attrs(few, cut)])

    def _inet_attrs(self, few: dict[int, tuple[int, int]], cut: _Cut) -> list[Any]:
        from sockdiag.sources.netlink.inet_attributes import decode_attributes

        data, length = cut.data, cut.length
        if all(uniform(cut.words(at)) for offset, size in few.values() for at in range(offset & ~3, offset + size, 4)):
            same = {number: data[offset : offset + size] for number, (offset, size) in few.items()}
            return [decode_attributes(same, self._table, [], self._version)[1]] * cut.rows
        cuts = [
            [data[at + offset : at + offset + size] for at in range(0, len(data), length)]
            for offset, size in few.values()
        ]
        known: dict[tuple[bytes, ...], Any] = {}
        values = []
        for payloads in zip(*cuts, strict=True):
            value = known.get(payloads)
            if value is None:
                found = dict(zip(few, payloads, strict=True))
                value = known[payloads] = decode_attributes(found, self._table, [], self._version)[1]
            values.append(value)
        return values


class _Cut:
    """Messages of one length, and the same piece of each of them, by its offset in a message.

    Args:
        data: the messages.
        length: of one; that it is a multiple of four is the caller's to see.
    """

    __slots__ = ("data", "length", "rows")

    def __init__(self, data: bytes, length: int) -> None:
        self.data = data
        self.length = length
        self.rows = len(data) // length

    def octets(self, offset: int) -> bytes:
        return self.data[offset :: self.length]

    def words(self, offset: int) -> array[int]:
        return array("I", units(self.data, "I")[offset >> 2 :: self.length >> 2].tobytes())

    def long_words(self, offset: int) -> array[int] | list[int]:
        low, high = (offset, offset + 4) if LITTLE else (offset + 4, offset)
        return _wide(self.words(low), self.words(high))

    def ports(self, offset: int) -> array[int]:
        ports = array("H", units(self.data, "H")[offset >> 1 :: self.length >> 1].tobytes())
        if LITTLE:
            ports.byteswap()
        return ports

    def hexadecimal(self, offset: int, size: int) -> list[str]:
        if not size:
            return [""] * self.rows
        payloads = bytearray(self.rows * size)
        for place in range(size):
            payloads[place::size] = self.octets(offset + place)
        return payloads.hex(" ", size).split(" ")

    def numbers(self, offset: int) -> Column:
        return Column("%d", lambda: [self.words(offset)])


def _family(group: tuple[tuple[int, int, bool], list[bytes]]) -> int:
    return group[0][1]


def _put(
    columns: dict[str, Column],
    constants: dict[str, Any],
    name: str,
    raw: bytes | array[int],
    decode_one: Callable[[int], Any],
    quoted: bool = False,
) -> None:
    # Most batches have one value: a constant costs nothing a row.
    if uniform(raw):
        constants[name] = decode_one(raw[0])
    else:
        known = {value: decode_one(value) for value in set(raw)}
        columns[name] = Column('"%s"' if quoted else "", [list(map(known.__getitem__, raw))])


def _put_opaque(batch: Batch, cut: _Cut, opaque: dict[int, tuple[int, int]]) -> None:
    # Unknown attributes keep their bytes. In JSON they are hexadecimal.
    assert batch.columns is not None
    data = cut.data
    if all(uniform(cut.octets(offset + i)) for offset, size in opaque.values() for i in range(size)):
        batch.constants["unknown_attributes"] = tuple(
            [(number, data[offset : offset + size]) for number, (offset, size) in opaque.items()]
        )
        return
    del batch.constants["unknown_attributes"]

    text = ",".join([f'[{number},"%s"]' for number in opaque])
    batch.columns["unknown_attributes"] = Column(
        f"[{text}]", lambda: [cut.hexadecimal(*place) for place in opaque.values()], _Numbered(tuple(opaque))
    )


class _Numbered:
    """Make ``unknown_attributes`` of the hexadecimal payloads of these attributes."""

    __slots__ = ("numbers",)

    def __init__(self, numbers: tuple[int, ...]) -> None:
        self.numbers = numbers

    def __call__(self, *payloads: str) -> tuple[tuple[int, bytes], ...]:
        return tuple(zip(self.numbers, map(bytes.fromhex, payloads), strict=True))


def _address(cut: _Cut, offset: int, family: int) -> Column:
    if family == AF_INET:
        return Column('"%d.%d.%d.%d"', lambda: [cut.octets(offset + i) for i in range(4)], _dotted)
    return Column('"%s"', lambda: [_ipv6_texts(cut.data, offset, cut.length)])


def _dotted(a: int, b: int, c: int, d: int) -> str:
    return f"{a}.{b}.{c}.{d}"


def _ipv6_texts(data: bytes, offset: int, length: int) -> list[str]:
    known: dict[bytes, str] = {}
    texts = []
    for at in range(offset, len(data), length):
        raw = data[at : at + 16]
        text = known.get(raw)
        if text is None:
            text = known[raw] = inet_ntop(AF_INET6, raw)
        texts.append(text)
    return texts


def _cgroup_ids(cut: _Cut, offset: int) -> Column:
    return Column("%d", lambda: [cut.long_words(offset)])


def _tcp_infos(cut: _Cut, offset: int, size: int, version: Version) -> Column:
    # Records are made only if they are asked for; a member that is a word or two is a column of its own.
    from sockdiag.model.tcp_info import NOT_SET
    from sockdiag.sources.netlink.inet_attributes import ECN_WORD, ECN_WORD_AT, TCP_INFO, decode_tcp_info, ecn_members

    data, length = cut.data, cut.length
    listening = data[MSG_STATE] == LISTEN

    def records() -> list[list[Any]]:
        return [
            [decode_tcp_info(data[at + offset : at + offset + size], version) for at in range(0, len(data), length)]
        ]

    def member(name: str) -> Sequence[Any] | None:
        if listening or (size and LISTEN in cut.octets(offset)):
            return None  # of a listener most members are not filled
        if name in ECN_WORD:
            if size < ECN_WORD_AT + 4:
                return [None] * cut.rows
            words = list(zip(*(cut.octets(offset + ECN_WORD_AT + i) for i in range(4)), strict=True))
            known = {word: ecn_members(bytes(word), version)[ECN_WORD.index(name)] for word in set(words)}
            return list(map(known.__getitem__, words))
        place, wire = TCP_INFO.place(name)
        if place + calcsize(f"={wire or 'B'}") > size:
            return [None] * cut.rows
        at = offset + place
        if wire == "I":
            values: Sequence[Any] = cut.words(at)
        elif wire == "Q":
            values = cut.long_words(at)
        elif wire == "H":
            values = list(map(U16.unpack, map(bytes, zip(cut.octets(at), cut.octets(at + 1), strict=True))))
            values = [value for (value,) in values]
        else:
            # None cannot be looked for in bytes.
            values = list(cut.octets(at))
        if not wire:
            read, before = TCP_INFO.bit_field(name), bytes(place)
            known = {octet: read(before + bytes((octet,))) for octet in set(values)}
            values = list(map(known.__getitem__, values))
        unset = NOT_SET.get(name)
        return values if unset is None or unset not in values else [None if v == unset else v for v in values]

    return Column("", records, member=member)


def _wide(low: array[int], high: array[int]) -> array[int] | list[int]:
    return [lo | hi << 32 for lo, hi in zip(low, high, strict=True)] if high[0] or not uniform(high) else low


def _whose(inodes: array[int], uids: array[int]) -> list[int | None]:
    return [uid if inode or uid else None for uid, inode in zip(uids, inodes, strict=True)]


def _timers(table: str, timers: bytes, expires: array[int], retransmits: bytes) -> list[Timer | None]:
    make = Timer._make
    rows = zip(timers, expires, retransmits, strict=True)
    return [make((timer_name(t, table), e, r)) if t else None for t, e, r in rows]
