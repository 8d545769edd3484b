"""Leave the network namespace, and set up devices, without other programs: ioctls and /proc/sys."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import stat
import struct
import tempfile
from pathlib import Path

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK = 0x8913, 0x8914, 0x8916, 0x891C
SIOCSIFMTU, SIOCGIFMTU = 0x8922, 0x8921
SIOCETHTOOL, ETHTOOL_STSO = 0x8946, 0x1F
IFF_UP = 1
TUNSETIFF = 0x400454CA
TUN_PATH, TUN_DEVICE = "/dev/net/tun", (10, 200)
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000


def unshare_network() -> None:
    """Move this process into a new network namespace (os.unshare() exists from Python 3.12 only)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, f"unshare(CLONE_NEWNET): {os.strerror(number)}")


def enter_network(path: str) -> None:
    """Move this process into the network namespace at *path* (os.setns() exists from Python 3.12 only)."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(fd, CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, f"setns({path}): {os.strerror(number)}")
    finally:
        os.close(fd)


def sysctl(name: str, value: object) -> None:
    """Write a sysctl of the current namespace, its name with slashes."""
    Path("/proc/sys", name).write_text(f"{value}\n")


def link_up(name: str) -> None:
    """Set a device up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh22x", name.encode(), 0)
        flags = struct.unpack_from("h", fcntl.ioctl(control, SIOCGIFFLAGS, request), 16)[0]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh22x", name.encode(), flags | IFF_UP))


def set_mtu(name: str, mtu: int) -> None:
    """Set a device's MTU, which every subscriber of RTNLGRP_LINK is told."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFMTU, struct.pack("16si20x", name.encode(), mtu))


def no_segmentation(name: str) -> None:
    """Let a device not cut up large TCP segments itself (ethtool -K NAME tso off): the stack hands it a burst of packets."""
    value = ctypes.create_string_buffer(struct.pack("=II", ETHTOOL_STSO, 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCETHTOOL, struct.pack("16sP16x", name.encode(), ctypes.addressof(value)))


def add_ipv4(name: str, address: str, mask: str) -> None:
    """Give a device its IPv4 address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for request, value in ((SIOCSIFADDR, address), (SIOCSIFNETMASK, mask)):
            sockaddr = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(value))
            fcntl.ioctl(control, request, struct.pack("16s24s", name.encode(), sockaddr))


def add_ipv6(name: str, address: str, prefix: int) -> None:
    """Give a device an IPv6 address (struct in6_ifreq)."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:
        request = struct.pack("=16sIi", socket.inet_pton(socket.AF_INET6, address), prefix, socket.if_nametoindex(name))
        fcntl.ioctl(control, SIOCSIFADDR, request)


def open_tun(name: str) -> int:
    """Create a tun device and return the descriptor at its far end, non-blocking."""
    fd = _open_clone_device()
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def _open_clone_device() -> int:
    flags = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(TUN_PATH, flags)
    except FileNotFoundError:  # a container with a minimal /dev
        with tempfile.TemporaryDirectory(prefix="sockdiag-world-") as folder:
            path = f"{folder}/tun"
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(*TUN_DEVICE))
            return os.open(path, flags)
