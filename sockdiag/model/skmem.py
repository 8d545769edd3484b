"""Socket memory, in the words of SO_MEMINFO."""

from __future__ import annotations

from sockdiag.model.record import BYTES, COUNT, COUNTER, Record, field


def _word(name: str) -> tuple[str, ...]:
    return (f"INET_DIAG_SKMEMINFO[SK_MEMINFO_{name}]",)


class SkMem(Record):
    """Words of a SKMEMINFO attribute, in their order; a word that the kernel did not send is None.

    Source: ``sk_get_meminfo()``, net/core/sock.c. All amounts are truesize: payload plus the kernel's overhead.
    """

    rmem_alloc: int | None = field(
        "Receive queue memory charged to the socket, overhead included.",
        default=None,
        unit=BYTES,
        kernel="sk->sk_rmem_alloc",
        header="RMEM",
        sources=(*_word("RMEM_ALLOC"), "/proc/net/raw: rx_queue", "/proc/net/netlink: Rmem", "/proc/net/packet: Rmem"),
    )
    rcvbuf: int | None = field(
        "Limit of rmem_alloc: UDP, raw, packet and netlink drop at it, TCP closes its window.",
        default=None,
        unit=BYTES,
        kernel="sk->sk_rcvbuf",
        header="RCVBUF",
        sources=_word("RCVBUF"),
    )
    wmem_alloc: int | None = field(
        "Memory of sent data still in the qdisc, the driver or the peer's queue.",
        default=None,
        unit=BYTES,
        kernel="sk->sk_wmem_alloc",
        header="WMEM",
        sources=(*_word("WMEM_ALLOC"), "/proc/net/udp: tx_queue", "/proc/net/raw: tx_queue", "/proc/net/netlink: Wmem"),
    )
    sndbuf: int | None = field(
        "Limit of the send side; a writer sleeps or gets EAGAIN at it.",
        default=None,
        unit=BYTES,
        kernel="sk->sk_sndbuf",
        header="SNDBUF",
        sources=_word("SNDBUF"),
    )
    fwd_alloc: int | None = field(
        "Memory already charged to the protocol and not yet used by the socket.",
        default=None,
        unit=BYTES,
        kernel="sk->sk_forward_alloc",
        header="FWD",
        sources=_word("FWD_ALLOC"),
    )
    wmem_queued: int | None = field(
        "Memory of the TCP write queue: not yet sent, or sent and not acknowledged.",
        default=None,
        unit=BYTES,
        kernel="sk->sk_wmem_queued",
        header="WMEMQ",
        sources=_word("WMEM_QUEUED"),
    )
    optmem: int | None = field(
        "Memory of socket options and filters, bounded by net.core.optmem_max.",
        default=None,
        unit=BYTES,
        kernel="sk->sk_omem_alloc",
        header="OPTMEM",
        sources=_word("OPTMEM"),
    )
    backlog: int | None = field(
        "Packets that arrived while the owner held the socket lock; normally 0.",
        default=None,
        unit=BYTES,
        kernel="sk->sk_backlog.len",
        header="BACKLOG",
        sources=_word("BACKLOG"),
    )
    drops: int | None = field(
        "Packets dropped at this socket since it was created; for TCP only meaningful on a listener.",
        default=None,
        unit=COUNT,
        kind=COUNTER,
        header="DROPS-EVER",
        kernel="sk->sk_drops",
        sources=(*_word("DROPS"), "/proc/net/udp: drops", "/proc/net/raw: drops", "/proc/net/netlink: Drops"),
    )
