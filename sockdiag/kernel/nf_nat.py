"""Expressions of nf_tables that translate addresses, and those that select a port (``sockdiag.kernel.nfnetlink`` has the rest).

Source: include/uapi/linux/netfilter/nf_tables.h, nf_tables_compat.h, nf_nat.h, x_tables.h, xt_tcpudp.h. Numbers in attributes
are big-endian, structs of xtables in the machine's order.
"""

from __future__ import annotations

from struct import Struct

from sockdiag.kernel.byte_order import ORDER

META_DREG, META_KEY, META_L4PROTO = 1, 2, 16
PAYLOAD_DREG, PAYLOAD_BASE, PAYLOAD_OFFSET, PAYLOAD_LEN = 1, 2, 3, 4
NETWORK_HEADER, TRANSPORT_HEADER = 1, 2
# Where the IPv4 header has its protocol, and those of TCP, UDP and SCTP the destination port.
PROTOCOL_AT, DESTINATION_PORT_AT = 9, 2
CMP_SREG, CMP_OP, CMP_DATA = 1, 2, 3
CMP_EQ, CMP_LTE, CMP_GTE = 0, 3, 5
RANGE_SREG, RANGE_OP, RANGE_FROM, RANGE_TO = 1, 2, 3, 4
IMMEDIATE_DREG = 1
DATA_VALUE = 1
NAT_TYPE, NAT_ADDR_MIN, NAT_PROTO_MIN, NAT_DNAT = 1, 3, 5, 1
REDIR_PROTO_MIN = 1

# Extensions of iptables: a name and a struct, for matches and targets alike.
COMPAT_NAME, COMPAT_REV, COMPAT_INFO = 1, 2, 3
# Both struct xt_tcp and struct xt_udp begin with the ports: from, to; source first.
XT_PORTS = Struct(f"{ORDER}4H")
# struct nf_nat_range: flags, least and greatest address, least and greatest port (big-endian).
NAT_RANGE = Struct(f"{ORDER}I16s16s2s2s")
# struct nf_nat_ipv4_multi_range_compat of one range: its size, flags, addresses, ports.
NAT_MULTI_RANGE = Struct(f"{ORDER}II4s4s2s2s")
RANGE_MAP_IPS, RANGE_PROTO_SPECIFIED = 1, 2
