"""packet_diag requests, answers, show bits and attribute numbers.

Source: include/uapi/linux/packet_diag.h. SHOW_… is a mask, the attributes are numbers.
"""

from __future__ import annotations

from struct import Struct

from sockdiag.kernel.byte_order import ORDER

# struct packet_diag_req: family, protocol, pad, ino, show, cookie[2]
REQ = Struct(f"{ORDER}BBHIIII")
# struct packet_diag_msg: family, type, num, ino, cookie (64 bit)
MSG = Struct(f"{ORDER}BBHIQ")
MSG_LEN = 16

SHOW_INFO = 0x01
SHOW_MCLIST = 0x02
SHOW_RING_CFG = 0x04
SHOW_FANOUT = 0x08
SHOW_MEMINFO = 0x10
SHOW_FILTER = 0x20

INFO = 0
MCLIST = 1
RX_RING = 2
TX_RING = 3
FANOUT = 4  # u32: id, type << 16
UID = 5  # u32
MEMINFO = 6
FILTER = 7  # struct sock_filter[], visible only with CAP_NET_ADMIN

INFO_STRUCT = Struct(f"{ORDER}IIIIII")  # index, version, reserve, copy_thresh, tstamp, flags
MCLIST_STRUCT = Struct(f"{ORDER}IIHH32s")  # index, count, type, alen, addr
RING_STRUCT = Struct(f"{ORDER}IIIIIII")  # block_size, block_nr, frame_size, frame_nr, retire_tmo, sizeof_priv, features
FILTER_STRUCT = Struct(f"{ORDER}HBBI")  # struct sock_filter: code, jt, jf, k

FLAG_RUNNING = 0x01
