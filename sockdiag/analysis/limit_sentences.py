"""What sysctls come to that need no arithmetic: a sentence with the value in it, or one for each setting."""

from __future__ import annotations

from sockdiag.model.record import BYTES, COUNT, US
from sockdiag.model.sysctl import PACKETS, PORTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_NEIGHBOURS = (COUNT, "Beyond {v} neighbours of the whole host, packets to a new one are not sent.")
_UNRESOLVED = (BYTES, "While a neighbour's address is asked for, {v} bytes to it wait; then the oldest are dropped.")

# The effect is the value itself.
AS_IT_IS: Mapping[str, tuple[str, str]] = {
    "net.core.rmem_default": (
        BYTES,
        "A new UDP, raw, netlink or packet socket receives into {v} bytes, the kernel's overhead included.",
    ),
    "net.core.wmem_default": (
        BYTES,
        "A new UDP, raw, unix, netlink or packet socket may have {v} bytes on their way, overhead included.",
    ),
    "net.core.optmem_max": (
        BYTES,
        (
            "Options, filters and ancillary data of one socket may take {v} bytes; then setsockopt(2) fails with ENOMEM "
            "or ENOBUFS, sendmsg(2) with ENOBUFS."
        ),
    ),
    "net.core.netdev_max_backlog": (
        PACKETS,
        "Beyond {v} packets in a CPU's input queue new ones are dropped and counted in softnet_stat.",
    ),
    "net.core.netdev_budget": (
        PACKETS,
        "A CPU ends its round of receiving after {v} packets; if more wait, softnet_stat counts a time_squeeze.",
    ),
    "net.core.netdev_budget_usecs": (
        US,
        "A CPU ends its round of receiving after {v} microseconds; if more wait, softnet_stat counts a time_squeeze.",
    ),
    "net.core.dev_weight": (PACKETS, "A queue hands over {v} packets at most before the next one has its turn."),
    "net.core.skb_defer_max": (PACKETS, "Up to {v} packets read by other CPUs wait on a CPU to be freed by it."),
    "net.core.max_skb_frags": (COUNT, "One packet is made of at most {v} pieces of memory beside its head."),
    "net.ipv4.udp_rmem_min": (
        BYTES,
        "A UDP socket that holds less than {v} bytes receives even when udp_mem's first mark is passed.",
    ),
    "net.ipv4.tcp_limit_output_bytes": (
        BYTES,
        "One TCP socket keeps at most about {v} bytes in queueing discipline and device.",
    ),
    "net.ipv4.tcp_max_orphans": (
        COUNT,
        "Beyond {v} closed sockets of the whole host that still have to send, one more is reset instead.",
    ),
    "net.ipv4.tcp_max_tw_buckets": (
        COUNT,
        "Beyond {v} sockets in TIME_WAIT a closing one skips that state (TcpExt.TCPTimeWaitOverflow).",
    ),
    "net.ipv4.tcp_syn_linear_timeouts": (
        COUNT,
        "The first {v} SYNs sent again are one second apart; they come on top of tcp_syn_retries.",
    ),
    "net.ipv4.tcp_keepalive_probes": (
        COUNT,
        "A connection is given up after {v} keep-alive probes without an answer.",
    ),
    "net.ipv4.ip_unprivileged_port_start": (PORTS, "Binding to a port below {v} needs CAP_NET_BIND_SERVICE."),
    "net.ipv4.igmp_max_memberships": (
        COUNT,
        "A socket may be in {v} IPv4 multicast groups; joining one more fails with ENOBUFS.",
    ),
    "net.ipv4.ipfrag_high_thresh": (
        BYTES,
        "Incomplete IPv4 datagrams of this namespace may take {v} bytes; then fragments are dropped (Ip.ReasmFails).",
    ),
    "net.ipv4.neigh.default.gc_thresh3": _NEIGHBOURS,
    "net.ipv4.neigh.default.unres_qlen_bytes": _UNRESOLVED,
    "net.ipv6.ip6frag_high_thresh": (
        BYTES,
        "Incomplete IPv6 datagrams of this namespace may take {v} bytes; then fragments are dropped (Ip6.ReasmFails).",
    ),
    "net.ipv6.neigh.default.gc_thresh3": _NEIGHBOURS,
    "net.ipv6.neigh.default.unres_qlen_bytes": _UNRESOLVED,
    "net.netfilter.nf_conntrack_buckets": (COUNT, "All namespaces share a hash of {v} buckets."),
    "net.netfilter.nf_conntrack_expect_max": (
        COUNT,
        "Helpers (FTP, SIP) may have {v} connections announced; then no more.",
    ),
    "fs.file-max": (
        COUNT,
        "Beyond {v} open files of the host socket(2) and accept(2) fail with ENFILE, unless for root.",
    ),
    "fs.nr_open": (COUNT, "A process's limit of open files (RLIMIT_NOFILE) cannot be set above {v}."),
}

# One sentence for each setting; the last one for all others.
BY_SETTING: Mapping[str, tuple[str, ...]] = {
    "net.core.rps_sock_flow_entries": ("RFS is off.", "RFS remembers the CPU of so many flows."),
    "net.core.busy_poll": ("poll(2) sleeps at once.", "poll(2) spins on the device for that time before it sleeps."),
    "net.core.busy_read": ("read(2) sleeps at once.", "read(2) spins on the device for that time before it sleeps."),
    "net.ipv4.tcp_window_scaling": (
        "A connection never has more than 65535 bytes under way in each direction.",
        "Windows may be larger than 65535 bytes.",
    ),
    "net.ipv4.tcp_shrink_window": (
        "A window that was offered is never taken back, even if the receive buffer is exceeded for it.",
        "A window that was offered is taken back rather than the receive buffer exceeded.",
    ),
    "net.ipv4.tcp_syncookies": (
        "A SYN that finds the SYN queue full is dropped.",
        "A SYN that finds the SYN queue full is answered with a cookie and takes no room.",
        "Every SYN is answered with a cookie: the SYN queue stays empty.",
    ),
    "net.ipv4.tcp_abort_on_overflow": (
        "A client whose handshake ends at a full accept queue believes to be connected, and sends again.",
        "A client whose handshake ends at a full accept queue is reset.",
    ),
}

# First version in which it does nothing.
WITHOUT_EFFECT: Mapping[str, tuple[int, int]] = {
    "net.ipv4.ipfrag_low_thresh": (4, 17),
    "net.ipv6.ip6frag_low_thresh": (4, 17),
    "net.ipv6.route.max_size": (6, 3),
}
