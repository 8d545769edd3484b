"""The address families whose sockets are listed, and the IP protocols: one record for each, from which every table derives.

To add a family: its record here, its structs in ``kernel/NETID_diag.py`` and its reader, a module with ``read(system,
query)``, in ``sources/netlink/NETID_diag.py``; what only its sockets have is a record of the model, and a field of the
socket that is called as the table.

The start of most commands imports this module: it holds words and numbers alone.
"""

from __future__ import annotations

from sockdiag.kernel.sock_diag import (
    AF_INET,
    AF_INET6,
    AF_NETLINK,
    AF_PACKET,
    AF_TIPC,
    AF_UNIX,
    AF_VSOCK,
    AF_XDP,
    IPPROTO_DCCP,
    IPPROTO_ICMP,
    IPPROTO_ICMPV6,
    IPPROTO_MPTCP,
    IPPROTO_RAW,
    IPPROTO_SCTP,
    IPPROTO_TCP,
    IPPROTO_UDP,
    IPPROTO_UDPLITE,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    # Functions that feed a socket, and the counters of what is lost there.
    Stations = tuple[tuple[str, tuple[str, ...]], ...]

# Stations that many sockets have in common. A counter is an exact MIB name; ``dev.*.rx_drop`` is a sum over devices.
DEVICE = ("device: driver, NAPI", ("dev.*.rx_fifo", "dev.*.rx_drop"))
BACKLOG = ("per-CPU input queue (loopback, veth, RPS): enqueue_to_backlog()", ("softnet_stat.*.dropped",))
WAKE_FUNCTIONS = "sk->sk_data_ready(), sock_def_readable(): wakes read(2) and epoll"
WAKE: tuple[str, tuple[str, ...]] = (WAKE_FUNCTIONS, ())


class Family:
    """An address family.

    Attributes:
        number: AF_….
        name: the word of that.
        netid: its table; None where its sockets are in a table for each protocol (IP), or are not listed.
        identity: the part of a sock_diag payload that identifies a socket: addresses, inode, cookie.
        state_at: offset of the state in the payload; None where there is none, or none that can be asked for.
        has: of the fields that not every family has (``local.port``, ``local.interface``, ``peer``, ``peer.port``,
            ``shutdown``), those that its sockets can have.
        connects: its sockets pass through the states of a connection.
        loses: a full receive buffer loses the next packet or message.
        protos: names of its struct protos in /proc/net/protocols.
        ops: ``struct proto_ops`` by socket type; by None that of every type.
        create: functions below ``__sock_create()`` that make a socket.
        receive: what feeds one.
    """

    __slots__ = (
        "connects",
        "create",
        "has",
        "identity",
        "loses",
        "name",
        "netid",
        "number",
        "ops",
        "protos",
        "receive",
        "state_at",
    )

    def __init__(
        self,
        number: int,
        name: str,
        netid: str | None = None,
        *,
        identity: slice,
        state_at: int | None = None,
        has: tuple[str, ...] = (),
        connects: bool = False,
        loses: bool = False,
        protos: tuple[str, ...] = (),
        ops: Mapping[str | None, str] | None = None,
        create: str = "",
        receive: Stations = (),
    ) -> None:
        self.number = number
        self.name = name
        self.netid = netid
        self.identity = identity
        self.state_at = state_at
        self.has = has
        self.connects = connects
        self.loses = loses
        self.protos = protos
        self.ops = ops or {}
        self.create = create
        self.receive = receive


# By number, which is their order in results.
FAMILIES = (
    Family(
        AF_UNIX,
        "AF_UNIX",
        "unix",
        identity=slice(4, 16),
        state_at=2,
        has=("peer", "shutdown"),
        # The second is that of streams, which had the first before 5.15.
        protos=("UNIX", "UNIX-STREAM"),
        ops={
            "SOCK_STREAM": "unix_stream_ops",
            "SOCK_DGRAM": "unix_dgram_ops",
            "SOCK_RAW": "unix_dgram_ops",
            "SOCK_SEQPACKET": "unix_seqpacket_ops",
        },
        create="unix_create() → unix_create1()",
        receive=(
            ("the sender's send buffer: sock_alloc_send_pskb(); it waits or gets EAGAIN, nothing is lost", ()),
            ("sk_receive_queue of the peer: unix_stream_sendmsg(), unix_dgram_sendmsg()", ()),
            WAKE,
        ),
    ),
    Family(AF_INET, "AF_INET", identity=slice(4, 52), state_at=1),
    Family(AF_INET6, "AF_INET6", identity=slice(4, 52), state_at=1),
    Family(
        AF_NETLINK,
        "AF_NETLINK",
        "netlink",
        identity=slice(2, 28),
        has=("local.port", "peer", "peer.port"),
        loses=True,
        protos=("NETLINK",),
        ops={None: "netlink_ops"},
        create="netlink_create() → __netlink_create()",
        receive=(
            ("netlink_unicast(), netlink_broadcast(): refused when the receive buffer is full, then ENOBUFS", ()),
            WAKE,
        ),
    ),
    Family(
        AF_PACKET,
        "AF_PACKET",
        "packet",
        identity=slice(4, 16),
        has=("local.interface",),
        loses=True,
        protos=("PACKET",),
        ops={"SOCK_DGRAM": "packet_ops", "SOCK_RAW": "packet_ops", "SOCK_PACKET": "packet_ops_spkt"},
        create="packet_create() → __register_prot_hook()",
        receive=(
            DEVICE,
            BACKLOG,
            ("ptype_all, ptype_base: packet_rcv(), tpacket_rcv(); before IP, also of what is sent", ()),
            WAKE,
        ),
    ),
    Family(AF_TIPC, "AF_TIPC", identity=slice(0, None)),
    Family(
        AF_VSOCK,
        "AF_VSOCK",
        "vsock",
        identity=slice(4, 32),
        state_at=2,
        has=("local.port", "peer", "peer.port"),
        connects=True,
        protos=("AF_VSOCK",),
        ops={
            "SOCK_STREAM": "vsock_stream_ops",
            "SOCK_DGRAM": "vsock_dgram_ops",
            "SOCK_SEQPACKET": "vsock_seqpacket_ops",
        },
        create="vsock_create()",
        receive=(("transport (virtio, vmci, hyperv): virtio_transport_recv_pkt()", ()), WAKE),
    ),
    Family(
        AF_XDP,
        "AF_XDP",
        "xdp",
        identity=slice(4, 16),
        has=("local.interface",),
        protos=("XDP",),
        ops={None: "xsk_proto_ops"},
        create="xsk_create()",
        receive=(DEVICE, ("XDP program: xsk_rcv() into the ring that the owner maps", ())),
    ),
)


class IpProtocol:
    """A protocol of AF_INET and AF_INET6, which has a table of its own.

    Attributes:
        netid: its table.
        numbers: IPPROTO_….
        types: socket types, SOCK_….
        in_diag: inet_diag lists its sockets.
        connects: its sockets pass through the states of a connection.
        loses: a full receive buffer loses the next packet; TCP closes its window instead.
        protos: names of its struct protos in /proc/net/protocols, of AF_INET and AF_INET6.
        ops: its ``struct proto_ops`` of both.
        create: function that makes a socket; ``{n}`` is 4 or 6, ``{s}`` nothing or v6.
    """

    __slots__ = ("connects", "create", "in_diag", "loses", "netid", "numbers", "ops", "protos", "types")

    def __init__(
        self,
        netid: str,
        numbers: tuple[int, ...],
        types: tuple[str, ...],
        *,
        in_diag: bool = True,
        connects: bool = False,
        loses: bool = False,
        protos: tuple[str, str],
        ops: tuple[str, str],
        create: str,
    ) -> None:
        self.netid = netid
        self.numbers = numbers
        self.types = types
        self.in_diag = in_diag
        self.connects = connects
        self.loses = loses
        self.protos = protos
        self.ops = ops
        self.create = create


IP_PROTOCOLS = (
    IpProtocol(
        "tcp",
        (IPPROTO_TCP,),
        ("SOCK_STREAM",),
        connects=True,
        protos=("TCP", "TCPv6"),
        ops=("inet_stream_ops", "inet6_stream_ops"),
        create="tcp_v{n}_init_sock()",
    ),
    IpProtocol(
        "mptcp",
        (IPPROTO_MPTCP,),
        ("SOCK_STREAM",),
        connects=True,
        protos=("MPTCP", "MPTCPv6"),
        ops=("mptcp_stream_ops", "mptcp_v6_stream_ops"),
        create="mptcp_init_sock()",
    ),
    IpProtocol(
        "udp",
        (IPPROTO_UDP,),
        ("SOCK_DGRAM",),
        loses=True,
        protos=("UDP", "UDPv6"),
        ops=("inet_dgram_ops", "inet6_dgram_ops"),
        create="udp{s}_init_sock()",
    ),
    IpProtocol(
        "udplite",
        (IPPROTO_UDPLITE,),
        ("SOCK_DGRAM",),
        loses=True,
        protos=("UDP-Lite", "UDPLITEv6"),
        ops=("inet_dgram_ops", "inet6_dgram_ops"),
        create="udplite{s}_sk_init()",
    ),
    IpProtocol(
        "raw",
        (IPPROTO_RAW,),
        ("SOCK_RAW",),
        loses=True,
        protos=("RAW", "RAWv6"),
        ops=("inet_sockraw_ops", "inet6_sockraw_ops"),
        create="raw{s}_init()",
    ),
    IpProtocol(
        "icmp",
        (IPPROTO_ICMP, IPPROTO_ICMPV6),
        ("SOCK_DGRAM",),
        in_diag=False,
        loses=True,
        protos=("PING", "PINGv6"),
        ops=("inet_sockraw_ops", "inet6_sockraw_ops"),
        create="ping_init_sock()",
    ),
    IpProtocol(
        "sctp",
        (IPPROTO_SCTP,),
        ("SOCK_STREAM", "SOCK_SEQPACKET"),
        connects=True,
        protos=("SCTP", "SCTPv6"),
        ops=("inet_seqpacket_ops", "inet6_seqpacket_ops"),
        create="sctp_init_sock()",
    ),
    IpProtocol(
        "dccp",
        (IPPROTO_DCCP,),
        ("SOCK_DCCP",),
        connects=True,
        protos=("DCCP", "DCCPv6"),
        ops=("inet_dccp_ops", "inet6_dccp_ops"),
        create="dccp_v{n}_init_sock()",
    ),
)

FAMILY_NAMES = {family.number: family.name for family in FAMILIES}
# The families that have a table, by its netid; and the IP tables. The order is that of results.
OTHER_TABLES = {family.netid: family for family in FAMILIES if family.netid is not None}
IP_TABLES = {protocol.netid: protocol for protocol in IP_PROTOCOLS}
# Those whose sockets lose data when their receive buffer is full.
LOSING_TABLES = (
    *[netid for netid, protocol in IP_TABLES.items() if protocol.loses],
    *[netid for netid, family in OTHER_TABLES.items() if family.loses],
)
