"""xdp_diag requests, answers, show bits and attribute numbers.

Source: include/uapi/linux/xdp_diag.h (5.1; stats 5.9). SHOW_… is a mask, the attributes are numbers.
"""

from __future__ import annotations

from struct import Struct

from sockdiag.kernel.byte_order import ORDER

# struct xdp_diag_req: family, protocol, pad, ino, show, cookie[2]
REQ = Struct(f"{ORDER}BBHIIII")
# struct xdp_diag_msg: family, type, pad, ino, cookie (64 bit)
MSG = Struct(f"{ORDER}BBxxIQ")
MSG_LEN = 16

SHOW_INFO = 0x01
SHOW_RING_CFG = 0x02
SHOW_UMEM = 0x04
SHOW_MEMINFO = 0x08
SHOW_STATS = 0x10

INFO = 1
UID = 2
RX_RING = 3
TX_RING = 4
UMEM = 5
UMEM_FILL_RING = 6
UMEM_COMPLETION_RING = 7
MEMINFO = 8
STATS = 9

INFO_STRUCT = Struct(f"{ORDER}II")  # ifindex, queue_id
RING_STRUCT = Struct(f"{ORDER}I")  # entries
UMEM_STRUCT = Struct(f"{ORDER}QIIIIIIII")  # size, id, num_pages, chunk_size, headroom, ifindex, queue_id, flags, refs
STATS_STRUCT = Struct(f"{ORDER}QQQQQQ")  # rx_dropped, rx_invalid, rx_full, fill_ring_empty, tx_invalid, tx_ring_empty
