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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sockdiag.ss.listing import Listing
    from sockdiag.ss.row import SocketRow

_INFO = StructLayout(TcpInfo)
_OPTION_BITS = {name: 1 << bit for bit, name in enumerate(OPTIONS)}
_WSCALE = _OPTION_BITS["WSCALE"]
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

_NO_RATE = (1 << 64) - 1
_NO_RTT = 0xFFFFFFFF
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
    # Every member is a number here, unlike in the model: what the kernel did not send counts as 0.
    info: Any = _INFO.filled(found[INFO])
    options, rtt, busy_time = info.options, info.rtt_us, info.busy_time_us
    snd_mss, snd_cwnd = info.snd_mss, info.snd_cwnd
    out: list[str] = []
    add = out.append
    if settings.timers:
        for bit, word in _OPTION_WORDS:
            if options & bit and not (old and word == "usec_ts"):
                add(word)
    congestion = found[CONG].split(b"\0", 1)[0][:15].decode("latin-1") if CONG in found else ""
    if congestion:
        add(congestion)
    if options & _WSCALE:
        add(f"wscale:{info.snd_wscale},{info.rcv_wscale}")
    if info.rto_us and info.rto_us != 3000000:
        add(f"rto:{info.rto_us / 1000:g}")
    if info.backoff:
        add(f"backoff:{info.backoff}")
    if rtt:
        add(f"rtt:{rtt / 1000:g}/{info.rttvar_us / 1000:g}")
    if info.ato_us:
        add(f"ato:{info.ato_us / 1000:g}")
    _counts(
        out,
        mss=snd_mss,
        pmtu=info.pmtu,
        rcvmss=info.rcv_mss,
        advmss=info.advmss,
        cwnd=snd_cwnd,
        ssthresh=info.snd_ssthresh if info.snd_ssthresh < 0xFFFF else 0,
        bytes_sent=info.bytes_sent,
        bytes_retrans=info.bytes_retrans,
        bytes_acked=info.bytes_acked,
        bytes_received=info.bytes_received,
        segs_out=info.segs_out,
        segs_in=info.segs_in,
        data_segs_out=info.data_segs_out,
        data_segs_in=info.data_segs_in,
    )
    send_rtt = _congestion(out, found, rtt, numeric=numeric)
    if send_rtt and snd_mss and snd_cwnd:
        add(f"send {bandwidth(float(snd_cwnd) * float(snd_mss) * 8000000.0 / send_rtt, numeric=numeric)}bps")
    _counts(out, lastsnd=info.last_data_sent_ms, lastrcv=info.last_data_recv_ms, lastack=info.last_ack_recv_ms)
    if info.pacing_rate_bytes_per_s and info.pacing_rate_bytes_per_s != _NO_RATE:
        text = f"pacing_rate {bandwidth(info.pacing_rate_bytes_per_s * 8.0, numeric=numeric)}bps"
        if info.max_pacing_rate_bytes_per_s and info.max_pacing_rate_bytes_per_s != _NO_RATE:
            text += f"/{bandwidth(info.max_pacing_rate_bytes_per_s * 8.0, numeric=numeric)}bps"
        add(text)
    if info.delivery_rate_bytes_per_s:
        add(f"delivery_rate {bandwidth(info.delivery_rate_bytes_per_s * 8.0, numeric=numeric)}bps")
    _counts(out, delivered=info.delivered, delivered_ce=info.delivered_ce)
    if info.delivery_rate_app_limited:
        add("app_limited")
    if busy_time:
        add(f"busy:{busy_time // 1000}ms")
        for word, value in (("rwnd_limited", info.rwnd_limited_us), ("sndbuf_limited", info.sndbuf_limited_us)):
            if value:
                add(f"{word}:{value // 1000}ms({100.0 * value / busy_time:.1f}%)")
    if info.unacked:
        add(f"unacked:{info.unacked}")
    if info.retrans or info.total_retrans:
        add(f"retrans:{info.retrans}/{info.total_retrans}")
    _counts(
        out,
        lost=info.lost,
        sacked=info.sacked if row.state != LISTEN else 0,
        dsack_dups=info.dsack_dups,
        fackets=info.fackets,
    )
    if info.reordering != 3:
        add(f"reordering:{info.reordering}")
    _counts(out, reord_seen=info.reord_seen)
    if info.rcv_rtt_us:
        add(f"rcv_rtt:{info.rcv_rtt_us / 1000:g}")
    _counts(out, rcv_space=info.rcv_space_bytes, rcv_ssthresh=info.rcv_ssthresh_bytes, notsent=info.notsent_bytes)
    if info.min_rtt_us and info.min_rtt_us != _NO_RTT:
        add(f"minrtt:{info.min_rtt_us / 1000:g}")
    _counts(out, rcv_ooopack=info.rcv_ooopack, snd_wnd=info.snd_wnd_bytes)
    if not old:
        _counts(out, rcv_wnd=info.rcv_wnd_bytes, rehash=info.rehash)
    return "".join([f" {word}" for word in out])


def _counts(out: list[str], **values: int) -> None:
    out.extend([f"{name}:{value}" for name, value in values.items() if value])


_layouts: dict[str, StructLayout] = {}


def _layout(record: str) -> StructLayout:
    # Few systems have an algorithm that reports anything: these records are loaded when one does.
    layout = _layouts.get(record)
    if layout is None:
        from sockdiag.model import congestion

        layout = _layouts[record] = StructLayout(getattr(congestion, record))
    return layout


def _congestion(out: list[str], found: Mapping[int, bytes], rtt: int, *, numeric: bool) -> int:
    """Add what the congestion control reports; return the round-trip time to compute the send rate with."""
    if VEGASINFO in found:
        vegas: Any = _layout("VegasInfo").decode(found[VEGASINFO])
        if vegas.enabled and vegas.rtt_us and vegas.minrtt_us is not None and vegas.rtt_us != _VEGAS_NO_RTT:
            rtt = vegas.rtt_us
    if DCTCPINFO in found:
        dctcp: Any = _layout("DctcpInfo").filled(found[DCTCPINFO])
        if dctcp.enabled:
            out.append(
                f"dctcp:(ce_state:{dctcp.ce_state},alpha:{dctcp.alpha},ab_ecn:{dctcp.ab_ecn_bytes},"
                f"ab_tot:{dctcp.ab_tot_bytes})"
            )
        else:
            out.append("dctcp:fallback_mode")
    if BBRINFO in found:
        bbr: Any = _layout("BbrInfo").filled(found[BBRINFO])
        text = f"bbr:(bw:{bandwidth(low_first(bbr.bw_bytes_per_s) * 8.0, numeric=numeric)}bps"
        text += f",mrtt:{bbr.min_rtt_us / 1000:g}"
        if bbr.pacing_gain:
            text += f",pacing_gain:{bbr.pacing_gain / 256:g}"
        if bbr.cwnd_gain:
            text += f",cwnd_gain:{bbr.cwnd_gain / 256:g}"
        out.append(text + ")")
    return rtt
