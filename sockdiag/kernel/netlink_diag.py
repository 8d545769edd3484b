"""netlink_diag requests, answers, show bits and attribute numbers.

Source: include/uapi/linux/netlink_diag.h. SHOW_… is a mask, the attributes are numbers.
"""

from __future__ import annotations

from struct import Struct

from sockdiag.kernel.byte_order import ORDER

# struct netlink_diag_req: family, protocol, pad, ino, show, cookie[2]
REQ = Struct(f"{ORDER}BBHIIII")
# struct netlink_diag_msg: family, type, protocol, state, portid, dst_portid, dst_group, ino, cookie (64 bit)
MSG = Struct(f"{ORDER}BBBBIIIIQ")
MSG_LEN = 28

PROTO_ALL = 255  # sdiag_protocol of a dump of all protocols

SHOW_MEMINFO = 0x1
SHOW_GROUPS = 0x2
SHOW_RING_CFG = 0x4  # ignored since 4.6
SHOW_FLAGS = 0x8  # 4.18

MEMINFO = 0
GROUPS = 1  # mask of joined groups in unsigned longs, group 1 is bit 0; absent where none was ever joined
RX_RING = 2  # up to 4.5
TX_RING = 3  # up to 4.5
FLAGS = 4  # u32

FLAG_CB_RUNNING = 0x01

# ndiag_state: sk_state is TCP_CLOSE until the first connect(2), which sets it to one of these.
NETLINK_UNCONNECTED = 0
NETLINK_CONNECTED = 1
