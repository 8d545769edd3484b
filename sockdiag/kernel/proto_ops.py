"""What the family, type and protocol of socket(2) select: ``struct proto_ops`` of the socket, ``struct proto`` of the sock.

Source: inetsw_array and inetsw6 (net/ipv4/af_inet.c, net/ipv6/af_inet6.c) and the protocols that add to them;
``unix_create()``, ``packet_create()``, ``netlink_create()``, ``vsock_create()``, ``xsk_create()``.
"""

from __future__ import annotations

from sockdiag.kernel.families import FAMILIES, IP_PROTOCOLS, IP_TABLES, OTHER_TABLES

# netid -> names of its struct protos in /proc/net/protocols: AF_INET, AF_INET6; of unix, stream last (5.15).
PROTO_NAMES: dict[str, tuple[str, ...]] = {
    **{protocol.netid: protocol.protos for protocol in IP_PROTOCOLS},
    **{netid: family.protos for netid, family in OTHER_TABLES.items()},
}


_TABLES = {
    (kind, number): protocol.netid
    for protocol in IP_PROTOCOLS
    if protocol.netid != "raw"
    for kind in protocol.types
    for number in protocol.numbers
}


def table_of(family: int, type: str, protocol: int) -> str:
    """Return the netid of a socket by the arguments of socket(2); ``other`` where no table lists it.

    Args:
        family: AF_….
        type: SOCK_….
        protocol: IPPROTO_…, of an IP socket.
    """
    for one in FAMILIES:
        if one.number == family and one.netid is not None:
            return one.netid
    return _TABLES.get((type, protocol), "raw" if type == "SOCK_RAW" else "other")


def proto_ops(netid: str, family: str, type: str | None) -> str | None:
    """Name the proto_ops of a socket; None if unknown."""
    if netid in IP_TABLES:
        return IP_TABLES[netid].ops[family == "AF_INET6"]
    other = OTHER_TABLES.get(netid)
    if other is None:
        return None
    return other.ops.get(None) or other.ops.get(type)


def proto_name(netid: str, family: str, type: str | None) -> str | None:
    """Name the struct proto of a socket as /proc/net/protocols does; None if unknown.

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
    """Return the state of the ``struct socket`` that goes with a state of the sock; None if unknown.

    Source: ``__inet_stream_connect()``, ``inet_accept()``, ``unix_stream_connect()``; connect(2) of datagram, raw,
    netlink and packet sockets leaves it SS_UNCONNECTED.
    """
    record = IP_TABLES.get(netid) or OTHER_TABLES.get(netid)
    if record is not None and record.connects:
        if state in ("CLOSE", "LISTEN", "BOUND_INACTIVE"):
            return SS_UNCONNECTED
        return SS_CONNECTING if state == "SYN_SENT" else SS_CONNECTED if state else None
    if netid == "unix":
        return SS_CONNECTED if state == "ESTABLISHED" else SS_UNCONNECTED
    return SS_UNCONNECTED
