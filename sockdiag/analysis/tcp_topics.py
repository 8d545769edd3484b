"""Group the members of tcp_info by topic, and summarise each topic."""

from __future__ import annotations

from sockdiag.model.inspection import Topic
from sockdiag.model.tcp_info import CA_STATES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.model.tcp_info import TcpInfo

_PATH = (
    "rtt_us",
    "rttvar_us",
    "min_rtt_us",
    "rcv_rtt_us",
    "rto_us",
    "ato_us",
    "pmtu",
    "snd_mss",
    "rcv_mss",
    "advmss",
    "options",
    "snd_wscale",
    "rcv_wscale",
    "reordering",
    "reord_seen",
    "rehash",
    "delivered_ce",
    "received_ce",
    "fastopen_client_fail",
    "delivered_e0_bytes",
    "delivered_e1_bytes",
    "delivered_ce_bytes",
    "received_e0_bytes",
    "received_e1_bytes",
    "received_ce_bytes",
    "ecn_mode",
    "accecn_fail_mode",
    "accecn_opt_seen",
)
_FLOW = (
    "snd_wnd_bytes",
    "rcv_wnd_bytes",
    "rcv_ssthresh_bytes",
    "rcv_space_bytes",
    "unacked",
    "sacked",
    "notsent_bytes",
    "probes",
    "bytes_received",
    "segs_in",
    "data_segs_in",
    "rcv_ooopack",
    "rwnd_limited_us",
)
_LOSS = (
    "ca_state",
    "snd_cwnd",
    "snd_ssthresh",
    "lost",
    "retrans",
    "fackets",
    "retransmits",
    "backoff",
    "total_retrans",
    "bytes_retrans",
    "dsack_dups",
    "total_rto",
    "total_rto_recoveries",
    "total_rto_time_ms",
)
_PACING = (
    "pacing_rate_bytes_per_s",
    "max_pacing_rate_bytes_per_s",
    "delivery_rate_bytes_per_s",
    "delivered",
    "bytes_sent",
    "bytes_acked",
    "segs_out",
    "data_segs_out",
)
_APPLICATION = (
    "delivery_rate_app_limited",
    "busy_time_us",
    "sndbuf_limited_us",
    "last_data_sent_ms",
    "last_data_recv_ms",
    "last_ack_sent_ms",
    "last_ack_recv_ms",
    "state",
)


def tcp_topics(info: TcpInfo | None, state: str | None) -> tuple[Topic, ...]:
    """Sort the members of tcp_info by topic and summarise each topic; empty for a listener, which has few."""
    if info is None or state == "LISTEN":
        return ()
    return (
        Topic("path", _path(info), _PATH),
        Topic("flow_control", _flow(info), _FLOW),
        Topic("loss", _loss(info), _LOSS),
        Topic("pacing", _pacing(info), _PACING),
        Topic("application", _application(info), _APPLICATION),
    )


def _path(info: TcpInfo) -> str:
    if info.rtt_us is None:
        return "No round trip has been measured yet."
    text = f"A round trip takes {info.rtt_us / 1000:.3g} ms"
    if info.min_rtt_us is not None and info.min_rtt_us:
        text += f", {info.rtt_us / info.min_rtt_us:.1f} times the minimum of the last minutes"
    return f"{text}; segments of {info.snd_mss} bytes, path MTU {info.pmtu}."


def _flow(info: TcpInfo) -> str:
    parts = []
    if info.snd_wnd_bytes == 0:
        parts.append("the peer's window is closed: it accepts nothing more until its reader reads")
    elif info.snd_wnd_bytes is not None:
        parts.append(f"the peer accepts {info.snd_wnd_bytes} bytes more")
    if info.rcv_wnd_bytes == 0:
        parts.append("this end's window is closed: its reader does not read")
    elif info.rcv_wnd_bytes is not None:
        parts.append(f"this end accepts {info.rcv_wnd_bytes}")
    share = _share(info.rwnd_limited_us, info.busy_time_us)
    if share:
        parts.append(f"the peer's window was the limit for {share} of the time with data to send")
    return _sentence(parts, "This kernel does not report the windows.")


def _loss(info: TcpInfo) -> str:
    state = info.ca_state
    parts = [] if state is None else [f"congestion state {CA_STATES[state] if state < len(CA_STATES) else state}"]
    if info.total_retrans and info.data_segs_out:
        parts.append(f"{info.total_retrans} of {info.data_segs_out} data segments were retransmitted")
    elif info.total_retrans is not None:
        parts.append(f"{info.total_retrans or 'no'} segments retransmitted")
    if info.retransmits:
        parts.append(f"{info.retransmits} timeouts in a row without an answer")
    if info.lost:
        parts.append(f"{info.lost} in flight presumed lost")
    return _sentence(parts, "Nothing is known.")


def _pacing(info: TcpInfo) -> str:
    parts = []
    if info.pacing_rate_bytes_per_s is None:
        parts.append("not paced")
    else:
        parts.append(f"paced at {_rate(info.pacing_rate_bytes_per_s)}")
    if info.max_pacing_rate_bytes_per_s is not None:
        parts.append(f"at most {_rate(info.max_pacing_rate_bytes_per_s)} (SO_MAX_PACING_RATE)")
    if info.delivery_rate_bytes_per_s:
        parts.append(f"last delivered at {_rate(info.delivery_rate_bytes_per_s)}")
    return _sentence(parts, "")


def _application(info: TcpInfo) -> str:
    parts = []
    if info.delivery_rate_app_limited:
        parts.append("the application had nothing more to send when the rate was measured")
    share = _share(info.sndbuf_limited_us, info.busy_time_us)
    if share:
        parts.append(f"the send buffer was the limit for {share} of the time with data to send")
    if info.busy_time_us is not None:
        parts.append(f"data was there to send for {info.busy_time_us / 1e6:.3g} s in all")
    return _sentence(parts, "Nothing is known.")


def _share(part: int | None, whole: int | None) -> str:
    return f"{part / whole:.0%}" if part and whole else ""


def _rate(rate: int) -> str:
    bits = rate * 8.0
    for unit in ("bit/s", "kbit/s", "Mbit/s", "Gbit/s"):
        if bits < 1000 or unit == "Gbit/s":
            return f"{bits:.3g} {unit}"
        bits /= 1000
    return ""


def _sentence(parts: list[str], otherwise: str) -> str:
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else otherwise
