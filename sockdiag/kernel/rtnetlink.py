"""Traffic control over rtnetlink.

Source: include/uapi/linux/rtnetlink.h, include/uapi/linux/gen_stats.h.
"""

from __future__ import annotations

from struct import Struct

from sockdiag.kernel.byte_order import ORDER

RTM_NEWQDISC = 36
RTM_GETQDISC = 38

TCMSG = Struct(f"{ORDER}BxxxiIII")  # tcm_family, tcm_ifindex, tcm_handle, tcm_parent, tcm_info

TCA_KIND = 1
TCA_STATS2 = 7
TCA_STATS_BASIC = 1
TCA_STATS_QUEUE = 3

GNET_STATS_BASIC = Struct(f"{ORDER}QI")  # bytes, packets
GNET_STATS_QUEUE = Struct(f"{ORDER}IIIII")  # qlen, backlog, drops, requeues, overlimits
