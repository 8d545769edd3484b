"""AF_XDP sockets, from xsk_diag."""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from sockdiag.model.query import SKMEM
from tests.kernels.guest.seen import need_diag, row, same_as_ss

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("own_netns")

AF_XDP, SOL_XDP = 44, 283
XDP_MMAP_OFFSETS, XDP_RX_RING, XDP_TX_RING, XDP_UMEM_REG, XDP_FILL, XDP_COMPLETION, XDP_STATISTICS = range(1, 8)
TX_RING_AT = 0x80000000
PAGES, PAGE = 64, 4096


class Xsk:
    """A socket on the loopback device with its memory and four rings, that was told to send from outside its memory."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, PAGES * PAGE)
        self.sock = socket.socket(AF_XDP, socket.SOCK_RAW, 0)
        area = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self.sock.setsockopt(SOL_XDP, XDP_UMEM_REG, struct.pack("=QQIIII", area, PAGES * PAGE, PAGE, 256, 0, 0))
        for option, entries in ((XDP_FILL, 32), (XDP_COMPLETION, 64), (XDP_RX_RING, 128), (XDP_TX_RING, 256)):
            self.sock.setsockopt(SOL_XDP, option, struct.pack("=I", entries))
        address = struct.pack("=HHIII", AF_XDP, 0, socket.if_nametoindex("lo"), 0, 0)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.bind(self.sock.fileno(), address, len(address)):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        # Of each of the four rings: where its producer, consumer, descriptors and flags are.
        offsets = struct.unpack("=16Q", self.sock.getsockopt(SOL_XDP, XDP_MMAP_OFFSETS, 128))
        producer, _consumer, descriptors, _flags = offsets[4:8]
        ring = mmap.mmap(self.sock.fileno(), descriptors + 256 * 16, offset=TX_RING_AT)
        struct.pack_into("=QII", ring, descriptors, PAGES * PAGE, 100, 0)
        struct.pack_into("=I", ring, producer, 1)
        libc.sendto(self.sock.fileno(), None, 0, socket.MSG_DONTWAIT, None, 0)


@pytest.fixture(scope="module")
def xsk() -> Iterator[Xsk]:
    need_diag("xdp", "xsk_diag")
    made = Xsk()
    yield made
    made.sock.close()


def test_attributes(xsk: Xsk) -> None:
    """An AF_XDP socket has its device, queue, rings, memory area, and the counters that getsockopt(XDP_STATISTICS) gives."""
    said = row("xdp", xsk.sock, SKMEM)
    assert (said.state, said.type, said.local.interface, said.uid) == ("CLOSE", "SOCK_RAW", "lo", 0)
    details = said.xdp
    assert details is not None
    assert (details.ifindex, details.queue_id) == (socket.if_nametoindex("lo"), 0)
    rings = (details.fill_entries, details.completion_entries, details.rx_entries, details.tx_entries)
    assert rings == (32, 64, 128, 256)
    umem = details.umem
    assert umem is not None
    assert (umem.size, umem.num_pages, umem.chunk_size, umem.headroom) == (PAGES * PAGE, PAGES, PAGE, 256)
    told = struct.unpack("=6Q", xsk.sock.getsockopt(SOL_XDP, XDP_STATISTICS, 48))
    rx_dropped, rx_invalid, tx_invalid, rx_full, fill_empty, tx_empty = told
    assert details.stats == (rx_dropped, rx_invalid, rx_full, fill_empty, tx_invalid, tx_empty)
    assert tx_invalid == 1


@pytest.mark.parametrize("options", ["--xdp -na", "--xdp -naepm", "--xdp -naepmO"])
def test_ss(xsk: Xsk, options: str) -> None:
    """`sockdiag ss --xdp` prints the bytes of ss for AF_XDP sockets."""
    assert xsk
    same_as_ss(*options.split())
