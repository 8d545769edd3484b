"""Netlink sockets with every attribute that netlink_diag sends."""

from __future__ import annotations

import contextlib
import os
import socket
import struct

import pytest

from sockdiag import plain
from sockdiag.kernel.netlink import NETLINK_PROTOCOLS
from sockdiag.model.query import SKMEM
from tests.kernels.guest.seen import row, same_as_ss

pytestmark = pytest.mark.usefixtures("own_netns")

SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NETLINK_LIST_MEMBERSHIPS = 270, 1, 9
# Options that netlink_diag tells as flags, with their numbers in setsockopt(2) and in NETLINK_DIAG_FLAGS.
FLAGS = {
    "PKTINFO": (3, 0x02),
    "BROADCAST_ERROR": (4, 0x04),
    "NO_ENOBUFS": (5, 0x08),
    "LISTEN_ALL_NSID": (8, 0x10),
    "CAP_ACK": (10, 0x20),
}


def test_flags() -> None:
    """Each option of a netlink socket that the kernel tells is the word that was set, and no other."""
    for word, (option, bit) in FLAGS.items():
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
            sock.bind((0, 0))
            sock.setsockopt(SOL_NETLINK, option, struct.pack("=i", 1))
            said = row("netlink", sock).netlink
            assert said is not None
            assert said.flags == bit, word
            assert plain(said)["flags"] == [word]


def test_groups() -> None:
    """The multicast groups of a netlink socket, beyond 32 too, are those of getsockopt(NETLINK_LIST_MEMBERSHIPS)."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        sock.bind((0, 0))
        for group in (1, 5, 33):
            sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, struct.pack("=I", group))
        words = struct.unpack("=2I", sock.getsockopt(SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, 8))
        told = [32 * word + bit + 1 for word, mask in enumerate(words) for bit in range(32) if mask >> bit & 1]
        said = row("netlink", sock).netlink
        assert said is not None
        assert said.memberships is not None
        assert list(said.memberships) == told == [1, 5, 33]


def test_protocols() -> None:
    """A netlink socket of each protocol that the kernel, with its modules, knows is listed by the protocol's word."""
    with contextlib.ExitStack() as kept:
        seen = {}
        for number in range(32):
            with contextlib.suppress(OSError):
                sock = kept.enter_context(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, number))
                sock.bind((0, 0))
                seen[number] = sock
        assert len(seen) > 8
        for number, sock in seen.items():
            said = row("netlink", sock, SKMEM)
            assert said.protocol == NETLINK_PROTOCOLS[number]
            assert (said.local.port, said.uid or os.getuid()) == (sock.getsockname()[0], os.getuid())
            assert said.skmem is not None
            assert said.skmem.rcvbuf == sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        for options in ("-f netlink -na", "-f netlink -naep", "-f netlink -naempO"):
            same_as_ss(*options.split())
