"""Constants that all sock_diag families share, and the address families and protocols that requests name.

Source: include/uapi/linux/sock_diag.h, include/linux/socket.h, include/uapi/linux/in.h.
"""

from __future__ import annotations

SOCK_DIAG_BY_FAMILY = 20
SOCK_DESTROY = 21
TCPDIAG_GETSOCK = 18  # inet_diag_req without family: one walk for IPv4 and IPv6
DCCPDIAG_GETSOCK = 19

AF_UNSPEC = 0
AF_UNIX = 1
AF_INET = 2
AF_INET6 = 10
AF_NETLINK = 16
AF_PACKET = 17
AF_TIPC = 30
AF_VSOCK = 40
AF_XDP = 44

# What an IPv4 address begins with in the form of IPv6: bytes, and text.
V4_MAPPED = bytes(10) + b"\xff\xff"
V4_MAPPED_TEXT = "::ffff:"

SOCK_STREAM = 1
SOCK_DGRAM = 2
SOCK_RAW = 3
SOCK_SEQPACKET = 5

# Modules that answer for a table, where they are not called TABLE_diag: net/packet/diag.c, net/xdp/, net/ipv4/udp_diag.c.
DIAG_MODULES = {"packet": "af_packet_diag", "xdp": "xsk_diag", "udplite": "udp_diag"}


def diag_module(name: str) -> str:
    """Return the module that answers a request, by the request's name: ``inet_diag_tcp+tcp6``, ``unix_diag``, ``inet_diag``.

    The module of a protocol depends on inet_diag.
    """
    table = name.removeprefix("inet_diag_").partition("+")[0].removesuffix("_diag").removesuffix("6")
    return DIAG_MODULES.get(table, f"{table}_diag")


TYPE_NAMES = {
    SOCK_STREAM: "SOCK_STREAM",
    SOCK_DGRAM: "SOCK_DGRAM",
    SOCK_RAW: "SOCK_RAW",
    SOCK_SEQPACKET: "SOCK_SEQPACKET",
    10: "SOCK_PACKET",
}

IPPROTO_ICMP = 1
IPPROTO_TCP = 6
IPPROTO_UDP = 17
IPPROTO_DCCP = 33
IPPROTO_ICMPV6 = 58
IPPROTO_SCTP = 132
IPPROTO_UDPLITE = 136
IPPROTO_RAW = 255
IPPROTO_MPTCP = 262

IPPROTO_NAMES = {
    0: "IP",
    IPPROTO_ICMP: "ICMP",
    2: "IGMP",
    4: "IPIP",
    IPPROTO_TCP: "TCP",
    8: "EGP",
    IPPROTO_UDP: "UDP",
    IPPROTO_DCCP: "DCCP",
    41: "IPV6",
    46: "RSVP",
    47: "GRE",
    50: "ESP",
    51: "AH",
    IPPROTO_ICMPV6: "ICMPV6",
    89: "OSPF",
    103: "PIM",
    112: "VRRP",
    115: "L2TP",
    IPPROTO_SCTP: "SCTP",
    IPPROTO_UDPLITE: "UDPLITE",
    137: "MPLS",
    IPPROTO_RAW: "RAW",
    IPPROTO_MPTCP: "MPTCP",
}

# sk_shutdown, include/net/sock.h
RCV_SHUTDOWN = 1
SEND_SHUTDOWN = 2

# Order of the 32-bit words of a SKMEMINFO attribute (SK_MEMINFO_*); 3.10 sends eight, drops came in 4.7.
SK_MEMINFO = (
    "rmem_alloc",
    "rcvbuf",
    "wmem_alloc",
    "sndbuf",
    "fwd_alloc",
    "wmem_queued",
    "optmem",
    "backlog",
    "drops",
)
