"""Netlink message framing.

Source: include/uapi/linux/netlink.h.
"""

from __future__ import annotations

from struct import Struct

from sockdiag.kernel.byte_order import ORDER

NETLINK_ROUTE = 0
NETLINK_SOCK_DIAG = 4
NETLINK_NETFILTER = 12

NLMSG_NOOP = 1
NLMSG_ERROR = 2
NLMSG_DONE = 3

NLM_F_REQUEST = 0x001
NLM_F_MULTI = 0x002
NLM_F_ACK = 0x004
NLM_F_DUMP_INTR = 0x010
NLM_F_DUMP = 0x300  # NLM_F_ROOT | NLM_F_MATCH

NLA_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER

NLMSGHDR = Struct(f"{ORDER}IHHII")  # nlmsg_len, nlmsg_type, nlmsg_flags, nlmsg_seq, nlmsg_pid
NLMSG_HDRLEN = 16
NLATTR = Struct(f"{ORDER}HH")  # nla_len, nla_type
NLA_HDRLEN = 4

# Netlink protocol numbers (the third argument of socket(2)) and their names in the header.
NETLINK_PROTOCOLS = {
    0: "ROUTE",
    1: "UNUSED",
    2: "USERSOCK",
    3: "FIREWALL",
    4: "SOCK_DIAG",
    5: "NFLOG",
    6: "XFRM",
    7: "SELINUX",
    8: "ISCSI",
    9: "AUDIT",
    10: "FIB_LOOKUP",
    11: "CONNECTOR",
    12: "NETFILTER",
    13: "IP6_FW",
    14: "DNRTMSG",
    15: "KOBJECT_UEVENT",
    16: "GENERIC",
    18: "SCSITRANSPORT",
    19: "ECRYPTFS",
    20: "RDMA",
    21: "CRYPTO",
    22: "SMC",
}


def align4(length: int) -> int:
    """Round up to NLMSG_ALIGNTO and NLA_ALIGNTO, which are both 4."""
    return (length + 3) & ~3
