"""Traffic control, routes, links, addresses and neighbours over rtnetlink.

Source: include/uapi/linux/rtnetlink.h, gen_stats.h, if.h, if_addr.h, neighbour.h.
"""

from __future__ import annotations

from struct import Struct

from sockdiag.kernel.byte_order import ORDER

RTM_NEWLINK = 16
RTM_GETLINK = 18
RTM_GETROUTE = 26
RTM_NEWNEIGH = 28
RTM_GETNEIGH = 30
RTM_NEWNEIGHTBL = 64
RTM_GETNEIGHTBL = 66
RTM_NEWQDISC = 36
RTM_GETQDISC = 38

TCMSG = Struct(f"{ORDER}BxxxiIII")  # tcm_family, tcm_ifindex, tcm_handle, tcm_parent, tcm_info

NDMSG = Struct(f"{ORDER}BxxxiHBB")  # ndm_family, ndm_ifindex, ndm_state, ndm_flags, ndm_type
NDA_DST = 1
NDA_CACHEINFO = 3
NDA_PROBES = 4
NDA_CACHEINFO_LAYOUT = Struct(f"{ORDER}IIII")  # ndm_confirmed, ndm_used, ndm_updated, ndm_refcnt; in USER_HZ
USER_HZ = 100

NDTMSG = Struct(f"{ORDER}Bxxx")  # ndtm_family
NDTA_NAME = 1
NDTA_THRESH3 = 4
NDTA_CONFIG = 5
NDTA_STATS = 7
NDT_CONFIG = Struct(f"{ORDER}HHI")  # ndtc_key_len, ndtc_entry_size, ndtc_entries
# Eleven counters since 4.19, the last of which is ndts_table_fulls.
NDT_STATS = Struct(f"{ORDER}11Q")

IFINFOMSG = Struct(f"{ORDER}BxHiII")  # ifi_family, ifi_type, ifi_index, ifi_flags, ifi_change
IFLA_IFNAME = 3
IFLA_MTU = 4
IFLA_TXQLEN = 13
IFLA_OPERSTATE = 16
IFLA_LINKINFO = 18
IFLA_STATS64 = 23
IFLA_CARRIER_CHANGES = 35
IFLA_ALT_IFNAME = 53
IFLA_INFO_KIND = 1
# Values of IFLA_OPERSTATE. Source: enum of IF_OPER_…, include/uapi/linux/if.h.
OPERSTATES = ("UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP")
# struct rtnl_link_stats64, as far as every kernel has it.
LINK_STATS64 = (
    "rx_packets",
    "tx_packets",
    "rx_bytes",
    "tx_bytes",
    "rx_errors",
    "tx_errors",
    "rx_dropped",
    "tx_dropped",
    "multicast",
    "collisions",
    "rx_length_errors",
    "rx_over_errors",
    "rx_crc_errors",
    "rx_frame_errors",
    "rx_fifo_errors",
    "rx_missed_errors",
    "tx_aborted_errors",
    "tx_carrier_errors",
    "tx_fifo_errors",
    "tx_heartbeat_errors",
    "tx_window_errors",
)

TCA_KIND = 1
TCA_STATS2 = 7
TCA_STATS_BASIC = 1
TCA_STATS_QUEUE = 3

GNET_STATS_BASIC = Struct(f"{ORDER}QI")  # bytes, packets
GNET_STATS_QUEUE = Struct(f"{ORDER}IIIII")  # qlen, backlog, drops, requeues, overlimits

# rtm_type
ROUTE_TYPES = (
    "unspec",
    "unicast",
    "local",
    "broadcast",
    "anycast",
    "multicast",
    "blackhole",
    "unreachable",
    "prohibit",
    "throw",
    "nat",
    "xresolve",
)

# rtm_flags of a request
RTM_F_LOOKUP_TABLE = 0x1000  # name the table that the route is in
RTM_F_FIB_MATCH = 0x2000  # answer with the entry of the table (4.13)

# rtm_protocol: who made the route
ROUTE_PROTOCOLS = {
    0: "unspec",
    1: "redirect",
    2: "kernel",
    3: "boot",
    4: "static",
    8: "gated",
    9: "ra",
    10: "mrt",
    11: "zebra",
    12: "bird",
    13: "dnrouted",
    14: "xorp",
    15: "ntk",
    16: "dhcp",
    17: "mrouted",
    18: "keepalived",
    42: "babel",
    84: "ovn",
    99: "openr",
    186: "bgp",
    187: "isis",
    188: "ospf",
    189: "rip",
    192: "eigrp",
}

# RTAX_LOCK is a mask of 1 << RTAX_…
METRIC_NAMES = (
    "unspec",
    "lock",
    "mtu",
    "window",
    "rtt",
    "rttvar",
    "ssthresh",
    "cwnd",
    "advmss",
    "reordering",
    "hoplimit",
    "initcwnd",
    "features",
    "rto_min",
    "initrwnd",
    "quickack",
    "congctl",
)

# ndm_state, by bit; 0 is NONE
NUD_INCOMPLETE = 0x01
NUD_FAILED = 0x20
NEIGHBOUR_STATES = ("INCOMPLETE", "REACHABLE", "STALE", "DELAY", "PROBE", "FAILED", "NOARP", "PERMANENT")

# ifi_flags
IFF_UP = 0x1
IFF_LOWER_UP = 0x10000
# The same, by bit
LINK_FLAGS = (
    "UP",
    "BROADCAST",
    "DEBUG",
    "LOOPBACK",
    "POINTOPOINT",
    "NOTRAILERS",
    "RUNNING",
    "NOARP",
    "PROMISC",
    "ALLMULTI",
    "MASTER",
    "SLAVE",
    "MULTICAST",
    "PORTSEL",
    "AUTOMEDIA",
    "DYNAMIC",
    "LOWER_UP",
    "DORMANT",
    "ECHO",
)

# ifa_flags, by bit; the first is TEMPORARY of an IPv6 address and SECONDARY of an IPv4 one.
ADDRESS_FLAGS = (
    "temporary",
    "nodad",
    "optimistic",
    "dadfailed",
    "homeaddress",
    "deprecated",
    "tentative",
    "permanent",
    "mngtmpaddr",
    "noprefixroute",
    "autojoin",
    "stable-privacy",
)
