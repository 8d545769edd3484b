"""The state of a TCP connection: ``struct tcp_info``, member by member in the kernel's order.

The ``wire`` of the fields, taken together, is the layout of the struct (``sockdiag.sources.netlink.wire``): a struct format,
or a number of bits for a bit field. A member that this kernel's struct does not reach yet is None.
"""

from __future__ import annotations

from sockdiag.kernel.tcp_states import STATE_NAMES
from sockdiag.model.record import (
    BYTES,
    BYTES_PER_S,
    COUNT,
    COUNTER,
    FLAGS,
    GAUGE,
    ID,
    LABEL,
    MS,
    US,
    Record,
    field,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# tcpi_options
OPTIONS = ("TIMESTAMPS", "SACK", "WSCALE", "ECN", "ECN_SEEN", "SYN_DATA", "USEC_TS", "TFO_CHILD")

# tcpi_ca_state, enum tcp_ca_state
CA_STATES = ("Open", "Disorder", "CWR", "Recovery", "Loss")

# tcpi_fastopen_client_fail, enum tcp_fastopen_client_fail
FASTOPEN_CLIENT_FAIL = ("UNSPEC", "COOKIE_UNAVAILABLE", "DATA_NOT_ACKED", "SYN_RETRANSMITTED")

# tcpi_ecn_mode, TCPI_ECN_MODE_*
ECN_MODES = ("DISABLED", "RFC3168", "ACCECN", "PENDING")

# A listener's tcp_info has only these; the kernel leaves the others 0, which becomes None.
LISTEN_FIELDS = (
    "state",
    "pacing_rate_bytes_per_s",
    "max_pacing_rate_bytes_per_s",
    "reordering",
    "snd_cwnd",
    "unacked",
    "sacked",
)


def _member(  # the declarations below read as a table
    name: str,
    wire: str,
    help: str,
    kernel: str = "",
    unit: str = COUNT,
    kind: str = GAUGE,
    words: tuple[str, ...] = (),
) -> Any:
    return field(
        help,
        default=None,
        kernel=kernel,
        sources=(f"INET_DIAG_INFO.tcpi_{name}",),
        unit="" if kind in (LABEL, ID, FLAGS) else unit,
        kind=kind,
        words=words,
        wire=wire,
    )


class TcpInfo(Record):
    """Members of ``struct tcp_info`` (280 bytes on Linux 6.18, 104 on 3.10).

    Source: ``tcp_get_info()``, net/ipv4/tcp.c. The kernel takes the socket lock to fill it, except for a listener, whose
    struct has LISTEN_FIELDS only. Special values of the kernel (never measured, no limit) become None too.
    """

    state: int | None = _member(
        "state", "B", "State; the same as the socket's.", "sk->sk_state", kind=ID, words=STATE_NAMES
    )
    ca_state: int | None = _member(
        "ca_state",
        "B",
        "Congestion state; Recovery is fast recovery, Loss follows a timeout.",
        "icsk->icsk_ca_state",
        kind=ID,
        words=CA_STATES,
    )
    retransmits: int | None = _member(
        "retransmits", "B", "Retransmission timeouts in a row, without an answer.", "icsk->icsk_retransmits"
    )
    probes: int | None = _member(
        "probes", "B", "Zero-window or keep-alive probes in a row, without an answer.", "icsk->icsk_probes_out"
    )
    backoff: int | None = _member("backoff", "B", "Doublings of the retransmission timeout.", "icsk->icsk_backoff")
    options: int | None = _member(
        "options",
        "B",
        "TCP options in use.",
        "tp->rx_opt, tp->ecn_flags, tp->syn_data_acked",
        kind=FLAGS,
        words=OPTIONS,
    )
    snd_wscale: int | None = _member(
        "snd_wscale", "4", "Shift of the window that the peer advertises.", "tp->rx_opt.snd_wscale", kind=ID
    )
    rcv_wscale: int | None = _member(
        "rcv_wscale", "4", "Shift of the window that this end advertises.", "tp->rx_opt.rcv_wscale", kind=ID
    )
    delivery_rate_app_limited: int | None = _member(
        "delivery_rate_app_limited",
        "1",
        "1: delivery_rate was limited by the application, which had nothing to send.",
        "tp->rate_app_limited",
        kind=ID,
    )
    fastopen_client_fail: int | None = _member(
        "fastopen_client_fail",
        "2",
        "Why Fast Open did not work for the client; UNSPEC: no failure is known.",
        "tp->fastopen_client_fail",
        kind=ID,
        words=FASTOPEN_CLIENT_FAIL,
    )
    rto_us: int | None = _member("rto", "I", "Retransmission timeout.", "icsk->icsk_rto", US)
    ato_us: int | None = _member("ato", "I", "Delayed acknowledgement timeout.", "icsk->icsk_ack.ato", US)
    snd_mss: int | None = _member("snd_mss", "I", "Largest segment sent.", "tp->mss_cache", BYTES)
    rcv_mss: int | None = _member(
        "rcv_mss", "I", "Estimate of the peer's segment size.", "icsk->icsk_ack.rcv_mss", BYTES
    )
    unacked: int | None = _member(
        "unacked",
        "I",
        "Segments sent and not acknowledged; on a listener, connections waiting in accept(2).",
        "tp->packets_out, sk->sk_ack_backlog",
    )
    sacked: int | None = _member(
        "sacked",
        "I",
        "Segments acknowledged selectively; on a listener, the limit of its accept queue.",
        "tp->sacked_out, sk->sk_max_ack_backlog",
    )
    lost: int | None = _member("lost", "I", "Segments in flight that are presumed lost.", "tp->lost_out")
    retrans: int | None = _member("retrans", "I", "Retransmitted segments in flight.", "tp->retrans_out")
    fackets: int | None = _member(
        "fackets",
        "I",
        "Segments up to the highest one acknowledged selectively; 0 since Linux 4.15.",
        "tp->fackets_out",
    )
    last_data_sent_ms: int | None = _member("last_data_sent", "I", "Time since data was sent.", "tp->lsndtime", MS)
    last_ack_sent_ms: int | None = _member("last_ack_sent", "I", "Never filled by the kernel.", "", MS)
    last_data_recv_ms: int | None = _member(
        "last_data_recv", "I", "Time since data was received.", "icsk->icsk_ack.lrcvtime", MS
    )
    last_ack_recv_ms: int | None = _member(
        "last_ack_recv", "I", "Time since an acknowledgement was received.", "tp->rcv_tstamp", MS
    )
    pmtu: int | None = _member("pmtu", "I", "Path MTU.", "icsk->icsk_pmtu_cookie", BYTES)
    rcv_ssthresh_bytes: int | None = _member(
        "rcv_ssthresh", "I", "Limit that the receive window may grow to now.", "tp->rcv_ssthresh", BYTES
    )
    rtt_us: int | None = _member("rtt", "I", "Smoothed round-trip time; null before the first.", "tp->srtt_us >> 3", US)
    rttvar_us: int | None = _member("rttvar", "I", "Mean deviation of the round-trip time.", "tp->mdev_us >> 2", US)
    snd_ssthresh: int | None = _member(
        "snd_ssthresh",
        "I",
        "Slow start threshold in segments; null while it is infinite (initial slow start).",
        "tp->snd_ssthresh",
    )
    snd_cwnd: int | None = _member("snd_cwnd", "I", "Congestion window in segments.", "tp->snd_cwnd")
    advmss: int | None = _member("advmss", "I", "Segment size advertised to the peer.", "tp->advmss", BYTES)
    reordering: int | None = _member("reordering", "I", "Reordering tolerated, in segments.", "tp->reordering")
    rcv_rtt_us: int | None = _member(
        "rcv_rtt",
        "I",
        "Round-trip time as the receiver estimates it; null before the first.",
        "tp->rcv_rtt_est.rtt_us >> 3",
        US,
    )
    rcv_space_bytes: int | None = _member(
        "rcv_space",
        "I",
        "Data copied to the application in one round trip, by which the receive buffer is tuned.",
        "tp->rcvq_space.space",
        BYTES,
    )
    total_retrans: int | None = _member(
        "total_retrans", "I", "Segments retransmitted.", "tp->total_retrans", kind=COUNTER
    )
    pacing_rate_bytes_per_s: int | None = _member(
        "pacing_rate", "Q", "Rate that sending is paced at; null where it is not.", "sk->sk_pacing_rate", BYTES_PER_S
    )
    max_pacing_rate_bytes_per_s: int | None = _member(
        "max_pacing_rate",
        "Q",
        "Limit of the pacing rate (SO_MAX_PACING_RATE); null where none was set.",
        "sk->sk_max_pacing_rate",
        BYTES_PER_S,
    )
    bytes_acked: int | None = _member(
        "bytes_acked", "Q", "Bytes sent and acknowledged.", "tp->bytes_acked", BYTES, COUNTER
    )
    bytes_received: int | None = _member(
        "bytes_received", "Q", "Bytes received in order.", "tp->bytes_received", BYTES, COUNTER
    )
    segs_out: int | None = _member("segs_out", "I", "Segments sent.", "tp->segs_out", kind=COUNTER)
    segs_in: int | None = _member("segs_in", "I", "Segments received.", "tp->segs_in", kind=COUNTER)
    notsent_bytes: int | None = _member(
        "notsent_bytes", "I", "Bytes written and not sent yet.", "tp->write_seq - tp->snd_nxt", BYTES
    )
    min_rtt_us: int | None = _member(
        "min_rtt", "I", "Lowest round-trip time of the last minutes; null before the first.", "tcp_min_rtt(tp)", US
    )
    data_segs_in: int | None = _member(
        "data_segs_in", "I", "Segments with data received.", "tp->data_segs_in", kind=COUNTER
    )
    data_segs_out: int | None = _member(
        "data_segs_out", "I", "Segments with data sent, retransmissions included.", "tp->data_segs_out", kind=COUNTER
    )
    delivery_rate_bytes_per_s: int | None = _member(
        "delivery_rate",
        "Q",
        "Rate at which the peer got data when it was last measured.",
        "tcp_compute_delivery_rate(tp)",
        BYTES_PER_S,
    )
    busy_time_us: int | None = _member(
        "busy_time",
        "Q",
        "Time with data to send or to be acknowledged.",
        "tp->chrono_stat[TCP_CHRONO_BUSY]",
        US,
        COUNTER,
    )
    rwnd_limited_us: int | None = _member(
        "rwnd_limited",
        "Q",
        "Part of busy_time limited by the peer's window.",
        "tp->chrono_stat[TCP_CHRONO_RWND_LIMITED]",
        US,
        COUNTER,
    )
    sndbuf_limited_us: int | None = _member(
        "sndbuf_limited",
        "Q",
        "Part of busy_time limited by the send buffer of this end.",
        "tp->chrono_stat[TCP_CHRONO_SNDBUF_LIMITED]",
        US,
        COUNTER,
    )
    delivered: int | None = _member(
        "delivered", "I", "Segments delivered, retransmissions included.", "tp->delivered", kind=COUNTER
    )
    delivered_ce: int | None = _member(
        "delivered_ce", "I", "Segments delivered that the peer saw marked CE.", "tp->delivered_ce", kind=COUNTER
    )
    bytes_sent: int | None = _member(
        "bytes_sent", "Q", "Bytes sent, retransmissions included.", "tp->bytes_sent", BYTES, COUNTER
    )
    bytes_retrans: int | None = _member(
        "bytes_retrans", "Q", "Bytes retransmitted.", "tp->bytes_retrans", BYTES, COUNTER
    )
    dsack_dups: int | None = _member(
        "dsack_dups", "I", "Duplicate segments reported by the peer (DSACK).", "tp->dsack_dups", kind=COUNTER
    )
    reord_seen: int | None = _member("reord_seen", "I", "Reordering events seen.", "tp->reord_seen", kind=COUNTER)
    rcv_ooopack: int | None = _member(
        "rcv_ooopack", "I", "Segments received out of order.", "tp->rcv_ooopack", kind=COUNTER
    )
    snd_wnd_bytes: int | None = _member(
        "snd_wnd", "I", "Window that the peer advertised; 0: it takes no more data now.", "tp->snd_wnd", BYTES
    )
    rcv_wnd_bytes: int | None = _member(
        "rcv_wnd", "I", "Window advertised to the peer; 0: this end takes no more data now.", "tp->rcv_wnd", BYTES
    )
    rehash: int | None = _member(
        "rehash",
        "I",
        "New paths tried by a new flow hash, after timeouts.",
        "tp->plb_rehash + tp->timeout_rehash",
        kind=COUNTER,
    )
    total_rto: int | None = _member(
        "total_rto", "H", "Retransmission timeouts, SYN and SYN-ACK included.", "tp->total_rto", kind=COUNTER
    )
    total_rto_recoveries: int | None = _member(
        "total_rto_recoveries",
        "H",
        "Recoveries from retransmission timeouts, an unfinished one included.",
        "tp->total_rto_recoveries",
        kind=COUNTER,
    )
    total_rto_time_ms: int | None = _member(
        "total_rto_time", "I", "Time spent in these recoveries.", "tp->total_rto_time", MS, COUNTER
    )
    received_ce: int | None = _member(
        "received_ce", "I", "Segments received with a CE mark.", "tp->received_ce", kind=COUNTER
    )
    delivered_e1_bytes: int | None = _member(
        "delivered_e1_bytes",
        "I",
        "Bytes that the peer received marked ECT(1) (Accurate ECN).",
        "tp->delivered_ecn_bytes[INET_ECN_ECT_1 - 1]",
        BYTES,
        COUNTER,
    )
    delivered_e0_bytes: int | None = _member(
        "delivered_e0_bytes",
        "I",
        "Bytes that the peer received marked ECT(0) (Accurate ECN).",
        "tp->delivered_ecn_bytes[INET_ECN_ECT_0 - 1]",
        BYTES,
        COUNTER,
    )
    delivered_ce_bytes: int | None = _member(
        "delivered_ce_bytes",
        "I",
        "Bytes that the peer received marked CE (Accurate ECN).",
        "tp->delivered_ecn_bytes[INET_ECN_CE - 1]",
        BYTES,
        COUNTER,
    )
    received_e1_bytes: int | None = _member(
        "received_e1_bytes",
        "I",
        "Bytes received marked ECT(1).",
        "tp->received_ecn_bytes[INET_ECN_ECT_1 - 1]",
        BYTES,
        COUNTER,
    )
    received_e0_bytes: int | None = _member(
        "received_e0_bytes",
        "I",
        "Bytes received marked ECT(0).",
        "tp->received_ecn_bytes[INET_ECN_ECT_0 - 1]",
        BYTES,
        COUNTER,
    )
    received_ce_bytes: int | None = _member(
        "received_ce_bytes", "I", "Bytes received marked CE.", "tp->received_ecn_bytes[INET_ECN_CE - 1]", BYTES, COUNTER
    )
    ecn_mode: int | None = _member(
        "ecn_mode",
        "2",
        "Which ECN was negotiated (Linux 7.0).",
        "tcp_ecn_mode_rfc3168(tp), tcp_ecn_mode_accecn(tp)",
        kind=ID,
        words=ECN_MODES,
    )
    accecn_opt_seen: int | None = _member(
        "accecn_opt_seen",
        "2",
        "What was seen of the peer's Accurate ECN option (Linux 6.18).",
        "tp->saw_accecn_opt",
        kind=ID,
    )
    accecn_fail_mode: int | None = _member(
        "accecn_fail_mode",
        "4",
        "Why Accurate ECN was given up, as bits; 0: it was not (Linux 6.18).",
        "tp->accecn_fail_mode",
        kind=ID,
    )


# Values that mean "never measured" or "no limit".
NOT_SET = {
    "last_ack_sent_ms": 0,
    "rtt_us": 0,
    "rcv_rtt_us": 0,
    "snd_ssthresh": 0x7FFFFFFF,
    "min_rtt_us": 0xFFFFFFFF,
    "pacing_rate_bytes_per_s": 0xFFFFFFFFFFFFFFFF,
    "max_pacing_rate_bytes_per_s": 0xFFFFFFFFFFFFFFFF,
}
