"""Netfilter tables over nfnetlink.

Source: include/uapi/linux/netfilter/nfnetlink.h, nf_tables.h, nf_tables_compat.h. Numbers in attributes are big-endian.
"""

from __future__ import annotations

from struct import Struct

NFGENMSG = Struct(">BBH")  # nfgen_family, version, res_id

NFNL_SUBSYS_NFTABLES = 10
NFT_MSG_NEWCHAIN = NFNL_SUBSYS_NFTABLES << 8 | 3
NFT_MSG_GETCHAIN = NFNL_SUBSYS_NFTABLES << 8 | 4
NFT_MSG_NEWRULE = NFNL_SUBSYS_NFTABLES << 8 | 6
NFT_MSG_GETRULE = NFNL_SUBSYS_NFTABLES << 8 | 7

NFTA_RULE_TABLE = 1
NFTA_RULE_CHAIN = 2
NFTA_RULE_HANDLE = 3
NFTA_RULE_EXPRESSIONS = 4

NFTA_CHAIN_TABLE = 1
NFTA_CHAIN_NAME = 3
NFTA_CHAIN_POLICY = 5
NFTA_CHAIN_COUNTERS = 8

NFTA_EXPR_NAME = 1
NFTA_EXPR_DATA = 2

NFTA_COUNTER_PACKETS = 2

NFTA_IMMEDIATE_DATA = 2
NFTA_DATA_VERDICT = 2
NFTA_VERDICT_CODE = 1

NFTA_TARGET_NAME = 1

NF_DROP = 0

# nfgen_family
NF_FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
