"""unix_diag requests, answers, show bits and attribute numbers.

Source: include/uapi/linux/unix_diag.h. Requests (SHOW_…, a mask) and answers (attribute numbers) are
numbered apart; UNIX_DIAG_SHUTDOWN is sent without being asked for.
"""

from __future__ import annotations

from struct import Struct

from sockdiag.kernel.byte_order import ORDER

# struct unix_diag_req: family, protocol, pad, states, ino, show, cookie[2]
REQ = Struct(f"{ORDER}BBHIIIII")
# struct unix_diag_msg: family, type, state, pad, ino, cookie (64 bit, low word first)
MSG = Struct(f"{ORDER}BBBxIQ")
MSG_LEN = 16

SHOW_NAME = 0x01
SHOW_VFS = 0x02
SHOW_PEER = 0x04
SHOW_ICONS = 0x08
SHOW_RQLEN = 0x10
SHOW_MEMINFO = 0x20
SHOW_UID = 0x40  # 5.3

NAME = 0  # sun_path, with the terminating NUL of a path
VFS = 1
PEER = 2  # u32, inode
ICONS = 3  # u32 for each waiting connection: inode of its client
RQLEN = 4
MEMINFO = 5
SHUTDOWN = 6  # u8
UID = 7  # u32

VFS_STRUCT = Struct(f"{ORDER}II")  # udiag_vfs_ino, udiag_vfs_dev
RQLEN_STRUCT = Struct(f"{ORDER}II")  # udiag_rqueue, udiag_wqueue

# udiag_vfs_dev is the kernel's own dev_t (include/linux/kdev_t.h), not the one that stat(2) gives.
MINORBITS = 20
