"""Every attribute of unix, netlink and packet sockets is what their makers set, and what ss says."""

from __future__ import annotations

import os
import re
import socket
from typing import TYPE_CHECKING

import pytest

from sockdiag.model.address import Endpoint
from sockdiag.model.link_attrs import BpfInstruction, PacketFanout, PacketMembership, PacketRing
from tests.live.world import details

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.world.namespace import Namespace

NOBODY = 65534


def test_unix_listener_by_path(empty_netns: Namespace, tmp_path: Path) -> None:
    """VFS is the file's inode and device; ICONS are the clients that wait."""
    rows, listener, clients, where = empty_netns.call(details.unix_listener, str(tmp_path))
    row = rows[listener]
    assert (row.state, row.recv_q, row.send_q, row.recv_q_unit) == ("LISTEN", 2, 5, "connections")
    assert (row.unix.vfs_ino, *row.unix.vfs_dev) == where
    assert sorted(row.unix.icons) == sorted(clients)
    assert row.local.address == os.fsencode(tmp_path) + b"/listener"
    (line,) = empty_netns.ss("-Hxle")
    ss = re.search(r"ino:(\d+) dev:(\d+)/(\d+) peers:([ \d]+)", line)
    assert ss is not None
    # ss takes the kernel's dev_t, whose minor has 20 bits, for that of stat(2).
    kernel = row.unix.vfs_dev[0] << 20 | row.unix.vfs_dev[1]
    assert (row.unix.vfs_ino, os.major(kernel), os.minor(kernel)) == (int(ss[1]), int(ss[2]), int(ss[3]))
    assert set(map(int, ss[4].split())) == set(clients)
    for client in clients:
        # the other end has no file yet
        assert (rows[client].state, rows[client].unix.peer_inode) == ("ESTABLISHED", 0)
        assert (rows[client].unix.vfs_ino, rows[client].unix.icons) == (None, None)


def test_unix_details_are_asked_for_only_where_needed(empty_netns: Namespace, tmp_path: Path) -> None:
    _rows, listener, _clients, _where = empty_netns.call(details.unix_listener, str(tmp_path))
    row = empty_netns.call(details.read, "unix")[0][listener]
    assert (row.unix.vfs_ino, row.unix.vfs_dev, row.unix.icons, row.skmem) == (None, None, None, None)


def test_unix_states_are_asked_for(empty_netns: Namespace, tmp_path: Path) -> None:
    _rows, listener, clients, _where = empty_netns.call(details.unix_listener, str(tmp_path))
    assert set(empty_netns.call(details.read, "unix", states=1 << 10)[0]) == {listener}
    assert set(empty_netns.call(details.read, "unix", states=1 << 1)[0]) == set(clients)


def test_unix_owner(empty_netns: Namespace) -> None:
    uid, _inode = empty_netns.call(details.unix_as_other_user, NOBODY)
    assert uid == NOBODY


def test_netlink_groups_and_flags(empty_netns: Namespace) -> None:
    row, listed = empty_netns.call(details.netlink_options)
    assert listed == [1, 5, 32, 33, 35]
    assert row.netlink.memberships == tuple(listed)
    assert row.netlink.groups == 1 | 1 << 4 | 1 << 31
    # PKTINFO, BROADCAST_ERROR, NO_ENOBUFS, LISTEN_ALL_NSID, CAP_ACK
    assert row.netlink.flags == 0x2 | 0x4 | 0x8 | 0x10 | 0x20
    assert row.netlink.cb_running is False
    # ss has these only with -p, and cuts groups to 32 bits
    lines = [line for line in empty_netns.ss("-Hna", "-f", "netlink", "-e", "-p") if "groups=0x80000011" in line]
    assert len(lines) == 2  # the kernel sends it twice, and ss prints both
    assert all(f":{row.local.port}" in line for line in lines)


def test_netlink_connection(empty_netns: Namespace) -> None:
    fresh, connected, again, port = empty_netns.call(details.netlink_connected, 3)
    assert (fresh.state, fresh.peer) == ("CLOSE", Endpoint())
    assert (connected.state, connected.peer) == ("ESTABLISHED", Endpoint("USERSOCK", port))
    # nl_groups is a mask: 3 is groups 1 and 2, of which the first is kept
    assert (connected.netlink.dst_portid, connected.netlink.dst_group) == (port, 1)
    assert (again.state, again.peer) == ("CLOSE", Endpoint())


def test_netlink_dump_that_is_not_read(empty_netns: Namespace) -> None:
    assert empty_netns.call(details.netlink_dump_running) == (True, False)


def test_netlink_socket_with_groups_is_read_once(empty_netns: Namespace) -> None:
    assert empty_netns.call(details.netlink_own_row) == 1


def test_packet_options(empty_netns: Namespace) -> None:
    row = empty_netns.call(details.packet_options)
    lo = empty_netns.call(socket.if_nametoindex, "lo")
    assert (row.type, row.protocol, row.state, row.local) == ("SOCK_RAW", "0x88b5", "CLOSE", Endpoint(interface="lo"))
    packet = row.packet
    assert (packet.ifindex, packet.running, packet.version) == (lo, True, 1)
    assert (packet.reserve, packet.copy_thresh, packet.timestamp) == (48, 99, 0x40)
    assert packet.flags == 0x1F
    assert set(packet.memberships) == {
        PacketMembership(lo, 1, details.PACKET_MR_MULTICAST, "01:00:5e:00:00:07"),
        PacketMembership(lo, 2, details.PACKET_MR_PROMISC, ""),
    }
    (line,) = empty_netns.ss("-Hna0eO")
    assert "ver:1 cpy_thresh:99 flags( running auxdata origdev vnethdr loss )" in line


@pytest.mark.parametrize("version", [0, 1, 2])
def test_packet_rings(empty_netns: Namespace, version: int) -> None:
    row = empty_netns.call(details.packet_rings, version)
    extra = (60, 16, 1) if version == 2 else (0, 0, 0)
    assert row.packet.rx_ring == PacketRing(16384, 4, 2048, 32, *extra)
    assert row.packet.tx_ring == (PacketRing(4096, 2, 1024, 8, 0, 0, 0) if version != 2 else None)
    (line,) = empty_netns.ss("-Hna0eO")
    tmo, _private, features = extra
    assert (
        f"ring_rx(blk_size:16384,blk_nr:4,frm_size:2048,frm_nr:32,tmo:{tmo},features_0x{features:x})"
        in line.replace("features:", "features_")
    )


@pytest.mark.parametrize(("mode", "word"), [(0, "hash"), (2, "cpu"), (7, "0x7"), (0x8001, "lb"), (0x1000, "hash")])
def test_packet_fanout(empty_netns: Namespace, mode: int, word: str) -> None:
    """The flags of the group, the upper byte of the mode, are not told."""
    row = empty_netns.call(details.packet_fanout, 9, mode)
    assert row.packet.fanout == PacketFanout(id=9, type=mode & 0xFF)
    (line,) = empty_netns.ss("-Hna0eO")
    assert f"fanout(id:9,type:{word})" in line


PROGRAM = [(0x28, 0, 0, 12), (0x15, 0, 1, 0x800), (0x06, 0, 0, 0xFFFF), (0x06, 0, 0, 0)]


def test_packet_filter(empty_netns: Namespace) -> None:
    row = empty_netns.call(details.packet_filter, PROGRAM)
    assert row.packet.filter == tuple(BpfInstruction(*instruction) for instruction in PROGRAM)
    (line,) = empty_netns.ss("-Hna0bO")
    assert "bpf filter (4):  " + " ".join(f"0x{code:02x} {jt} {jf} {k}," for code, jt, jf, k in PROGRAM) in line


def test_packet_filter_is_told_to_the_administrator_only(empty_netns: Namespace) -> None:
    empty_netns.call(details.packet_filter, PROGRAM)
    assert empty_netns.call(details.packet_as_user, NOBODY) == 0


def test_packet_socket_of_a_deleted_device(empty_netns: Namespace) -> None:
    before, after = empty_netns.call(details.packet_deleted_device)
    assert (before.local.interface, before.packet.running) == ("gone0", True)
    assert (after.local.interface, after.packet.ifindex, after.packet.running) == (None, 0xFFFFFFFF, False)
