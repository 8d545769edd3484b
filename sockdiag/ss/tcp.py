"""The block of TCP internals (-i), from a netlink message.

**Source:** struct tcp_info, include/uapi/linux/tcp.h; the order and the conditions are ss's.
"""

from __future__ import annotations

from sockdiag.kernel.byte_order import low_first
from sockdiag.kernel.inet_diag import BBRINFO, CONG, DCTCPINFO, INFO, MD5SIG, ULP_INFO, VEGASINFO
from sockdiag.kernel.tcp_states import LISTEN
from sockdiag.model.tcp_info import OPTIONS, TcpInfo
from sockdiag.sources.netlink.wire import StructLayout
from sockdiag.ss.details import bandwidth, memory
from sockdiag.ss.output import safe_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from sockdiag.model.record import Record
    from sockdiag.ss.listing import Listing
    from sockdiag.ss.row import SocketRow

TCP_INFO = StructLayout(TcpInfo)
_read = TCP_INFO.reader(
    (
        "options",
        "backoff",
        "rto_us",
        "ato_us",
        "snd_mss",
        "rcv_mss",
        "unacked",
        "sacked",
        "lost",
        "retrans",
        "fackets",
        "last_data_sent_ms",
        "last_data_recv_ms",
        "last_ack_recv_ms",
        "pmtu",
        "rcv_ssthresh_bytes",
        "rtt_us",
        "rttvar_us",
        "snd_ssthresh",
        "snd_cwnd",
        "advmss",
        "reordering",
        "rcv_rtt_us",
        "rcv_space_bytes",
        "total_retrans",
        "pacing_rate_bytes_per_s",
        "max_pacing_rate_bytes_per_s",
        "bytes_acked",
        "bytes_received",
        "segs_out",
        "segs_in",
        "notsent_bytes",
        "min_rtt_us",
        "data_segs_in",
        "data_segs_out",
        "delivery_rate_bytes_per_s",
        "busy_time_us",
        "rwnd_limited_us",
        "sndbuf_limited_us",
        "delivered",
        "delivered_ce",
        "bytes_sent",
        "bytes_retrans",
        "dsack_dups",
        "reord_seen",
        "rcv_ooopack",
        "snd_wnd_bytes",
        "rcv_wnd_bytes",
        "rehash",
    )
)
snd_wscale, rcv_wscale = TCP_INFO.bit_field("snd_wscale"), TCP_INFO.bit_field("rcv_wscale")
app_limited = TCP_INFO.bit_field("delivery_rate_app_limited")
# Words for the members that are printed as they are.
COUNTS = (
    ("mss", "snd_mss"),
    ("pmtu", "pmtu"),
    ("rcvmss", "rcv_mss"),
    ("advmss", "advmss"),
    ("cwnd", "snd_cwnd"),
    ("ssthresh", "snd_ssthresh"),
    ("bytes_sent", "bytes_sent"),
    ("bytes_retrans", "bytes_retrans"),
    ("bytes_acked", "bytes_acked"),
    ("bytes_received", "bytes_received"),
    ("segs_out", "segs_out"),
    ("segs_in", "segs_in"),
    ("data_segs_out", "data_segs_out"),
    ("data_segs_in", "data_segs_in"),
)
_OPTION_BITS = {name: 1 << bit for bit, name in enumerate(OPTIONS)}
WSCALE = _OPTION_BITS["WSCALE"]
# The words of tcpi_options that -o prints, in their order. 6.1 does not know usec_ts.
_OPTION_WORDS = tuple(
    (_OPTION_BITS[name], word)
    for name, word in (
        ("TIMESTAMPS", "ts"),
        ("USEC_TS", "usec_ts"),
        ("SACK", "sack"),
        ("ECN", "ecn"),
        ("ECN_SEEN", "ecnseen"),
        ("SYN_DATA", "fastopen"),
    )
)

NO_RATE = (1 << 64) - 1
NO_RTT = 0xFFFFFFFF
# What is not worth a word: TCP_INFINITE_SSTHRESH and all that is as large, the initial timeout, the initial reordering.
NO_SSTHRESH = 0xFFFF
DEFAULT_RTO_US = 3_000_000
DEFAULT_REORDERING = 3
_VEGAS_LEN = 16
_VEGAS_NO_RTT = 0x7FFFFFFF


def internals(row: SocketRow, listing: Listing) -> str:
    """Print memory, tcp_info, MD5 keys and the upper layer protocol."""
    found = row.attributes
    text = memory(found)
    if INFO in found:
        text += _info(row, found, listing)
    if MD5SIG in found:
        from sockdiag.ss.inet_extras import md5_keys

        text += md5_keys(found[MD5SIG], listing)
    if ULP_INFO in found:
        from sockdiag.ss.inet_extras import upper_layer

        text += upper_layer(found[ULP_INFO], listing)
    return text


def _info(row: SocketRow, found: Mapping[int, bytes], listing: Listing) -> str:  # noqa: C901, PLR0915 - as long as the struct
    settings = listing.settings
    numeric, old = settings.numeric, settings.old
    data = found[INFO]
    (
        options,
        backoff,
        rto,
        ato,
        snd_mss,
        rcv_mss,
        unacked,
        sacked,
        lost,
        retrans,
        fackets,
        last_data_sent,
        last_data_recv,
        last_ack_recv,
        pmtu,
        rcv_ssthresh,
        rtt,
        rttvar,
        snd_ssthresh,
        snd_cwnd,
        advmss,
        reordering,
        rcv_rtt,
        rcv_space,
        total_retrans,
        pacing_rate,
        max_pacing_rate,
        bytes_acked,
        bytes_received,
        segs_out,
        segs_in,
        notsent,
        min_rtt,
        data_segs_in,
        data_segs_out,
        delivery_rate,
        busy_time,
        rwnd_limited,
        sndbuf_limited,
        delivered,
        delivered_ce,
        bytes_sent,
        bytes_retrans,
        dsack_dups,
        reord_seen,
        rcv_ooopack,
        snd_wnd,
        rcv_wnd,
        rehash,
    ) = _read(data)
    out: list[str] = []
    add = out.append
    if settings.timers:
        out += option_words(options, old=old)
    congestion = congestion_name(found[CONG]) if CONG in found else ""
    if congestion:
        add(congestion)
    if options & WSCALE:
        add(f"wscale:{snd_wscale(data)},{rcv_wscale(data)}")
    if rto and rto != DEFAULT_RTO_US:
        add(f"rto:{rto / 1000:g}")
    if backoff:
        add(f"backoff:{backoff}")
    if rtt:
        add(f"rtt:{rtt / 1000:g}/{rttvar / 1000:g}")
    if ato:
        add(f"ato:{ato / 1000:g}")
    ssthresh = snd_ssthresh if snd_ssthresh < NO_SSTHRESH else 0
    sizes = (snd_mss, pmtu, rcv_mss, advmss, snd_cwnd, ssthresh)
    sent = (bytes_sent, bytes_retrans, bytes_acked, bytes_received, segs_out, segs_in, data_segs_out, data_segs_in)
    out += [f"{name}:{value}" for (name, _), value in zip(COUNTS, sizes + sent, strict=True) if value]
    out += congestion_words(found, numeric=numeric)
    send_rtt = _vegas_rtt(found[VEGASINFO], rtt) if VEGASINFO in found else rtt
    if send_rtt and snd_mss and snd_cwnd:
        add(send_rate(snd_cwnd, snd_mss, send_rtt, numeric=numeric))
    if last_data_sent:
        add(f"lastsnd:{last_data_sent}")
    if last_data_recv:
        add(f"lastrcv:{last_data_recv}")
    if last_ack_recv:
        add(f"lastack:{last_ack_recv}")
    if pacing_rate and pacing_rate != NO_RATE:
        add(pacing(pacing_rate, max_pacing_rate, numeric=numeric))
    if delivery_rate:
        add(f"delivery_rate {bandwidth(delivery_rate * 8.0, numeric=numeric)}bps")
    if delivered:
        add(f"delivered:{delivered}")
    if delivered_ce:
        add(f"delivered_ce:{delivered_ce}")
    if app_limited(data):
        add("app_limited")
    if busy_time:
        add(f"busy:{busy_time // 1000}ms")
        out += limited(busy_time, rwnd_limited, sndbuf_limited)
    if unacked:
        add(f"unacked:{unacked}")
    if retrans or total_retrans:
        add(f"retrans:{retrans}/{total_retrans}")
    if lost:
        add(f"lost:{lost}")
    if sacked and row.state != LISTEN:
        add(f"sacked:{sacked}")
    if dsack_dups:
        add(f"dsack_dups:{dsack_dups}")
    if fackets:
        add(f"fackets:{fackets}")
    if reordering != DEFAULT_REORDERING:
        add(f"reordering:{reordering}")
    if reord_seen:
        add(f"reord_seen:{reord_seen}")
    if rcv_rtt:
        add(f"rcv_rtt:{rcv_rtt / 1000:g}")
    if rcv_space:
        add(f"rcv_space:{rcv_space}")
    if rcv_ssthresh:
        add(f"rcv_ssthresh:{rcv_ssthresh}")
    if notsent:
        add(f"notsent:{notsent}")
    if min_rtt and min_rtt != NO_RTT:
        add(f"minrtt:{min_rtt / 1000:g}")
    if rcv_ooopack:
        add(f"rcv_ooopack:{rcv_ooopack}")
    if snd_wnd:
        add(f"snd_wnd:{snd_wnd}")
    if rcv_wnd and not old:
        add(f"rcv_wnd:{rcv_wnd}")
    if rehash and not old:
        add(f"rehash:{rehash}")
    return "".join([f" {word}" for word in out])


def option_words(options: int, *, old: bool) -> list[str]:
    """Name the TCP options in use, of those that -o shows."""
    return [word for bit, word in _OPTION_WORDS if options & bit and not (old and word == "usec_ts")]


def congestion_name(payload: bytes) -> str:
    """Return the name in INET_DIAG_CONG; "" if there is none."""
    return safe_text(payload.split(b"\0", 1)[0][:15])


def send_rate(snd_cwnd: int, snd_mss: int, rtt: int, *, numeric: bool) -> str:
    """Print how fast a window per round trip is."""
    return f"send {bandwidth(float(snd_cwnd) * float(snd_mss) * 8000000.0 / rtt, numeric=numeric)}bps"


def pacing(rate: int, most: int, *, numeric: bool) -> str:
    """Print the pacing rate, and its limit if it has one."""
    text = f"pacing_rate {bandwidth(rate * 8.0, numeric=numeric)}bps"
    if most and most != NO_RATE:
        text += f"/{bandwidth(most * 8.0, numeric=numeric)}bps"
    return text


def limited(busy_time: int, rwnd_limited: int, sndbuf_limited: int) -> list[str]:
    """Print which part of the busy time was limited by the peer's window, and by the send buffer."""
    return [
        f"{word}:{value // 1000}ms({100.0 * value / busy_time:.1f}%)"
        for word, value in (("rwnd_limited", rwnd_limited), ("sndbuf_limited", sndbuf_limited))
        if value
    ]


_readers: dict[str, Callable[[bytes], tuple[Any, ...]]] = {}


def _members(record: str, data: bytes) -> tuple[Any, ...]:
    # Most algorithms report nothing: the module of those that do is loaded when one does.
    read = _readers.get(record)
    if read is None:
        from sockdiag.model import congestion

        declared: type[Record] = getattr(congestion, record)
        read = _readers[record] = StructLayout(declared).reader([field.name for field in declared.FIELDS])
    return read(data)


def _vegas_rtt(payload: bytes, rtt: int) -> int:
    """Return the round-trip time to compute the send rate with: that of Vegas, where it has measured one."""
    if len(payload) >= _VEGAS_LEN:
        enabled, _count, vegas_rtt, _minimum = _members("VegasInfo", payload)
        if enabled and vegas_rtt and vegas_rtt != _VEGAS_NO_RTT:
            return vegas_rtt  # type: ignore[no-any-return]
    return rtt


def congestion_words(found: Mapping[int, bytes], *, numeric: bool) -> list[str]:
    """Print what the congestion control reports."""
    words = []
    if DCTCPINFO in found:
        enabled, ce_state, alpha, ab_ecn, ab_tot = _members("DctcpInfo", found[DCTCPINFO])
        if enabled:
            words.append(f"dctcp:(ce_state:{ce_state},alpha:{alpha},ab_ecn:{ab_ecn},ab_tot:{ab_tot})")
        else:
            words.append("dctcp:fallback_mode")
    if BBRINFO in found:
        rate, min_rtt, pacing_gain, cwnd_gain = _members("BbrInfo", found[BBRINFO])
        text = f"bbr:(bw:{bandwidth(low_first(rate) * 8.0, numeric=numeric)}bps,mrtt:{min_rtt / 1000:g}"
        if pacing_gain:
            text += f",pacing_gain:{pacing_gain / 256:g}"
        if cwnd_gain:
            text += f",cwnd_gain:{cwnd_gain / 256:g}"
        words.append(text + ")")
    return words
