from __future__ import annotations

import struct

import pytest

from sockdiag.errors import ParseError
from sockdiag.model.address import Endpoint
from sockdiag.model.link_attrs import BpfInstruction, PacketAttrs, PacketFanout, PacketMembership, PacketRing
from sockdiag.model.query import Query
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Socket
from sockdiag.sources.netlink.packet_diag import decode, read, requests
from sockdiag.sources.system.proc_root import ProcRoot
from tests.unit.sources.netlink_messages import SKMEM_WORDS, Answers, message, system, u32

INFO, MCLIST, RX_RING, TX_RING, FANOUT, UID, MEMINFO, FILTER = range(8)


def interfaces(index: int) -> str | None:
    return {1: "lo"}.get(index)


def packet(attributes: dict[int, bytes] | None = None, *, family: int = 17, kind: int = 3, num: int = 3) -> bytes:
    return message(struct.pack("=BBHIQ", family, kind, num, 4711, 5), attributes)


def details(attributes: dict[int, bytes]) -> PacketAttrs:
    found = decode(packet(attributes), interfaces).packet
    assert found is not None
    return found


def test_plain_socket() -> None:
    assert decode(packet(), interfaces) == Socket(
        netid="packet",
        family="AF_PACKET",
        type="SOCK_RAW",
        protocol="0x0003",
        state="CLOSE",
        inode=4711,
        cookie=5,
        packet=PacketAttrs(),
    )


def test_type_and_protocol() -> None:
    socket = decode(packet(kind=2, num=0x86DD), interfaces)
    assert (socket.type, socket.protocol) == ("SOCK_DGRAM", "0x86dd")


@pytest.mark.parametrize(("index", "name"), [(0, None), (1, "lo"), (7, None), (0xFFFFFFFF, None)])
def test_interface(index: int, name: str | None) -> None:
    socket = decode(packet({INFO: u32(index, 0, 0, 0, 0, 0)}), interfaces)
    assert socket.local == Endpoint(interface=name)
    assert socket.packet is not None
    assert socket.packet.ifindex == index


def test_info() -> None:
    assert details({INFO: u32(1, 2, 30, 40, 0x58, 0x1F)}) == PacketAttrs(
        ifindex=1, running=True, version=2, reserve=30, copy_thresh=40, timestamp=0x58, flags=0x1F
    )
    assert details({INFO: u32(1, 0, 0, 0, 0, 0x1E)}).running is False


def test_rings() -> None:
    assert details({RX_RING: u32(16384, 4, 2048, 32, 60, 7, 1)}).rx_ring == PacketRing(16384, 4, 2048, 32, 60, 7, 1)
    assert details({TX_RING: u32(4096, 2, 1024, 8, 0, 0, 0)}).tx_ring == PacketRing(4096, 2, 1024, 8, 0, 0, 0)


def test_fanout() -> None:
    assert details({FANOUT: u32(0x0002_004D)}).fanout == PacketFanout(id=77, type=2)


def test_memberships() -> None:
    entry = struct.pack("=IIHH32s", 1, 2, 0, 6, b"\1\0\x5e\0\0\1")
    promiscuous = struct.pack("=IIHH32s", 3, 1, 1, 0, b"")
    assert details({MCLIST: entry + promiscuous}).memberships == (
        PacketMembership(1, 2, 0, "01:00:5e:00:00:01"),
        PacketMembership(3, 1, 1, ""),
    )
    assert details({MCLIST: b""}).memberships == ()


def test_filter() -> None:
    program = struct.pack("=HBBI", 0x28, 0, 0, 12) + struct.pack("=HBBI", 6, 1, 2, 0xFFFFFFFF)
    assert details({FILTER: program}).filter == (BpfInstruction(0x28, 0, 0, 12), BpfInstruction(6, 1, 2, 0xFFFFFFFF))


def test_memory_is_the_queues() -> None:
    socket = decode(packet({MEMINFO: u32(*SKMEM_WORDS)}), interfaces)
    assert (socket.recv_q, socket.send_q, socket.skmem) == (SKMEM_WORDS[0], SKMEM_WORDS[2], SkMem(*SKMEM_WORDS))


def test_uid() -> None:
    assert decode(packet({UID: u32(1000)}), interfaces).uid == 1000


def test_unknown_attributes_are_kept() -> None:
    assert decode(packet({9: b"new"}), interfaces).unknown_attributes == ((9, b"new"),)


@pytest.mark.parametrize(
    ("attribute", "size", "column"),
    [
        (INFO, 23, "PACKET_DIAG_INFO"),
        (MCLIST, 45, "PACKET_DIAG_MCLIST"),
        (RX_RING, 27, "PACKET_DIAG_RX_RING"),
        (TX_RING, 0, "PACKET_DIAG_TX_RING"),
        (FANOUT, 3, "PACKET_DIAG_FANOUT"),
        (UID, 3, "PACKET_DIAG_UID"),
        (MEMINFO, 33, "PACKET_DIAG_MEMINFO"),
        (FILTER, 7, "PACKET_DIAG_FILTER"),
    ],
)
def test_short_attribute(attribute: int, size: int, column: str) -> None:
    with pytest.raises(ParseError) as caught:
        decode(packet({attribute: bytes(size)}), interfaces)
    assert (caught.value.path, caught.value.column) == ("netlink:packet_diag", column)


def test_short_message_and_other_family() -> None:
    with pytest.raises(ParseError, match="nlmsg_len: expected at least 32, got '31'"):
        decode(packet()[:31], interfaces)
    with pytest.raises(ParseError, match="pdiag_family: expected 17, got '1'"):
        decode(packet(family=1), interfaces)


def test_request_asks_for_all() -> None:
    (request,) = requests(Query())
    assert request.name == "packet_diag"
    assert struct.unpack("=BBHIIII", request.payload) == (17, 0, 0, 0, 0x3F, 0xFFFFFFFF, 0xFFFFFFFF)


def test_nothing_is_asked_where_no_state_fits() -> None:
    asked = system(ProcRoot())
    asked.netlink = transport = Answers(packet())
    assert read(asked, Query(states=1 << 1)).sockets == []
    assert transport.requests == []
    assert len(read(asked, Query(states=1 << 7)).sockets) == 1
