"""Traffic control over rtnetlink.

Source: include/uapi/linux/rtnetlink.h, include/uapi/linux/gen_stats.h.
"""

from __future__ import annotations

from struct import Struct

RTM_NEWQDISC = 36
RTM_GETQDISC = 38

TCMSG = Struct("=BxxxiIII")  # tcm_family, tcm_ifindex, tcm_handle, tcm_parent, tcm_info

TCA_KIND = 1
TCA_STATS2 = 7
TCA_STATS_BASIC = 1
TCA_STATS_QUEUE = 3

GNET_STATS_BASIC = Struct("=QI")  # bytes, packets
GNET_STATS_QUEUE = Struct("=IIIII")  # qlen, backlog, drops, requeues, overlimits
