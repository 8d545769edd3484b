"""inet_diag requests, answers and attribute numbers.

Source: include/uapi/linux/inet_diag.h.
"""

from __future__ import annotations

from struct import Struct

from sockdiag.kernel.byte_order import ORDER
from sockdiag.kernel.netlink import NLMSG_HDRLEN

# struct inet_diag_req_v2: family, protocol, ext, pad, states, then struct inet_diag_sockid (48 bytes)
REQ_V2 = Struct(f"{ORDER}BBBBI48s")
# struct inet_diag_req (TCPDIAG_GETSOCK): family, src_len, dst_len, ext, sockid, states, dbs
REQ_COMPAT = Struct(f"{ORDER}BBBB48sII")
# struct inet_diag_sockid: sport, dport (big endian), src[4], dst[4], if, cookie[2]
SOCKID = Struct(f"{ORDER}2s2s16s16sI8s")
# struct inet_diag_msg: family, state, timer, retrans, sport, dport (bytes, big endian), src, dst, if,
# cookie (64 bit, low word first), expires (ms), rqueue, wqueue, uid, inode
MSG = Struct(f"{ORDER}BBBB2s2s16s16sIQIIIII")
MSG_LEN = 72

# A message of an answer is struct nlmsghdr, struct inet_diag_msg, attributes. Where the members begin in it:
(
    MSG_FAMILY,
    MSG_STATE,
    MSG_TIMER,
    MSG_RETRANS,
    MSG_SPORT,
    MSG_DPORT,
    MSG_SRC,
    MSG_DST,
    MSG_IF,
    MSG_COOKIE,
    MSG_EXPIRES,
    MSG_RQUEUE,
    MSG_WQUEUE,
    MSG_UID,
    MSG_INODE,
    MSG_ATTRIBUTES,
) = (NLMSG_HDRLEN + at for at in (0, 1, 2, 3, 4, 6, 8, 24, 40, 44, 52, 56, 60, 64, 68, MSG_LEN))
# struct inet_diag_sockid in it
MSG_SOCKID = slice(MSG_SPORT, MSG_SPORT + SOCKID.size)

REQ_BYTECODE = 1
REQ_SK_BPF_STORAGES = 2
REQ_PROTOCOL = 3  # u32, for protocols above 255 (MPTCP)

# Attributes of an answer. Those up to 8 are requested by bit (number - 1) of idiag_ext; the kernel sends SHUTDOWN,
# MARK (to CAP_NET_ADMIN), CGROUP_ID, SOCKOPT, SKV6ONLY and PROTOCOL by itself, CLASS_ID with TCLASS, DCTCPINFO and
# BBRINFO with VEGASINFO, ULP_INFO and (to CAP_NET_ADMIN) MD5SIG with INFO.
MEMINFO = 1
INFO = 2
VEGASINFO = 3
CONG = 4
TOS = 5
TCLASS = 6
SKMEMINFO = 7
SHUTDOWN = 8
DCTCPINFO = 9
PROTOCOL = 10
SKV6ONLY = 11
LOCALS = 12
PEERS = 13
PAD = 14
MARK = 15
BBRINFO = 16
CLASS_ID = 17
MD5SIG = 18
ULP_INFO = 19
SK_BPF_STORAGES = 20
CGROUP_ID = 21
SOCKOPT = 22

# idiag_ext bits
EXT_MEMINFO = 1 << (MEMINFO - 1)
EXT_INFO = 1 << (INFO - 1)
EXT_VEGASINFO = 1 << (VEGASINFO - 1)
EXT_CONG = 1 << (CONG - 1)
EXT_TOS = 1 << (TOS - 1)
EXT_TCLASS = 1 << (TCLASS - 1)
EXT_SKMEMINFO = 1 << (SKMEMINFO - 1)
EXT_SHUTDOWN = 1 << (SHUTDOWN - 1)

# idiag_timer
TIMER_NAMES = ("none", "retransmit", "keepalive", "timewait", "persist", "delack")

# INET_DIAG_SOCKOPT, two bytes of bit fields (struct inet_diag_sockopt), first bit first
SOCKOPT_NAMES = (
    "recverr",
    "is_icsk",
    "freebind",
    "hdrincl",
    "mc_loop",
    "transparent",
    "mc_all",
    "nodefrag",
    "bind_address_no_port",
    "recverr_rfc4884",
    "defer_connect",
)

# Filters: struct inet_diag_bc_op (code, offset of the next where it holds, offset where not), then its operand.
BC_OP = Struct(f"{ORDER}BBH")
BC_NOP, BC_JMP, BC_S_GE, BC_S_LE, BC_D_GE, BC_D_LE, BC_AUTO, BC_S_COND, BC_D_COND, BC_DEV_COND, BC_MARK_COND = range(11)
BC_S_EQ, BC_D_EQ, BC_CGROUP_COND = 11, 12, 13
# struct inet_diag_hostcond: family, prefix_len, port (-1: any), then 0, 4 or 16 bytes of address
BC_HOSTCOND = Struct(f"{ORDER}BBxxi")

# struct tcp_diag_md5sig, a payload of MD5SIG has several: family, prefixlen, keylen, addr, key
MD5SIG_STRUCT = Struct(f"{ORDER}BBH16s80s")
MD5SIG_KEY = 20  # offset of the key

# INET_ULP_INFO_*
ULP_NAME = 1
ULP_TLS = 2
ULP_MPTCP = 3
