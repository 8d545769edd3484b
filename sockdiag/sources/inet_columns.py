"""inet_diag answers in bulk: cut columns out of the kernel's bytes instead of decoding one message after the other.

The kernel packs up to 32 KiB of messages into a datagram. Messages of one table, family and set of attributes have the
same length and layout, so one field of all of them is a strided slice. :class:`Columns` sorts messages by layout and
gives :class:`~sockdiag.model.batch.Batch` es; a message whose layout is not the one of its group, and attributes that
need more than slicing, go through the clear decoder, ``sockdiag.sources.inet_diag.decode()``. The two are tested equal.
"""

from __future__ import annotations

from _socket import AF_INET6, inet_ntop
from array import array
from struct import unpack_from

from sockdiag.errors import ParseError
from sockdiag.kernel.inet_diag import (
    BBRINFO,
    CGROUP_ID,
    CLASS_ID,
    CONG,
    DCTCPINFO,
    MARK,
    MSG_LEN,
    PAD,
    PROTOCOL,
    SHUTDOWN,
    SKMEMINFO,
    SKV6ONLY,
    SOCKOPT,
    TCLASS,
    TOS,
    VEGASINFO,
)
from sockdiag.kernel.netlink import NLA_HDRLEN, NLA_TYPE_MASK, NLMSG_HDRLEN
from sockdiag.kernel.sock_diag import AF_INET, SK_MEMINFO
from sockdiag.kernel.tcp_states import LISTEN, state_name
from sockdiag.model.batch import Batch, Column, uniform
from sockdiag.model.socket import IN_BYTES, IN_CONNECTIONS, INET_FAMILIES, Socket, Timer
from sockdiag.sources._transport import Request, messages
from sockdiag.sources.inet_diag import PROTOCOLS, TABLES, decode, interface_label, timer_name
from sockdiag.sources.reading import MAX_ERRORS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from sockdiag.errors import SourceError

# Offsets from the start of a message of the members of struct inet_diag_msg.
_FAMILY = NLMSG_HDRLEN
_STATE = NLMSG_HDRLEN + 1
_TIMER = NLMSG_HDRLEN + 2
_RETRANS = NLMSG_HDRLEN + 3
_SPORT = NLMSG_HDRLEN + 4
_DPORT = NLMSG_HDRLEN + 6
_SRC = NLMSG_HDRLEN + 8
_DST = NLMSG_HDRLEN + 24
_IF = NLMSG_HDRLEN + 40
_COOKIE = NLMSG_HDRLEN + 44
_EXPIRES = NLMSG_HDRLEN + 52
_RQUEUE = NLMSG_HDRLEN + 56
_WQUEUE = NLMSG_HDRLEN + 60
_UID = NLMSG_HDRLEN + 64
_INODE = NLMSG_HDRLEN + 68
_ATTRIBUTES = NLMSG_HDRLEN + MSG_LEN

# Attributes that become columns of their own, and those of which rows have few different values: InetAttrs. Any other
# one (tcp_info above all) sends its group to the clear decoder.
_SLICED = {SHUTDOWN, MARK, CGROUP_ID, SKMEMINFO}
_FEW_VALUES = {TOS, TCLASS, SKV6ONLY, CLASS_ID, SOCKOPT, CONG, VEGASINFO, DCTCPINFO, BBRINFO}
_KNOWN = _SLICED | _FEW_VALUES | {PROTOCOL, PAD}
_SIZES = {SHUTDOWN: 1, MARK: 4, CGROUP_ID: 8, PROTOCOL: 1}

# Rows of a batch: enough that the work a batch costs does not show, few enough that its text stays in the caches and
_BATCH_ROWS = 2048


class Columns:
    """Sort the messages of an answer by layout and hand them out as batches.

    Args:
        table: netid of the rows.
        request: what was asked, to name the source in errors.
        interfaces: name of an interface by index.
    """

    __slots__ = ("_groups", "_interfaces", "_ready", "_request", "_rows", "_table", "errors")

    def __init__(self, table: str, request: Request, interfaces: Callable[[int], str | None]) -> None:
        self._table = table
        self._request = request
        self._interfaces = interfaces
        self.begin()

    def begin(self) -> None:
        """Forget everything, for an answer that begins again."""
        self._groups: dict[tuple[int, int, bool], list[bytes]] = {}
        self._rows: dict[tuple[int, int, bool], int] = {}
        self._ready: list[Batch] = []
        self.errors: list[ParseError | SourceError] = []

    def take(self, datagram: bytes) -> None:
        """Sort in one datagram of whole messages."""
        length = unpack_from("=I", datagram)[0]
        rows, rest = divmod(len(datagram), length) if length >= _ATTRIBUTES else (0, 1)
        if not rest and not length & 3 and uniform(array("I", datagram)[:: length >> 2]):
            family, listening = datagram[_FAMILY], datagram[_STATE] == LISTEN
            states = datagram[_STATE::length]
            if uniform(datagram[_FAMILY::length]) and states.count(LISTEN) == (rows if listening else 0):
                self._add((length, family, listening), datagram, rows)
                return
        for message in messages(self._request, datagram):
            if len(message) < _ATTRIBUTES:
                self._error(ParseError(self._request.source, 0, "nlmsg_len", f"at least {_ATTRIBUTES}", len(message)))
            else:
                self._add((len(message), message[_FAMILY], message[_STATE] == LISTEN), message, 1)

    def ready(self) -> Iterator[Batch]:
        """Yield the batches that are full."""
        batches, self._ready = self._ready, []
        yield from batches

    def rest(self) -> Iterator[Batch]:
        """Yield all that is left, when the answer has ended."""
        yield from self.ready()
        for key in list(self._groups):
            self._flush(key)
        yield from self.ready()

    def _error(self, error: ParseError) -> None:
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(error)

    def _add(self, key: tuple[int, int, bool], data: bytes, rows: int) -> None:
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = []
            self._rows[key] = 0
        group.append(data)
        self._rows[key] += rows
        if self._rows[key] >= _BATCH_ROWS:
            self._flush(key)

    def _flush(self, key: tuple[int, int, bool]) -> None:
        data = b"".join(self._groups.pop(key))
        rows = self._rows.pop(key)
        length, family, listening = key
        layout = self._layout(data, length, rows) if family in INET_FAMILIES else None
        if layout is None or self._decode(data[:length], length)[0].unknown_attributes:
            self._ready.append(Batch.of(self._decode(data, length)))
        else:
            self._ready.append(self._batch(data, length, rows, family, listening, layout))

    def _decode(self, data: bytes, length: int) -> list[Socket]:
        sockets = []
        for offset in range(0, len(data), length):
            try:
                sockets.append(decode(data[offset : offset + length], self._table, self._interfaces))
            except ParseError as error:
                self._error(error)
        return sockets

    def _pick(self, data: bytes, length: int, rows: Sequence[int]) -> list[Socket]:
        return self._decode(b"".join([data[row * length : (row + 1) * length] for row in rows]), length)

    def _layout(self, data: bytes, length: int, rows: int) -> dict[int, tuple[int, int]] | None:
        # Offset and payload length of each attribute; None where rows differ in that, or one is not known here.
        found: dict[int, tuple[int, int]] = {}
        if length & 3 or self._table == "raw":
            return None
        words = array("I", data)
        offset = _ATTRIBUTES
        while length - offset >= NLA_HDRLEN:
            size, kind = unpack_from("=HH", data, offset)
            number = kind & NLA_TYPE_MASK
            if not NLA_HDRLEN <= size <= length - offset or number not in _KNOWN or number in found:
                return None
            if size - NLA_HDRLEN != _SIZES.get(number, size - NLA_HDRLEN):
                return None
            if not uniform(words[offset >> 2 :: length >> 2]):
                return None
            found[number] = (offset + NLA_HDRLEN, size - NLA_HDRLEN)
            offset += (size + 3) & ~3
        if found.get(SKMEMINFO, (0, 0))[1] > 4 * len(SK_MEMINFO):
            return None
        protocol = found.get(PROTOCOL)
        if protocol and data[protocol[0] :: length] != bytes((PROTOCOLS[self._table] & 0xFF,)) * rows:
            return None
        return found

    def _batch(
        self, data: bytes, length: int, rows: int, family: int, listening: bool, layout: dict[int, tuple[int, int]]
    ) -> Batch:
        words = array("I", data)
        step = length >> 2

        def word(offset: int) -> array[int]:
            return words[offset >> 2 :: step]

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
        columns: dict[str, Column] = {
            "recv_q": Column("%d", [word(_RQUEUE)]),
            "send_q": Column("%d", [word(_WQUEUE)]),
            "local.address": _address(data, _SRC, length, family),
            "peer.address": _address(data, _DST, length, family),
            "local.port": Column("%d", [_ports(data, _SPORT, length)]),
            "peer.port": Column("%d", [_ports(data, _DPORT, length)]),
            "cookie": _cookie(word(_COOKIE), word(_COOKIE + 4)),
        }
        _put(columns, constants, "state", data[_STATE::length], state_name, quoted=True)
        _put(columns, constants, "local.interface", word(_IF), lambda i: interface_label(i, self._interfaces))
        inodes, uids = word(_INODE), word(_UID)
        columns["inode"] = Column("%d", [inodes])
        if 0 in inodes:
            # Of a socket without a file the kernel says 0 for "nobody's".
            whose = [uid if inode or uid else None for uid, inode in zip(uids, inodes, strict=True)]
            columns["uid"] = Column("", [whose])
        else:
            columns["uid"] = Column("%d", [uids])
        timers = data[_TIMER::length]
        if timers[0] or not uniform(timers):
            columns["timer"] = Column("", lambda: [_timers(timers, word(_EXPIRES), data[_RETRANS::length])])
        self._attribute_columns(layout, data, length, columns, constants)
        return Batch(
            rows, lambda: self._decode(data, length), constants, columns, lambda some: self._pick(data, length, some)
        )

    def _attribute_columns(
        self,
        layout: dict[int, tuple[int, int]],
        data: bytes,
        length: int,
        columns: dict[str, Column],
        constants: dict[str, Any],
    ) -> None:
        words = array("I", data)
        step = length >> 2
        few: dict[int, tuple[int, int]] = {}
        for number, (offset, size) in layout.items():
            if number == SKMEMINFO:
                for index, name in enumerate(SK_MEMINFO[: size >> 2]):
                    columns[f"skmem.{name}"] = Column("%d", [words[(offset >> 2) + index :: step]])
            elif number == SHUTDOWN:
                _put(columns, constants, "shutdown", data[offset::length], int)
            elif number == MARK:
                columns["mark"] = Column("%d", [words[offset >> 2 :: step]])
            elif number == CGROUP_ID:
                columns["cgroup_id"] = Column(
                    "%d", [_wide(words[offset >> 2 :: step], words[(offset >> 2) + 1 :: step])]
                )
            elif number in _FEW_VALUES:
                few[number] = (offset, size)
        if few:
            columns["inet"] = Column("", lambda: [self._inet_attrs(few, data, length)])

    def _inet_attrs(self, few: dict[int, tuple[int, int]], data: bytes, length: int) -> list[Any]:
        from sockdiag.sources._inet_attributes import decode_attributes

        words = array("I", data)
        step = length >> 2
        if all(
            uniform(words[at::step])
            for offset, size in few.values()
            for at in range(offset >> 2, (offset + size + 3) >> 2)
        ):
            same = {number: data[offset : offset + size] for number, (offset, size) in few.items()}
            return [decode_attributes(same, self._table, [])[1]] * (len(data) // length)
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
                value = known[payloads] = decode_attributes(found, self._table, [])[1]
            values.append(value)
        return values


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


def _ports(data: bytes, offset: int, length: int) -> array[int]:
    ports = array("H", data)[offset >> 1 :: length >> 1]
    if _LITTLE_ENDIAN:
        ports.byteswap()
    return ports


_LITTLE_ENDIAN = array("H", b"\1\0")[0] == 1


def _address(data: bytes, offset: int, length: int, family: int) -> Column:
    if family == AF_INET:
        octets = [data[offset + i :: length] for i in range(4)]
        return Column('"%d.%d.%d.%d"', octets, _dotted)
    return Column('"%s"', lambda: [_ipv6_texts(data, offset, length)])


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


def _wide(low: array[int], high: array[int]) -> array[int] | list[int]:
    if not _LITTLE_ENDIAN:
        low, high = high, low
    return [lo | hi << 32 for lo, hi in zip(low, high, strict=True)] if high[0] or not uniform(high) else low


def _cookie(first: array[int], second: array[int]) -> Column:
    # Two u32, the low word first on every machine.
    if not second[0] and uniform(second):
        return Column('"%x"', [first])
    return Column('"%x"', [[lo | hi << 32 for lo, hi in zip(first, second, strict=True)]])


def _timers(timers: bytes, expires: array[int], retransmits: bytes) -> list[Timer | None]:
    make = Timer._make
    rows = zip(timers, expires, retransmits, strict=True)
    return [make((timer_name(t), e, r)) if t else None for t, e, r in rows]
