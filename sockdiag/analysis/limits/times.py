"""Times until TCP gives up, from its numbers of retries. All times are in milliseconds."""

from __future__ import annotations

from sockdiag.kernel.sock import TCP_ORPHAN_RETRIES, TCP_RTO_MAX_MS, TCP_RTO_MIN_MS, TCP_TIMEOUT_INIT_MS
from sockdiag.model.record import MS, US

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sockdiag.analysis.limits.effects import Effect, Known


def handshake_ms(retries: int, linear: int = 0, rto_max_ms: int = TCP_RTO_MAX_MS) -> int:
    """Return the time after which an unanswered handshake is given up.

    Source: ``tcp_retransmit_timer()`` and ``tcp_write_timeout()``, net/ipv4/tcp_timer.c; the interval is one second and
    doubles with every retransmission after the first *linear* ones, which are in addition to *retries*.
    """
    return linear * TCP_TIMEOUT_INIT_MS + _doubling(TCP_TIMEOUT_INIT_MS, max(retries, 0) + 1, rto_max_ms)


def retransmission_ms(retries: int, rto_max_ms: int = TCP_RTO_MAX_MS) -> int:
    """Return the minimum time after which a connection with unacknowledged data is given up.

    Source: ``tcp_model_timeout()``, net/ipv4/tcp_timer.c: computed as if the first timeout were 200 ms, whatever that of
    the connection is; it ends at the first timeout after this time.
    """
    return _doubling(TCP_RTO_MIN_MS, max(retries, 0) + 1, rto_max_ms)


def _doubling(first: int, count: int, most: int) -> int:
    # The sum of so many intervals, each twice as long as the one before it, but no longer than the most.
    total = 0
    while count and first < most:
        total += first
        first *= 2
        count -= 1
    return total + count * most


def _seconds(ms: int) -> str:
    return f"{ms / 1000:g} s"


def _tcp_syn_retries(k: Known, v: int) -> Effect:
    ms = handshake_ms(v, k.ipv4("tcp_syn_linear_timeouts") or 0, k.rto_max_ms)
    return ms, MS, f"connect(2) to a peer that does not answer fails after {_seconds(ms)}."


def _tcp_synack_retries(k: Known, v: int) -> Effect:
    ms = handshake_ms(v, 0, k.rto_max_ms)
    return ms, MS, f"A request whose client falls silent leaves the SYN queue after {_seconds(ms)}."


def _tcp_retries2(k: Known, v: int) -> Effect:
    ms = retransmission_ms(v, k.rto_max_ms)
    return ms, MS, f"A connection whose data is not acknowledged is given up after {_seconds(ms)} at the earliest."


def _tcp_orphan_retries(k: Known, v: int) -> Effect:
    ms = retransmission_ms(v or TCP_ORPHAN_RETRIES, k.rto_max_ms)
    return ms, MS, f"A closed socket whose last data is not acknowledged is gone after {_seconds(ms)} at the earliest."


def _tcp_rto_min_us(_k: Known, v: int) -> Effect:
    return (
        v,
        US,
        f"Data is retransmitted after {v / 1000:g} ms at the earliest if no acknowledgement indicates its loss.",
    )


def _tcp_rto_max_ms(_k: Known, v: int) -> Effect:
    return v, MS, f"Retransmissions are never more than {_seconds(v)} apart."


def _tcp_keepalive_time(k: Known, v: int) -> Effect:
    each, probes = k.ipv4("tcp_keepalive_intvl"), k.ipv4("tcp_keepalive_probes")
    first = f"With SO_KEEPALIVE the first probe is sent after {v} s of silence"
    if each is None or probes is None:
        return None, MS, first + "."
    ms = (v + each * probes) * 1000
    return ms, MS, f"{first}; a peer that vanished is given up after {_seconds(ms)}."


def _tcp_keepalive_intvl(_k: Known, v: int) -> Effect:
    return v * 1000, MS, f"Keep-alive probes are {v} s apart."


def _tcp_fin_timeout(_k: Known, v: int) -> Effect:
    return (
        v * 1000,
        MS,
        f"A closed socket waits {v} s in FIN_WAIT2 for the peer to close; a socket that a process still holds waits for ever.",
    )


def _tcp_tw_reuse(k: Known, v: int) -> Effect:
    if v == 0:
        return None, "", "A port in TIME_WAIT cannot be used for the same destination again."
    where = " on loopback" if v == 2 else ""
    age = _seconds(k.ipv4("tcp_tw_reuse_delay") or 1000)
    return None, "", f"connect(2){where} may use a port in TIME_WAIT for the same destination again after {age}."


def _tcp_tw_reuse_delay(_k: Known, v: int) -> Effect:
    return v, MS, f"If tcp_tw_reuse allows it, a port in TIME_WAIT may be reused after {_seconds(v)}."


TIMES: Mapping[str, Callable[[Known, int], Effect]] = {
    "net.ipv4.tcp_fin_timeout": _tcp_fin_timeout,
    "net.ipv4.tcp_tw_reuse": _tcp_tw_reuse,
    "net.ipv4.tcp_tw_reuse_delay": _tcp_tw_reuse_delay,
    "net.ipv4.tcp_syn_retries": _tcp_syn_retries,
    "net.ipv4.tcp_synack_retries": _tcp_synack_retries,
    "net.ipv4.tcp_retries2": _tcp_retries2,
    "net.ipv4.tcp_orphan_retries": _tcp_orphan_retries,
    "net.ipv4.tcp_rto_min_us": _tcp_rto_min_us,
    "net.ipv4.tcp_rto_max_ms": _tcp_rto_max_ms,
    "net.ipv4.tcp_keepalive_time": _tcp_keepalive_time,
    "net.ipv4.tcp_keepalive_intvl": _tcp_keepalive_intvl,
}
