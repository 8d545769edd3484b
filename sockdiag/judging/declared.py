"""Declarations of all rules, for code that needs them without importing the rules.

Written by ``make gen``. Entries keep their place and new ones come last: this is the order in which sysctls are read and
gaps are listed.
"""

from __future__ import annotations

# Tables whose sockets are judged.
TABLES: tuple[str, ...] = (
    "tcp",
    "mptcp",
    "udp",
    "udplite",
    "raw",
    "icmp",
    "unix",
    "netlink",
    "packet",
)

# Sysctls that are read for the rules.
SYSCTLS_READ: tuple[str, ...] = (
    "net.core.somaxconn",
    "net.core.rmem_default",
    "net.core.rmem_max",
    "net.core.netdev_max_backlog",
    "net.core.mem_pcpu_rsv",
    "net.ipv4.tcp_mem",
    "net.ipv4.udp_mem",
    "net.ipv4.tcp_max_orphans",
    "net.ipv4.tcp_max_tw_buckets",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ipfrag_high_thresh",
    "net.ipv6.ip6frag_high_thresh",
    "fs.file-nr",
    "net.unix.max_dgram_qlen",
)

# Rules of each command that does not judge by all of them.
RULES_OF: dict[str, tuple[str, ...]] = {
    "listeners": (
        "ACCEPT_QUEUE_OVERFLOW",
        "ACCEPT_QUEUE_FULL",
        "SYN_QUEUE_FULL",
        "LISTEN_DROP",
        "UNIX_LISTENER_FULL",
        "FD_LIMIT",
    ),
    "memory": (
        "UDP_RECEIVE_BUFFER_FULL",
        "UDP_MEMORY_LIMIT",
        "RAW_RECEIVE_BUFFER_FULL",
        "PACKET_RECEIVE_BUFFER_FULL",
        "NETLINK_RECEIVE_BUFFER_FULL",
        "TCP_MEMORY_PRESSURE",
        "CGROUP_MEMORY_LIMIT",
    ),
    "states": (
        "SYN_QUEUE_FULL",
        "SYN_SENT_UNANSWERED",
        "LAST_ACK_STUCK",
        "CLOSE_WAIT_LEAK",
        "FIN_WAIT2_LEAK",
    ),
}

# The tables that those rules scan.
TABLES_OF: dict[str, tuple[str, ...]] = {
    "listeners": (
        "tcp",
        "mptcp",
        "unix",
    ),
    "memory": (
        "udp",
        "udplite",
        "raw",
        "icmp",
        "netlink",
        "packet",
    ),
    "states": (
        "tcp",
        "mptcp",
    ),
}

# Rules about the effects of a process that does not serve its sockets.
BLAME_READER: tuple[str, ...] = (
    "UDP_RECEIVE_BUFFER_FULL",
    "RAW_RECEIVE_BUFFER_FULL",
    "PACKET_RECEIVE_BUFFER_FULL",
    "NETLINK_RECEIVE_BUFFER_FULL",
    "ACCEPT_QUEUE_OVERFLOW",
    "ACCEPT_QUEUE_FULL",
    "TCP_RECEIVER_STALLED",
    "UNIX_LISTENER_FULL",
    "UNIX_DGRAM_QUEUE",
)

# Rules that detect losses or trends only by comparing two samples.
TWO_SAMPLES: tuple[str, ...] = (
    "DEVICE_DROP",
    "DEVICE_ERRORS",
    "SOFTNET_BACKLOG_DROP",
    "SOFTNET_SQUEEZE",
    "IP_HEADER_ERRORS",
    "IP_ADDRESS_ERRORS",
    "REVERSE_PATH_FILTER",
    "NFT_DROP",
    "CONNTRACK_FULL",
    "CONNTRACK_INSERT",
    "CRYPTO_ERRORS",
    "UNKNOWN_PROTOCOL",
    "CHECKSUM_ERRORS",
    "UDP_CLOSED_PORT",
    "IP_REASSEMBLY",
    "UDP_RECEIVE_BUFFER_FULL",
    "UDP_DROPS",
    "UDP_MEMORY_LIMIT",
    "CGROUP_MEMORY_LIMIT",
    "RAW_RECEIVE_BUFFER_FULL",
    "PACKET_RECEIVE_BUFFER_FULL",
    "NETLINK_RECEIVE_BUFFER_FULL",
    "ACCEPT_QUEUE_OVERFLOW",
    "ACCEPT_QUEUE_FULL",
    "SYN_QUEUE_FULL",
    "LISTEN_DROP",
    "SYN_COOKIES_FAILED",
    "TCP_FAST_OPEN",
    "CONNECTIONS_REFUSED",
    "CONNECTIONS_RESET",
    "CONNECTIONS_TIMED_OUT",
    "TTL_TOO_LOW",
    "TCP_AUTHENTICATION",
    "TCP_INVALID_SEGMENTS",
    "TCP_OUT_OF_WINDOW",
    "MPTCP_ERRORS",
    "TCP_BACKLOG_DROP",
    "TCP_RECEIVE_DROP",
    "TCP_OUT_OF_ORDER_PRUNE",
    "TCP_MEMORY_PRESSURE",
    "TCP_RECEIVER_STALLED",
    "ZERO_WINDOW_FROM_PEER",
    "CLOSE_WAIT_LEAK",
    "FIN_WAIT2_LEAK",
    "ORPHANS",
    "TIME_WAIT_OVERFLOW",
    "RETRANSMISSION",
    "TCP_SEND_FAILED",
    "IP_DISCARD",
    "FRAGMENTATION_FAILED",
    "NO_ROUTE",
    "NEIGHBOUR_FAILED",
    "NEIGHBOUR_TABLE_FULL",
    "ICMP_LIMITED",
    "QDISC_DROP",
    "UNIX_LISTENER_FULL",
    "UNIX_DGRAM_QUEUE",
    "PAST_LOSSES",
)

# Fields that rules compare with the earlier sample, by table.
COMPARED: dict[str, tuple[str, ...]] = {
    "tcp": (
        "recv_q",
        "skmem.drops",
        "skmem.backlog",
        "send_q",
        "timer",
        "state",
    ),
    "mptcp": (
        "recv_q",
        "skmem.drops",
        "state",
    ),
    "udp": (
        "skmem.rmem_alloc",
        "skmem.drops",
        "recv_q",
    ),
    "udplite": (
        "skmem.rmem_alloc",
        "skmem.drops",
        "recv_q",
    ),
    "raw": (
        "skmem.rmem_alloc",
        "skmem.drops",
        "recv_q",
    ),
    "icmp": (
        "skmem.rmem_alloc",
        "skmem.drops",
        "recv_q",
    ),
    "unix": (
        "recv_q",
        "skmem.drops",
        "send_q",
        "inode",
        "recv_q_unit",
        "unix.peer_inode",
    ),
    "netlink": (
        "skmem.rmem_alloc",
        "skmem.drops",
        "recv_q",
    ),
    "packet": (
        "skmem.rmem_alloc",
        "skmem.drops",
        "recv_q",
    ),
}

# Sockets that rules compare with, by table: a field that is not zero, a state, or an armed timer.
KEPT: dict[str, tuple[tuple[str, str, str], ...]] = {
    "tcp": (
        ("recv_q", "", ""),
        ("skmem.drops", "", ""),
        ("skmem.backlog", "", ""),
        ("send_q", "", "persist"),
        ("", "CLOSE_WAIT", ""),
        ("", "FIN_WAIT2", ""),
    ),
    "mptcp": (
        ("recv_q", "", ""),
        ("skmem.drops", "", ""),
        ("", "CLOSE_WAIT", ""),
        ("", "FIN_WAIT2", ""),
    ),
    "udp": (
        ("skmem.rmem_alloc", "", ""),
        ("skmem.drops", "", ""),
        ("recv_q", "", ""),
    ),
    "udplite": (
        ("skmem.rmem_alloc", "", ""),
        ("skmem.drops", "", ""),
        ("recv_q", "", ""),
    ),
    "raw": (
        ("skmem.rmem_alloc", "", ""),
        ("skmem.drops", "", ""),
        ("recv_q", "", ""),
    ),
    "icmp": (
        ("skmem.rmem_alloc", "", ""),
        ("skmem.drops", "", ""),
        ("recv_q", "", ""),
    ),
    "unix": (
        ("recv_q", "", ""),
        ("skmem.drops", "", ""),
        ("send_q", "", ""),
    ),
    "netlink": (
        ("skmem.rmem_alloc", "", ""),
        ("skmem.drops", "", ""),
        ("recv_q", "", ""),
    ),
    "packet": (
        ("skmem.rmem_alloc", "", ""),
        ("skmem.drops", "", ""),
        ("recv_q", "", ""),
    ),
}
