"""What the kernel says, read independently of sockdiag: the oracle for the world itself.

Deliberately simple readers of /proc/net for this kernel only: no tolerance, no other versions.
"""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from typing import Any, NamedTuple

SO_MEMINFO = 55
TCP_STATES = (
    "",
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
)
TIMERS = ("none", "retransmit", "keepalive", "timewait", "persist")


class InetRow(NamedTuple):
    """A line of /proc/net/{tcp,udp,udplite,raw,icmp}{,6}."""

    netid: str
    family: str
    state: str
    local: tuple[str, int]
    peer: tuple[str, int]
    send_q: int
    recv_q: int
    timer: str
    uid: int
    inode: int
    drops: int | None


class UnixRow(NamedTuple):
    """A line of /proc/net/unix; ``state`` is that of struct socket."""

    type: int
    state: int
    listening: bool
    inode: int
    name: bytes


def _address(text: str) -> tuple[str, int]:
    words, port = text.split(":")
    raw = b"".join(struct.pack("=I", int(words[at : at + 8], 16)) for at in range(0, len(words), 8))
    return socket.inet_ntop(socket.AF_INET6 if len(raw) == 16 else socket.AF_INET, raw), int(port, 16)


def inet_rows(netid: str, pid: int | str = "self") -> list[InetRow]:
    """Read an inet table of /proc, IPv4 then IPv6."""
    rows = []
    for suffix, family in (("", "AF_INET"), ("6", "AF_INET6")):
        for line in Path(f"/proc/{pid}/net/{netid}{suffix}").read_text().splitlines()[1:]:
            token = line.split()
            send_q, recv_q = token[4].split(":")
            rows.append(
                InetRow(
                    netid,
                    family,
                    TCP_STATES[int(token[3], 16)],
                    _address(token[1]),
                    _address(token[2]),
                    int(send_q, 16),
                    int(recv_q, 16),
                    TIMERS[int(token[5][:2], 16)],
                    int(token[7]),
                    int(token[9]),
                    None if netid == "tcp" else int(token[12]),
                )
            )
    return rows


def tcp_row(family: int, local: tuple[str, int], peer: tuple[str, int], state: str) -> Any:
    """Find a connection of this namespace; None if it is not in that state (or not there)."""
    word = "AF_INET6" if family == socket.AF_INET6 else "AF_INET"
    for row in inet_rows("tcp"):
        if (row.family, row.local, row.peer, row.state) == (word, local, peer, state):
            return row
    return None


def unix_rows(pid: int | str = "self") -> list[UnixRow]:
    """Read /proc/net/unix; a name with a newline in it is not told apart from two lines, so split by the known layout."""
    body = Path(f"/proc/{pid}/net/unix").read_bytes()
    rows: list[UnixRow] = []
    for line in body.split(b"\n")[1:-1]:
        token = line.split(b" ", 6)
        if len(token) == 7 and len(token[0]) == 17 and token[0].endswith(b":") and token[1].isalnum():
            inode, _, name = token[6].lstrip().partition(b" ")
            rows.append(
                UnixRow(int(token[4], 16), int(token[5], 16), bool(int(token[3], 16) & 0x10000), int(inode), name)
            )
        else:
            rows[-1] = rows[-1]._replace(name=rows[-1].name + b"\n" + line)
    return rows


def table(name: str, pid: int | str = "self") -> list[dict[str, str]]:
    """Read a /proc/net table whose heading names its columns, as netlink and packet."""
    heading, *lines = Path(f"/proc/{pid}/net/{name}").read_text().splitlines()
    return [dict(zip(heading.split(), line.split(), strict=True)) for line in lines]


def tcp_dump(states: int) -> list[tuple[str, tuple[str, int]]]:
    """Ask sock_diag of this process's namespace for TCP sockets by state mask; return their families and local ends."""
    found = []
    families: tuple[tuple[int, str, int], ...] = ((socket.AF_INET, "AF_INET", 4), (socket.AF_INET6, "AF_INET6", 16))
    for family, word, length in families:
        request = struct.pack("=BBBxI48x", family, socket.IPPROTO_TCP, 0, states)
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as channel:
            channel.send(struct.pack("=IHHII", 16 + len(request), 20, 0x301, 1, 0) + request)
            kind = 0
            while kind != 3:  # NLMSG_DONE
                data = channel.recv(65536)
                while data and kind != 3:
                    size, kind = struct.unpack_from("=IH", data)
                    if kind == 20:
                        port = struct.unpack_from("!H", data, 20)[0]
                        found.append((word, (socket.inet_ntop(family, data[24 : 24 + length]), port)))
                    data = data[(size + 3) & ~3 :]
    return found


def v6only(fds: list[int]) -> dict[int, int]:
    """Return IPV6_V6ONLY of the sockets at *fds*; runs where they are held."""
    found = {}
    for fd in fds:
        if fd >= 0:
            with socket.socket(fileno=os.dup(fd)) as sock:
                found[fd] = sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    return found


def meminfo(fd: int) -> tuple[int, ...]:
    """Return SO_MEMINFO of the socket at *fd*; runs where it is held."""
    with socket.socket(fileno=os.dup(fd)) as sock:
        data = sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 64)
    return struct.unpack(f"={len(data) // 4}I", data)
