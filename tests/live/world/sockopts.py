"""What the owner of a socket is told of it, by getsockopt and ioctl; runs where the socket is held."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
from typing import Any

SO_PROTOCOL, SO_DOMAIN, SO_MARK, SO_MEMINFO, SO_COOKIE = 38, 39, 36, 55, 57
SIOCINQ, SIOCOUTQ = 0x541B, 0x5411
TCP_INFO_ROOM = 512

# struct tcp_info of this kernel in C, with the compiler's own alignment; bit fields last in their tuple.
_U8, _U16, _U32, _U64 = ctypes.c_uint8, ctypes.c_uint16, ctypes.c_uint32, ctypes.c_uint64
_TCP_INFO = (
    (_U8, "state ca_state retransmits probes backoff options snd_wscale:4 rcv_wscale:4"),
    (_U8, "delivery_rate_app_limited:1 fastopen_client_fail:2"),
    (_U32, "rto ato snd_mss rcv_mss unacked sacked lost retrans fackets last_data_sent last_ack_sent last_data_recv"),
    (_U32, "last_ack_recv pmtu rcv_ssthresh rtt rttvar snd_ssthresh snd_cwnd advmss reordering rcv_rtt rcv_space"),
    (_U32, "total_retrans"),
    (_U64, "pacing_rate max_pacing_rate bytes_acked bytes_received"),
    (_U32, "segs_out segs_in notsent_bytes min_rtt data_segs_in data_segs_out"),
    (_U64, "delivery_rate busy_time rwnd_limited sndbuf_limited"),
    (_U32, "delivered delivered_ce"),
    (_U64, "bytes_sent bytes_retrans"),
    (_U32, "dsack_dups reord_seen rcv_ooopack snd_wnd rcv_wnd rehash"),
    (_U16, "total_rto total_rto_recoveries"),
    (_U32, "total_rto_time received_ce delivered_e1_bytes delivered_e0_bytes delivered_ce_bytes"),
    (_U32, "received_e1_bytes received_e0_bytes received_ce_bytes"),
    (_U16, "accecn_fail_mode accecn_opt_seen")
    if int(os.uname().release.split(".")[0]) < 7
    else (_U32, "ecn_mode:2 accecn_opt_seen:2 accecn_fail_mode:4"),
)


def _members() -> list[tuple[Any, ...]]:
    members: list[tuple[Any, ...]] = []
    for kind, names in _TCP_INFO:
        for name in names.split():
            word, _, bits = name.partition(":")
            members.append((word, kind, int(bits)) if bits else (word, kind))
    return members


class TcpInfoStruct(ctypes.Structure):
    """``struct tcp_info`` as a C compiler lays it out."""

    _fields_ = _members()


def tcp_info(sock: socket.socket) -> dict[str, int]:
    """Return the members of TCP_INFO that this kernel's struct reaches."""
    data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_ROOM)
    info = TcpInfoStruct.from_buffer_copy(data.ljust(ctypes.sizeof(TcpInfoStruct), b"\0"))
    last = len(data) - 1
    return {
        name: getattr(info, name)
        for name, *_ in _members()
        if getattr(TcpInfoStruct, name).offset + (getattr(TcpInfoStruct, name).size & 0xFF) - 1 <= last
    }


def told(fd: int) -> dict[str, Any]:
    """Ask the kernel all that it tells of the socket at *fd*; what it does not know for its kind is not in the answer."""
    with socket.socket(fileno=os.dup(fd)) as sock:
        answers: dict[str, Any] = {"inode": os.fstat(fd).st_ino, "uid": os.fstat(fd).st_uid}
        for name, level, option, size in _OPTIONS:
            with contextlib.suppress(OSError):
                answers[name] = sock.getsockopt(level, option, size) if size else sock.getsockopt(level, option)
        for name, request in (("inq", SIOCINQ), ("outq", SIOCOUTQ)):
            with contextlib.suppress(OSError):  # EINVAL on a listener
                answers[name] = struct.unpack("=i", fcntl.ioctl(fd, request, bytes(4)))[0]
        with contextlib.suppress(OSError):
            answers["peer"] = sock.getpeername()
        answers["local"] = sock.getsockname()
        answers["cookie"] = int.from_bytes(answers["cookie"], "little")
        answers["meminfo"] = struct.unpack(f"={len(answers['meminfo']) // 4}I", answers["meminfo"])
        for name in ("device", "congestion"):
            if name in answers:
                answers[name] = answers[name].split(b"\0")[0].decode()
        if answers["protocol"] == socket.IPPROTO_TCP:
            answers["tcp_info"] = tcp_info(sock)
        return answers


_OPTIONS = (
    ("family", socket.SOL_SOCKET, SO_DOMAIN, 0),
    ("type", socket.SOL_SOCKET, socket.SO_TYPE, 0),
    ("protocol", socket.SOL_SOCKET, SO_PROTOCOL, 0),
    ("mark", socket.SOL_SOCKET, SO_MARK, 0),
    ("rcvbuf", socket.SOL_SOCKET, socket.SO_RCVBUF, 0),
    ("sndbuf", socket.SOL_SOCKET, socket.SO_SNDBUF, 0),
    ("listening", socket.SOL_SOCKET, socket.SO_ACCEPTCONN, 0),
    ("device", socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16),
    ("cookie", socket.SOL_SOCKET, SO_COOKIE, 8),
    ("meminfo", socket.SOL_SOCKET, SO_MEMINFO, 64),
    ("congestion", socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16),
    ("tos", socket.IPPROTO_IP, socket.IP_TOS, 0),
    ("tclass", socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0),
    ("v6only", socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0),
)


def told_all(fds: list[int]) -> dict[int, dict[str, Any]]:
    """Ask of many sockets."""
    return {fd: told(fd) for fd in fds}
