from __future__ import annotations

import struct

import pytest

from sockdiag.errors import ParseError, SourceInterrupted, SourceTruncated
from sockdiag.kernel.tcp_states import ALL_STATES
from sockdiag.model.address import Endpoint
from sockdiag.model.local_attrs import UnixAttrs
from sockdiag.model.query import DETAILS, SKMEM, Query
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Socket
from sockdiag.sources.netlink.unix_diag import decode, read, requests
from sockdiag.sources.system.proc_root import ProcRoot
from tests.unit.sources.netlink_messages import SKMEM_WORDS, Answers, message, nlmsg, system, u32

NAME, VFS, PEER, ICONS, RQLEN, MEMINFO, SHUTDOWN, UID = range(8)


def unix(
    attributes: dict[int, bytes] | None = None, *, kind: int = 1, state: int = 7, inode: int = 4711, family: int = 1
) -> bytes:
    return message(struct.pack("=BBBxIII", family, kind, state, inode, 0x11, 0x22), attributes)


def show_bits(query: Query) -> int:
    (request,) = requests(query)
    return int(struct.unpack_from("=I", request.payload, 12)[0])


def test_plain_socket_has_what_the_fixed_part_tells() -> None:
    assert decode(unix()) == Socket(
        netid="unix",
        family="AF_UNIX",
        type="SOCK_STREAM",
        state="CLOSE",
        inode=4711,
        cookie=0x22_0000_0011,
        unix=UnixAttrs(),
        source="netlink",
    )


@pytest.mark.parametrize(
    ("number", "word"), [(1, "SOCK_STREAM"), (2, "SOCK_DGRAM"), (5, "SOCK_SEQPACKET"), (9, "SOCK_9")]
)
def test_type(number: int, word: str) -> None:
    assert decode(unix(kind=number)).type == word


@pytest.mark.parametrize(
    ("number", "word"), [(1, "ESTABLISHED"), (7, "CLOSE"), (10, "LISTEN"), (2, "SYN_SENT"), (200, "UNKNOWN(200)")]
)
def test_state_is_the_word_of_sk_state(number: int, word: str) -> None:
    assert decode(unix(state=number)).state == word


@pytest.mark.parametrize(
    ("sun_path", "name"),
    [
        (b"/run/dbus\0", b"/run/dbus"),
        (b"relative", b"relative"),
        (b"/run/x\0rest of an older, longer name\0", b"/run/x"),
        (b"\0abstract", b"\0abstract"),
        (b"\0", b"\0"),
        (b"\0inner\0nul\0", b"\0inner\0nul\0"),
        (b"\0new\nline\x1b[31m\xff\xfe", b"\0new\nline\x1b[31m\xff\xfe"),
        (b"/new\nline\xff\0", b"/new\nline\xff"),
        (b"", None),
    ],
)
def test_name_keeps_its_bytes(sun_path: bytes, name: bytes | None) -> None:
    assert decode(unix({NAME: sun_path})).local == Endpoint(name)


def test_no_name_is_no_address() -> None:
    assert decode(unix()).local.address is None


def test_queues_of_a_connection_are_bytes() -> None:
    socket = decode(unix({RQLEN: u32(300, 768)}, state=1))
    assert (socket.recv_q, socket.send_q, socket.recv_q_unit) == (300, 768, "bytes")


def test_queues_of_a_listener_are_connections() -> None:
    socket = decode(unix({RQLEN: u32(2, 4)}, state=10))
    assert (socket.recv_q, socket.send_q, socket.recv_q_unit) == (2, 4, "connections")


def test_peer_is_its_inode() -> None:
    assert decode(unix({PEER: u32(99)}, state=1)).unix == UnixAttrs(peer_inode=99)
    assert decode(unix({PEER: u32(0)}, state=1)).unix == UnixAttrs(peer_inode=0)


def test_vfs_device_is_split_as_the_kernel_packs_it() -> None:
    # MKDEV(8, 300) in the kernel: the minor has 20 bits.
    assert decode(unix({VFS: u32(1234, 8 << 20 | 300)})).unix == UnixAttrs(vfs_ino=1234, vfs_dev=(8, 300))


def test_icons_are_the_waiting_clients() -> None:
    assert decode(unix({ICONS: u32(5, 6, 0)}, state=10)).unix == UnixAttrs(icons=(5, 6, 0))
    assert decode(unix({ICONS: b""}, state=10)).unix == UnixAttrs(icons=())


def test_memory() -> None:
    assert decode(unix({MEMINFO: u32(*SKMEM_WORDS)})).skmem == SkMem(*SKMEM_WORDS)


def test_memory_of_an_old_kernel_has_no_drops() -> None:
    skmem = decode(unix({MEMINFO: u32(*SKMEM_WORDS[:8])})).skmem
    assert skmem == SkMem(*SKMEM_WORDS[:8], None)


def test_memory_of_a_newer_kernel_is_cut() -> None:
    assert decode(unix({MEMINFO: u32(*SKMEM_WORDS, 10)})).skmem == SkMem(*SKMEM_WORDS)


def test_shutdown() -> None:
    assert decode(unix({SHUTDOWN: b"\3"})).shutdown == 3


def test_uid_is_unknown_without_a_file() -> None:
    assert decode(unix({UID: u32(1000)})).uid == 1000
    assert decode(unix({UID: u32(0)}, inode=0)).uid is None
    assert decode(unix()).uid is None


def test_unknown_attributes_are_kept() -> None:
    assert decode(unix({8: b"new", 300: b""})).unknown_attributes == ((8, b"new"), (300, b""))


@pytest.mark.parametrize(
    ("attribute", "payload", "column"),
    [
        (VFS, bytes(7), "UNIX_DIAG_VFS"),
        (PEER, bytes(3), "UNIX_DIAG_PEER"),
        (ICONS, bytes(6), "UNIX_DIAG_ICONS"),
        (RQLEN, bytes(4), "UNIX_DIAG_RQLEN"),
        (MEMINFO, bytes(35), "UNIX_DIAG_MEMINFO"),
        (SHUTDOWN, b"", "UNIX_DIAG_SHUTDOWN"),
        (UID, bytes(2), "UNIX_DIAG_UID"),
    ],
)
def test_short_attribute_is_a_parse_error_with_its_name(attribute: int, payload: bytes, column: str) -> None:
    with pytest.raises(ParseError) as caught:
        decode(unix({attribute: payload}))
    assert (caught.value.path, caught.value.column) == ("netlink:unix_diag", column)


def test_short_message_and_other_family_are_parse_errors() -> None:
    with pytest.raises(ParseError, match=r"nlmsg_len: expected at least 32, got '31'"):
        decode(unix()[:31])
    with pytest.raises(ParseError, match="udiag_family: expected 1, got '2'"):
        decode(unix(family=2))
    with pytest.raises(ParseError, match="nla_len"):
        decode(unix({UID: u32(1)})[:-2])


def test_request_asks_for_what_is_shown() -> None:
    always = 0x01 | 0x04 | 0x10 | 0x40
    assert show_bits(Query()) == always
    assert show_bits(Query(needs=frozenset({SKMEM}))) == always | 0x20
    assert show_bits(Query(needs=frozenset({DETAILS}))) == always | 0x02 | 0x08


def test_request_asks_for_the_states() -> None:
    (request,) = requests(Query(states=1 << 10))
    assert struct.unpack_from("=BBHIII", request.payload)[:5] == (1, 0, 0, 1 << 10, 0)
    assert (request.name, request.states, request.type) == ("unix_diag", 1 << 10, 20)
    assert len(request.payload) == 24


def test_read_keeps_the_good_rows_of_a_table_with_a_bad_one() -> None:
    datagram = unix(inode=1) + unix({PEER: b"x"}, inode=2) + unix(inode=3)
    reading = read(system(ProcRoot(), datagram, unix(inode=4)), Query())
    assert [socket.inode for socket in reading.sockets] == [1, 3, 4]
    (error,) = reading.errors
    assert isinstance(error, ParseError)


def test_read_bounds_the_errors() -> None:
    reading = read(system(ProcRoot(), nlmsg(b"") * 100), Query())
    assert (len(reading.sockets), len(reading.errors)) == (0, 5)


def test_read_tries_again_and_reports_an_incomplete_answer() -> None:
    transport = Answers(unix(), error=SourceInterrupted("netlink:unix_diag", "changed"))
    asked = system(ProcRoot())
    asked.netlink = transport
    reading = read(asked, Query())
    assert len(transport.requests) == 3
    assert len(reading.sockets) == 1
    assert reading.errors == (transport.error,)


def test_read_reports_a_damaged_datagram() -> None:
    reading = read(system(ProcRoot(), unix() + b"\1"), Query())
    assert [socket.inode for socket in reading.sockets] == [4711]
    (error,) = reading.errors
    assert isinstance(error, SourceTruncated)


def test_all_states_fit_the_request() -> None:
    (request,) = requests(Query())
    assert struct.unpack_from("=I", request.payload, 4)[0] == ALL_STATES
