"""The block of -i for many rows at once: the members of tcp_info as columns, and one template for all rows.

Rows show nearly the same members: those that are not zero. A member that is zero in every row of a datagram is left out, one
that has one value becomes text of the template, and another is an argument of it; only a member that is zero in some
rows is printed row by row. The texts of times and rates are kept, for they repeat. At 200,000 sockets ``ss -tani`` takes 1.4 times
the CPU of the C program, and 5.8 times where each row is printed alone.
**Source:** struct tcp_info, include/uapi/linux/tcp.h. ``sockdiag.ss.tcp`` prints the same bytes one row at a time.
"""

from __future__ import annotations

from sockdiag.kernel.byte_order import units
from sockdiag.kernel.inet_diag import BBRINFO, CONG, DCTCPINFO, INFO, MSG_STATE
from sockdiag.kernel.tcp_states import LISTEN
from sockdiag.model.tcp_info import TcpInfo
from sockdiag.ss.details import bandwidth
from sockdiag.ss.row import Texts, texts
from sockdiag.ss.tcp import (
    COUNTS,
    DEFAULT_REORDERING,
    DEFAULT_RTO_US,
    NO_RATE,
    NO_RTT,
    NO_SSTHRESH,
    TCP_INFO,
    WSCALE,
    app_limited,
    congestion_name,
    congestion_words,
    limited,
    option_words,
    pacing,
    rcv_wscale,
    send_rate,
    snd_wscale,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from sockdiag.ss.settings import Settings

    # A printf format of one conversion and the column for it; "%s" and the text that all rows have.
    Part = tuple[str, str | Sequence[Any]]

# The attributes that are printed here.
SHOWN = (INFO, CONG, DCTCPINFO, BBRINFO)
# The struct as far as it is known, and the next one's u64 on its boundary.
_SIZE = (TCP_INFO.size + 7) & ~7
# More texts than this are forgotten: every row of a busy host can have a rate of its own.
_MOST = 16384
# Bit fields are read from the byte that holds them, in its place.
_BEFORE_WSCALE = bytes(TCP_INFO.place("snd_wscale")[0])
_BEFORE_LIMITED = bytes(TCP_INFO.place("delivery_rate_app_limited")[0])

_LAST = (("lastsnd", "last_data_sent_ms"), ("lastrcv", "last_data_recv_ms"), ("lastack", "last_ack_recv_ms"))
_DELIVERED = (("delivered", "delivered"), ("delivered_ce", "delivered_ce"))
_LOST = (("dsack_dups", "dsack_dups"), ("fackets", "fackets"))
_SPACE = (("rcv_space", "rcv_space_bytes"), ("rcv_ssthresh", "rcv_ssthresh_bytes"), ("notsent", "notsent_bytes"))
_WINDOWS = (("rcv_ooopack", "rcv_ooopack"), ("snd_wnd", "snd_wnd_bytes"))
_NEW = (("rcv_wnd", "rcv_wnd_bytes"), ("rehash", "rehash"))


class TcpColumns:
    """The block of TCP internals.

    Args:
        settings: the options.
    """

    __slots__ = ("_longs", "_memos", "_old", "_parts", "_structs", "_timers", "_words")

    def __init__(self, settings: Settings) -> None:
        numeric, old = settings.numeric, settings.old
        self._timers = settings.timers
        self._old = old
        self._structs = b""
        self._words = self._longs = memoryview(b"").cast("I")
        self._parts: list[Part] = []
        self._memos = {
            "options": Texts(lambda options: _joined(option_words(options, old=old))),
            "name": Texts(lambda payload: _joined(filter(None, (congestion_name(payload),)))),
            "wscale": Texts(_wscale),
            "rto": Texts(lambda us: f" rto:{us / 1000:g}" if us and us != DEFAULT_RTO_US else ""),
            "rtt": Texts(lambda us: f" rtt:{us / 1000:g}/"),
            "rttvar": Texts(lambda us: f"{us / 1000:g}"),
            "ato": Texts(lambda us: f" ato:{us / 1000:g}" if us else ""),
            "ssthresh": Texts(lambda number: f" ssthresh:{number}" if 0 < number < NO_SSTHRESH else ""),
            "control": Texts(lambda found: _joined(congestion_words(dict([found]), numeric=numeric))),
            "send": Texts(lambda key: f" {send_rate(*key, numeric=numeric)}" if all(key) else ""),
            "pacing": Texts(lambda key: f" {pacing(*key, numeric=numeric)}" if key[0] not in (0, NO_RATE) else ""),
            "delivery": Texts(
                lambda rate: f" delivery_rate {bandwidth(rate * 8.0, numeric=numeric)}bps" if rate else ""
            ),
            "limited": Texts(lambda byte: " app_limited" if app_limited(_BEFORE_LIMITED + bytes((byte,))) else ""),
            "busy": Texts(lambda us: f" busy:{us // 1000}ms" if us else ""),
            "reordering": Texts(lambda number: f" reordering:{number}" if number != DEFAULT_REORDERING else ""),
            "rcv_rtt": Texts(lambda us: f" rcv_rtt:{us / 1000:g}" if us else ""),
            "minrtt": Texts(lambda us: f" minrtt:{us / 1000:g}" if us and us != NO_RTT else ""),
        }

    def parts(self, data: bytes, length: int, places: Mapping[int, tuple[int, int]]) -> list[Part]:
        """Return the parts of the block, in their order.

        Args:
            data: messages of one layout.
            length: of one.
            places: offset and length of the payload of each attribute; INFO is one of them.
        """
        for memo in self._memos.values():
            if len(memo) > _MOST:
                memo.clear()
        offset, size = places[INFO]
        structs = [data[at : at + min(size, _SIZE)] for at in range(offset, len(data), length)]
        if size < _SIZE:
            structs = [one.ljust(_SIZE, b"\0") for one in structs]
        self._structs = b"".join(structs)
        self._words, self._longs = units(self._structs, "I"), units(self._structs, "Q")
        self._parts = []
        self._times(data, length, places)
        for word, name in COUNTS:
            if name == "snd_ssthresh":
                self._texts("ssthresh", self._member(name))
            else:
                self._count(word, self._member(name))
        self._rates(data, length, places)
        self._counts(data[MSG_STATE::length])
        return self._parts

    def _times(self, data: bytes, length: int, places: Mapping[int, tuple[int, int]]) -> None:
        options = self._member("options")
        if self._timers:
            self._texts("options", options)
        if CONG in places:
            self._texts("name", _payloads(data, length, *places[CONG]))
        self._texts("wscale", list(zip(options, self._structs[len(_BEFORE_WSCALE) :: _SIZE], strict=True)))
        self._texts("rto", self._member("rto_us"))
        self._count("backoff", self._member("backoff"))
        rtt, rttvar = self._member("rtt_us"), self._member("rttvar_us")
        if 0 not in rtt:
            self._texts("rtt", rtt)
            self._texts("rttvar", rttvar)
        else:
            before, after = self._memos["rtt"], self._memos["rttvar"]
            self._each([f"{before[a]}{after[b]}" if a else "" for a, b in zip(rtt, rttvar, strict=True)])
        self._texts("ato", self._member("ato_us"))

    def _rates(self, data: bytes, length: int, places: Mapping[int, tuple[int, int]]) -> None:
        for number in (DCTCPINFO, BBRINFO):
            if number in places:
                self._texts("control", [(number, one) for one in _payloads(data, length, *places[number])])
        sizes = (self._member("snd_cwnd"), self._member("snd_mss"), self._member("rtt_us"))
        self._texts("send", list(zip(*sizes, strict=True)))
        for word, name in _LAST:
            self._count(word, self._member(name))
        rates = (self._member("pacing_rate_bytes_per_s"), self._member("max_pacing_rate_bytes_per_s"))
        self._texts("pacing", list(zip(*rates, strict=True)))
        self._texts("delivery", self._member("delivery_rate_bytes_per_s"))
        for word, name in _DELIVERED:
            self._count(word, self._member(name))
        self._texts("limited", self._structs[len(_BEFORE_LIMITED) :: _SIZE])
        busy, rwnd, sndbuf = map(self._member, ("busy_time_us", "rwnd_limited_us", "sndbuf_limited_us"))
        if any(rwnd) or any(sndbuf):
            known = self._memos["busy"]
            rows = zip(busy, rwnd, sndbuf, strict=True)
            self._each([f"{known[row[0]]}{_joined(limited(*row))}" if row[0] else "" for row in rows])
        else:
            self._texts("busy", busy)

    def _counts(self, states: bytes) -> None:
        self._count("unacked", self._member("unacked"))
        retrans, total = self._member("retrans"), self._member("total_retrans")
        if any(retrans) or any(total):
            self._each([f" retrans:{a}/{b}" if a or b else "" for a, b in zip(retrans, total, strict=True)])
        self._count("lost", self._member("lost"))
        sacked = self._member("sacked")
        if LISTEN in states:
            # Of a listener it is the limit of its queue.
            sacked = [0 if state == LISTEN else value for state, value in zip(states, sacked, strict=True)]
        self._count("sacked", sacked)
        for word, name in _LOST:
            self._count(word, self._member(name))
        self._texts("reordering", self._member("reordering"))
        self._count("reord_seen", self._member("reord_seen"))
        self._texts("rcv_rtt", self._member("rcv_rtt_us"))
        for word, name in _SPACE:
            self._count(word, self._member(name))
        self._texts("minrtt", self._member("min_rtt_us"))
        for word, name in _WINDOWS if self._old else _WINDOWS + _NEW:
            self._count(word, self._member(name))

    def _member(self, name: str) -> Sequence[int]:
        offset, wire = _PLACES[name]
        if wire == "I":
            return self._words[offset >> 2 :: _SIZE >> 2].tolist()
        if wire == "Q":
            return self._longs[offset >> 3 :: _SIZE >> 3].tolist()
        return self._structs[offset::_SIZE]

    def _count(self, word: str, values: Sequence[int]) -> None:
        zeros = values.count(0)
        if zeros == len(values):
            return
        first = values[0]
        if values.count(first) == len(values):
            self._parts.append(("%s", f" {word}:{first}"))
        elif not zeros:
            self._parts.append((f" {word}:%d", values))
        else:
            self._each([f" {word}:{value}" if value else "" for value in values])

    def _texts(self, name: str, keys: Sequence[Any]) -> None:
        self._parts.append(("%s", texts(self._memos[name], keys)))

    def _each(self, cells: list[str]) -> None:
        self._parts.append(("%s", cells))


_PLACES = {member.name: TCP_INFO.place(member.name) for member in TcpInfo.FIELDS}


def _payloads(data: bytes, length: int, offset: int, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(offset, len(data), length)]


def _joined(words: Iterable[str]) -> str:
    return "".join([f" {word}" for word in words])


def _wscale(key: tuple[int, int]) -> str:
    options, octet = key
    data = _BEFORE_WSCALE + bytes((octet,))
    return f" wscale:{snd_wscale(data)},{rcv_wscale(data)}" if options & WSCALE else ""
