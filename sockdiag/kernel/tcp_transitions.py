"""Where a socket's state may go next, and what takes it there.

Source: ``tcp_rcv_state_process()``, ``tcp_fin()``, ``tcp_close_state()`` with new_state[], ``tcp_reset()``,
``tcp_write_err()``, ``tcp_disconnect()``, ``tcp_timewait_state_process()``; RFC 9293, 3.3.2.
"""

from __future__ import annotations

_RST = ("CLOSE", "the peer sends RST, or SOCK_DESTROY")
_TIMEOUT = ("CLOSE", "the retransmissions end without an answer (tcp_retries2, TCP_USER_TIMEOUT): ETIMEDOUT")
_ORPHAN_TIMEOUT = (
    "CLOSE",
    "no answer: after tcp_orphan_retries where no process holds it, after tcp_retries2 where one does",
)

# State -> (next state, by what), the usual way first.
TCP_NEXT: dict[str, tuple[tuple[str, str], ...]] = {
    "CLOSE": (("SYN_SENT", "connect(2) sends SYN"), ("LISTEN", "listen(2)")),
    "LISTEN": (
        ("CLOSE", "close(2) or shutdown(2)"),
        ("SYN_RECV", "a SYN arrives: a request of its own, in that state; the listener stays"),
    ),
    "SYN_SENT": (
        ("ESTABLISHED", "SYN+ACK arrives, ACK is sent"),
        ("SYN_RECV", "a SYN without ACK arrives: both ends connect at once"),
        ("CLOSE", "RST arrives (ECONNREFUSED), close(2), or tcp_syn_retries end (ETIMEDOUT)"),
    ),
    "SYN_RECV": (
        ("ESTABLISHED", "the ACK of the handshake arrives and the accept queue has room"),
        ("CLOSE", "RST arrives, or SYN+ACK was sent tcp_synack_retries times without an answer"),
    ),
    "ESTABLISHED": (
        ("FIN_WAIT1", "close(2) or shutdown(SHUT_WR) sends FIN"),
        ("CLOSE_WAIT", "the peer's FIN arrives"),
        _RST,
        _TIMEOUT,
        ("CLOSE", "close(2) with unread data sends RST"),
    ),
    "FIN_WAIT1": (
        ("FIN_WAIT2", "the peer acknowledges the FIN"),
        ("CLOSING", "the peer's FIN arrives before that"),
        ("TIME_WAIT", "the peer's FIN arrives with that acknowledgement"),
        _RST,
        _ORPHAN_TIMEOUT,
    ),
    "FIN_WAIT2": (
        ("TIME_WAIT", "the peer's FIN arrives"),
        ("CLOSE", "tcp_fin_timeout ends, where no process holds it; held by one it has no time limit"),
        _RST,
    ),
    "CLOSING": (("TIME_WAIT", "the peer acknowledges the FIN"), _RST, _ORPHAN_TIMEOUT),
    "CLOSE_WAIT": (
        ("LAST_ACK", "close(2) or shutdown(SHUT_WR) by the process that holds it; nothing else ends this state"),
        _RST,
        ("CLOSE", "close(2) with unread data sends RST"),
    ),
    "LAST_ACK": (("CLOSE", "the peer acknowledges the FIN"), _RST, _ORPHAN_TIMEOUT),
    "TIME_WAIT": (
        ("CLOSE", "60 s pass"),
        ("SYN_RECV", "a new SYN of the same addresses with a higher sequence number or timestamp arrives"),
        ("CLOSE", "a new connect(2) takes over the port (tcp_tw_reuse)"),
    ),
}

# Sockets without connections borrow two of the states.
DATAGRAM_NEXT: dict[str, tuple[tuple[str, str], ...]] = {
    "CLOSE": (("ESTABLISHED", "connect(2) sets its peer; no packet is sent"),),
    "ESTABLISHED": (("CLOSE", "connect(2) with AF_UNSPEC"),),
}

_UNIX_STREAM_NEXT: dict[str, tuple[tuple[str, str], ...]] = {
    "CLOSE": (("ESTABLISHED", "connect(2) to a listener"), ("LISTEN", "listen(2)")),
    "LISTEN": (("CLOSE", "close(2)"),),
    "ESTABLISHED": (("CLOSE", "close(2); what the peer then writes gives it EPIPE"),),
}


def next_states(netid: str, type: str | None, state: str | None) -> tuple[tuple[str, str], ...]:
    """Return where a socket's state may go next and by what; empty where it has no states of its own."""
    if netid in ("tcp", "mptcp", "dccp"):
        table = TCP_NEXT
    elif netid in ("udp", "udplite", "raw", "icmp"):
        table = DATAGRAM_NEXT
    elif netid == "unix":
        table = DATAGRAM_NEXT if type in ("SOCK_DGRAM", "SOCK_RAW") else _UNIX_STREAM_NEXT
    else:
        return ()
    return table.get(state or "", ())
