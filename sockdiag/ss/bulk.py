"""The short way for long tables: columns of an inet_diag datagram without a SocketRow for each message.

A datagram that needs more than that (a bound device, a v6only attribute) is decoded message by message instead, by
``sockdiag.ss.inet``, and so are all datagrams where an option needs it (-i, -K, -r). A test compares the two.
**Source:** struct inet_diag_msg, include/uapi/linux/inet_diag.h.
"""

from __future__ import annotations

from _socket import inet_ntoa  # start-up: docs/rejected.md
from operator import add

from sockdiag.kernel.byte_order import U32, units
from sockdiag.kernel.inet_diag import (
    MSG_ATTRIBUTES,
    MSG_DPORT,
    MSG_DST,
    MSG_FAMILY,
    MSG_IF,
    MSG_INODE,
    MSG_RQUEUE,
    MSG_SPORT,
    MSG_SRC,
    MSG_STATE,
    MSG_WQUEUE,
)
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6, IPPROTO_RAW, IPPROTO_SCTP, IPPROTO_TCP
from sockdiag.kernel.tcp_states import CLOSE, LISTEN
from sockdiag.ss import layout as columns_of
from sockdiag.ss.inet import NETIDS
from sockdiag.ss.layout import ports_of
from sockdiag.ss.row import Texts, queue, state_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sockdiag.ss.extended import Extended
    from sockdiag.ss.layout import Cells
    from sockdiag.ss.listing import Listing

# Places in units of 16 bits (ports) and of 32 bits.
_SPORT, _DPORT = MSG_SPORT >> 1, MSG_DPORT >> 1
_SRC, _DST, _IF, _INODE = MSG_SRC >> 2, MSG_DST >> 2, MSG_IF >> 2, MSG_INODE >> 2
_RQUEUE, _WQUEUE = MSG_RQUEUE >> 2, MSG_WQUEUE >> 2
# More texts of a column than this are forgotten.
_MOST_TEXTS = 8192
# From this first byte on, a port has five digits.
_FIVE_DIGITS = 10240 >> 8


def _inet_text(number: int) -> str:
    return f"{inet_ntoa(U32.pack(number))}:"


class Bulk:
    """Columns of one table's datagrams.

    Args:
        listing: the run.
        protocol: what was asked for.
    """

    __slots__ = ("_extended", "_inet", "_inet6", "_listing", "_netid", "_numeric", "_ports", "_queues", "_states")

    def __init__(self, listing: Listing, protocol: int) -> None:
        names = listing.names
        self._listing = listing
        self._numeric = names.numeric
        self._netid = NETIDS.get(protocol, "???")
        self._states = Texts(lambda number: state_word(number, old=listing.settings.old))
        # Each column has a memory of its own, for it has a width of its own.
        self._inet = (Texts(_inet_text), Texts(_inet_text))
        self._inet6 = (Texts(names.inet6_text), Texts(names.inet6_text))
        self._ports = (Texts(names.network_port), Texts(names.network_port))
        self._queues = (Texts(queue), Texts(queue))
        self._extended: Extended | None = None
        settings = listing.settings
        if (
            settings.timers
            or settings.info
            or settings.details
            or settings.memory
            or settings.tos
            or settings.cgroup
            or settings.sockopt
        ):
            from sockdiag.ss.extended import Extended

            self._extended = Extended(listing)

    def take(self, datagram: bytes) -> bool:
        """Store the rows of a datagram; return False, having stored none, if it has to go the clear way."""
        length = U32.unpack_from(datagram)[0]
        count, rest = divmod(len(datagram), length) if length >= MSG_ATTRIBUTES else (0, 1)
        whole = datagram
        tails: list[bytes] | None = None
        if rest or length & 3 or units(datagram, "I")[:: length >> 2].tolist().count(length) != count:
            messages = _split(whole)
            datagram = b"".join([message[:MSG_ATTRIBUTES] for message in messages])
            length = MSG_ATTRIBUTES
            count = len(messages)
            if self._extended is not None:
                tails = [message[MSG_ATTRIBUTES:] for message in messages]
        if not count:
            return False
        words = units(datagram, "I")
        family = datagram[MSG_FAMILY]
        states = datagram[MSG_STATE::length]
        stride = length >> 2
        if datagram[MSG_FAMILY::length].count(family) != count or any(words[_IF::stride].tolist()):
            return False
        if family == AF_INET:
            texts = self._inet
            local: Sequence[Any] = words[_SRC::stride].tolist()
            peer: Sequence[Any] = words[_DST::stride].tolist()
        elif family == AF_INET6 and not (CLOSE in states or LISTEN in states):
            texts = self._inet6
            local = [datagram[at : at + 16] for at in range(MSG_SRC, len(datagram), length)]
            peer = [datagram[at : at + 16] for at in range(MSG_DST, len(datagram), length)]
        else:
            return False
        if not self._listing.settings.selection.families >> family & 1:
            return True
        extended: str | list[str] = ""
        if self._extended is not None:
            from sockdiag.ss.extended import Unfit

            try:
                if tails is not None and self._listing.settings.info:
                    extended = self._extended.sorted_cells(_split(whole))
                else:
                    extended = self._extended.cells(datagram, length, count, words, tails)
            except Unfit:
                return False
        self._store(words, memoryview(datagram).cast("H"), stride, count, states, texts, local, peer, extended)
        return True

    def _store(
        self,
        words: memoryview[int],
        halves: memoryview[int],
        stride: int,
        count: int,
        states: bytes,
        texts: tuple[Texts, Texts],
        local: Sequence[Any],
        peer: Sequence[Any],
        extended: str | list[str],
    ) -> None:
        shown: list[Cells] = []
        longest = []
        for column in self._listing.layout.columns:
            memo: Texts | None = None
            keys: Sequence[Any] = ()
            cells: Cells = ""
            if column == columns_of.NETID:
                cells = self._netid
            elif column == columns_of.STATE:
                memo, keys = self._states, states
            elif column in (columns_of.RECV_Q, columns_of.SEND_Q):
                sent = column == columns_of.SEND_Q
                memo, keys = self._queues[sent], words[(_WQUEUE if sent else _RQUEUE) :: stride].tolist()
            elif column in (columns_of.LOCAL, columns_of.PEER):
                memo, keys = texts[column == columns_of.PEER], local if column == columns_of.LOCAL else peer
            elif column in (columns_of.LOCAL_PORT, columns_of.PEER_PORT):
                place = column == columns_of.PEER_PORT
                cells, keys = self._port_cells(halves[(_DPORT if place else _SPORT) :: stride * 2], count)
                memo = self._ports[place] if keys else None
            elif column == columns_of.PROCESS:
                if self._listing.owners is not None:
                    cells = list(map(self._listing.owners.text, words[_INODE::stride].tolist()))
                if self._listing.settings.old:
                    cells = _joined(cells, extended)
            elif column == columns_of.EXT:
                cells = extended
            if memo is not None:
                first = keys[0]
                cells = memo[first] if keys.count(first) == count else list(map(memo.__getitem__, keys))
                longest.append(memo.longest)
                if len(memo) > _MOST_TEXTS:
                    memo.clear()
            elif isinstance(cells, bytes):
                longest.append(5 if max(cells[::2]) >= _FIVE_DIGITS else len(str(max(ports_of(cells)))))
            elif isinstance(cells, str):
                longest.append(len(cells))
            else:
                longest.append(max(map(len, cells)))
            shown.append(cells)
        self._listing.layout.store_columns(shown, count, longest)
        self._listing.sctp_inode = words[_INODE + stride * (count - 1)]

    def _port_cells(self, ports: memoryview[int], count: int) -> tuple[bytes, Sequence[int]]:
        """Return ports as they are, if their texts are their numbers; else what to look up the texts by."""
        cells = ports.tobytes()
        if self._numeric and b"\0\0" not in cells and cells != cells[:2] * count:
            return cells, ()
        return b"", ports.tolist()


def _joined(cells: Cells, extended: str | list[str]) -> Cells:
    if not cells or not extended:
        return cells or extended
    if isinstance(extended, str):
        return [f"{cell}{extended}" for cell in cells]
    return list(map(add, cells, extended))


def _split(datagram: bytes) -> list[bytes]:
    """Split messages of different lengths; nothing if the datagram is not made of such messages."""
    messages = []
    at, end = 0, len(datagram)
    while at < end:
        length = U32.unpack_from(datagram, at)[0] if end - at >= MSG_ATTRIBUTES else 0
        if not MSG_ATTRIBUTES <= length <= end - at:
            return []
        messages.append(datagram[at : at + length])
        at += (length + 3) & ~3
    return messages


def possible(listing: Listing, protocol: int) -> bool:
    """Return whether all rows that the kernel sends are shown, each from its own message alone."""
    settings = listing.settings
    return not (
        settings.kill
        or settings.resolve
        or settings.storages
        or protocol in (IPPROTO_RAW, IPPROTO_SCTP)
        or (settings.info and protocol != IPPROTO_TCP)
        or (listing.accepts is not None and not listing.sifted)
        or ((settings.details or settings.cgroup) and not listing.names.has_cgroups())
    )
