"""The kernel functions that create a socket of each family and feed it, in their order, with the counters of loss.

A counter is an exact MIB name; ``dev.*.rx_drop`` is the sum over the rows of a table. Function names are those of
Linux 6.x. Source: net/core/dev.c, net/ipv4, net/ipv6, net/unix, net/netlink, net/packet.
"""

from __future__ import annotations

from sockdiag.kernel.families import BACKLOG, DEVICE, IP_TABLES, OTHER_TABLES, WAKE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.kernel.families import Stations

_IP = (
    "ip_rcv() → ip_local_deliver()",
    ("Ip.InHdrErrors", "Ip.InAddrErrors", "Ip.InDiscards", "Ip.ReasmFails", "TcpExt.IPReversePathFilter"),
)
_IP6 = (
    "ipv6_rcv() → ip6_input()",
    ("Ip6.InHdrErrors", "Ip6.InAddrErrors", "Ip6.InDiscards", "Ip6.ReasmFails"),
)
_TCP_QUEUES: Stations = (
    ("sk_backlog, while the owner holds the lock: tcp_add_backlog()", ("TcpExt.TCPBacklogDrop",)),
    (
        "sk_receive_queue or out_of_order_queue: tcp_data_queue()",
        (
            "TcpExt.TCPRcvQDrop",
            "TcpExt.RcvPruned",
            "TcpExt.OfoPruned",
            "TcpExt.TCPOFODrop",
            "TcpExt.TCPZeroWindowDrop",
            "TcpExt.TCPBeyondWindow",
        ),
    ),
    WAKE,
)
_LISTEN_QUEUES: Stations = (
    ("SYN queue: tcp_conn_request()", ("TcpExt.TCPReqQFullDrop", "TcpExt.TCPReqQFullDoCookies")),
    (
        "accept queue: tcp_v4_syn_recv_sock(), inet_csk_complete_hashdance()",
        ("TcpExt.ListenOverflows", "TcpExt.ListenDrops"),
    ),
    ("sk->sk_data_ready() of the listener: wakes accept(2) and epoll", ()),
)
_TCP_LOOKUP = ("Tcp.InErrs", "Tcp.InCsumErrors", "TcpExt.TCPMinTTLDrop")


def _udp(prefix: str, name: str, receive: str) -> Stations:
    return (
        (receive, (f"{prefix}.NoPorts", f"{prefix}.InCsumErrors")),
        (f"socket filter, receive buffer: {name}_queue_rcv_skb()", (f"{prefix}.RcvbufErrors", f"{prefix}.InErrors")),
        ("memory of all UDP (udp_mem) and of the cgroup: __udp_enqueue_schedule_skb()", (f"{prefix}.MemErrors",)),
        WAKE,
    )


def create_path(netid: str, family: str, accepted: bool) -> str | None:
    """Name the functions that make such a socket, in one line.

    Args:
        netid: table.
        family: AF_….
        accepted: it was made by a listener for a connection.
    """
    six = family == "AF_INET6"
    if netid == "tcp" and accepted:
        version = "v6" if six else "v4"
        return (
            f"the handshake's ACK → tcp_check_req() → tcp_{version}_syn_recv_sock() → tcp_create_openreq_child(); "
            "its file: accept(2) → inet_csk_accept()"
        )
    if netid in IP_TABLES:
        inner = IP_TABLES[netid].create.format(n="6" if six else "4", s="v6" if six else "")
        return f"socket(2) → __sock_create() → {'inet6_create' if six else 'inet_create'}() → {inner}"
    if netid in OTHER_TABLES:
        return f"socket(2) → __sock_create() → {OTHER_TABLES[netid].create}"
    return None


def receive_path(netid: str, family: str, listening: bool) -> Stations:
    """Return what feeds such a socket: each station and the counters of what is lost there."""
    if netid in OTHER_TABLES:
        return OTHER_TABLES[netid].receive
    six = family == "AF_INET6"
    below = (DEVICE, BACKLOG, *((_IP6, _IP) if six else (_IP,)))
    if netid in ("tcp", "mptcp", "dccp"):
        receive = "tcp_v6_rcv() → __inet6_lookup_skb()" if six else "tcp_v4_rcv() → __inet_lookup_skb()"
        queues = _LISTEN_QUEUES if listening else _TCP_QUEUES
        subflow: Stations = (
            (("subflows: mptcp_incoming_options() → mptcp_data_ready()", ()),) if netid == "mptcp" else ()
        )
        return (*below, (receive, _TCP_LOOKUP), *queues[:-1], *subflow, queues[-1])
    if netid == "udp":
        if six:
            return (*below, *_udp("Udp6", "udpv6", "udpv6_rcv() → __udp6_lib_lookup()"))
        return (*below, *_udp("Udp", "udp", "udp_rcv() → __udp4_lib_lookup()"))
    if netid == "udplite":
        if six:
            return (*below, *_udp("UdpLite6", "udpv6", "udplitev6_rcv()"))
        return (*below, *_udp("UdpLite", "udp", "udplite_rcv()"))
    if netid in ("raw", "icmp"):
        name = {"raw": ("raw_local_deliver()", "raw6_local_deliver()"), "icmp": ("ping_rcv()", "ping_rcv()")}[netid][
            six
        ]
        return (
            *below,
            (f"{name}: filter, receive buffer; what it loses only the socket's drops count", ()),
            WAKE,
        )
    if netid == "sctp":
        return (*below, ("sctp_rcv() → sctp_assoc_bh_rcv()", ("Sctp.SctpInPktBacklog",)), WAKE)
    return ()
