"""The state of a congestion control algorithm for a TCP connection."""

from __future__ import annotations

from sockdiag.model.record import BYTES, BYTES_PER_S, COUNT, ID, US, Record, field


class VegasInfo(Record):
    """``struct tcpvegas_info``, of vegas, veno, yeah, illinois, nv and others. Source: ``tcp_vegas_get_info()``."""

    enabled: int | None = field(
        "1: the algorithm is active.", default=None, kind=ID, wire="I", sources=("INET_DIAG_VEGASINFO.tcpv_enabled",)
    )
    rttcnt: int | None = field(
        "Round-trip times measured in this window.",
        default=None,
        unit=COUNT,
        wire="I",
        sources=("INET_DIAG_VEGASINFO.tcpv_rttcnt",),
    )
    rtt_us: int | None = field(
        "The algorithm's own round-trip time.",
        default=None,
        unit=US,
        wire="I",
        sources=("INET_DIAG_VEGASINFO.tcpv_rtt",),
    )
    minrtt_us: int | None = field(
        "Lowest round-trip time in this window.",
        default=None,
        unit=US,
        wire="I",
        sources=("INET_DIAG_VEGASINFO.tcpv_minrtt",),
    )


class DctcpInfo(Record):
    """``struct tcp_dctcp_info``. Source: ``dctcp_get_info()``."""

    enabled: int | None = field(
        "0: fallen back to loss-based control, because ECN was not negotiated.",
        default=None,
        kind=ID,
        wire="H",
        sources=("INET_DIAG_DCTCPINFO.dctcp_enabled",),
    )
    ce_state: int | None = field(
        "1: the last segment was marked CE.",
        default=None,
        kind=ID,
        wire="H",
        sources=("INET_DIAG_DCTCPINFO.dctcp_ce_state",),
    )
    alpha: int | None = field(
        "Share of marked segments, in 1/1024.",
        default=None,
        unit=COUNT,
        wire="I",
        sources=("INET_DIAG_DCTCPINFO.dctcp_alpha",),
    )
    ab_ecn_bytes: int | None = field(
        "Bytes acknowledged with ECN echo in this window.",
        default=None,
        unit=BYTES,
        wire="I",
        sources=("INET_DIAG_DCTCPINFO.dctcp_ab_ecn",),
    )
    ab_tot_bytes: int | None = field(
        "Bytes acknowledged in this window.",
        default=None,
        unit=BYTES,
        wire="I",
        sources=("INET_DIAG_DCTCPINFO.dctcp_ab_tot",),
    )


class BbrInfo(Record):
    """``struct tcp_bbr_info``, its two words of bandwidth joined. Source: ``bbr_get_info()``."""

    bw_bytes_per_s: int | None = field(
        "Estimate of the bandwidth.",
        default=None,
        unit=BYTES_PER_S,
        wire="Q",
        sources=("INET_DIAG_BBRINFO.bbr_bw_lo, bbr_bw_hi",),
    )
    min_rtt_us: int | None = field(
        "Lowest round-trip time.", default=None, unit=US, wire="I", sources=("INET_DIAG_BBRINFO.bbr_min_rtt",)
    )
    pacing_gain: int | None = field(
        "Factor of the pacing rate, in 1/256.",
        default=None,
        wire="I",
        sources=("INET_DIAG_BBRINFO.bbr_pacing_gain",),
    )
    cwnd_gain: int | None = field(
        "Factor of the congestion window, in 1/256.",
        default=None,
        wire="I",
        sources=("INET_DIAG_BBRINFO.bbr_cwnd_gain",),
    )
