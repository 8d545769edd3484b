"""The block of TCP internals (-i), from a netlink message.

**Source:** struct tcp_info, include/uapi/linux/tcp.h; the order and the conditions are ss's.
"""

from __future__ import annotations

from struct import Struct

from sockdiag.kernel.inet_diag import BBRINFO, CONG, DCTCPINFO, INFO, MD5SIG, ULP_INFO, VEGASINFO
from sockdiag.kernel.tcp_states import LISTEN
from sockdiag.ss.details import bandwidth, memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from sockdiag.ss.context import Context
    from sockdiag.ss.row import Row

# struct tcp_info up to tcpi_rehash; the kernel may send less or more.
INFO_STRUCT = Struct("=8B24I4Q6I4Q2I2Q6I")

_TS, _SACK, _WSCALE, _ECN, _ECN_SEEN, _SYN_DATA, _USEC_TS = (1 << n for n in range(7))

_NO_RATE = (1 << 64) - 1
_NO_RTT = 0xFFFFFFFF
_VEGAS = Struct("=IIII")  # enabled, rttcnt, rtt, minrtt
_VEGAS_NO_RTT = 0x7FFFFFFF
_DCTCP = Struct("=HHIII")  # enabled, ce_state, alpha, ab_ecn, ab_tot
_BBR = Struct("=IIIII")  # bw_lo, bw_hi, min_rtt, pacing_gain, cwnd_gain


def internals(row: Row, context: Context) -> str:
    """Print memory, tcp_info, MD5 keys and the upper layer protocol."""
    found = row.attributes
    text = memory(found)
    if INFO in found:
        text += _info(row, found, context)
    if MD5SIG in found:
        from sockdiag.ss.tcp_extras import md5_keys

        text += md5_keys(found[MD5SIG], context)
    if ULP_INFO in found:
        from sockdiag.ss.tcp_extras import upper_layer

        text += upper_layer(found[ULP_INFO], context)
    return text


def _info(row: Row, found: Mapping[int, bytes], context: Context) -> str:  # noqa: C901, PLR0915 - as long as the struct
    settings = context.settings
    numeric, old = settings.numeric, settings.old
    data = found[INFO][: INFO_STRUCT.size]
    (
        _state,
        _ca_state,
        _retransmits,
        _probes,
        backoff,
        options,
        scales,
        limited,
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
        _last_ack_sent,
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
        notsent_bytes,
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
    ) = INFO_STRUCT.unpack(data + bytes(INFO_STRUCT.size - len(data)))
    out: list[str] = []
    add = out.append
    if settings.timers:
        for bit, word in (
            (_TS, "ts"),
            (0 if old else _USEC_TS, "usec_ts"),
            (_SACK, "sack"),
            (_ECN, "ecn"),
            (_ECN_SEEN, "ecnseen"),
            (_SYN_DATA, "fastopen"),
        ):
            if options & bit:
                add(word)
    congestion = found[CONG].split(b"\0", 1)[0][:15].decode("latin-1") if CONG in found else ""
    if congestion:
        add(congestion)
    if options & _WSCALE:
        add(f"wscale:{scales & 15},{scales >> 4}")
    if rto and rto != 3000000:
        add(f"rto:{rto / 1000:g}")
    if backoff:
        add(f"backoff:{backoff}")
    if rtt:
        add(f"rtt:{rtt / 1000:g}/{rttvar / 1000:g}")
    if ato:
        add(f"ato:{ato / 1000:g}")
    _counts(
        out,
        mss=snd_mss,
        pmtu=pmtu,
        rcvmss=rcv_mss,
        advmss=advmss,
        cwnd=snd_cwnd,
        ssthresh=snd_ssthresh if snd_ssthresh < 0xFFFF else 0,
        bytes_sent=bytes_sent,
        bytes_retrans=bytes_retrans,
        bytes_acked=bytes_acked,
        bytes_received=bytes_received,
        segs_out=segs_out,
        segs_in=segs_in,
        data_segs_out=data_segs_out,
        data_segs_in=data_segs_in,
    )
    send_rtt = _congestion(out, found, rtt, numeric=numeric)
    if send_rtt and snd_mss and snd_cwnd:
        add(f"send {bandwidth(float(snd_cwnd) * float(snd_mss) * 8000000.0 / send_rtt, numeric=numeric)}bps")
    _counts(out, lastsnd=last_data_sent, lastrcv=last_data_recv, lastack=last_ack_recv)
    if pacing_rate and pacing_rate != _NO_RATE:
        text = f"pacing_rate {bandwidth(pacing_rate * 8.0, numeric=numeric)}bps"
        if max_pacing_rate and max_pacing_rate != _NO_RATE:
            text += f"/{bandwidth(max_pacing_rate * 8.0, numeric=numeric)}bps"
        add(text)
    if delivery_rate:
        add(f"delivery_rate {bandwidth(delivery_rate * 8.0, numeric=numeric)}bps")
    _counts(out, delivered=delivered, delivered_ce=delivered_ce)
    if limited & 1:
        add("app_limited")
    if busy_time:
        add(f"busy:{busy_time // 1000}ms")
        for word, value in (("rwnd_limited", rwnd_limited), ("sndbuf_limited", sndbuf_limited)):
            if value:
                add(f"{word}:{value // 1000}ms({100.0 * value / busy_time:.1f}%)")
    if unacked:
        add(f"unacked:{unacked}")
    if retrans or total_retrans:
        add(f"retrans:{retrans}/{total_retrans}")
    _counts(out, lost=lost, sacked=sacked if row.state != LISTEN else 0, dsack_dups=dsack_dups, fackets=fackets)
    if reordering != 3:
        add(f"reordering:{reordering}")
    _counts(out, reord_seen=reord_seen)
    if rcv_rtt:
        add(f"rcv_rtt:{rcv_rtt / 1000:g}")
    _counts(out, rcv_space=rcv_space, rcv_ssthresh=rcv_ssthresh, notsent=notsent_bytes)
    if min_rtt and min_rtt != _NO_RTT:
        add(f"minrtt:{min_rtt / 1000:g}")
    _counts(out, rcv_ooopack=rcv_ooopack, snd_wnd=snd_wnd)
    if not old:
        _counts(out, rcv_wnd=rcv_wnd, rehash=rehash)
    return "".join([f" {word}" for word in out])


def _counts(out: list[str], **values: int) -> None:
    out.extend([f"{name}:{value}" for name, value in values.items() if value])


def _congestion(out: list[str], found: Mapping[int, bytes], rtt: int, *, numeric: bool) -> int:
    """Add what the congestion control tells; return the round trip time to compute the send rate with."""
    vegas = found.get(VEGASINFO, b"")
    if len(vegas) >= _VEGAS.size:
        enabled, _count, vegas_rtt, _minimum = _VEGAS.unpack_from(vegas)
        if enabled and vegas_rtt and vegas_rtt != _VEGAS_NO_RTT:
            rtt = vegas_rtt
    if DCTCPINFO in found:
        data = found[DCTCPINFO][: _DCTCP.size]
        enabled, ce_state, alpha, ab_ecn, ab_tot = _DCTCP.unpack(data + bytes(_DCTCP.size - len(data)))
        if enabled:
            out.append(f"dctcp:(ce_state:{ce_state},alpha:{alpha},ab_ecn:{ab_ecn},ab_tot:{ab_tot})")
        else:
            out.append("dctcp:fallback_mode")
    if BBRINFO in found:
        data = found[BBRINFO][: _BBR.size]
        low, high, min_rtt, pacing_gain, cwnd_gain = _BBR.unpack(data + bytes(_BBR.size - len(data)))
        text = f"bbr:(bw:{bandwidth((high << 32 | low) * 8.0, numeric=numeric)}bps,mrtt:{min_rtt / 1000:g}"
        if pacing_gain:
            text += f",pacing_gain:{pacing_gain / 256:g}"
        if cwnd_gain:
            text += f",cwnd_gain:{cwnd_gain / 256:g}"
        out.append(text + ")")
    return rtt
