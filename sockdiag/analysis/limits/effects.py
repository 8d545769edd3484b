"""Effects of sysctls that need arithmetic or other sysctls."""

from __future__ import annotations

from sockdiag.kernel.sock import LARGEST_SOCKBUF, SOCK_MIN_RCVBUF, SOCK_MIN_SNDBUF, TCP_RTO_MAX_MS, UINT_MAX
from sockdiag.model.quantity import size
from sockdiag.model.record import BYTES, COUNT
from sockdiag.model.sysctl import PACKETS, PORTS, port_ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.model.sysctl import Sysctls

    Effect = tuple[int | tuple[int, ...] | None, str, str]
    Vector = tuple[int, ...]
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any


class Known:
    """The values that effects are computed from.

    Args:
        sysctls: the sysctls that were read.
        page_size: bytes per page, if known.
        kernel: version, if known.
    """

    __slots__ = ("kernel", "page_size", "sysctls")

    def __init__(self, sysctls: Sysctls, page_size: int | None, kernel: tuple[int, int] | None) -> None:
        self.sysctls = sysctls
        self.page_size = page_size
        self.kernel = kernel

    def ipv4(self, name: str) -> int | None:
        """Return another sysctl of net.ipv4; None if it is unknown."""
        return self.sysctls.number(f"net.ipv4.{name}")

    def amount(self, pages: int) -> str:
        """Format an amount of pages, in bytes if the page size is known."""
        return f"{pages} pages" if self.page_size is None else size(pages * self.page_size)

    def in_bytes(self, pages: Vector) -> Vector | None:
        """Return pages in bytes; None if the page size is unknown."""
        return None if self.page_size is None else tuple(p * self.page_size for p in pages)

    @property
    def rto_max_ms(self) -> int:
        """Longest retransmission timeout."""
        return self.ipv4("tcp_rto_max_ms") or TCP_RTO_MAX_MS


def reserved_in_range(first: int, last: int, reserved: Iterable[tuple[int, int]]) -> int:
    """Count the ports from *first* to *last* that are reserved; the reserved ranges may overlap."""
    taken = 0
    start = first
    for low, high in sorted(reserved):
        begin, end = max(low, start), min(high, last)
        if begin <= end:
            taken += end - begin + 1
            start = end + 1
    return taken


def available_ports(first: int, last: int, reserved: Iterable[tuple[int, int]]) -> int:
    """Count the ports that connect(2) can choose per destination, and bind(2) in all.

    Source: ``__inet_hash_connect()``, net/ipv4/inet_hashtables.c; both ends belong to the range.
    """
    return max(last - first + 1, 0) - reserved_in_range(first, last, reserved)


def so_rcvbuf(asked: int, rmem_max: int) -> int:
    """Return the sk_rcvbuf in bytes that ``setsockopt(SO_RCVBUF, asked)`` leaves.

    Source: ``sock_setsockopt()`` and ``__sock_set_rcvbuf()``, net/core/sock.c: cut to rmem_max, then doubled for the
    kernel's overhead.
    """
    return max(2 * min(asked, rmem_max, LARGEST_SOCKBUF), SOCK_MIN_RCVBUF)


def so_sndbuf(asked: int, wmem_max: int) -> int:
    """Return the sk_sndbuf in bytes that ``setsockopt(SO_SNDBUF, asked)`` leaves.

    Source: ``sock_setsockopt()``, net/core/sock.c.
    """
    return max(2 * min(asked, wmem_max, LARGEST_SOCKBUF), SOCK_MIN_SNDBUF)


def _rmem_max(_k: Known, v: int) -> Effect:
    most = so_rcvbuf(LARGEST_SOCKBUF, v)
    return (
        most,
        BYTES,
        (
            f"SO_RCVBUF is cut to {size(v)} and then doubled: setsockopt yields at most {size(most)}. TCP auto-tuning is not "
            "limited by it, but setting SO_RCVBUF turns auto-tuning off."
        ),
    )


def _wmem_max(_k: Known, v: int) -> Effect:
    most = so_sndbuf(LARGEST_SOCKBUF, v)
    return (
        most,
        BYTES,
        (
            f"SO_SNDBUF is cut to {size(v)} and then doubled: setsockopt yields at most {size(most)}. TCP auto-tuning is not "
            "limited by it, but setting SO_SNDBUF turns auto-tuning off."
        ),
    )


def _tcp_rmem(k: Known, v: Vector) -> Effect:
    low, start, most = v
    if k.ipv4("tcp_moderate_rcvbuf") == 0:
        return (
            start,
            BYTES,
            f"A TCP socket starts with {size(start)} of receive buffer and keeps it: tcp_moderate_rcvbuf is 0.",
        )
    most = max(start, most)
    return (
        (start, most),
        BYTES,
        (
            f"A new TCP socket starts with {size(start)} of receive buffer, and auto-tuning grows it to at most {size(most)}; "
            f"{size(low)} are granted even if TCP memory is short."
        ),
    )


def _tcp_wmem(_k: Known, v: Vector) -> Effect:
    low, start, most = v
    most = max(start, most)
    return (
        (start, most),
        BYTES,
        (
            f"A new TCP socket starts with {size(start)} of send buffer, and auto-tuning grows it to at most {size(most)}; "
            f"{size(low)} are granted even if TCP memory is short."
        ),
    )


def _tcp_mem(k: Known, v: Vector) -> Effect:
    low, pressure, high = (k.amount(pages) for pages in v)
    return (
        k.in_bytes(v),
        BYTES,
        (
            f"If TCP on the whole host holds {pressure}, it slows down until it is back at {low}; "
            f"at {high} it drops arriving segments, makes senders wait and resets closing sockets."
        ),
    )


def _udp_mem(k: Known, v: Vector) -> Effect:
    # __sk_mem_raise_allocated(): UDP has no pressure state. A socket without exemption, which other protocols serve up to
    # their pressure mark, is refused memory for UDP from the first mark on.
    low, _unused, high = (k.amount(pages) for pages in v)
    least = k.ipv4("udp_rmem_min")
    exempt = "udp_rmem_min" if least is None else size(least)
    return (
        k.in_bytes(v),
        BYTES,
        (
            f"If UDP on the whole host holds {low}, datagrams to sockets that hold {exempt} or more are dropped; "
            f"at {high}, those to all sockets. The number in between has no effect."
        ),
    )


def _sctp_mem(k: Known, v: Vector) -> Effect:
    high = k.amount(v[2])
    return k.in_bytes(v), BYTES, f"If SCTP on the whole host holds {high}, it refuses data."


_OF_THREE = "The other two numbers have no effect; the size of the buffer is that of other sockets."


def _sctp_rmem(_k: Known, v: Vector) -> Effect:
    return (
        v[0],
        BYTES,
        f"Each SCTP socket may hold {size(v[0])} of received data even under memory pressure. {_OF_THREE}",
    )


def _sctp_wmem(_k: Known, v: Vector) -> Effect:
    return (
        v[0],
        BYTES,
        f"Each SCTP socket may hold {size(v[0])} of data to send even under memory pressure. {_OF_THREE}",
    )


def _mem_pcpu_rsv(k: Known, v: int) -> Effect:
    reserve = k.in_bytes((v,))
    return (
        reserve and reserve[0],
        BYTES,
        (f"Per-CPU reserves: for each protocol sockstat may be off by up to {k.amount(v)} per CPU."),
    )


def _tcp_moderate_rcvbuf(k: Known, v: int) -> Effect:
    if not v:
        return None, "", "The TCP receive buffer keeps its initial size, or the size that SO_RCVBUF set."
    rmem = k.sysctls.vector("net.ipv4.tcp_rmem")
    limit = "tcp_rmem's last number" if rmem is None else size(max(rmem[1:]))
    return (
        None,
        "",
        f"The TCP receive buffer grows with the rate of the reader, up to {limit}, unless SO_RCVBUF was set.",
    )


def _tcp_adv_win_scale(k: Known, v: int) -> Effect:
    if k.kernel is not None and k.kernel >= (6, 6):
        return None, "", "No effect since Linux 6.6, which measures each socket's overhead."
    share = f"1/{1 << min(abs(v), 31)} of the buffer"
    taken = share if v > 0 else f"all but {share}" if v else "none of the buffer"
    return None, "", f"Before Linux 6.6, {taken} is reserved for overhead when a window is advertised."


def _tcp_notsent_lowat(_k: Known, v: int) -> Effect:
    if v in (-1, UINT_MAX):
        return None, BYTES, "Off: a TCP socket accepts data until its send buffer is full."
    return v, BYTES, f"A TCP socket accepts more data only while it holds less than {size(v)} that is unsent."


def _somaxconn(_k: Known, v: int) -> Effect:
    return v + 1, COUNT, f"listen(2) cuts its backlog to {v}; the accept queue then holds one more, {v + 1}."


def _max_dgram_qlen(_k: Known, v: int) -> Effect:
    return (
        v + 1,
        PACKETS,
        f"A new unix datagram socket holds {v + 1} unread datagrams; then senders wait or get EAGAIN.",
    )


def _tcp_max_syn_backlog(k: Known, v: int) -> Effect:
    if k.ipv4("tcp_syncookies"):
        return (
            None,
            COUNT,
            "No effect while tcp_syncookies is not 0: the SYN queue is limited by the listen(2) backlog.",
        )
    least = v - (v >> 2)
    return least, COUNT, f"Beyond {least} requests at a listener, only peers that are known to answer are accepted."


def _hash_entries(_k: Known, v: int) -> Effect:
    whose = "shares the host's hash" if v < 0 else "has a hash"
    return (
        abs(v),
        COUNT,
        f"This namespace {whose} of {abs(v)} buckets; a dump walks all of them, however few its sockets.",
    )


def _child_hash_entries(_k: Known, v: int) -> Effect:
    if not v:
        return None, COUNT, "A namespace created from here shares the host's hash."
    size = 1 << (v - 1).bit_length()
    return size, COUNT, f"A namespace created from here has a hash of its own with {size} buckets."


def _ip_local_port_range(k: Known, v: Vector) -> Effect:
    flat = k.sysctls.vector("net.ipv4.ip_local_reserved_ports")
    ports = available_ports(v[0], v[1], port_ranges(flat or ()))
    less = "" if flat is None else ", without reserved ones"
    return ports, PORTS, f"{ports} local ports for connections to a single destination{less}."


def _ip_local_reserved_ports(k: Known, v: Vector) -> Effect:
    span = k.sysctls.vector("net.ipv4.ip_local_port_range")
    if span is None:
        return None, PORTS, "The kernel never chooses these ports by itself."
    taken = reserved_in_range(span[0], span[1], port_ranges(v))
    return taken, PORTS, f"{taken} ports of ip_local_port_range are reserved: the kernel never chooses them by itself."


def _conntrack_max(k: Known, v: int) -> Effect:
    count = k.sysctls.number("net.netfilter.nf_conntrack_count")
    used = "" if count is None else f" (this one has {count} now)"
    return v, COUNT, f"Beyond {v} tracked connections of a namespace{used}, packets of new ones are dropped."


def _conntrack_count(k: Known, v: int) -> Effect:
    most = k.sysctls.number("net.netfilter.nf_conntrack_max")
    return v, COUNT, f"{v} connections are tracked here" + ("." if most is None else f", of {most} at most.")


def _file_nr(_k: Known, v: Vector) -> Effect:
    return v[0], COUNT, f"{v[0]} files are open on the host, of {v[2]} at most."


def _default_qdisc(_k: Known, v: str) -> Effect:
    return None, "", f"A new device gets the queueing discipline {v}."


EFFECTS: Mapping[str, Callable[[Known, Any], Effect]] = {
    "net.core.rmem_max": _rmem_max,
    "net.core.wmem_max": _wmem_max,
    "net.core.mem_pcpu_rsv": _mem_pcpu_rsv,
    "net.core.somaxconn": _somaxconn,
    "net.core.default_qdisc": _default_qdisc,
    "net.ipv4.tcp_rmem": _tcp_rmem,
    "net.ipv4.tcp_wmem": _tcp_wmem,
    "net.ipv4.tcp_mem": _tcp_mem,
    "net.ipv4.udp_mem": _udp_mem,
    "net.ipv4.tcp_moderate_rcvbuf": _tcp_moderate_rcvbuf,
    "net.ipv4.tcp_adv_win_scale": _tcp_adv_win_scale,
    "net.ipv4.tcp_notsent_lowat": _tcp_notsent_lowat,
    "net.ipv4.tcp_max_syn_backlog": _tcp_max_syn_backlog,
    "net.ipv4.tcp_ehash_entries": _hash_entries,
    "net.ipv4.tcp_child_ehash_entries": _child_hash_entries,
    "net.ipv4.udp_hash_entries": _hash_entries,
    "net.ipv4.udp_child_hash_entries": _child_hash_entries,
    "net.ipv4.ip_local_port_range": _ip_local_port_range,
    "net.ipv4.ip_local_reserved_ports": _ip_local_reserved_ports,
    "net.unix.max_dgram_qlen": _max_dgram_qlen,
    "net.netfilter.nf_conntrack_max": _conntrack_max,
    "net.netfilter.nf_conntrack_count": _conntrack_count,
    "net.sctp.sctp_mem": _sctp_mem,
    "net.sctp.sctp_rmem": _sctp_rmem,
    "net.sctp.sctp_wmem": _sctp_wmem,
    "fs.file-nr": _file_nr,
}
