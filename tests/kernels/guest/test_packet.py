"""Packet sockets with every attribute that af_packet_diag sends."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct

import pytest

from sockdiag import plain
from sockdiag.model.query import SKMEM
from tests.kernels.guest.seen import row, same_as_ss

pytestmark = pytest.mark.usefixtures("own_netns")

SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP, PACKET_RX_RING, PACKET_AUXDATA, PACKET_ORIGDEV, PACKET_VERSION = 1, 5, 8, 9, 10
PACKET_RESERVE, PACKET_TX_RING, PACKET_LOSS, PACKET_VNET_HDR, PACKET_FANOUT = 12, 13, 14, 15, 18
SO_ATTACH_FILTER = 26
FANOUT_FLAG_DEFRAG = 0x8000


def test_every_attribute() -> None:
    """A packet socket's flags, rings, fanout, groups and filter are those that its owner set, and ss prints the same."""
    with contextlib.ExitStack() as kept:

        def tap(protocol: int, device: str = "lo") -> socket.socket:
            sock = kept.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
            sock.bind((device, protocol))
            return sock

        words = tap(0x88CC)
        for option in (PACKET_VNET_HDR, PACKET_AUXDATA, PACKET_ORIGDEV):
            words.setsockopt(SOL_PACKET, option, struct.pack("=i", 1))
        words.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, struct.pack("=iHH8s", 1, 1, 0, bytes(8)))
        receiving = tap(0x88CC)
        receiving.setsockopt(SOL_PACKET, PACKET_VERSION, struct.pack("=i", 2))
        receiving.setsockopt(SOL_PACKET, PACKET_RESERVE, struct.pack("=I", 64))
        request = struct.pack("=7I", 1 << 16, 4, 2048, 128, 60, 0, 1)
        receiving.setsockopt(SOL_PACKET, PACKET_RX_RING, request)
        sending = tap(0x88CC)
        sending.setsockopt(SOL_PACKET, PACKET_LOSS, struct.pack("=i", 1))
        sending.setsockopt(SOL_PACKET, PACKET_TX_RING, struct.pack("=4I", 4096, 4, 2048, 8))
        fan = tap(0x88CC)
        fan.setsockopt(SOL_PACKET, PACKET_FANOUT, struct.pack("=I", 42 | (1 | FANOUT_FLAG_DEFRAG) << 16))
        filtered = tap(0x88CC)
        program = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0), 8)
        filtered.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("=HxxxxxxQ", 1, ctypes.addressof(program)))

        said = row("packet", words, SKMEM).packet
        assert said is not None
        told = plain(said)
        assert {"RUNNING", "AUXDATA", "ORIGDEV", "VNETHDR"} <= set(told["flags"])
        assert len(told["memberships"]) == 1
        said = row("packet", receiving, SKMEM).packet
        assert said is not None
        assert (said.version, said.reserve) == (2, 64)
        assert said.rx_ring is not None
        ring = said.rx_ring
        assert (ring.block_size, ring.block_nr, ring.frame_size, ring.frame_nr) == (1 << 16, 4, 2048, 128)
        said = row("packet", sending, SKMEM).packet
        assert said is not None
        assert said.tx_ring is not None
        assert (said.tx_ring.block_size, said.tx_ring.frame_nr) == (4096, 8)
        assert "LOSS" in plain(said)["flags"]
        said = row("packet", fan, SKMEM).packet
        assert said is not None
        assert said.fanout is not None
        assert (said.fanout.id, said.fanout.type) == (42, 1)
        said = row("packet", filtered, SKMEM).packet
        assert said is not None
        assert said.filter is not None
        assert [tuple(one) for one in said.filter] == [(6, 0, 0, 0)]
        for options in ("-0na", "-0naebm", "-0naebmO", "-f link -nap"):
            same_as_ss(*options.split())
