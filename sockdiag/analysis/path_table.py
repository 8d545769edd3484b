"""The stages that a packet passes, and the counters of each: the one declaration that ``path`` evaluates.

A name with ``*`` stands for one counter per row: a device, a CPU, a queueing discipline. The kernel counts many losses more
than once; two declarations prevent them from being added up twice:

* ``within`` names a counter of the same stage that counts the same losses. The loss is the value of that counter, or the
  sum of all counters within it, if that is more.
* ``less`` names counters of other stages whose events this counter echoes. They are subtracted, which leaves too little if
  not all of them are echoed: a loss is never shown twice.

The meaning of a counter is in ``model/counter_table``; levels, and what is no counter of a MIB, have theirs here.
"""

from __future__ import annotations

from sockdiag.model.record import LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

# The role of a counter in its stage.
ARRIVED, PASSED, LOSS, SIGN, LEVEL, LIMIT = "arrived", "passed", "loss", "sign", "level", "limit"
# Directions.
IN, OUT = "in", "out"

# MIBs that a kernel may lack, in which case nothing can be lost there.
OPTIONAL = frozenset(
    ("Ip6", "Udp6", "UdpLite", "UdpLite6", "nf_conntrack", "sockets", "qdisc", "qdisc_ingress", "net", "nft")
)


class Item(Record):
    """A counter or level of a stage."""

    name: str = field("Name; * is any row.", kind=LABEL)
    role: str = field("Its role.", kind=LABEL)
    within: str = field("Counter of the stage that counts the same losses and others.", default="", kind=LABEL)
    less: tuple[str, ...] = field("Counters of other stages whose events it echoes.", default=(), kind=LABEL)
    meaning: str = field("Its meaning, if it is not in the table of counters.", default="", kind=LABEL)


class Step(Record):
    """A stage."""

    direction: str = field("in or out.", kind=LABEL)
    stage: str = field("Name.", kind=LABEL)
    items: tuple[Item, ...] = field("Its counters and levels.", of=Item)
    unseen: str = field("Losses here without a counter.", default="", kind=LABEL)
    suspects: tuple[str, ...] = field(
        "Signs whose absence proves that nothing of that kind was lost.", default=(), kind=LABEL
    )
    optional: bool = field("It is left out if this system has none of its counters.", default=False, kind=LABEL)


def _arrived(name: str, meaning: str = "") -> Item:
    return Item(name, ARRIVED, meaning=meaning)


def _passed(name: str, meaning: str = "") -> Item:
    return Item(name, PASSED, meaning=meaning)


def _lost(name: str, meaning: str = "", *, within: str = "", less: tuple[str, ...] = ()) -> Item:
    return Item(name, LOSS, within, less, meaning)


def _sign(name: str) -> Item:
    return Item(name, SIGN)


def _level(name: str, meaning: str) -> Item:
    return Item(name, LEVEL, meaning=meaning)


def _limit(name: str, meaning: str) -> Item:
    return Item(name, LIMIT, meaning=meaning)


def _udp(mib: str) -> tuple[Item, ...]:
    # A bad checksum is a loss of the stage before. Drops by socket filters and, on 6.18, by memory limits are in no part
    # of InErrors, or not in InErrors at all.
    table = "sockets.udplite.drops" if "Lite" in mib else "sockets.udp.drops"
    whole = f"{mib}.InErrors"
    return (
        _lost(whole, within=table, less=(f"{mib}.InCsumErrors",)),
        _lost(f"{mib}.RcvbufErrors", within=whole),
        _lost(f"{mib}.MemErrors", within=whole),
    )


def _drops(table: str, what: str, *mibs: str) -> Item:
    return _lost(
        f"sockets.{table}.drops",
        f"{what} refused at present sockets: buffer, memory, or the socket's own filter",
        less=tuple(f"{mib}.InCsumErrors" for mib in mibs),
    )


# If the kernel does not handle a protocol itself, it counts packets that a full raw socket refuses as of an unknown one.
_RAW = ("sockets.raw.drops",)

_NIC_RX = Step(
    IN,
    "nic_rx",
    (
        _arrived("dev.*.rx_packets"),
        _lost("dev.*.rx_errs"),
        _lost("dev.*.rx_fifo", within="dev.*.rx_errs"),
        _lost("dev.*.rx_frame", within="dev.*.rx_errs"),
        _lost("dev.*.rx_drop"),
    ),
)

_SOFTNET = Step(
    IN,
    "softnet",
    (
        _arrived("softnet_stat.*.processed"),
        _lost("softnet_stat.*.dropped"),
        _lost("softnet_stat.*.flow_limit", within="softnet_stat.*.dropped"),
        _sign("softnet_stat.*.time_squeeze"),
        _level("softnet_stat.*.backlog", "packets in this CPU's queues now"),
        _limit("net.core.netdev_max_backlog", "packets that a CPU's input queue holds"),
    ),
)

_QDISC_INGRESS = Step(
    IN,
    "qdisc_ingress",
    (
        _arrived("qdisc_ingress.*.packets", "packets that passed the filters of ingress or clsact"),
        _lost(
            "qdisc_ingress.*.drops", "packets dropped by a filter of ingress or clsact; for clsact, in either direction"
        ),
    ),
    optional=True,
)

_IPV4_IN = Step(
    IN,
    "ipv4_in",
    (
        _arrived("Ip.InReceives"),
        _lost("Ip.InHdrErrors"),
        _lost("IpExt.InCsumErrors", within="Ip.InHdrErrors"),
        _lost("IpExt.InTruncatedPkts"),
        _lost("Ip.InAddrErrors"),
        _lost("IpExt.InNoRoutes"),
        _lost("Ip.InUnknownProtos", less=_RAW),
        _lost("Ip.InDiscards"),
        _lost("TcpExt.IPReversePathFilter"),
        _lost("Ip.ReasmFails"),
        _lost("Ip.ReasmTimeout", within="Ip.ReasmFails"),
        _passed("Ip.InDelivers"),
    ),
)

_IPV6_IN = Step(
    IN,
    "ipv6_in",
    (
        _arrived("Ip6.InReceives"),
        _lost("Ip6.InHdrErrors"),
        _lost("Ip6.InTruncatedPkts"),
        _lost("Ip6.InAddrErrors"),
        _lost("Ip6.InNoRoutes"),
        _lost("Ip6.InUnknownProtos", less=_RAW),
        _lost("Ip6.InDiscards"),
        _lost("Ip6.ReasmFails"),
        _lost("Ip6.ReasmTimeout", within="Ip6.ReasmFails"),
        _sign("Ip6.InTooBigErrors"),
        _passed("Ip6.InDelivers"),
    ),
    optional=True,
)

_NETFILTER = Step(
    IN,
    "netfilter",
    (
        _lost("nf_conntrack.*.drop"),
        _lost("nf_conntrack.*.insert_failed", within="nf_conntrack.*.drop"),
        _lost("nf_conntrack.*.chainlength", within="nf_conntrack.*.insert_failed"),
        _lost("nft.*.packets", "packets dropped or rejected by this rule of the firewall"),
        _sign("nf_conntrack.*.early_drop"),
        _sign("nf_conntrack.*.invalid"),
        _level("nf_conntrack.count", "entries in the conntrack table"),
        _limit("nf_conntrack.max", "maximum of entries in it"),
    ),
    unseen=(
        "packets that rules without a counter, or of iptables-legacy, drop, in and out: see the tracepoint skb:kfree_skb, reason "
        "NETFILTER_DROP"
    ),
)

_TCP_IN = Step(
    IN,
    "tcp_in",
    (
        _arrived("Tcp.InSegs"),
        _lost("Tcp.InErrs"),
        _lost("Tcp.InCsumErrors", within="Tcp.InErrs"),
        _lost("TcpExt.TCPMinTTLDrop"),
        _lost("TcpExt.PFMemallocDrop"),
        _lost("TcpExt.TCPMD5NotFound"),
        _lost("TcpExt.TCPMD5Unexpected"),
        _lost("TcpExt.TCPMD5Failure"),
        _lost("TcpExt.TCPAORequired"),
        _lost("TcpExt.TCPAOBad"),
        _lost("TcpExt.TCPAOKeyNotFound"),
    ),
)

_UDP_IN = Step(
    IN,
    "udp_in",
    tuple(
        item
        for mib in ("Udp", "Udp6", "UdpLite", "UdpLite6")
        for item in (_lost(f"{mib}.NoPorts"), _lost(f"{mib}.InCsumErrors"))
    ),
)

_LISTENER = Step(
    IN,
    "listener",
    (
        _passed("Tcp.PassiveOpens"),
        _lost("TcpExt.ListenDrops"),
        _lost("TcpExt.ListenOverflows", within="TcpExt.ListenDrops"),
        _lost("TcpExt.TCPReqQFullDrop", within="TcpExt.ListenDrops"),
        _sign("TcpExt.TCPReqQFullDoCookies"),
    ),
)

_TCP_BACKLOG = Step(IN, "tcp_backlog", (_lost("TcpExt.TCPBacklogDrop"),))

# A segment for which there was no memory is counted in TCPRcvQDrop or, if out of order, in TCPOFODrop; RcvPruned counts
# some of both. Kernels without those two (until 5.0) have only RcvPruned.
_TCP_QUEUE = Step(
    IN,
    "tcp_receive_queue",
    (
        _lost("TcpExt.RcvPruned"),
        _lost("TcpExt.TCPRcvQDrop", within="TcpExt.RcvPruned"),
        _lost("TcpExt.TCPOFODrop", within="TcpExt.RcvPruned"),
        _lost("TcpExt.OfoPruned"),
        _lost("TcpExt.TCPZeroWindowDrop"),
        _lost("TcpExt.BeyondWindow"),
        _sign("TcpExt.PruneCalled"),
        _sign("TcpExt.TCPToZeroWindowAdv"),
        _sign("TcpExt.TCPAbortOnMemory"),
    ),
)

_UDP_QUEUE = Step(
    IN,
    "udp_receive_queue",
    (
        _drops("udp", "datagrams", "Udp", "Udp6"),
        *_udp("Udp"),
        *_udp("Udp6"),
        _drops("udplite", "UDP-Lite datagrams", "UdpLite", "UdpLite6"),
        *_udp("UdpLite"),
        *_udp("UdpLite6"),
    ),
)

_OTHER_QUEUES = Step(
    IN,
    "other_receive_queues",
    (
        _drops("raw", "packets for raw sockets"),
        _drops("icmp", "packets for ping sockets"),
        _drops("packet", "packets for packet sockets"),
        _drops("netlink", "messages for netlink sockets"),
    ),
)

_READ = Step(
    IN,
    "read",
    (
        _passed("Udp.InDatagrams"),
        _passed("Udp6.InDatagrams"),
        _level("sockets.*.recv_q_bytes", "bytes waiting to be read: payload for tcp, memory for others"),
        _level("sockets.*.accept_queue", "connections waiting to be accepted"),
    ),
)

# A packet that a queueing discipline or a driver refuses comes back as ENOBUFS, and IP and UDP count it too. IP also counts
# packets for which a send buffer had no room.
_BELOW = ("qdisc.*.drops", "dev.*.tx_drop")

_WRITE = Step(
    OUT,
    "write",
    tuple(
        item
        for mib in ("Udp", "Udp6")
        for item in (
            _passed(f"{mib}.OutDatagrams"),
            _lost(f"{mib}.SndbufErrors", less=(*_BELOW, "nft.*.packets")),
        )
    ),
)

_TCP_OUT = Step(
    OUT,
    "tcp_out",
    (
        _passed("Tcp.OutSegs"),
        _sign("Tcp.RetransSegs"),
        _sign("TcpExt.TCPTimeouts"),
        _sign("TcpExt.TCPSynRetrans"),
        _sign("TcpExt.TCPRetransFail"),
    ),
    unseen="whether retransmitted segments were lost, and where",
    suspects=("Tcp.RetransSegs",),
)

_IP_OUT = tuple(
    Step(
        OUT,
        f"{what.lower()}_out",
        (
            _arrived(f"{mib}.OutRequests"),
            _lost(f"{mib}.OutDiscards", less=(*_BELOW, "nft.*.packets", f"{udp}.SndbufErrors")),
            _lost(f"{mib}.FragFails", within=f"{mib}.OutDiscards"),
            _lost(f"{mib}.OutNoRoutes"),
        ),
        optional=mib == "Ip6",
    )
    for mib, udp, what in (("Ip", "Udp", "IPv4"), ("Ip6", "Udp6", "IPv6"))
)

_QDISC = Step(
    OUT,
    "qdisc",
    (
        _passed("qdisc.*.packets", "packets that left the queueing discipline"),
        _lost("qdisc.*.drops", "packets dropped by the queueing discipline"),
        _level("qdisc.*.backlog_bytes", "bytes waiting in it now"),
    ),
)

_NIC_TX = Step(
    OUT,
    "nic_tx",
    (
        _passed("dev.*.tx_packets"),
        _lost("dev.*.tx_errs"),
        _lost("dev.*.tx_fifo", within="dev.*.tx_errs"),
        _lost("dev.*.tx_carrier", within="dev.*.tx_errs"),
        _lost("dev.*.tx_drop"),
    ),
)

STEPS = (
    _NIC_RX,
    _SOFTNET,
    _QDISC_INGRESS,
    _IPV4_IN,
    _IPV6_IN,
    _NETFILTER,
    _TCP_IN,
    _UDP_IN,
    _LISTENER,
    _TCP_BACKLOG,
    _TCP_QUEUE,
    _UDP_QUEUE,
    _OTHER_QUEUES,
    _READ,
    _WRITE,
    _TCP_OUT,
    *_IP_OUT,
    _QDISC,
    _NIC_TX,
)

# Tables whose packets a MIB counts; other MIBs count packets of all of them.
_TABLES = {
    "Tcp": ("tcp", "mptcp"),
    "TcpExt": ("tcp", "mptcp"),
    "Udp": ("udp",),
    "Udp6": ("udp",),
    "UdpLite": ("udplite",),
    "UdpLite6": ("udplite",),
}


def steps_of(tables: Collection[str]) -> Iterator[Step]:
    """Yield the stages of packets for sockets of these tables, by netid, without the counters of other tables."""
    for step in STEPS:
        items = tuple(item for item in step.items if _concerns(item.name, tables))
        if items:
            yield step._replace(items=items)


def _concerns(name: str, tables: Collection[str]) -> bool:
    prefix, _, rest = name.partition(".")
    if prefix == "sockets":
        table = rest.partition(".")[0]
        return table == "*" or table in tables
    # IP's own counters stand among those of TCP.
    if prefix not in _TABLES or rest.startswith("IP"):
        return True
    return any(table in tables for table in _TABLES[prefix])
