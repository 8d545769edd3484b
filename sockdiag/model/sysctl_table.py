"""Every sysctl that bounds a buffer, a queue, a table or a port range, declared once.

Source: Documentation/networking/ip-sysctl.rst and Documentation/admin-guide/sysctl/net.rst of Linux; whether the
initial network namespace alone shows one was tried on 6.18.
"""

from __future__ import annotations

from sockdiag.model.record import BYTES, COUNT, HOST, MS, NETNS, PAGES, US
from sockdiag.model.sysctl import ALL_VERSIONS, FLAG, PACKETS, PORT_LIST, PORTS, SECONDS, TEXT, Sysctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from sockdiag.model.sysctl import Defaults, Value


def _always(value: Value) -> Defaults:
    return ((ALL_VERSIONS, value),)


def _ipv4(name: str, unit: str, text: str, *, numbers: int = 1, defaults: Defaults = (), needs: str = "") -> Sysctl:
    return Sysctl(f"net.ipv4.{name}", unit, text, NETNS, f"net->ipv4.sysctl_{name}", numbers, defaults, needs)


def _visible(
    name: str, unit: str, text: str, *, kernel: str, numbers: int = 1, defaults: Defaults = (), needs: str = ""
) -> Sysctl:
    # The host's, shown in every namespace.
    return Sysctl(name, unit, text, HOST, kernel, numbers, defaults, needs)


def _initial(
    name: str, unit: str, text: str, *, kernel: str, numbers: int = 1, defaults: Defaults = (), needs: str = ""
) -> Sysctl:
    # The host's, shown only in the initial namespace.
    return Sysctl(name, unit, text, HOST, kernel, numbers, defaults, needs, True)


# The defaults of socket buffers are those of 64-bit kernels: SKB_TRUESIZE(256) * 256.
_TABLE = (
    _visible(
        "net.core.rmem_default",
        BYTES,
        "Receive buffer of a new socket, TCP's excepted.",
        kernel="sysctl_rmem_default",
        defaults=_always(212992),
    ),
    _visible(
        "net.core.rmem_max",
        BYTES,
        "Largest SO_RCVBUF that an application may ask for.",
        kernel="sysctl_rmem_max",
        defaults=((ALL_VERSIONS, 212992), ((6, 18), 4194304)),
    ),
    _visible(
        "net.core.wmem_default",
        BYTES,
        "Send buffer of a new socket, TCP's excepted.",
        kernel="sysctl_wmem_default",
        defaults=_always(212992),
    ),
    _visible(
        "net.core.wmem_max",
        BYTES,
        "Largest SO_SNDBUF that an application may ask for.",
        kernel="sysctl_wmem_max",
        defaults=((ALL_VERSIONS, 212992), ((6, 18), 4194304)),
    ),
    Sysctl(
        "net.core.optmem_max",
        BYTES,
        "Memory of one socket's options, filters and ancillary data (of the host before 6.8).",
        kernel="net->core.sysctl_optmem_max",
        defaults=((ALL_VERSIONS, 20480), ((6, 8), 131072)),
    ),
    Sysctl(
        "net.core.somaxconn",
        COUNT,
        "Largest backlog that listen(2) sets.",
        kernel="net->core.sysctl_somaxconn",
        defaults=((ALL_VERSIONS, 128), ((5, 4), 4096)),
    ),
    _initial(
        "net.core.netdev_max_backlog",
        PACKETS,
        "Length of each CPU's input queue.",
        kernel="net_hotdata.max_backlog",
        defaults=_always(1000),
    ),
    _initial(
        "net.core.netdev_budget",
        PACKETS,
        "Packets that a CPU takes from all devices in one round.",
        kernel="net_hotdata.netdev_budget",
        defaults=_always(300),
    ),
    _initial(
        "net.core.netdev_budget_usecs",
        US,
        "Longest time of one round.",
        kernel="net_hotdata.netdev_budget_usecs",
        needs="Linux 4.12",
    ),
    _initial(
        "net.core.dev_weight",
        PACKETS,
        "Packets that a CPU takes from one queue before the next has its turn.",
        kernel="weight_p",
        defaults=_always(64),
    ),
    _initial(
        "net.core.flow_limit_table_len",
        COUNT,
        "Flows distinguished when large ones are held back (flow limit).",
        kernel="netdev_flow_limit_table_len",
        defaults=_always(4096),
        needs="CONFIG_NET_FLOW_LIMIT",
    ),
    _initial(
        "net.core.rps_sock_flow_entries",
        COUNT,
        "Flows that RFS remembers; 0 is off.",
        kernel="rps_sock_flow_table",
        defaults=_always(0),
        needs="CONFIG_RPS",
    ),
    _initial(
        "net.core.mem_pcpu_rsv",
        PAGES,
        "Protocol memory that each CPU holds back uncounted.",
        kernel="net_hotdata.sysctl_mem_pcpu_rsv",
        needs="Linux 6.7",
    ),
    _initial(
        "net.core.skb_defer_max",
        PACKETS,
        "Received packets that wait on a CPU to be freed there.",
        kernel="net_hotdata.sysctl_skb_defer_max",
        needs="Linux 5.19",
    ),
    _initial(
        "net.core.max_skb_frags", COUNT, "Fragments of one packet.", kernel="sysctl_max_skb_frags", needs="Linux 4.6"
    ),
    _initial(
        "net.core.busy_poll",
        US,
        "Time that poll(2) spins on the device; 0 is off.",
        kernel="sysctl_net_busy_poll",
        defaults=_always(0),
        needs="CONFIG_NET_RX_BUSY_POLL",
    ),
    _initial(
        "net.core.busy_read",
        US,
        "Time that read(2) spins on the device; 0 is off.",
        kernel="sysctl_net_busy_read",
        defaults=_always(0),
        needs="CONFIG_NET_RX_BUSY_POLL",
    ),
    _initial(
        "net.core.default_qdisc",
        "",
        "Queueing discipline of a new device.",
        kernel="default_qdisc_ops",
        numbers=TEXT,
        needs="Linux 3.12",
    ),
    _ipv4("tcp_rmem", BYTES, "TCP receive buffer: minimum under pressure, start, most of auto-tuning.", numbers=3),
    _ipv4("tcp_wmem", BYTES, "TCP send buffer: minimum under pressure, start, most of auto-tuning.", numbers=3),
    _initial(
        "net.ipv4.tcp_mem",
        PAGES,
        "Memory of all TCP sockets of the host: low, pressure, high.",
        kernel="sysctl_tcp_mem",
        numbers=3,
    ),
    _initial(
        "net.ipv4.udp_mem",
        PAGES,
        "Memory of all UDP sockets of the host: low, pressure, high.",
        kernel="sysctl_udp_mem",
        numbers=3,
    ),
    _ipv4("udp_rmem_min", BYTES, "Receive memory that a UDP socket gets even above udp_mem's pressure mark."),
    _ipv4("udp_wmem_min", BYTES, "Without effect: UDP does not account for what it sends."),
    _ipv4("tcp_moderate_rcvbuf", FLAG, "Auto-tuning of the TCP receive buffer.", defaults=_always(1)),
    _ipv4(
        "tcp_adv_win_scale",
        COUNT,
        "Share of the buffer kept for overhead; without effect since 6.6.",
        defaults=_always(1),
    ),
    _ipv4("tcp_window_scaling", FLAG, "Windows above 65535 bytes.", defaults=_always(1)),
    _ipv4(
        "tcp_shrink_window",
        FLAG,
        "Take back an offered window rather than exceed the buffer.",
        defaults=_always(0),
        needs="Linux 6.5",
    ),
    _ipv4(
        "tcp_notsent_lowat",
        BYTES,
        "Unsent bytes above which a TCP socket does not take more.",
        defaults=_always(4294967295),
        needs="Linux 3.12",
    ),
    _ipv4(
        "tcp_limit_output_bytes",
        BYTES,
        "Bytes of one TCP socket below it, in queueing discipline and device.",
        defaults=(((5, 0), 1048576), ((6, 16), 4194304)),
        needs="Linux 3.6",
    ),
    _ipv4("tcp_max_syn_backlog", COUNT, "Connection requests of a listener before it asks for proof, without cookies."),
    _ipv4(
        "tcp_syncookies",
        FLAG,
        "SYN cookies: 0 never, 1 when a SYN queue is full, 2 always.",
        defaults=_always(1),
        needs="CONFIG_SYN_COOKIES",
    ),
    _ipv4("tcp_abort_on_overflow", FLAG, "Reset a connection that finds the accept queue full.", defaults=_always(0)),
    _initial(
        "net.ipv4.tcp_max_orphans",
        COUNT,
        "TCP sockets of the host that no process holds any more.",
        kernel="sysctl_tcp_max_orphans",
    ),
    Sysctl(
        "net.ipv4.tcp_max_tw_buckets",
        COUNT,
        "Sockets in TIME_WAIT.",
        kernel="net->ipv4.tcp_death_row.sysctl_max_tw_buckets",
    ),
    Sysctl(
        "net.ipv4.tcp_ehash_entries",
        COUNT,
        "Buckets of the TCP hash; negative where it is the host's.",
        kernel="net->ipv4.tcp_death_row.hashinfo",
        needs="Linux 6.1",
    ),
    _ipv4(
        "tcp_child_ehash_entries",
        COUNT,
        "Buckets of the TCP hash of a namespace made from here; 0 is the host's.",
        defaults=_always(0),
        needs="Linux 6.1",
    ),
    Sysctl(
        "net.ipv4.udp_hash_entries",
        COUNT,
        "Buckets of the UDP hash; negative where it is the host's.",
        kernel="net->ipv4.udp_table",
        needs="Linux 6.2",
    ),
    _ipv4(
        "udp_child_hash_entries",
        COUNT,
        "Buckets of the UDP hash of a namespace made from here; 0 is the host's.",
        defaults=_always(0),
        needs="Linux 6.2",
    ),
    _ipv4("tcp_fin_timeout", SECONDS, "Life of an orphan in FIN_WAIT2.", defaults=_always(60)),
    _ipv4(
        "tcp_tw_reuse",
        FLAG,
        "Reuse of TIME_WAIT by connect(2): 0 never, 1 always, 2 on loopback.",
        defaults=((ALL_VERSIONS, 0), ((4, 19), 2)),
    ),
    _ipv4(
        "tcp_tw_reuse_delay", MS, "Age at which TIME_WAIT may be reused.", defaults=_always(1000), needs="Linux 6.14"
    ),
    _ipv4("tcp_syn_retries", COUNT, "SYNs sent again before connect(2) fails.", defaults=_always(6)),
    _ipv4(
        "tcp_syn_linear_timeouts",
        COUNT,
        "SYNs sent again at the first interval before it doubles.",
        defaults=_always(4),
        needs="Linux 6.5",
    ),
    _ipv4("tcp_synack_retries", COUNT, "SYN+ACKs sent again before a request is forgotten.", defaults=_always(5)),
    _ipv4("tcp_retries2", COUNT, "Unanswered retransmissions before a connection is given up.", defaults=_always(15)),
    _ipv4(
        "tcp_orphan_retries",
        COUNT,
        "The same for a connection that no process holds any more; 0 is 8.",
        defaults=_always(0),
    ),
    _ipv4("tcp_rto_min_us", US, "Shortest retransmission timeout.", defaults=_always(200000), needs="Linux 6.11"),
    _ipv4("tcp_rto_max_ms", MS, "Longest retransmission timeout.", defaults=_always(120000), needs="Linux 6.15"),
    _ipv4("tcp_keepalive_time", SECONDS, "Silence before the first keep-alive probe.", defaults=_always(7200)),
    _ipv4("tcp_keepalive_intvl", SECONDS, "Time between keep-alive probes.", defaults=_always(75)),
    _ipv4("tcp_keepalive_probes", COUNT, "Unanswered probes before a connection is given up.", defaults=_always(9)),
    Sysctl(
        "net.ipv4.ip_local_port_range",
        PORTS,
        "Local ports that connect(2) and bind(2) choose from.",
        kernel="net->ipv4.ip_local_ports.range",
        numbers=2,
        defaults=((ALL_VERSIONS, (32768, 61000)), ((4, 2), (32768, 60999))),
    ),
    _ipv4(
        "ip_local_reserved_ports",
        PORTS,
        "Ports of that range that are never chosen.",
        numbers=PORT_LIST,
        defaults=_always(()),
        needs="Linux 2.6.35",
    ),
    _ipv4(
        "ip_unprivileged_port_start",
        PORTS,
        "First port that any user may bind to.",
        defaults=_always(1024),
        needs="Linux 4.11",
    ),
    _ipv4("igmp_max_memberships", COUNT, "IPv4 multicast groups of one socket.", defaults=_always(20)),
    Sysctl(
        "net.ipv4.ipfrag_high_thresh",
        BYTES,
        "Memory of incomplete IPv4 datagrams.",
        kernel="net->ipv4.fqdir->high_thresh",
        defaults=((ALL_VERSIONS, 262144), ((3, 9), 4194304)),
    ),
    Sysctl(
        "net.ipv4.ipfrag_low_thresh",
        BYTES,
        "Memory down to which incomplete datagrams are evicted.",
        kernel="net->ipv4.fqdir->low_thresh",
        defaults=((ALL_VERSIONS, 196608), ((3, 9), 3145728)),
    ),
    _initial(
        "net.ipv4.neigh.default.gc_thresh3",
        COUNT,
        "IPv4 neighbours (ARP entries).",
        kernel="arp_tbl.gc_thresh3",
        defaults=_always(1024),
    ),
    _initial(
        "net.ipv4.neigh.default.unres_qlen_bytes",
        BYTES,
        "Packets that wait for one neighbour's address.",
        kernel="neigh_parms.data[NEIGH_VAR_QUEUE_LEN_BYTES]",
        needs="Linux 3.3",
    ),
    Sysctl(
        "net.ipv6.ip6frag_high_thresh",
        BYTES,
        "Memory of incomplete IPv6 datagrams.",
        needs="IPv6",
        kernel="net->ipv6.fqdir->high_thresh",
        defaults=((ALL_VERSIONS, 262144), ((3, 9), 4194304)),
    ),
    Sysctl(
        "net.ipv6.ip6frag_low_thresh",
        BYTES,
        "Memory down to which incomplete datagrams are evicted.",
        needs="IPv6",
        kernel="net->ipv6.fqdir->low_thresh",
        defaults=((ALL_VERSIONS, 196608), ((3, 9), 3145728)),
    ),
    Sysctl(
        "net.ipv6.route.max_size",
        COUNT,
        "IPv6 routes, cached ones included.",
        needs="IPv6",
        kernel="net->ipv6.sysctl.ip6_rt_max_size",
    ),
    _initial(
        "net.ipv6.neigh.default.gc_thresh3",
        COUNT,
        "IPv6 neighbours.",
        kernel="nd_tbl.gc_thresh3",
        needs="IPv6",
        defaults=_always(1024),
    ),
    _initial(
        "net.ipv6.neigh.default.unres_qlen_bytes",
        BYTES,
        "Packets that wait for one neighbour's address.",
        kernel="neigh_parms.data[NEIGH_VAR_QUEUE_LEN_BYTES]",
        needs="IPv6",
    ),
    Sysctl(
        "net.unix.max_dgram_qlen",
        PACKETS,
        "Datagrams that wait at a unix socket.",
        kernel="net->unx.sysctl_max_dgram_qlen",
        defaults=_always(10),
    ),
    Sysctl(
        "net.netfilter.nf_conntrack_max",
        COUNT,
        "Tracked connections of a namespace.",
        scope=HOST,
        kernel="nf_conntrack_max",
        needs="nf_conntrack",
    ),
    Sysctl(
        "net.netfilter.nf_conntrack_count",
        COUNT,
        "Tracked connections of this namespace now.",
        kernel="nf_conntrack_count(net)",
        needs="nf_conntrack",
    ),
    Sysctl(
        "net.netfilter.nf_conntrack_buckets",
        COUNT,
        "Buckets of the hash of tracked connections.",
        scope=HOST,
        kernel="nf_conntrack_htable_size",
        needs="nf_conntrack",
    ),
    Sysctl(
        "net.netfilter.nf_conntrack_expect_max",
        COUNT,
        "Connections that helpers expect.",
        scope=HOST,
        kernel="nf_ct_expect_max",
        needs="nf_conntrack",
    ),
    _initial(
        "net.sctp.sctp_mem",
        PAGES,
        "Memory of all SCTP sockets of the host: low, pressure, high.",
        kernel="sysctl_sctp_mem",
        numbers=3,
        needs="SCTP",
    ),
    _initial(
        "net.sctp.sctp_rmem",
        BYTES,
        "SCTP receive buffer: minimum under pressure, unused, unused.",
        kernel="sysctl_sctp_rmem",
        numbers=3,
        needs="SCTP",
    ),
    _initial(
        "net.sctp.sctp_wmem",
        BYTES,
        "SCTP send buffer: minimum under pressure, unused, unused.",
        kernel="sysctl_sctp_wmem",
        numbers=3,
        needs="SCTP",
    ),
    Sysctl(
        "fs.file-nr", COUNT, "Open files of the host: open, 0, file-max.", scope=HOST, kernel="files_stat", numbers=3
    ),
    Sysctl(
        "fs.file-max", COUNT, "Open files of the host, sockets among them.", scope=HOST, kernel="files_stat.max_files"
    ),
    Sysctl(
        "fs.nr_open",
        COUNT,
        "Most that a process's limit of open files may be raised to.",
        scope=HOST,
        kernel="sysctl_nr_open",
        defaults=_always(1048576),
        needs="Linux 2.6.25",
    ),
)

SYSCTLS: Mapping[str, Sysctl] = {sysctl.name: sysctl for sysctl in _TABLE}
