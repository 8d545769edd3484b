"""Unix, netlink and packet sockets with every detail that their diag families tell; runs where they are held."""

from __future__ import annotations

import atexit
import ctypes
import os
import socket
import struct
from typing import Any

from sockdiag.kernel.tcp_states import ALL_STATES
from sockdiag.model.query import DETAILS, SKMEM, Query
from sockdiag.sources.netlink import netlink_diag, packet_diag, unix_diag
from sockdiag.sources.system.machine import this_system
from tests.live.world import netdev

SOL_NETLINK, SOL_PACKET, SO_ATTACH_FILTER = 270, 263, 26
NETLINK_ADD_MEMBERSHIP, NETLINK_PKTINFO, NETLINK_BROADCAST_ERROR, NETLINK_NO_ENOBUFS = 1, 3, 4, 5
NETLINK_LISTEN_ALL_NSID, NETLINK_LIST_MEMBERSHIPS, NETLINK_CAP_ACK = 8, 9, 10
PACKET_ADD_MEMBERSHIP, PACKET_RX_RING, PACKET_COPY_THRESH, PACKET_AUXDATA, PACKET_ORIGDEV = 1, 5, 7, 8, 9
PACKET_VERSION, PACKET_RESERVE, PACKET_TX_RING, PACKET_LOSS, PACKET_VNET_HDR = 10, 12, 13, 14, 15
PACKET_TIMESTAMP, PACKET_FANOUT = 17, 18
PACKET_MR_MULTICAST, PACKET_MR_PROMISC, PACKET_MR_ALLMULTI = 0, 1, 2

_held: list[socket.socket] = []


@atexit.register
def _close() -> None:
    for sock in _held:
        sock.close()


def inode(sock: socket.socket) -> int:
    """Return the sockfs inode."""
    return os.fstat(sock.fileno()).st_ino


def hold(family: int, kind: int, protocol: int = 0) -> socket.socket:
    """Create a socket and keep it."""
    sock = socket.socket(family, kind, protocol)
    _held.append(sock)
    return sock


def read(module: str, *needs: str, states: int = ALL_STATES) -> Any:
    """Read a table of this process's namespace: its sockets by inode, and the errors."""
    source = {"unix": unix_diag, "netlink": netlink_diag, "packet": packet_diag}[module]
    reading = source.read(this_system(), Query(states=states, needs=frozenset(needs)))
    return {sock.inode: sock for sock in reading.sockets if sock.inode}, reading.errors


def unix_listener(folder: str) -> tuple[dict[int, Any], int, list[int], tuple[int, int, int]]:
    """Have two clients wait for a listener by path: the table, the listener, the clients, and stat(2) of the path."""
    listener = hold(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(folder + "/listener")
    listener.listen(5)
    clients = [hold(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(2)]
    for client in clients:
        client.connect(folder + "/listener")
    status = os.stat(folder + "/listener")
    found, _errors = read("unix", DETAILS, SKMEM)
    where = (status.st_ino, os.major(status.st_dev), os.minor(status.st_dev))
    return found, inode(listener), [inode(client) for client in clients], where


def unix_as_other_user(uid: int) -> tuple[int | None, int]:
    """Create a socket as another user; return what the table says of its owner, and its inode."""
    os.seteuid(uid)
    try:
        sock = hold(socket.AF_UNIX, socket.SOCK_DGRAM)
    finally:
        os.seteuid(0)
    found, _errors = read("unix")
    return found[inode(sock)].uid, inode(sock)


def netlink_options() -> tuple[Any, list[int]]:
    """Set every option that has a flag, join groups near and far; return the row and NETLINK_LIST_MEMBERSHIPS."""
    sock = hold(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    sock.bind((0, 0))
    for option in (
        NETLINK_PKTINFO,
        NETLINK_BROADCAST_ERROR,
        NETLINK_NO_ENOBUFS,
        NETLINK_LISTEN_ALL_NSID,
        NETLINK_CAP_ACK,
    ):
        sock.setsockopt(SOL_NETLINK, option, 1)
    for group in (1, 5, 32, 33, 35):
        sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
    words = struct.unpack("=2I", sock.getsockopt(SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, 8))
    listed = [word * 32 + bit + 1 for word in range(2) for bit in range(32) if words[word] >> bit & 1]
    return read("netlink")[0][inode(sock)], listed


def netlink_connected(group: int) -> tuple[Any, Any, Any, int]:
    """Connect to another socket; return the rows before, while and after, and the other's port id."""
    other = hold(socket.AF_NETLINK, socket.SOCK_RAW, 2)
    other.bind((0, 0))
    sock = hold(socket.AF_NETLINK, socket.SOCK_RAW, 2)
    sock.bind((0, 0))
    fresh = read("netlink")[0][inode(sock)]
    sock.connect((other.getsockname()[0], group))
    connected = read("netlink")[0][inode(sock)]
    # sockaddr with sa_family AF_UNSPEC, which Python's connect() cannot express
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.connect(sock.fileno(), struct.pack("=H10x", 0), 12) == 0
    return fresh, connected, read("netlink")[0][inode(sock)], other.getsockname()[0]


def netlink_dump_running() -> tuple[bool, bool]:
    """Ask for a dump that does not fit the buffer and read nothing; return cb_running then, and at the end."""
    sock = hold(socket.AF_NETLINK, socket.SOCK_RAW, 4)
    sock.bind((0, 0))
    for _ in range(2000):
        hold(socket.AF_UNIX, socket.SOCK_DGRAM)
    request = struct.pack("=BBHIIIII", 1, 0, 0, 0xFFFFFFFF, 0, 0x7F, 0, 0)
    sock.send(struct.pack("=IHHII", 16 + len(request), 20, 0x301, 1, 0) + request)
    running = read("netlink")[0][inode(sock)].netlink.cb_running
    while struct.unpack_from("=H", sock.recv(65536), 4)[0] != 3:
        pass
    return running, read("netlink")[0][inode(sock)].netlink.cb_running


def netlink_own_row() -> int:
    """Return how many rows have this process's reading socket, which joined no group, and one that joined some."""
    sock = hold(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    sock.bind((0, 1))
    reading = netlink_diag.read(this_system(), Query())
    return [row.inode for row in reading.sockets].count(inode(sock))


def packet_tap(kind: int = socket.SOCK_RAW, protocol: int = 0) -> socket.socket:
    """Create a packet socket that hears nothing."""
    return hold(socket.AF_PACKET, kind, protocol)


def packet_options() -> Any:
    """Set every option that packet_diag tells; return the row."""
    sock = packet_tap()
    for option, value in (
        (PACKET_VERSION, 1),
        (PACKET_RESERVE, 48),
        (PACKET_COPY_THRESH, 99),
        (PACKET_AUXDATA, 1),
        (PACKET_ORIGDEV, 1),
        (PACKET_LOSS, 1),
        (PACKET_VNET_HDR, 1),
        (PACKET_TIMESTAMP, 0x40),
    ):
        sock.setsockopt(SOL_PACKET, option, value)
    lo = socket.if_nametoindex("lo")
    sock.setsockopt(
        SOL_PACKET, PACKET_ADD_MEMBERSHIP, struct.pack("=iHH8s", lo, PACKET_MR_MULTICAST, 6, b"\1\0\x5e\0\0\7")
    )
    sock.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, struct.pack("=iHH8s", lo, PACKET_MR_PROMISC, 0, b""))
    sock.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, struct.pack("=iHH8s", lo, PACKET_MR_PROMISC, 0, b""))
    sock.bind(("lo", 0x88B5))
    return read("packet")[0][inode(sock)]


def packet_rings(version: int) -> Any:
    """Share a receive and a send ring with the kernel; return the row."""
    sock = packet_tap()
    sock.setsockopt(SOL_PACKET, PACKET_VERSION, version)
    extra = struct.pack("=3I", 60, 16, 1) if version == 2 else b""
    sock.setsockopt(SOL_PACKET, PACKET_RX_RING, struct.pack("=4I", 16384, 4, 2048, 32) + extra)
    if version != 2:  # a TPACKET_V3 send ring takes no timeout
        sock.setsockopt(SOL_PACKET, PACKET_TX_RING, struct.pack("=4I", 4096, 2, 1024, 8))
    sock.bind(("lo", 0x88B5))
    return read("packet")[0][inode(sock)]


def packet_fanout(group: int, mode: int) -> Any:
    """Join a fanout group; return the row."""
    sock = packet_tap()
    sock.bind(("lo", 0x88B5))
    sock.setsockopt(SOL_PACKET, PACKET_FANOUT, struct.pack("=I", group | mode << 16))
    return read("packet")[0][inode(sock)]


def packet_filter(program: list[tuple[int, int, int, int]]) -> Any:
    """Attach a filter; return the row."""
    sock = packet_tap()
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code)
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(program), ctypes.addressof(buffer)))
    return read("packet")[0][inode(sock)]


def packet_as_user(uid: int) -> int:
    """Read the table without CAP_NET_ADMIN; return 0, or what went wrong."""
    child = os.fork()
    if child == 0:
        os.setgid(uid)
        os.setuid(uid)
        rows, errors = read("packet")
        os._exit(1 if errors or not rows else 2 if any(row.packet.filter for row in rows.values()) else 0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def packet_deleted_device() -> Any:
    """Bind to a device and delete it; return the row."""
    device = netdev.open_tun("gone0")
    netdev.link_up("gone0")
    sock = packet_tap()
    sock.bind(("gone0", 0x88B5))
    before = read("packet")[0][inode(sock)]
    os.close(device)
    return before, read("packet")[0][inode(sock)]
