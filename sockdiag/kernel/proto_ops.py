"""What the family, type and protocol of socket(2) select: ``struct proto_ops`` of the socket, ``struct proto`` of the sock.

Source: inetsw_array and inetsw6 (net/ipv4/af_inet.c, net/ipv6/af_inet6.c) and the protocols that add to them;
``unix_create()``, ``packet_create()``, ``netlink_create()``, ``vsock_create()``, ``xsk_create()``.
"""

from __future__ import annotations

# netid -> (AF_INET, AF_INET6)
_INET_OPS = {
    "tcp": ("inet_stream_ops", "inet6_stream_ops"),
    "mptcp": ("mptcp_stream_ops", "mptcp_v6_stream_ops"),
    "udp": ("inet_dgram_ops", "inet6_dgram_ops"),
    "udplite": ("inet_dgram_ops", "inet6_dgram_ops"),
    "raw": ("inet_sockraw_ops", "inet6_sockraw_ops"),
    "icmp": ("inet_sockraw_ops", "inet6_sockraw_ops"),
    "sctp": ("inet_seqpacket_ops", "inet6_seqpacket_ops"),
    "dccp": ("inet_dccp_ops", "inet6_dccp_ops"),
}

# By netid and type.
_TYPE_OPS = {
    ("unix", "SOCK_STREAM"): "unix_stream_ops",
    ("unix", "SOCK_DGRAM"): "unix_dgram_ops",
    ("unix", "SOCK_RAW"): "unix_dgram_ops",
    ("unix", "SOCK_SEQPACKET"): "unix_seqpacket_ops",
    ("packet", "SOCK_DGRAM"): "packet_ops",
    ("packet", "SOCK_RAW"): "packet_ops",
    ("packet", "SOCK_PACKET"): "packet_ops_spkt",
    ("vsock", "SOCK_STREAM"): "vsock_stream_ops",
    ("vsock", "SOCK_DGRAM"): "vsock_dgram_ops",
    ("vsock", "SOCK_SEQPACKET"): "vsock_seqpacket_ops",
}

_ONE_OPS = {"netlink": "netlink_ops", "xdp": "xsk_proto_ops"}

# netid -> names of its struct protos in /proc/net/protocols: AF_INET, AF_INET6; of unix, stream last (5.15).
PROTO_NAMES = {
    "tcp": ("TCP", "TCPv6"),
    "mptcp": ("MPTCP", "MPTCPv6"),
    "udp": ("UDP", "UDPv6"),
    "udplite": ("UDP-Lite", "UDPLITEv6"),
    "raw": ("RAW", "RAWv6"),
    "icmp": ("PING", "PINGv6"),
    "sctp": ("SCTP", "SCTPv6"),
    "dccp": ("DCCP", "DCCPv6"),
    "unix": ("UNIX", "UNIX-STREAM"),
    "netlink": ("NETLINK",),
    "packet": ("PACKET",),
    "xdp": ("XDP",),
    "vsock": ("AF_VSOCK",),
}


def proto_ops(netid: str, family: str, type: str | None) -> str | None:
    """Name the proto_ops of a socket; None where it cannot be told."""
    if netid in _INET_OPS:
        return _INET_OPS[netid][family == "AF_INET6"]
    return _ONE_OPS.get(netid) or _TYPE_OPS.get((netid, type or ""))


def proto_name(netid: str, family: str, type: str | None) -> str | None:
    """Name the struct proto of a socket as /proc/net/protocols does; None where it cannot be told.

    Before Linux 5.15 unix sockets of all types are of UNIX.
    """
    names = PROTO_NAMES.get(netid)
    if names is None:
        return None
    if len(names) == 1:
        return names[0]
    return names[type == "SOCK_STREAM" if netid == "unix" else family == "AF_INET6"]


# Socket states, enum socket_state in include/uapi/linux/net.h.
SS_UNCONNECTED, SS_CONNECTING, SS_CONNECTED, SS_DISCONNECTING = (
    "SS_UNCONNECTED",
    "SS_CONNECTING",
    "SS_CONNECTED",
    "SS_DISCONNECTING",
)


def socket_state(netid: str, state: str | None) -> str | None:
    """Tell the state of the ``struct socket`` that goes with a state of the sock; None where it cannot be told.

    Source: ``__inet_stream_connect()``, ``inet_accept()``, ``unix_stream_connect()``; connect(2) of datagram, raw,
    netlink and packet sockets leaves it SS_UNCONNECTED.
    """
    if netid in ("tcp", "mptcp", "sctp", "dccp", "vsock"):
        if state in ("CLOSE", "LISTEN", "BOUND_INACTIVE"):
            return SS_UNCONNECTED
        return SS_CONNECTING if state == "SYN_SENT" else SS_CONNECTED if state else None
    if netid == "unix":
        return SS_CONNECTED if state == "ESTABLISHED" else SS_UNCONNECTED
    return SS_UNCONNECTED
