from __future__ import annotations

import struct

import pytest

from sockdiag.errors import ParseError
from sockdiag.model.address import Endpoint
from sockdiag.model.local_attrs import NetlinkAttrs
from sockdiag.model.query import Query
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Socket
from sockdiag.sources.netlink.netlink_diag import decode, read, requests
from sockdiag.sources.system.proc_root import ProcRoot
from tests.unit.sources.netlink_messages import SKMEM_WORDS, Answers, message, system, u32

MEMINFO, GROUPS, RX_RING, TX_RING, FLAGS = range(5)


def netlink(
    attributes: dict[int, bytes] | None = None,
    *,
    family: int = 16,
    kind: int = 3,
    protocol: int = 0,
    state: int = 7,
    portid: int = 1234,
    dst: tuple[int, int] = (0, 0),
    inode: int = 4711,
    cookie: int = 5,
) -> bytes:
    return message(struct.pack("=BBBBIIIIQ", family, kind, protocol, state, portid, *dst, inode, cookie), attributes)


def test_plain_socket() -> None:
    assert decode(netlink()) == Socket(
        netid="netlink",
        family="AF_NETLINK",
        type="SOCK_RAW",
        protocol="ROUTE",
        state="CLOSE",
        local=Endpoint("ROUTE", 1234),
        inode=4711,
        cookie=5,
        netlink=NetlinkAttrs(groups=0, memberships=(), dst_portid=0, dst_group=0),
    )


@pytest.mark.parametrize(("number", "name"), [(0, "ROUTE"), (4, "SOCK_DIAG"), (15, "KOBJECT_UEVENT"), (31, "31")])
def test_protocol_names_the_socket_and_its_local_end(number: int, name: str) -> None:
    socket = decode(netlink(protocol=number, portid=0))
    assert (socket.protocol, socket.local) == (name, Endpoint(name, 0))


def test_port_id_is_unsigned() -> None:
    assert decode(netlink(portid=0xFFFFF000)).local.port == 0xFFFFF000


def test_connected_socket_has_a_peer() -> None:
    socket = decode(netlink(state=1, dst=(99, 3)))
    assert (socket.state, socket.peer) == ("ESTABLISHED", Endpoint("ROUTE", 99))
    assert socket.netlink is not None
    assert (socket.netlink.dst_portid, socket.netlink.dst_group) == (99, 3)


def test_disconnected_socket_has_none() -> None:
    # connect(AF_UNSPEC) leaves NETLINK_UNCONNECTED (0) in sk_state, where a fresh socket has TCP_CLOSE.
    socket = decode(netlink(state=0))
    assert (socket.state, socket.peer) == ("CLOSE", Endpoint())


def test_memory_is_the_queues() -> None:
    socket = decode(netlink({MEMINFO: u32(*SKMEM_WORDS)}))
    assert (socket.recv_q, socket.send_q, socket.skmem) == (SKMEM_WORDS[0], SKMEM_WORDS[2], SkMem(*SKMEM_WORDS))


@pytest.mark.parametrize(
    ("mask", "low", "numbers"),
    [
        (0x1, 0x1, (1,)),
        (0x80000001, 0x80000001, (1, 32)),
        (1 << 27, 1 << 27, (28,)),
        (1 << 32 | 1 << 63, 0, (33, 64)),
        (0, 0, ()),
    ],
)
def test_groups(mask: int, low: int, numbers: tuple[int, ...]) -> None:
    details = decode(netlink({GROUPS: struct.pack("=Q", mask)})).netlink
    assert details is not None
    assert (details.groups, details.memberships) == (low, numbers)


def test_groups_of_any_size() -> None:
    details = decode(netlink({GROUPS: bytes(124) + b"\x80"})).netlink
    assert details is not None
    assert details.memberships == (124 * 8 + 8,)


def test_flags() -> None:
    details = decode(netlink({FLAGS: u32(0x29)})).netlink
    assert details is not None
    assert (details.flags, details.cb_running) == (0x29, True)
    details = decode(netlink({FLAGS: u32(0x28)})).netlink
    assert details is not None
    assert details.cb_running is False


def test_rings_of_old_kernels_are_kept_as_bytes() -> None:
    assert decode(netlink({RX_RING: bytes(16)})).unknown_attributes == ((2, bytes(16)),)


@pytest.mark.parametrize(
    ("attribute", "payload", "column"),
    [(MEMINFO, bytes(2), "NETLINK_DIAG_MEMINFO"), (FLAGS, bytes(3), "NETLINK_DIAG_FLAGS")],
)
def test_short_attribute(attribute: int, payload: bytes, column: str) -> None:
    with pytest.raises(ParseError) as caught:
        decode(netlink({attribute: payload}))
    assert (caught.value.path, caught.value.column) == ("netlink:netlink_diag", column)


def test_short_message_and_other_family() -> None:
    with pytest.raises(ParseError, match="nlmsg_len: expected at least 44, got '43'"):
        decode(netlink()[:43])
    with pytest.raises(ParseError, match="ndiag_family: expected 16, got '17'"):
        decode(netlink(family=17))


def test_request() -> None:
    (request,) = requests(Query())
    assert request.name == "netlink_diag"
    assert struct.unpack("=BBHIIII", request.payload) == (16, 255, 0, 0, 0x1 | 0x2 | 0x8, 0xFFFFFFFF, 0xFFFFFFFF)


def test_socket_that_is_sent_twice_is_read_once() -> None:
    twice = netlink(cookie=1) + netlink(cookie=2) + netlink(cookie=1, portid=9)
    other = netlink(cookie=1, protocol=16)
    reading = read(system(ProcRoot(), twice, other), Query())
    assert [(s.protocol, s.cookie, s.local.port) for s in reading.sockets] == [
        ("ROUTE", 1, 1234),
        ("ROUTE", 2, 1234),
        ("GENERIC", 1, 1234),
    ]


@pytest.mark.parametrize(("states", "shown"), [(1 << 7, ["CLOSE"]), (1 << 1, ["ESTABLISHED"]), (1 << 10, [])])
def test_states_are_chosen_here(states: int, shown: list[str]) -> None:
    reading = read(system(ProcRoot(), netlink(cookie=1) + netlink(cookie=2, state=1)), Query(states=states))
    assert [socket.state for socket in reading.sockets] == shown


def test_second_attempt_forgets_the_first() -> None:
    from sockdiag.errors import SourceTruncated

    transport = Answers(netlink(), error=SourceTruncated("netlink:netlink_diag", "lost"))
    asked = system(ProcRoot())
    asked.netlink = transport
    assert len(read(asked, Query()).sockets) == 1
