"""The number of sockets of each protocol, and the memory that they hold."""

from __future__ import annotations

from sockdiag.model.record import BYTES, COUNT, HOST, PAGES, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockdiag.errors import ParseError


def _level(help: str, column: str, kernel: str, unit: str = COUNT, scope: str = "") -> Any:
    file = "sockstat6" if column.partition(".")[0].endswith("6") else "sockstat"
    source = f"/proc/net/{file}: {column}"
    return field(help, default=None, unit=unit, kernel=kernel, scope=scope, sources=(source,))


class _Sockstat(Record):
    """Levels under the kernel's names for them, ``TCP.inuse``."""

    def get(self, column: str) -> int | None:
        """Return a level by the words of the file, ``TCP.inuse``; None where it is not there.

        It holds columns too that no field declares.
        """
        place = COLUMNS[type(self)].get(column)
        if place is not None:
            level: int | None = self._values()[place]
            return level
        more: tuple[tuple[str, int], ...] = self.more  # type: ignore[attr-defined]
        return next((value for name, value in more if name == column), None)


class SockStat(_Sockstat):
    """Levels of /proc/net/sockstat. Some are the namespace's, some the whole host's.

    Source: ``sockstat_seq_show()``, net/ipv4/proc.c; ``socket_seq_show()``, net/socket.c.
    """

    sockets_used: int | None = _level(
        "Sockets of all families but the kernel's own; before 4.16 of the whole host.",
        "sockets.used",
        "sock_inuse_get(net)",
    )
    tcp_inuse: int | None = _level(
        "TCP sockets over IPv4 in any state but CLOSE, SYN_RECV and TIME_WAIT.",
        "TCP.inuse",
        "sock_prot_inuse_get(net, &tcp_prot)",
    )
    tcp_orphan: int | None = _level(
        "TCP sockets closed by their owner that still have something to send or to acknowledge.",
        "TCP.orphan",
        "tcp_orphan_count_sum()",
        scope=HOST,
    )
    tcp_tw: int | None = _level(
        "TIME_WAIT mini-sockets, IPv4 and IPv6; before 4.10 of the whole host.",
        "TCP.tw",
        "net->ipv4.tcp_death_row.tw_refcount",
    )
    tcp_alloc: int | None = _level(
        "TCP sockets allocated, IPv4 and IPv6, bound or not.", "TCP.alloc", "tcp_sockets_allocated", scope=HOST
    )
    tcp_mem_pages: int | None = _level(
        "Memory of all TCP queues, reserves of the CPUs left out.",
        "TCP.mem",
        "proto_memory_allocated(&tcp_prot)",
        PAGES,
        HOST,
    )
    udp_inuse: int | None = _level(
        "UDP sockets over IPv4 with a port.", "UDP.inuse", "sock_prot_inuse_get(net, &udp_prot)"
    )
    udp_mem_pages: int | None = _level(
        "Memory of all UDP queues, reserves of the CPUs left out.",
        "UDP.mem",
        "proto_memory_allocated(&udp_prot)",
        PAGES,
        HOST,
    )
    udplite_inuse: int | None = _level(
        "UDP-Lite sockets over IPv4 with a port.", "UDPLITE.inuse", "sock_prot_inuse_get(net, &udplite_prot)"
    )
    raw_inuse: int | None = _level("Raw IPv4 sockets.", "RAW.inuse", "sock_prot_inuse_get(net, &raw_prot)")
    frag_inuse: int | None = _level(
        "IPv4 datagrams with fragments missing.", "FRAG.inuse", "net->ipv4.fqdir->rhashtable.nelems"
    )
    frag_memory_bytes: int | None = _level(
        "Memory of incomplete IPv4 datagrams; bounded by ipfrag_high_thresh.",
        "FRAG.memory",
        "frag_mem_limit(net->ipv4.fqdir)",
        BYTES,
    )
    more: tuple[tuple[str, int], ...] = field("Columns that are not declared here, by name.", default=())
    errors: tuple[ParseError, ...] = field("What was not understood, bounded.", default=())


class SockStat6(_Sockstat):
    """Levels of /proc/net/sockstat6, all of the namespace.

    Source: ``sockstat6_seq_show()``, net/ipv6/proc.c.
    """

    tcp6_inuse: int | None = _level(
        "TCP sockets over IPv6 in any state but CLOSE, SYN_RECV and TIME_WAIT.",
        "TCP6.inuse",
        "sock_prot_inuse_get(net, &tcpv6_prot)",
    )
    udp6_inuse: int | None = _level(
        "UDP sockets over IPv6 with a port.", "UDP6.inuse", "sock_prot_inuse_get(net, &udpv6_prot)"
    )
    udplite6_inuse: int | None = _level(
        "UDP-Lite sockets over IPv6 with a port.", "UDPLITE6.inuse", "sock_prot_inuse_get(net, &udplitev6_prot)"
    )
    raw6_inuse: int | None = _level("Raw IPv6 sockets.", "RAW6.inuse", "sock_prot_inuse_get(net, &rawv6_prot)")
    frag6_inuse: int | None = _level(
        "IPv6 datagrams with fragments missing.", "FRAG6.inuse", "net->ipv6.fqdir->rhashtable.nelems"
    )
    frag6_memory_bytes: int | None = _level(
        "Memory of incomplete IPv6 datagrams; bounded by ip6frag_high_thresh.",
        "FRAG6.memory",
        "frag_mem_limit(net->ipv6.fqdir)",
        BYTES,
    )
    more: tuple[tuple[str, int], ...] = field("Columns that are not declared here, by name.", default=())
    errors: tuple[ParseError, ...] = field("What was not understood, bounded.", default=())


# Place of each column of the files, "TCP.inuse", among the record's fields: the last word of its source.
COLUMNS: dict[type[Record], dict[str, int]] = {
    record: {f.sources[0].rpartition(" ")[2]: place for place, f in enumerate(record.FIELDS) if f.sources}
    for record in (SockStat, SockStat6)
}
