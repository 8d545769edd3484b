"""The way to a peer: a route with its metrics, the neighbour it leads to, and the local address it starts from."""

from __future__ import annotations

from sockdiag.kernel.rtnetlink import ADDRESS_FLAGS, METRIC_NAMES, NEIGHBOUR_STATES, ROUTE_TYPES
from sockdiag.model.link import Link
from sockdiag.model.record import BYTES, COUNT, COUNTER, FLAGS, HOST, ID, LABEL, MS, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _metric(help: str, name: str, unit: str = "") -> Any:
    return field(help, default=None, unit=unit, kernel=f"RTAX_{name}", sources=(f"RTA_METRICS: RTAX_{name}",))


class RouteMetrics(Record):
    """What a route sets for the connections over it; null where it leaves the choice to the kernel."""

    mtu: int | None = _metric(
        "Largest packet: as set, or as path MTU discovery found it for this peer (expires_ms).", "MTU", BYTES
    )
    advmss: int | None = _metric("MSS that TCP advertises to the peer.", "ADVMSS", BYTES)
    window: int | None = _metric("Largest receive window that TCP advertises.", "WINDOW", BYTES)
    initcwnd: int | None = _metric("Initial congestion window.", "INITCWND", COUNT)
    initrwnd: int | None = _metric("Initial receive window, in segments.", "INITRWND", COUNT)
    rto_min_ms: int | None = _metric("Least retransmission timeout of TCP.", "RTO_MIN", MS)
    hoplimit: int | None = _metric("TTL or hop limit of its packets.", "HOPLIMIT", COUNT)
    quickack: int | None = _metric("Whether TCP acknowledges at once.", "QUICKACK")
    congctl: str | None = field(
        "Congestion control of its connections.",
        default=None,
        kind=LABEL,
        kernel="RTAX_CC_ALGO",
        sources=("RTA_METRICS: RTAX_CC_ALGO",),
    )
    locked: int | None = field(
        "Metrics that nothing may override; mtu: no path MTU discovery.",
        default=None,
        kind=FLAGS,
        words=METRIC_NAMES,
        kernel="RTAX_LOCK",
        sources=("RTA_METRICS: RTAX_LOCK",),
    )


class Route(Record):
    """The route that packets to a peer take. Source: ``inet_rtm_getroute()``, ``inet6_rtm_getroute()``."""

    type: int = field("Type.", kind=ID, words=ROUTE_TYPES, kernel="rt->rt_type", sources=("rtm_type",))
    prefix: str | None = field(
        "Destination of the table's entry that matches; unknown before 4.13.",
        default=None,
        kind=ID,
        sources=("RTA_DST, rtm_dst_len: RTM_F_FIB_MATCH",),
    )
    gateway: str | None = field(
        "Router that packets are handed to; null: the peer is on the link.",
        default=None,
        kind=ID,
        kernel="rt->rt_gw4, rt->rt6i_gateway",
        sources=("RTA_GATEWAY", "RTA_VIA"),
    )
    device: str | None = field(
        "Device that they leave by.", default=None, kind=LABEL, kernel="rt->dst.dev", sources=("RTA_OIF",)
    )
    ifindex: int | None = field("Index of that device.", default=None, kind=ID, sources=("RTA_OIF",))
    source: str | None = field(
        "Local address of the packets.", default=None, kind=ID, sources=("RTA_SRC", "RTA_PREFSRC")
    )
    table: int | None = field(
        "Routing table; 254 is main, 255 local.", default=None, kind=ID, sources=("RTA_TABLE", "rtm_table")
    )
    protocol: str | None = field(
        "Who made the entry: kernel, static, dhcp, ra, bird, …; a number where it has no name.",
        default=None,
        kind=LABEL,
        kernel="fi->fib_protocol, rt->fib6_protocol",
        sources=("rtm_protocol: RTM_F_FIB_MATCH",),
    )
    priority: int | None = field(
        "Metric by which the entry was preferred, lowest first.",
        default=None,
        kind=ID,
        kernel="fi->fib_priority, rt->fib6_metric",
        sources=("RTA_PRIORITY: RTM_F_FIB_MATCH",),
    )
    metrics: RouteMetrics = field("What it sets for connections.", of=RouteMetrics, default=RouteMetrics())
    expires_ms: int | None = field(
        "Time until what was learned of this peer (path MTU, redirect) is forgotten.",
        default=None,
        unit=MS,
        kernel="rt->dst.expires",
        sources=("RTA_CACHEINFO.rta_expires",),
    )


class Neighbour(Record):
    """An entry of the neighbour table. Source: ``neigh_fill_info()``, net/core/neighbour.c."""

    address: str = field("Its address.", kind=ID, kernel="neigh->primary_key", sources=("NDA_DST",))
    state: int = field(
        "State; FAILED: it does not answer, and packets to it are dropped.",
        kind=FLAGS,
        words=NEIGHBOUR_STATES,
        kernel="neigh->nud_state",
        sources=("ndm_state",),
    )
    lladdr: str | None = field(
        "Its link-layer address; null while it is not resolved.",
        default=None,
        kind=ID,
        kernel="neigh->ha",
        sources=("NDA_LLADDR",),
    )
    probes: int | None = field(
        "Requests without an answer so far.",
        default=None,
        unit=COUNT,
        kernel="atomic_read(&neigh->probes)",
        sources=("NDA_PROBES",),
    )
    device: str | None = field(
        "Device that it is behind.", default=None, kind=LABEL, kernel="neigh->dev", sources=("ndm_ifindex",)
    )
    used_ms: int | None = field(
        "Time since a packet was last sent to it.",
        default=None,
        unit=MS,
        kernel="jiffies - neigh->used",
        sources=("NDA_CACHEINFO.ndm_used",),
    )


class NeighbourTable(Record):
    """A table of neighbours, which all network namespaces share. Source: ``neightbl_fill_info()``, net/core/neighbour.c."""

    name: str = field("arp_cache or ndisc_cache.", kind=LABEL, kernel="tbl->id", sources=("NDTA_NAME",))
    entries: int = field(
        "Entries of all network namespaces.", unit=COUNT, scope=HOST, sources=("NDTA_CONFIG.ndtc_entries",)
    )
    limit: int = field(
        "Maximum of entries.", unit=COUNT, scope=HOST, kernel="tbl->gc_thresh3", sources=("NDTA_THRESH3",)
    )
    table_fulls: int = field(
        "Entries that could not be created because the table was full.",
        unit=COUNT,
        kind=COUNTER,
        scope=HOST,
        sources=("NDTA_STATS.ndts_table_fulls",),
    )


class LinkState(Record):
    """Whether a device can carry packets. Source: ``rtnl_fill_ifinfo()``, net/core/rtnetlink.c."""

    name: str = field("Name of the device.", kind=LABEL, kernel="dev->name", sources=("IFLA_IFNAME",))
    up: bool = field("It is administratively up.", kind=LABEL, kernel="dev->flags & IFF_UP", sources=("ifi_flags",))
    carrier: bool = field(
        "It has a carrier.",
        kind=LABEL,
        kernel="netif_carrier_ok(dev)",
        sources=("ifi_flags: IFF_LOWER_UP",),
    )


class LinkLayer(Record):
    """The layer below IP in a network namespace: its devices, and the neighbours that do not answer."""

    netns: str | None = field("Network namespace.", default=None, kind=LABEL)
    links: tuple[Link, ...] | None = field("Devices.", default=None, of=Link)
    unanswering: tuple[Neighbour, ...] | None = field(
        "Neighbours being resolved (INCOMPLETE) or not found (FAILED): packets to them wait or are dropped.",
        default=None,
        of=Neighbour,
    )


class LinkTrouble(Record):
    """Devices that carry nothing, and neighbours that do not answer, in a network namespace."""

    netns: str | None = field("Network namespace.", default=None, kind=LABEL)
    down: tuple[str, ...] = field("Devices that are administratively down.", default=(), kind=LABEL)
    without_carrier: tuple[str, ...] = field("Devices that are up but have no carrier.", default=(), kind=LABEL)
    unanswering: tuple[Neighbour, ...] = field("Neighbours being resolved or not found.", default=(), of=Neighbour)


class LocalAddress(Record):
    """An address of a network device. Source: ``inet_fill_ifaddr()``, ``inet6_fill_ifaddr()``."""

    address: str = field("Address.", kind=ID, kernel="ifa->ifa_local, ifa->addr", sources=("IFA_LOCAL", "IFA_ADDRESS"))
    prefixlen: int = field("Bits of its prefix.", kind=ID, kernel="ifa->ifa_prefixlen", sources=("ifa_prefixlen",))
    device: str | None = field("Device.", default=None, kind=LABEL, kernel="ifa->ifa_dev->dev", sources=("ifa_index",))
    flags: int = field(
        "Flags; deprecated: not for new connections, dadfailed: another host has it.",
        default=0,
        kind=FLAGS,
        words=ADDRESS_FLAGS,
        kernel="ifa->ifa_flags",
        sources=("IFA_FLAGS", "ifa_flags"),
    )
