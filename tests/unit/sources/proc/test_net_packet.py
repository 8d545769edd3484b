"""Rows of /proc/net/packet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sockdiag.model.address import Endpoint
from sockdiag.model.link_attrs import PacketAttrs
from sockdiag.model.proc_attrs import ProcAttrs
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Socket
from sockdiag.sources.proc.net_packet import parse_packet, read_packet
from sockdiag.sources.system.captured_root import open_root
from tests.unit.sources.proc_rows import PACKET, PACKET_HEADING, changed, messages

if TYPE_CHECKING:
    from pathlib import Path

INTERFACES = {2: "eth0"}.get
SOCKET = Socket(
    netid="packet",
    family="AF_PACKET",
    type="SOCK_RAW",
    protocol="0x0800",
    state="CLOSE",
    local=Endpoint(interface="eth0"),
    recv_q=4096,
    send_q=None,
    uid=1000,
    inode=1074015,
    skmem=SkMem(rmem_alloc=4096),
    packet=PacketAttrs(ifindex=2, running=True, refs=3),
    proc=ProcAttrs(pointer=0xAB0BB641),
    source="proc",
)


def test_row() -> None:
    assert parse_packet(PACKET_HEADING + PACKET, INTERFACES) == ([SOCKET], ())


@pytest.mark.parametrize(
    ("text", "ifindex", "interface"), [(b"0", 0, None), (b"2", 2, "eth0"), (b"7", 7, None), (b"-1", 4294967295, None)]
)
def test_interfaces(text: bytes, ifindex: int, interface: str | None) -> None:
    """Unbound, bound, a name that is not known, and a device that was deleted."""
    (socket,) = parse_packet(PACKET_HEADING + changed(PACKET, 4, text), INTERFACES).sockets
    assert socket.packet is not None
    assert (socket.packet.ifindex, socket.local.interface) == (ifindex, interface)


def test_unbound_interface_is_not_looked_up() -> None:
    def interfaces(index: int) -> str | None:
        raise AssertionError(index)

    assert len(parse_packet(PACKET_HEADING + changed(PACKET, 4, b"0"), interfaces).sockets) == 1


@pytest.mark.parametrize(
    ("text", "word"), [(b"2", "SOCK_DGRAM"), (b"3", "SOCK_RAW"), (b"10", "SOCK_PACKET"), (b"77", "SOCK_77")]
)
def test_types(text: bytes, word: str) -> None:
    assert parse_packet(PACKET_HEADING + changed(PACKET, 2, text), INTERFACES).sockets[0].type == word


def test_not_running() -> None:
    row = changed(changed(PACKET, 5, b"0"), 3, b"0000")
    (socket,) = parse_packet(PACKET_HEADING + row, INTERFACES).sockets
    assert socket.packet is not None
    assert (socket.packet.running, socket.protocol) == (False, "0x0000")


@pytest.mark.parametrize(
    ("column", "token", "name", "expected"),
    [
        (0, b"(null", "sk", "a hexadecimal number"),
        (1, b"x", "RefCnt", "a decimal number"),
        (2, b"RAW", "Type", "a decimal number"),
        (3, b"ip", "Proto", "a hexadecimal number"),
        (4, b"eth0", "Iface", "a decimal number"),
        (5, b"y", "R", "a decimal number"),
        (6, b"-4096", "Rmem", "a decimal number"),
        (7, b"root", "User", "a decimal number"),
        (8, b"x", "Inode", "a decimal number"),
    ],
)
def test_one_wrong_column_costs_that_row_only(column: int, token: bytes, name: str, expected: str) -> None:
    reading = parse_packet(PACKET_HEADING + changed(PACKET, column, token) + PACKET, INTERFACES)
    assert reading.sockets == [SOCKET]
    assert messages(reading) == [f"/proc/net/packet:2: {name}: expected {expected}, got {token!r}"]


def test_missing_column_and_heading() -> None:
    row = PACKET.rstrip().rpartition(b" ")[0]
    assert messages(parse_packet(PACKET_HEADING + row + b"\n", INTERFACES)) == [
        f"/proc/net/packet:2: Inode: expected a row of 9 columns, got {row!r}"
    ]
    heading = PACKET_HEADING.replace(b"Iface", b"If")
    expected = "sk RefCnt Type Proto Iface R Rmem User Inode"
    assert messages(parse_packet(heading + PACKET, INTERFACES)) == [
        f"/proc/net/packet:1: heading: expected {expected}, got {heading[:-1]!r}"
    ]


def test_all_are_in_state_close() -> None:
    assert parse_packet(PACKET_HEADING + PACKET + b"x\n", INTERFACES, 1 << 7).sockets == [SOCKET]
    reading = parse_packet(PACKET_HEADING + PACKET + b"x\n", INTERFACES, 1 << 1)
    assert (reading.sockets, len(reading.errors)) == ([], 1)


def test_read(tmp_path: Path) -> None:
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/packet").write_bytes(PACKET_HEADING + PACKET)
    assert read_packet(open_root(str(tmp_path)), INTERFACES) == ([SOCKET], ())
