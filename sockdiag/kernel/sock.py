"""Limits of socket buffers that are compiled in. Source: include/net/sock.h, include/net/tcp.h."""

from __future__ import annotations

# TCP_SKB_MIN_TRUESIZE, 2048 + sizeof(struct sk_buff) rounded up to a cache line of 64 bytes, and twice that.
SOCK_MIN_RCVBUF = 2304
SOCK_MIN_SNDBUF = 4608

# SO_RCVBUF and SO_SNDBUF are doubled in an int.
LARGEST_SOCKBUF = 0x7FFFFFFF // 2

TCP_TIMEOUT_INIT_MS = 1000  # first retransmission timeout of SYN and SYN+ACK (3000 before 3.1)
TCP_RTO_MIN_MS = 200
TCP_RTO_MAX_MS = 120000
TCP_ORPHAN_RETRIES = 8  # what 0 stands for in tcp_orphan_retries

UINT_MAX = 0xFFFFFFFF
