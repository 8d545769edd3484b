"""The stages that a packet passes, and the counters of each: the one declaration that ``path`` evaluates.

A name with ``*`` stands for one counter per row: a device, a CPU, a queueing discipline. The kernel counts many losses more
than once; two declarations prevent them from being added up twice:

* ``within`` names a counter of the same stage that counts the same losses. The loss is the value of that counter, or the
  sum of all counters within it, if that is more.
* ``less`` names counters of other stages whose events this counter echoes. They are subtracted, which leaves too little if
  not all of them are echoed: a loss is never shown twice.

The meaning of a counter of loss is in ``losses.py``, or here if it matters only on the path.
"""

from __future__ import annotations

from sockdiag.model.record import LABEL, Record, field

# The role of a counter in its stage.
ARRIVED, PASSED, LOSS, SIGN, LEVEL, LIMIT = "arrived", "passed", "loss", "sign", "level", "limit"
# Directions.
IN, OUT = "in", "out"

# MIBs that a kernel may lack, in which case nothing can be lost there.
OPTIONAL = frozenset(("Ip6", "Udp6", "UdpLite", "UdpLite6", "nf_conntrack", "sockets", "qdisc", "qdisc_ingress", "net"))


class Item(Record):
    """A counter or level of a stage."""

    name: str = field("Name; * is any row.", kind=LABEL)
    role: str = field("Its role.", kind=LABEL)
    within: str = field("Counter of the stage that counts the same losses and others.", default="", kind=LABEL)
    less: tuple[str, ...] = field("Counters of other stages whose events it echoes.", default=(), kind=LABEL)
    meaning: str = field("Its meaning, if it is not among the losses.", default="", kind=LABEL)


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


def _arrived(name: str, meaning: str) -> Item:
    return Item(name, ARRIVED, meaning=meaning)


def _passed(name: str, meaning: str) -> Item:
    return Item(name, PASSED, meaning=meaning)


def _lost(name: str, meaning: str = "", *, within: str = "", less: tuple[str, ...] = ()) -> Item:
    return Item(name, LOSS, within, less, meaning)


def _sign(name: str, meaning: str) -> Item:
    return Item(name, SIGN, meaning=meaning)


def _level(name: str, meaning: str) -> Item:
    return Item(name, LEVEL, meaning=meaning)


def _limit(name: str, meaning: str) -> Item:
    return Item(name, LIMIT, meaning=meaning)


def _udp(mib: str, what: str) -> tuple[Item, ...]:
    # A bad checksum is a loss of the stage before. Drops by socket filters and, on 6.18, by memory limits are in no part
    # of InErrors, or not in InErrors at all.
    table = "sockets.udplite.drops" if "Lite" in mib else "sockets.udp.drops"
    whole = f"{mib}.InErrors"
    return (
        _lost(whole, f"{what} refused at a socket, for any reason", within=table, less=(f"{mib}.InCsumErrors",)),
        _lost(f"{mib}.RcvbufErrors", within=whole),
        _lost(f"{mib}.MemErrors", f"{what} refused: udp_mem was used up" if "Lite" in mib else "", within=whole),
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
        _arrived("dev.*.rx_packets", "packets that the device received"),
        _lost("dev.*.rx_errs", "packets that arrived damaged, or for which the device had no room"),
        _lost("dev.*.rx_fifo", within="dev.*.rx_errs"),
        _lost("dev.*.rx_frame", "packets of a wrong length, framing or checksum", within="dev.*.rx_errs"),
        _lost(
            "dev.*.rx_drop",
            "packets missed by the device, dropped by its driver, of a protocol without a handler, or "
            "among those that softnet dropped",
        ),
    ),
)

_SOFTNET = Step(
    IN,
    "softnet",
    (
        _arrived("softnet_stat.*.processed", "packets that this CPU processed"),
        _lost("softnet_stat.*.dropped"),
        _lost(
            "softnet_stat.*.flow_limit",
            "packets of a large flow dropped while the queue was more than half full",
            within="softnet_stat.*.dropped",
        ),
        _sign(
            "softnet_stat.*.time_squeeze", "times that work was deferred: netdev_budget was used up; nothing is lost"
        ),
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
        _arrived("Ip.InReceives", "IPv4 packets and fragments"),
        _lost("Ip.InHdrErrors", "IPv4 packets with a bad header, checksum, or used-up TTL"),
        _lost("IpExt.InCsumErrors", "IPv4 packets with a bad header checksum", within="Ip.InHdrErrors"),
        _lost("IpExt.InTruncatedPkts", "IPv4 packets shorter than their header states"),
        _lost("Ip.InAddrErrors", "IPv4 packets for an address that is not this host's and not routed by it"),
        _lost("IpExt.InNoRoutes", "IPv4 packets without a route to their destination"),
        _lost("Ip.InUnknownProtos", "IPv4 packets of a protocol without a handler", less=_RAW),
        _lost("Ip.InDiscards"),
        _lost(
            "TcpExt.IPReversePathFilter",
            "IPv4 packets whose sender is not reached by the device they came from (rp_filter)",
        ),
        _lost("Ip.ReasmFails"),
        _lost("Ip.ReasmTimeout", "incomplete IPv4 datagrams given up after ipfrag_time", within="Ip.ReasmFails"),
        _passed("Ip.InDelivers", "IPv4 packets delivered to a protocol"),
    ),
)

_IPV6_IN = Step(
    IN,
    "ipv6_in",
    (
        _arrived("Ip6.InReceives", "IPv6 packets and fragments"),
        _lost("Ip6.InHdrErrors", "IPv6 packets with a bad header or used-up hop limit"),
        _lost("Ip6.InTruncatedPkts", "IPv6 packets shorter than their header states"),
        _lost("Ip6.InAddrErrors", "IPv6 packets with an address that is not valid there"),
        _lost("Ip6.InNoRoutes", "IPv6 packets without a route to their destination"),
        _lost("Ip6.InUnknownProtos", "IPv6 packets of a protocol without a handler", less=_RAW),
        _lost("Ip6.InDiscards"),
        _lost("Ip6.ReasmFails"),
        _lost("Ip6.ReasmTimeout", "incomplete IPv6 datagrams given up after ip6frag_time", within="Ip6.ReasmFails"),
        _sign("Ip6.InTooBigErrors", "forwarded IPv6 packets larger than the next link takes; counted in Ip6.FragFails"),
        _passed("Ip6.InDelivers", "IPv6 packets delivered to a protocol"),
    ),
    optional=True,
)

_NETFILTER = Step(
    IN,
    "netfilter",
    (
        _lost("nf_conntrack.*.drop"),
        _lost(
            "nf_conntrack.*.insert_failed",
            "packets dropped: their connection could not be entered",
            within="nf_conntrack.*.drop",
        ),
        _lost(
            "nf_conntrack.*.chainlength",
            "packets dropped: a chain of the conntrack table was too long",
            within="nf_conntrack.*.insert_failed",
        ),
        _sign("nf_conntrack.*.early_drop", "entries removed to make room for new ones"),
        _sign("nf_conntrack.*.invalid", "packets that cannot be tracked; rules often drop them"),
        _level("nf_conntrack.count", "entries in the conntrack table"),
        _limit("nf_conntrack.max", "maximum of entries in it"),
    ),
    unseen=(
        "packets that rules drop, in and out: see the counters in 'nft list ruleset' or 'iptables -nvL', or the tracepoint "
        "skb:kfree_skb, reason NETFILTER_DROP"
    ),
)

_TCP_IN = Step(
    IN,
    "tcp_in",
    (
        _arrived("Tcp.InSegs", "TCP segments"),
        _lost("Tcp.InErrs", "TCP segments with a bad checksum or header, or a SYN inside a connection"),
        _lost("Tcp.InCsumErrors", "TCP segments with a bad checksum", within="Tcp.InErrs"),
        _lost("TcpExt.TCPMinTTLDrop"),
        _lost("TcpExt.PFMemallocDrop", "segments dropped: emergency memory is reserved for swapping"),
        _lost("TcpExt.TCPMD5NotFound", "segments dropped: a required MD5 signature is missing"),
        _lost("TcpExt.TCPMD5Unexpected", "segments dropped: an unexpected MD5 signature"),
        _lost("TcpExt.TCPMD5Failure", "segments dropped: wrong MD5 signature"),
        _lost("TcpExt.TCPAORequired", "segments dropped: a required authentication option is missing"),
        _lost("TcpExt.TCPAOBad", "segments dropped: wrong authentication option"),
        _lost("TcpExt.TCPAOKeyNotFound", "segments dropped: authentication option with an unknown key"),
    ),
)

_UDP_IN = Step(
    IN,
    "udp_in",
    tuple(
        item
        for mib, what in (
            ("Udp", "IPv4 datagrams"),
            ("Udp6", "IPv6 datagrams"),
            ("UdpLite", "UDP-Lite datagrams"),
            ("UdpLite6", "UDP-Lite datagrams over IPv6"),
        )
        for item in (
            _lost(f"{mib}.NoPorts", f"{what} to a port without a socket"),
            _lost(f"{mib}.InCsumErrors", f"{what} with a bad checksum"),
        )
    ),
)

_LISTENER = Step(
    IN,
    "listener",
    (
        _passed("Tcp.PassiveOpens", "incoming connections"),
        _lost("TcpExt.ListenDrops"),
        _lost("TcpExt.ListenOverflows", within="TcpExt.ListenDrops"),
        _lost("TcpExt.TCPReqQFullDrop", within="TcpExt.ListenDrops"),
        _sign("TcpExt.TCPReqQFullDoCookies", "SYNs answered with a cookie: a SYN queue was full; nothing is lost"),
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
        _lost("TcpExt.TCPZeroWindowDrop", "segments with data that arrived while the receive window was closed"),
        _lost("TcpExt.BeyondWindow", "segments that extend beyond the receive window"),
        _sign("TcpExt.PruneCalled", "times that receive queues were pruned to save memory"),
        _sign(
            "TcpExt.TCPToZeroWindowAdv", "times that a receive window was closed: the reader is slow; nothing is lost"
        ),
        _sign("TcpExt.TCPAbortOnMemory", ""),
    ),
)

_UDP_QUEUE = Step(
    IN,
    "udp_receive_queue",
    (
        _drops("udp", "datagrams", "Udp", "Udp6"),
        *_udp("Udp", "IPv4 datagrams"),
        *_udp("Udp6", "IPv6 datagrams"),
        _drops("udplite", "UDP-Lite datagrams", "UdpLite", "UdpLite6"),
        *_udp("UdpLite", "UDP-Lite datagrams"),
        *_udp("UdpLite6", "UDP-Lite datagrams over IPv6"),
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
        _passed("Udp.InDatagrams", "IPv4 datagrams that were read"),
        _passed("Udp6.InDatagrams", "IPv6 datagrams that were read"),
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
        for mib, what in (("Udp", "IPv4 datagrams"), ("Udp6", "IPv6 datagrams"))
        for item in (
            _passed(f"{mib}.OutDatagrams", f"{what} sent"),
            _lost(f"{mib}.SndbufErrors", less=_BELOW),
        )
    ),
)

_TCP_OUT = Step(
    OUT,
    "tcp_out",
    (
        _passed("Tcp.OutSegs", "TCP segments sent for the first time"),
        _sign("Tcp.RetransSegs", "segments retransmitted: lost on the way, or presumed lost"),
        _sign("TcpExt.TCPTimeouts", "retransmission timers that expired"),
        _sign("TcpExt.TCPSynRetrans", "SYNs and SYN-ACKs retransmitted"),
        _sign("TcpExt.TCPRetransFail", "retransmissions that could not be sent"),
    ),
    unseen="whether retransmitted segments were lost, and where",
    suspects=("Tcp.RetransSegs",),
)

_IP_OUT = tuple(
    Step(
        OUT,
        f"{what.lower()}_out",
        (
            _arrived(f"{mib}.OutRequests", f"{what} packets of this host's sockets"),
            _lost(f"{mib}.OutDiscards", less=(*_BELOW, f"{udp}.SndbufErrors")),
            _lost(
                f"{mib}.FragFails",
                f"{what} packets too large for the link that must not be fragmented",
                within=f"{mib}.OutDiscards",
            ),
            _lost(f"{mib}.OutNoRoutes", f"{what} packets not sent: no route"),
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
        _passed("dev.*.tx_packets", "packets that the device sent"),
        _lost("dev.*.tx_errs", "packets that the device could not send"),
        _lost("dev.*.tx_fifo", "packets that the device could not send: its FIFO ran empty", within="dev.*.tx_errs"),
        _lost("dev.*.tx_carrier", "packets that the device could not send: no carrier", within="dev.*.tx_errs"),
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
