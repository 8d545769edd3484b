from __future__ import annotations

import struct

import pytest

from sockdiag.errors import ParseError
from sockdiag.model.address import Endpoint
from sockdiag.model.link_attrs import XdpAttrs, XdpStats, XdpUmem
from sockdiag.model.query import Query
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Socket
from sockdiag.sources.netlink.xdp_diag import decode, read, requests
from sockdiag.sources.system.proc_root import ProcRoot
from tests.unit.sources.netlink_messages import SKMEM_WORDS, Answers, message, system, u32

INFO, UID, RX_RING, TX_RING, UMEM, FILL_RING, COMPLETION_RING, MEMINFO, STATS = range(1, 10)


def interfaces(index: int) -> str | None:
    return {4: "eth0"}.get(index)


def xdp(attributes: dict[int, bytes] | None = None, *, family: int = 44) -> bytes:
    return message(struct.pack("=BBxxIQ", family, 3, 4711, 5), attributes)


def test_plain_socket() -> None:
    assert decode(xdp(), interfaces) == Socket(
        netid="xdp", family="AF_XDP", type="SOCK_RAW", state="CLOSE", inode=4711, cookie=5, xdp=XdpAttrs()
    )


def test_all_attributes() -> None:
    umem = struct.pack("=QIIIIIIII", 1 << 33, 7, 2048, 4096, 128, 4, 1, 1, 2)
    stats = struct.pack("=QQQQQQ", 1 << 40, 2, 3, 4, 5, 6)
    socket = decode(
        xdp(
            {
                INFO: u32(4, 1),
                UID: u32(1000),
                RX_RING: u32(2048),
                TX_RING: u32(1024),
                UMEM: umem,
                FILL_RING: u32(512),
                COMPLETION_RING: u32(256),
                MEMINFO: u32(*SKMEM_WORDS),
                STATS: stats,
            }
        ),
        interfaces,
    )
    assert socket == Socket(
        netid="xdp",
        family="AF_XDP",
        type="SOCK_RAW",
        state="CLOSE",
        inode=4711,
        cookie=5,
        uid=1000,
        local=Endpoint(interface="eth0"),
        recv_q=SKMEM_WORDS[0],
        send_q=SKMEM_WORDS[2],
        skmem=SkMem(*SKMEM_WORDS),
        xdp=XdpAttrs(
            ifindex=4,
            queue_id=1,
            rx_entries=2048,
            tx_entries=1024,
            fill_entries=512,
            completion_entries=256,
            umem=XdpUmem(
                id=7,
                size=1 << 33,
                num_pages=2048,
                chunk_size=4096,
                headroom=128,
                ifindex=4,
                queue_id=1,
                flags=1,
                refs=2,
            ),
            stats=XdpStats(
                rx_dropped=1 << 40, rx_invalid=2, rx_full=3, fill_ring_empty=4, tx_invalid=5, tx_ring_empty=6
            ),
        ),
    )


@pytest.mark.parametrize(("index", "name"), [(0, None), (4, "eth0"), (5, None)])
def test_interface(index: int, name: str | None) -> None:
    assert decode(xdp({INFO: u32(index, 0)}), interfaces).local == Endpoint(interface=name)


def test_unknown_attributes_are_kept() -> None:
    assert decode(xdp({20: b"new"}), interfaces).unknown_attributes == ((20, b"new"),)


@pytest.mark.parametrize(
    ("attribute", "size", "column"),
    [
        (INFO, 7, "XDP_DIAG_INFO"),
        (UID, 1, "XDP_DIAG_UID"),
        (RX_RING, 3, "XDP_DIAG_RX_RING"),
        (TX_RING, 3, "XDP_DIAG_TX_RING"),
        (UMEM, 39, "XDP_DIAG_UMEM"),
        (FILL_RING, 0, "XDP_DIAG_UMEM_FILL_RING"),
        (COMPLETION_RING, 2, "XDP_DIAG_UMEM_COMPLETION_RING"),
        (MEMINFO, 9, "XDP_DIAG_MEMINFO"),
        (STATS, 47, "XDP_DIAG_STATS"),
    ],
)
def test_short_attribute(attribute: int, size: int, column: str) -> None:
    with pytest.raises(ParseError) as caught:
        decode(xdp({attribute: bytes(size)}), interfaces)
    assert (caught.value.path, caught.value.column) == ("netlink:xdp_diag", column)


def test_short_message_and_other_family() -> None:
    with pytest.raises(ParseError, match="nlmsg_len: expected at least 32, got '31'"):
        decode(xdp()[:31], interfaces)
    with pytest.raises(ParseError, match="xdiag_family: expected 44, got '1'"):
        decode(xdp(family=1), interfaces)


def test_request_asks_for_all() -> None:
    (request,) = requests(Query())
    assert request.name == "xdp_diag"
    assert struct.unpack("=BBHIIII", request.payload) == (44, 0, 0, 0, 0x1F, 0xFFFFFFFF, 0xFFFFFFFF)


def test_nothing_is_asked_where_no_state_fits() -> None:
    asked = system(ProcRoot())
    asked.netlink = transport = Answers(xdp())
    assert read(asked, Query(states=1 << 10)).sockets == []
    assert transport.requests == []
    assert len(read(asked, Query()).sockets) == 1
