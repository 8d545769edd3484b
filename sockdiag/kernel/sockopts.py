"""Socket options that getsockopt(2) returns without side effects: name, level, number, form.

Options whose reading resets a counter or takes data (PACKET_STATISTICS, SO_ERROR, SO_PEERPIDFD, TCP_ZEROCOPY_RECEIVE)
are not among them. Source: include/uapi/asm-generic/socket.h (mips, parisc, sparc and alpha number those of SOL_SOCKET
otherwise), include/uapi/linux/{tcp,in,in6,udp}.h.
"""

from __future__ import annotations

SOL_SOCKET, IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_IPV6 = 1, 0, 6, 17, 41
SOL_PACKET, SOL_NETLINK = 263, 270

# Forms of an answer: an int; a string; a 64-bit identity, shown in hexadecimal; a 64-bit rate, all ones for no
# limit; struct linger; struct timeval, shown in microseconds; an array of 32-bit words.
INT, TEXT, COOKIE, RATE, LINGER, TIMEVAL, WORDS = "int", "text", "cookie", "rate", "linger", "timeval", "words"

# The sockets that have an option.
ANY, TCP, UDP, IP, IP6, INET, PACKET, NETLINK, UNIX = (
    "any",
    "tcp",
    "udp",
    "ip",
    "ip6",
    "inet",
    "packet",
    "netlink",
    "unix",
)

# Name, level, number, form, of whom. Those that take the socket lock on some kernels come last.
SOCKOPTS = (
    ("SO_DOMAIN", SOL_SOCKET, 39, INT, ANY),
    ("SO_TYPE", SOL_SOCKET, 3, INT, ANY),
    ("SO_PROTOCOL", SOL_SOCKET, 38, INT, ANY),
    ("SO_COOKIE", SOL_SOCKET, 57, COOKIE, ANY),
    ("SO_ACCEPTCONN", SOL_SOCKET, 30, INT, ANY),
    ("SO_RCVBUF", SOL_SOCKET, 8, INT, ANY),
    ("SO_SNDBUF", SOL_SOCKET, 7, INT, ANY),
    ("SO_BUF_LOCK", SOL_SOCKET, 72, INT, ANY),
    ("SO_RCVLOWAT", SOL_SOCKET, 18, INT, ANY),
    ("SO_SNDLOWAT", SOL_SOCKET, 19, INT, ANY),
    ("SO_MEMINFO", SOL_SOCKET, 55, WORDS, ANY),
    ("SO_INCOMING_CPU", SOL_SOCKET, 49, INT, ANY),
    ("SO_INCOMING_NAPI_ID", SOL_SOCKET, 56, INT, INET),
    ("SO_REUSEADDR", SOL_SOCKET, 2, INT, ANY),
    ("SO_REUSEPORT", SOL_SOCKET, 15, INT, ANY),
    ("SO_KEEPALIVE", SOL_SOCKET, 9, INT, ANY),
    ("SO_BROADCAST", SOL_SOCKET, 6, INT, ANY),
    ("SO_OOBINLINE", SOL_SOCKET, 10, INT, ANY),
    ("SO_PRIORITY", SOL_SOCKET, 12, INT, ANY),
    ("SO_MARK", SOL_SOCKET, 36, INT, ANY),
    ("SO_BINDTODEVICE", SOL_SOCKET, 25, TEXT, ANY),
    ("SO_DONTROUTE", SOL_SOCKET, 5, INT, ANY),
    ("SO_BUSY_POLL", SOL_SOCKET, 46, INT, ANY),
    ("SO_PREFER_BUSY_POLL", SOL_SOCKET, 69, INT, ANY),
    ("SO_RCVTIMEO", SOL_SOCKET, 20, TIMEVAL, ANY),
    ("SO_SNDTIMEO", SOL_SOCKET, 21, TIMEVAL, ANY),
    ("SO_LINGER", SOL_SOCKET, 13, LINGER, ANY),
    ("SO_TIMESTAMP", SOL_SOCKET, 29, INT, ANY),
    ("SO_RXQ_OVFL", SOL_SOCKET, 40, INT, ANY),
    ("SO_LOCK_FILTER", SOL_SOCKET, 44, INT, ANY),
    ("SO_ZEROCOPY", SOL_SOCKET, 60, INT, ANY),
    ("SO_PASSCRED", SOL_SOCKET, 16, INT, UNIX),
    ("SO_MAX_PACING_RATE", SOL_SOCKET, 47, RATE, INET),
    ("SO_TXREHASH", SOL_SOCKET, 74, INT, INET),
    ("IP_TOS", IPPROTO_IP, 1, INT, IP),
    ("IP_TTL", IPPROTO_IP, 2, INT, IP),
    ("IP_FREEBIND", IPPROTO_IP, 15, INT, IP),
    ("IP_TRANSPARENT", IPPROTO_IP, 19, INT, IP),
    ("IP_MTU_DISCOVER", IPPROTO_IP, 10, INT, IP),
    ("IP_RECVERR", IPPROTO_IP, 11, INT, IP),
    ("IP_MINTTL", IPPROTO_IP, 21, INT, IP),
    ("IP_BIND_ADDRESS_NO_PORT", IPPROTO_IP, 24, INT, IP),
    ("IP_LOCAL_PORT_RANGE", IPPROTO_IP, 51, INT, IP),
    ("IP_MULTICAST_TTL", IPPROTO_IP, 33, INT, UDP),
    ("IP_MULTICAST_LOOP", IPPROTO_IP, 34, INT, UDP),
    ("IP_MULTICAST_ALL", IPPROTO_IP, 49, INT, UDP),
    ("IPV6_V6ONLY", IPPROTO_IPV6, 26, INT, IP6),
    ("IPV6_TCLASS", IPPROTO_IPV6, 67, INT, IP6),
    ("IPV6_UNICAST_HOPS", IPPROTO_IPV6, 16, INT, IP6),
    ("IPV6_MTU_DISCOVER", IPPROTO_IPV6, 23, INT, IP6),
    ("UDP_CORK", IPPROTO_UDP, 1, INT, UDP),
    ("UDP_SEGMENT", IPPROTO_UDP, 103, INT, UDP),
    ("UDP_GRO", IPPROTO_UDP, 104, INT, UDP),
    ("PACKET_VERSION", SOL_PACKET, 10, INT, PACKET),
    ("PACKET_AUXDATA", SOL_PACKET, 8, INT, PACKET),
    ("PACKET_LOSS", SOL_PACKET, 14, INT, PACKET),
    ("PACKET_TIMESTAMP", SOL_PACKET, 17, INT, PACKET),
    ("NETLINK_PKTINFO", SOL_NETLINK, 3, INT, NETLINK),
    ("NETLINK_BROADCAST_ERROR", SOL_NETLINK, 4, INT, NETLINK),
    ("NETLINK_NO_ENOBUFS", SOL_NETLINK, 5, INT, NETLINK),
    ("NETLINK_CAP_ACK", SOL_NETLINK, 10, INT, NETLINK),
    ("NETLINK_EXT_ACK", SOL_NETLINK, 11, INT, NETLINK),
    ("TCP_CONGESTION", IPPROTO_TCP, 13, TEXT, TCP),
    ("TCP_USER_TIMEOUT", IPPROTO_TCP, 18, INT, TCP),
    ("TCP_NODELAY", IPPROTO_TCP, 1, INT, TCP),
    ("TCP_CORK", IPPROTO_TCP, 3, INT, TCP),
    ("TCP_QUICKACK", IPPROTO_TCP, 12, INT, TCP),
    ("TCP_DEFER_ACCEPT", IPPROTO_TCP, 9, INT, TCP),
    ("TCP_NOTSENT_LOWAT", IPPROTO_TCP, 25, INT, TCP),
    ("TCP_MAXSEG", IPPROTO_TCP, 2, INT, TCP),
    ("TCP_WINDOW_CLAMP", IPPROTO_TCP, 10, INT, TCP),
    ("TCP_SYNCNT", IPPROTO_TCP, 7, INT, TCP),
    ("TCP_LINGER2", IPPROTO_TCP, 8, INT, TCP),
    ("TCP_KEEPIDLE", IPPROTO_TCP, 4, INT, TCP),
    ("TCP_KEEPINTVL", IPPROTO_TCP, 5, INT, TCP),
    ("TCP_KEEPCNT", IPPROTO_TCP, 6, INT, TCP),
    ("TCP_FASTOPEN", IPPROTO_TCP, 23, INT, TCP),
    ("TCP_THIN_LINEAR_TIMEOUTS", IPPROTO_TCP, 16, INT, TCP),
    ("TCP_SAVE_SYN", IPPROTO_TCP, 27, INT, TCP),
    ("TCP_ULP", IPPROTO_TCP, 31, TEXT, TCP),
)

LEVEL_NAMES = {
    SOL_SOCKET: "SOL_SOCKET",
    IPPROTO_IP: "IPPROTO_IP",
    IPPROTO_TCP: "IPPROTO_TCP",
    IPPROTO_UDP: "IPPROTO_UDP",
    IPPROTO_IPV6: "IPPROTO_IPV6",
    SOL_PACKET: "SOL_PACKET",
    SOL_NETLINK: "SOL_NETLINK",
}

# Bits of SO_BUF_LOCK.
SOCK_SNDBUF_LOCK, SOCK_RCVBUF_LOCK = 1, 2


def kinds_of(family: int, protocol: int) -> frozenset[str]:
    """Return the options above that concern a socket, by its SO_DOMAIN and SO_PROTOCOL.

    An IPv6 socket has the options of IP too; what it refuses is left out of the answer.
    """
    kinds = {ANY}
    if family in (2, 10):
        kinds |= {INET, IP}
        if family == 10:
            kinds.add(IP6)
        if protocol in (6, 262):
            kinds.add(TCP)
        elif protocol in (17, 136):
            kinds.add(UDP)
    kinds |= {1: {UNIX}, 16: {NETLINK}, 17: {PACKET}}.get(family, set())
    return frozenset(kinds)
