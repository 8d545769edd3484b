"""How long TCP tries, from the numbers of its retries. All times in milliseconds."""

from __future__ import annotations

from sockdiag.kernel.sock import TCP_RTO_MAX_MS, TCP_RTO_MIN_MS, TCP_TIMEOUT_INIT_MS


def handshake_ms(retries: int, linear: int = 0, rto_max_ms: int = TCP_RTO_MAX_MS) -> int:
    """Return the time after which a handshake that nobody answers is given up.

    Source: ``tcp_retransmit_timer()`` and ``tcp_write_timeout()``, net/ipv4/tcp_timer.c; the interval is one second and
    doubles with every retransmission after the first *linear* ones, which come on top of *retries*.
    """
    total = linear * TCP_TIMEOUT_INIT_MS
    interval = TCP_TIMEOUT_INIT_MS
    for _ in range(max(retries, 0) + 1):
        total += min(interval, rto_max_ms)
        interval = min(interval * 2, rto_max_ms)
    return total


def retransmission_ms(retries: int, rto_max_ms: int = TCP_RTO_MAX_MS) -> int:
    """Return the least time after which a connection whose data nobody acknowledges is given up.

    Source: ``tcp_model_timeout()``, net/ipv4/tcp_timer.c: as if the first timeout were 200 ms, whatever the
    connection's is; it ends at the first timeout after this time.
    """
    total = 0
    interval = TCP_RTO_MIN_MS
    for _ in range(max(retries, 0) + 1):
        total += min(interval, rto_max_ms)
        interval = min(interval * 2, rto_max_ms)
    return total
