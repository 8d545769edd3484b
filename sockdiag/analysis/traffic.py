"""Compute what sockets transferred between two samples, from columns; rows are made only of what is shown.

``out_bytes`` is ``bytes_sent - bytes_retrans``: payload only. ``bytes_acked`` also counts the SYN of a connection that was
opened here, and the FIN. ``bytes_received`` counts the peer's FIN, which is subtracted in the states that follow it.
Source: ``tcp_snd_una_update()``, ``tcp_rcv_nxt_update()``, net/ipv4/tcp_input.c; ``__tcp_transmit_skb()``,
``__tcp_retransmit_skb()``, net/ipv4/tcp_output.c.
"""

from __future__ import annotations

from array import array
from operator import itemgetter

from sockdiag.analysis.sums import add_known
from sockdiag.analysis.traffic_rows import AMOUNTS, EndedConnection, Traffic, TrafficGroup, TrafficTotals
from sockdiag.model.batch import Batch, identities

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from sockdiag.analysis.grouping import GroupId, Grouping
    from sockdiag.analysis.traffic_ends import Ends
    from sockdiag.model.socket import Socket

    Sift = Callable[[Batch], Batch | None]

# The counters of tcp_info that rates come from.
_COUNTERS = (
    "segs_in",
    "segs_out",
    "bytes_received",
    "bytes_sent",
    "bytes_retrans",
    "bytes_acked",
    "data_segs_out",
    "total_retrans",
)
_U32 = 0xFFFFFFFF

# In these states the peer's FIN has been received.
_AFTER_FIN = frozenset(("CLOSE_WAIT", "LAST_ACK", "CLOSING"))

# Amounts of AMOUNTS, for a connection that was idle.
_IDLE = (0, 0, 0, 0, 0, 0, None)
_UNKNOWN = (None,) * len(AMOUNTS)


class FirstSample:
    """The counters of the first sample, by socket.

    Args:
        at: when the sample was begun, on the monotonic clock.
        batches: the sockets.
        without: fields of a socket that are not needed of those that end. The counters are kept apart.
    """

    def __init__(self, at: float, batches: Iterable[Batch], without: Sequence[str] = ()) -> None:
        self.at = at
        self.batches: list[Batch] = []
        self.places: dict[Any, int] = {}
        self.columns = [array("q") for _ in _COUNTERS]
        self.send_q = array("q")
        self._without = without
        self.drops: dict[Any, int | None] = {}
        # Places of connections whose peer has sent its FIN.
        self.finished: set[int] = set()
        for batch in batches:
            self._add(batch)
        self.seen = bytearray(len(self.send_q))

    def _add(self, batch: Batch) -> None:
        if not is_tcp(batch):
            self.drops.update(zip(_datagram_ids(batch), batch.values("skmem.drops"), strict=True))
            return
        begin = len(self.send_q)
        self.batches.append(batch.detached(self._without))
        self.places.update(zip(identities(batch), range(begin, begin + batch.size), strict=True))
        for column, values in zip(self.columns, _counters(batch), strict=True):
            column.extend(_known(values))
        self.send_q.extend(_known(batch.values("send_q")))
        states = batch.values("state")
        if not _AFTER_FIN.isdisjoint(states):
            self.finished.update(begin + row for row, state in enumerate(states) if state in _AFTER_FIN)

    def of(self, place: int) -> list[int | None]:
        """Return the counters of a connection."""
        return [None if (value := column[place]) == _NONE else value for column in self.columns]

    def unseen(self) -> list[Any]:
        """Return the identities of the connections that the second sample does not have."""
        seen = self.seen
        return [identity for identity, place in self.places.items() if not seen[place]] if 0 in seen else []

    def inodes(self) -> Iterator[int]:
        """Yield the inodes of all connections."""
        for batch in self.batches:
            yield from filter(None, batch.values("inode"))


# Stands for an unknown value in an array.
_NONE = -1


def _known(values: Sequence[int | None]) -> Iterable[int]:
    return [_NONE if value is None else value for value in values]


def is_tcp(batch: Batch) -> bool:
    """Return whether the sockets of a batch are TCP's."""
    return bool(batch.values("netid")[0] == "tcp")


def _datagram_ids(batch: Batch) -> list[Any]:
    return list(zip(batch.values("netid"), identities(batch), strict=True))


def _counters(batch: Batch) -> list[Sequence[int | None]]:
    columns = [batch.values(f"tcp_info.{name}") for name in _COUNTERS]
    states = batch.values("state")
    if not _AFTER_FIN.isdisjoint(states):
        columns[2] = [
            n if n is None or state not in _AFTER_FIN else n - 1 for n, state in zip(columns[2], states, strict=True)
        ]
    return columns


def _stubs(batch: Batch, segs_in: Sequence[int | None]) -> list[bool] | None:
    # A connection in FIN_WAIT2 without a file soon becomes a stub without counters.
    if None not in segs_in:
        return None
    rows = zip(segs_in, batch.values("state"), batch.values("inode"), strict=True)
    return [n is None and state == "FIN_WAIT2" and not inode for n, state, inode in rows]


class GroupSums:
    """Sums of a group while it grows; they are added up over namespaces before the record is made."""

    __slots__ = (
        "amounts",
        "began",
        "ended",
        "ends",
        "known",
        "per_s",
        "rtts",
        "send_q",
        "sockets",
        "stuck",
        "unknown",
        "zero",
    )

    def __init__(self) -> None:
        # Resets, bytes in and out of the connections that ended; None where the kernel reports no ends.
        self.ends: list[int | None] = [None, None, None]
        self.sockets = self.began = self.ended = self.zero = self.stuck = self.send_q = self.unknown = 0
        self.amounts = [0] * len(AMOUNTS)
        self.known = [False] * len(AMOUNTS)
        # The amounts per second. The samples of each namespace have a distance of their own, so rates are added, not amounts
        # divided.
        self.per_s: list[float | None] = [None] * len(AMOUNTS)
        self.rtts: list[int] = []

    def count(self, amounts: Sequence[int | None]) -> None:
        """Add the amounts of one socket."""
        for place, value in enumerate(amounts):
            if value is not None:
                self.amounts[place] += value
                self.known[place] = True

    def end(self, connection: EndedConnection) -> None:
        """Add a connection that ended."""
        self.ended += 1
        self._add_ends((connection.reset, connection.in_bytes, connection.out_bytes))

    def report_ends(self) -> None:
        """Note that ends are reported: none so far is zero."""
        self._add_ends((0, 0, 0))

    def _add_ends(self, ends: Iterable[int | None]) -> None:
        self.ends = [add_known(a, b) for a, b in zip(self.ends, ends, strict=True)]

    def over(self, seconds: float | None) -> None:
        """Set the time in which the amounts were transferred; None for a single sample."""
        if seconds is not None:
            self.per_s = [None if n is None else n / seconds for n in self.known_amounts()]

    def known_amounts(self) -> list[int | None]:
        """Return the amounts; None for one that no socket reports."""
        return [n if known else None for n, known in zip(self.amounts, self.known, strict=True)]

    def add(self, other: GroupSums) -> None:
        """Add the sums of another namespace."""
        for name in ("sockets", "began", "ended", "zero", "stuck", "send_q", "unknown"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.rtts += other.rtts
        self._add_ends(other.ends)
        self.count(other.known_amounts())
        self.per_s = [add_known(a, b) for a, b in zip(self.per_s, other.per_s, strict=True)]

    def record(self, shown: tuple[Any, ...]) -> TrafficGroup:
        """Make the record of the group."""
        amounts = self.known_amounts()
        rtts = sorted(self.rtts)
        median, longest = (rtts[len(rtts) // 2], rtts[-1]) if rtts else (None, None)
        rates = _shown_rates(self.per_s, amounts)
        return TrafficGroup._make(
            (
                *shown,
                self.sockets,
                *rates[:-1],
                median,
                longest,
                rates[-1],
                *amounts,
                self.began,
                self.ended,
                *self.ends,
                self.zero,
                self.stuck,
                self.send_q,
                self.unknown,
            )
        )


def _rates(amounts: Sequence[int | None], seconds: float | None) -> tuple[float | None, ...]:
    if seconds is None:
        return (None,) * 7
    return _shown_rates([None if n is None else n / seconds for n in amounts], amounts)


def _shown_rates(per_s: Sequence[float | None], amounts: Sequence[int | None]) -> tuple[float | None, ...]:
    # in_bytes, out_bytes, in_packets, out_packets, retransmits, the share of retransmissions, drops.
    _in_bytes, _out_bytes, _in_packets, _out_packets, data_out, retransmits, _drops = amounts
    sent = None if retransmits is None else max(data_out or 0, retransmits)
    ratio = round(retransmits / sent, 6) if sent and retransmits is not None else None
    rounded = [None if n is None else round(n, 3) for n in per_s]
    return (*rounded[:4], rounded[5], ratio, rounded[6])


class _Connections:
    """The columns of a batch of the second sample, and the place of each row in the first; None for one that began."""

    __slots__ = ("_first", "counters", "places", "rtts", "send_q", "states", "windows")

    def __init__(self, batch: Batch, first: FirstSample | None) -> None:
        self._first = first
        self.places: list[int | None] = (
            [None] * batch.size if first is None else list(map(first.places.get, identities(batch)))
        )
        self.counters = _counters(batch)
        self.states = batch.values("state")
        self.send_q = batch.values("send_q")
        self.rtts = batch.values("tcp_info.rtt_us")
        self.windows = batch.values("tcp_info.snd_wnd_bytes")

    def moving(self) -> list[int]:
        """Return the rows that may have transferred something, or cannot: nothing needs to be computed for the others."""
        segs_in, segs_out = self.counters[0], self.counters[1]
        rows = enumerate(zip(self.places, segs_in, segs_out, self.send_q, self.windows, strict=True))
        if self._first is None:
            return [row for row, (_place, came, _went, _queue, window) in rows if came is None or window == 0]
        before_in, before_out = self._first.columns[:2]
        return [
            row
            for row, (place, came, went, queue, window) in rows
            if place is None
            or came is None
            or came != before_in[place]
            or went != before_out[place]
            or queue
            or window == 0
        ]


class Comparison:
    """The second sample, compared with the first.

    Args:
        first: the first sample; None if there is a single sample: nothing is known but levels.
        seconds: time between the two.
        sift: chooses the sockets that the filter selects.
        grouping: the groups to sum by; None for none.
        idle: also keep sockets that transferred nothing, as rows.
    """

    def __init__(
        self, first: FirstSample | None, seconds: float | None, sift: Sift, grouping: Grouping | None, *, idle: bool
    ) -> None:
        self.first = first
        self.seconds = seconds
        self.sums: dict[GroupId, GroupSums] = {}
        # Batch, row in it, and the fields of Traffic behind the socket.
        self.rows: list[tuple[Batch, int, tuple[Any, ...]]] = []
        self.sockets = self.active = self.began = 0
        self._all = GroupSums()
        self._sift = sift
        self._grouping = grouping
        self._idle = idle
        # Connections that began, whether or not the filter selects them.
        self._new: set[Any] = set()
        self.ended: list[EndedConnection] = []

    def add(self, batch: Batch) -> None:
        """Compare the sockets of a batch of the second sample."""
        if is_tcp(batch):
            self._connections(batch)
        else:
            self._datagrams(batch)

    def _connections(self, batch: Batch) -> None:
        stubs = _stubs(batch, batch.values("tcp_info.segs_in"))
        if stubs is not None and any(stubs):
            batch = batch.compressed([not stub for stub in stubs])
            if not batch.size:
                return
        if self.first is not None:
            seen = self.first.seen
            known = identities(batch)
            for identity, place in zip(known, map(self.first.places.get, known), strict=True):
                if place is not None:
                    seen[place] = 1
                else:
                    self._new.add(identity)
        passed = self._sift(batch)
        if passed is None or not passed.size:
            return
        now = _Connections(passed, self.first)
        self.sockets += passed.size
        if self._grouping is None:
            for row in range(passed.size) if self._idle else now.moving():
                amounts, rtt, began, zero, stuck = self._measured(now, row)
                if self._idle or any(amounts) or zero or stuck:
                    self._row(passed, row, amounts, rtt, began, zero, stuck)
            return
        groups = self._grouping.rows(passed)
        touched = self._count(groups, now)
        for row in now.moving():
            amounts, _rtt, began, zero, stuck = self._measured(now, row)
            total = touched[groups[row]]
            total.count(amounts)
            total.began += began is True
            total.zero += zero is True
            total.stuck += stuck is True
            total.unknown += now.counters[0][row] is None
        for total in touched.values():
            # Idle connections add nothing, and that is known.
            if self.first is not None and total.unknown < total.sockets:
                total.count(_IDLE)

    def _measured(
        self, now: _Connections, row: int
    ) -> tuple[tuple[int | None, ...], int | None, bool | None, bool | None, bool | None]:
        # The amounts, round-trip time, whether it began, whether the peer's window is closed, whether it is stuck.
        amounts: tuple[int | None, ...] = _UNKNOWN
        began = stuck = None
        place, first = now.places[row], self.first
        if first is not None and now.counters[0][row] is not None:
            began, stuck = place is None, False
            if place is None:
                amounts = _amounts([column[row] for column in now.counters], [0] * len(_COUNTERS))
            else:
                amounts = _amounts([column[row] for column in now.counters], first.of(place))
                stuck = self._is_stuck(now, row, place)
        busy = any(amounts)
        if busy:
            self.active += 1
            self._all.count(amounts)
        self.began += began is True
        window = now.windows[row]
        zero = None if window is None else window == 0 and now.states[row] != "SYN_SENT"
        return amounts, now.rtts[row], began, zero, stuck

    def _is_stuck(self, now: _Connections, row: int, place: int) -> bool:
        first, acked = self.first, now.counters[_ACKED][row]
        if (
            first is None
            or self.seconds is None
            or not now.send_q[row]
            or now.states[row] == "SYN_SENT"
            or acked is None
        ):
            return False
        if 2 * (now.rtts[row] or 0) > self.seconds * 1e6:
            return False  # there was no time for an answer
        return first.send_q[place] > 0 and first.columns[_ACKED][place] == acked

    def _datagrams(self, batch: Batch) -> None:
        passed = self._sift(batch)
        if passed is None or not passed.size:
            return
        first = self.first
        groups = None if self._grouping is None else self._grouping.rows(passed)
        self.sockets += passed.size
        for row, (identity, drops) in enumerate(zip(_datagram_ids(passed), passed.values("skmem.drops"), strict=True)):
            lost = began = None
            if first is not None and drops is not None:
                began = identity not in first.drops
                earlier = first.drops.get(identity, 0)
                lost = None if earlier is None else (drops - earlier) & _U32
            amounts = (*_UNKNOWN[1:], lost)
            self.active += bool(lost)
            if groups is not None:
                total = self.sums.setdefault(groups[row], GroupSums())
                total.sockets += 1
                total.count(amounts)
                total.unknown += drops is None
            elif self._idle or lost:
                self._row(passed, row, amounts, None, began, None, None)

    def _count(self, groups: Sequence[GroupId], now: _Connections) -> dict[GroupId, GroupSums]:
        touched: dict[GroupId, GroupSums] = {}
        for group, rtt, queue in zip(groups, now.rtts, now.send_q, strict=True):
            total = touched.get(group)
            if total is None:
                total = touched[group] = self.sums.setdefault(group, GroupSums())
            total.sockets += 1
            total.send_q += queue or 0
            if rtt is not None:
                total.rtts.append(rtt)
        return touched

    def _row(
        self,
        batch: Batch,
        row: int,
        amounts: tuple[int | None, ...],
        rtt: int | None,
        began: bool | None,
        zero: bool | None,
        stuck: bool | None,
    ) -> None:
        rates = _rates(amounts, self.seconds)
        self.rows.append((batch, row, (*rates[:-1], rtt, rates[-1], *amounts, began, zero, stuck)))

    def end(self, ends: Ends) -> None:
        """Find the connections that ended, when all batches of the second sample have been added."""
        first = self.first
        if first is None:
            return
        if ends.events is not None:
            self._all.report_ends()
        begin = 0
        for batch in first.batches:
            seen = first.seen[begin : begin + batch.size]
            known = first.columns[0][begin : begin + batch.size]
            begin += batch.size
            if 0 not in seen:
                continue
            stubs = _stubs(batch, [None if n == _NONE else n for n in known]) or [False] * batch.size
            chosen = [not there and not stub for there, stub in zip(seen, stubs, strict=True)]
            if any(chosen):
                self._end(batch.compressed(chosen), ends, first)
        strangers = [
            socket
            for cookie, socket in (ends.events or {}).items()
            # Listeners, and sockets that are no longer connected or never were, have no remote port.
            if socket.peer.port and cookie not in first.places and cookie not in self._new
        ]
        if strangers:
            self._end(Batch.of(strangers), ends, first)
        for total in self.sums.values():
            if ends.events is not None:
                total.report_ends()

    def _end(self, batch: Batch, ends: Ends, first: FirstSample) -> None:
        gone = self._sift(batch)
        if gone is None or not gone.size:
            return
        groups = [None] * gone.size if self._grouping is None else self._grouping.rows(gone)
        for group, identity, socket in zip(groups, identities(gone), gone.sockets(), strict=True):
            place = first.places.get(identity)
            counters = [0] * len(_COUNTERS) if place is None else first.of(place)
            before = [counters[n] for n in _SENT_AND_RECEIVED]
            syn = None
            if place is not None and first.send_q[place] == 0 and socket.state in ("ESTABLISHED", "CLOSE_WAIT"):
                # All that was sent has been acknowledged, and no FIN was sent: what is left over is the SYN.
                sent, retransmitted, acked = (counters[n] for n in (*_SENT_AND_RECEIVED[1:], _ACKED))
                over = None if sent is None or retransmitted is None or acked is None else acked - sent + retransmitted
                syn = over if over in (0, 1) else None
            connection = ends.of(socket, before, place in first.finished, began=place is None, syn=syn)
            self.ended.append(connection)
            self._all.end(connection)
            if group is not None:
                self.sums.setdefault(group, GroupSums()).end(connection)

    def totals(self) -> TrafficTotals:
        """Return the totals of the namespace."""
        amounts = self._all.known_amounts()
        received = [] if self.first is None else self.first.columns[0]
        if self.first is not None and (not received or any(n != _NONE for n in received)):
            amounts[:2] = [n or 0 for n in amounts[:2]]
        rates = _rates(amounts, self.seconds)
        ends = self._all.ends
        return TrafficTotals(self.sockets, self.active, len(self.rows), self.began, len(self.ended), *ends, *rates[:2])

    def shown(self, order: int | None, *, descending: bool, most: int | None) -> list[Traffic]:
        """Make the records of the rows.

        Args:
            order: place in the record of the field to sort by; None for the busiest first.
            descending: the largest value first.
            most: number of rows to make; None for all.
        """
        rows = self.rows
        if order is None:
            rows = sorted(rows, key=_busiest)
        else:
            known = [row for row in rows if row[2][order - 1] is not None]
            known.sort(key=lambda row: row[2][order - 1], reverse=descending)
            rows = known + [row for row in rows if row[2][order - 1] is None]
        rows = rows if most is None else rows[:most]
        by_batch: dict[int, list[int]] = {}
        batches = {}
        for batch, row, _fields in rows:
            by_batch.setdefault(id(batch), []).append(row)
            batches[id(batch)] = batch
        sockets: dict[tuple[int, int], Socket] = {}
        for key, wanted in by_batch.items():
            sockets.update(zip([(key, row) for row in wanted], batches[key].at(wanted), strict=True))
        return [Traffic._make((sockets[id(batch), row], *fields)) for batch, row, fields in rows]


_ACKED = _COUNTERS.index("bytes_acked")
_SENT_AND_RECEIVED = [_COUNTERS.index(name) for name in ("bytes_received", "bytes_sent", "bytes_retrans")]

_NAMES = [one.name for one in Traffic.FIELDS][1:]
_BUSY = itemgetter(*map(_NAMES.index, ("in_bytes", "out_bytes", "in_packets", "out_packets", "drops")))


def _busiest(row: tuple[Batch, int, tuple[Any, ...]]) -> tuple[int, int, int]:
    return _rank(*_BUSY(row[2]))


def busiest(traffic: Traffic | TrafficGroup) -> tuple[int, int, int]:
    """Return a sort key: the most bytes first, then the most packets, then the most drops."""
    return _rank(traffic.in_bytes, traffic.out_bytes, traffic.in_packets, traffic.out_packets, traffic.drops)


def _rank(
    in_bytes: int | None, out_bytes: int | None, in_packets: int | None, out_packets: int | None, drops: int | None
) -> tuple[int, int, int]:
    return -((in_bytes or 0) + (out_bytes or 0)), -((in_packets or 0) + (out_packets or 0)), -(drops or 0)


def add_totals(parts: Iterable[TrafficTotals]) -> TrafficTotals:
    """Add up the totals of several namespaces."""
    sums: list[Any] = [0] * 5 + [None] * 5
    for part in parts:
        sums = [add_known(a, b) for a, b in zip(sums, part._values(), strict=True)]
    return TrafficTotals._make(sums)


def _amounts(now: Sequence[int | None], before: Sequence[int | None]) -> tuple[int | None, ...]:
    segs_in, segs_out, received, sent, retransmitted, acked, data_out, retransmits = (
        None if after is None or earlier is None else after - earlier
        for after, earlier in zip(now, before, strict=True)
    )
    return (
        received,
        # Before Linux 4.19 there is only the latter.
        max(0, sent - retransmitted) if sent is not None and retransmitted is not None else acked,
        None if segs_in is None else segs_in & _U32,
        None if segs_out is None else segs_out & _U32,
        None if data_out is None else data_out & _U32,
        None if retransmits is None else retransmits & _U32,
        None,
    )
