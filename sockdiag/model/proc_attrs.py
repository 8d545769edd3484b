"""Fields of a socket that only /proc has."""

from __future__ import annotations

from sockdiag.model.record import COUNT, ID, LABEL, MS, Record, field


class ProcAttrs(Record):
    """Columns of a /proc/net table that netlink does not have, or has in other units.

    ``pointer`` is in every table; the others are in those of IP sockets, and from ``rto_ms`` on in /proc/net/tcp and tcp6
    only, where TIME_WAIT and SYN_RECV rows lack them.

    Source: ``get_tcp4_sock()``, net/ipv4/tcp_ipv4.c; ``udp4_format_sock()``, net/ipv4/udp.c; ``unix_seq_show()``,
    net/unix/af_unix.c; ``netlink_native_seq_show()``, net/netlink/af_netlink.c; ``packet_seq_show()``,
    net/packet/af_packet.c.
    """

    pointer: int | None = field(
        "The kernel's address of the socket, or its hash: what trace events print as skaddr and rx_sk. Unknown where "
        "the kernel hides it (kptr_restrict).",
        default=None,
        kind=ID,
        base=16,
        header="POINTER",
        kernel="sk",
        sources=("/proc/net/tcp", "/proc/net/unix: Num", "/proc/net/netlink: sk", "/proc/net/packet: sk"),
    )
    refs: int | None = field(
        "References that the kernel holds to the socket.",
        default=None,
        unit=COUNT,
        header="REFS",
        kernel="sk->sk_refcnt",
        sources=("/proc/net/tcp", "/proc/net/udp: ref"),
    )
    retransmits: int | None = field(
        "Retransmission timeouts in a row.",
        default=None,
        unit=COUNT,
        header="RETRNSMT",
        kernel="icsk->icsk_retransmits",
        sources=("/proc/net/tcp: retrnsmt",),
    )
    probes: int | None = field(
        "Zero-window or keepalive probes that were not answered.",
        default=None,
        unit=COUNT,
        header="PROBES",
        kernel="icsk->icsk_probes_out",
        sources=("/proc/net/tcp: timeout",),
    )
    rto_ms: int | None = field(
        "Retransmission timeout.",
        default=None,
        unit=MS,
        header="RTO",
        kernel="icsk->icsk_rto",
        sources=("/proc/net/tcp",),
    )
    ato_ms: int | None = field(
        "Delay of the next acknowledgement.",
        default=None,
        unit=MS,
        header="ATO",
        kernel="icsk->icsk_ack.ato",
        sources=("/proc/net/tcp",),
    )
    quick: int | None = field(
        "Acknowledgements that will be sent at once.",
        default=None,
        unit=COUNT,
        header="QUICK",
        kernel="icsk->icsk_ack.quick",
        sources=("/proc/net/tcp",),
    )
    pingpong: bool | None = field(
        "The session is interactive: acknowledgements wait for data to ride on.",
        default=None,
        kind=LABEL,
        header="PINGPONG",
        kernel="inet_csk_in_pingpong_mode(sk)",
        sources=("/proc/net/tcp",),
    )
    snd_cwnd: int | None = field(
        "Congestion window, in segments; means nothing on a listener.",
        default=None,
        unit=COUNT,
        header="CWND",
        kernel="tp->snd_cwnd",
        sources=("/proc/net/tcp",),
    )
    snd_ssthresh: int | None = field(
        "Slow start threshold, in segments; -1 before the first loss. Unknown on a listener.",
        default=None,
        unit=COUNT,
        header="SSTHRESH",
        kernel="tp->snd_ssthresh",
        sources=("/proc/net/tcp",),
    )
    fastopen_qlen: int | None = field(
        "On a listener: limit of connections that TCP Fast Open made and accept(2) did not take; 0: it is off.",
        default=None,
        unit=COUNT,
        header="FASTOPEN-QLEN",
        kernel="icsk->icsk_accept_queue.fastopenq.max_qlen",
        sources=("/proc/net/tcp",),
    )
    extra: bytes | None = field(
        "Columns after the last known one, as they stand.",
        default=None,
        kind=LABEL,
        header="EXTRA",
        sources=("/proc/net/tcp", "/proc/net/udp"),
    )
