"""vsock_diag requests and answers. Source: include/uapi/linux/vm_sockets_diag.h (4.15)."""

from __future__ import annotations

from struct import Struct

from sockdiag.kernel.byte_order import ORDER

# struct vsock_diag_req: family, protocol, pad, states, ino, show, cookie[2]; all but family and states must be 0
REQ = Struct(f"{ORDER}BBHIIIII")
# struct vsock_diag_msg: family, type, state, shutdown, src_cid, src_port, dst_cid, dst_port, ino, cookie (64 bit)
MSG = Struct(f"{ORDER}BBBBIIIIIQ")
MSG_LEN = 32

# VMADDR_CID_ANY and VMADDR_PORT_ANY, include/uapi/linux/vm_sockets.h
ANY = 0xFFFFFFFF
