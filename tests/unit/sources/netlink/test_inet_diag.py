"""inet_diag requests are what the kernel expects, and every message becomes a socket with nothing lost."""

from __future__ import annotations

import socket
import struct
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.errors import ParseError, SourceError, SourceTruncated, SourceUnavailable
from sockdiag.filter.where import compile_where
from sockdiag.kernel import inet_diag as k
from sockdiag.kernel.sock_diag import IPPROTO_DCCP, IPPROTO_MPTCP, IPPROTO_RAW, IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP
from sockdiag.kernel.tcp_states import ALL_STATES, LISTEN, STATE_NAMES
from sockdiag.model.address import Endpoint
from sockdiag.model.congestion import BbrInfo, DctcpInfo, VegasInfo
from sockdiag.model.inet_attrs import InetAttrs, Md5Key, MemInfo
from sockdiag.model.mptcp_info import MptcpInfo
from sockdiag.model.query import CGROUP, INET, OWNERS, SKMEM, TCP_INFO
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Socket, Timer
from sockdiag.model.ulp import MptcpSubflow, TlsInfo, UlpInfo
from sockdiag.sources.netlink import inet_diag, inet_request
from sockdiag.sources.netlink.inet_attributes import DECODERS, ECN_WORD
from sockdiag.sources.netlink.inet_columns import Columns
from sockdiag.sources.system.captured_root import open_root
from sockdiag.sources.system.machine import System
from sockdiag.sources.system.transport import Request
from tests.unit.sources.inet_messages import inet_message
from tests.unit.sources.netlink_messages import SKMEM_WORDS, Answers, nlattr, nlmsg, u32

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INTERFACES = {3: "eth0"}.get


def decode(message: bytes, table: str = "tcp") -> Socket:
    return inet_diag.decode(message, table, INTERFACES, "netlink:test")


def inet(number: int, payload: bytes, table: str = "tcp", **members: Any) -> InetAttrs:
    """Decode a message of one attribute that is understood."""
    decoded = decode(inet_message({number: payload}, **members), table)
    assert decoded.unknown_attributes == ()
    assert decoded.inet is not None
    return decoded.inet


def test_every_attribute_has_a_decoder() -> None:
    """Each field of the attributes is filled by one attribute; that of the ULP also names a struct in it."""
    names = [field.name for field in InetAttrs.FIELDS]
    filled = [names[at] for at, _decode in DECODERS.values()]
    assert sorted(filled) == sorted(set(names) - {"ulp"})


# Requests


def test_requests_of_a_table() -> None:
    """One request a family, with the states and extensions that are asked for and no others."""
    first, second = inet_diag.inet_requests("tcp", (), 1 << LISTEN, (SKMEM, OWNERS, CGROUP))
    assert (first.name, second.name) == ("inet_diag_tcp", "inet_diag_tcp6")
    assert first.payload == struct.pack("=BBBBI", socket.AF_INET, 6, 1 << 6, 0, 1 << LISTEN) + bytes(48)
    assert second.payload == struct.pack("=BBBBI", socket.AF_INET6, 6, 1 << 6, 0, 1 << LISTEN) + bytes(48)
    assert first.states == 1 << LISTEN
    assert first.type == 20


@pytest.mark.parametrize(
    ("families", "names"),
    [
        ((), ["inet_diag_udp", "inet_diag_udp6"]),
        (("AF_INET",), ["inet_diag_udp"]),
        (("AF_INET6",), ["inet_diag_udp6"]),
        (("AF_INET6", "AF_INET"), ["inet_diag_udp", "inet_diag_udp6"]),
        (("AF_UNIX",), []),
    ],
)
def test_families(families: tuple[str, ...], names: list[str]) -> None:
    assert [request.name for request in inet_diag.inet_requests("udp", families)] == names


@pytest.mark.parametrize(
    ("table", "protocol"),
    [
        ("tcp", 6),
        ("udp", 17),
        ("udplite", 136),
        ("raw", 255),
        ("sctp", 132),
        ("dccp", 33),
    ],
)
def test_protocols(table: str, protocol: int) -> None:
    """The protocol is the second byte of the request."""
    (request,) = inet_diag.inet_requests(table, ("AF_INET",))
    # DCCP has a state more, PARTOPEN.
    states = ALL_STATES | (1 << 14 if table == "dccp" else 0)
    assert request.payload == struct.pack("=BBBBI", 2, protocol, 0, 0, states) + bytes(48)
    assert request.name == f"inet_diag_{table}"
    assert request.source == f"netlink:inet_diag_{table}"


def test_mptcp_request() -> None:
    """A protocol above 255 is an attribute; the byte names none, so that a kernel without MPTCP has no answer."""
    (request,) = inet_diag.inet_requests("mptcp", ("AF_INET6",))
    assert request.name == "inet_diag_mptcp6"
    fixed = struct.pack("=BBBBI", 10, 0, 0, 0, ALL_STATES) + bytes(48)
    assert request.payload == fixed + struct.pack("=HHI", 8, 3, IPPROTO_MPTCP)


@pytest.mark.parametrize(
    ("needs", "bits"),
    [
        ((), 0),
        ((SKMEM,), 1 << 6),
        ((INET,), 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5),
        ((TCP_INFO,), 1 << 1),
        ((SKMEM, INET, TCP_INFO, OWNERS), 0x7E),
    ],
)
def test_extensions(needs: tuple[str, ...], bits: int) -> None:
    """Each need asks for its own attributes."""
    assert inet_diag.extensions(needs) == bits
    assert inet_diag.extensions(needs, meminfo=True) == bits | 1


def test_compat_request() -> None:
    """The old request has no family, and other types for TCP and DCCP."""
    request = inet_request.compat_request(0xFFE, k.EXT_SKMEMINFO)
    assert request.type == 18
    assert request.name == "inet_diag_tcp+tcp6"
    assert request.payload == struct.pack("=BBBB48xII", 0, 0, 0, 1 << 6, 0xFFE, 0)
    assert request.states == 0xFFE
    other = inet_request.compat_request(protocol=IPPROTO_DCCP)
    assert (other.type, other.name) == (19, "inet_diag_dccp+dccp6")


def test_request_with_a_filter() -> None:
    """The filter is attribute 1, padded."""
    request = inet_request.request(socket.AF_INET, IPPROTO_RAW, 0x80, 1, b"\1\4\4\0\0")
    fixed = struct.pack("=BBBBI", 2, 255, 1, 0, 0x80) + bytes(48)
    assert request.payload == fixed + nlattr(1, b"\1\4\4\0\0")
    assert inet_request.request(2, 99, 1).name == "inet_diag_99"


# The fixed part


def test_fixed_part() -> None:
    """Every member of struct inet_diag_msg has its place in the model."""
    message = inet_message(state=4, timer=1, retrans=3, expires=1500, rqueue=11, wqueue=22, **{"if": 3})
    assert decode(message) == Socket(
        netid="tcp",
        family="AF_INET",
        type="SOCK_STREAM",
        protocol="TCP",
        state="FIN_WAIT1",
        local=Endpoint("10.0.0.1", 4000, "eth0"),
        peer=Endpoint("10.0.0.2", 5000),
        recv_q=11,
        send_q=22,
        uid=1000,
        inode=77,
        cookie=0x200000011,
        timer=Timer("retransmit", 1500, 3),
    )


@pytest.mark.parametrize(
    ("table", "kind", "protocol"),
    [
        ("tcp", "SOCK_STREAM", "TCP"),
        ("mptcp", "SOCK_STREAM", "MPTCP"),
        ("udp", "SOCK_DGRAM", "UDP"),
        ("udplite", "SOCK_DGRAM", "UDPLITE"),
        ("sctp", None, "SCTP"),
        ("dccp", "SOCK_DCCP", "DCCP"),
    ],
)
def test_type_and_protocol(table: str, kind: str | None, protocol: str) -> None:
    decoded = decode(inet_message(), table)
    assert (decoded.netid, decoded.type, decoded.protocol) == (table, kind, protocol)


@pytest.mark.parametrize("number", range(256))
def test_states(number: int) -> None:
    """Every number has a word; those of a newer kernel keep their number."""
    known = 0 < number < len(STATE_NAMES)
    assert decode(inet_message(state=number)).state == (STATE_NAMES[number] if known else f"UNKNOWN({number})")


@pytest.mark.parametrize("number", range(256))
def test_timers(number: int) -> None:
    """No timer is None, and one of a newer kernel keeps its number."""
    timer = decode(inet_message(timer=number, expires=9, retrans=2)).timer
    names = ["none", "retransmit", "keepalive", "timewait", "persist", "delack"]
    name = names[number] if number < len(names) else f"unknown({number})"
    assert timer == (Timer(name, 9, 2) if number else None)


def test_listener_counts_connections() -> None:
    decoded = decode(inet_message(state=LISTEN, rqueue=3, wqueue=128, dst="0.0.0.0", dport=0))
    assert (decoded.recv_q, decoded.send_q, decoded.recv_q_unit) == (3, 128, "connections")
    assert decode(inet_message(state=1)).recv_q_unit == "bytes"


@pytest.mark.parametrize(("uid", "inode", "known"), [(0, 5, 0), (7, 5, 7), (0, 0, None), (7, 0, 7)])
def test_uid(uid: int, inode: int, known: int | None) -> None:
    """0 of a socket without a file is unknown; another number is whose it was (Linux 6.18 keeps it)."""
    assert decode(inet_message(uid=uid, inode=inode)).uid == known


@pytest.mark.parametrize("text", ["::", "::1", "fe80::1", "2001:db8:1:2:3:4:5:6", "::ffff:1.2.3.4", "::1.2.3.4", "1::"])
def test_ipv6_addresses(text: str) -> None:
    """IPv6 is as inet_ntop() has it; v4-mapped addresses stay what they are."""
    decoded = decode(inet_message(family=socket.AF_INET6, src=text, dst=text))
    assert decoded.family == "AF_INET6"
    assert (decoded.local.address, decoded.peer.address) == (text, text)


@pytest.mark.parametrize(("index", "name"), [(0, None), (3, "eth0"), (4, "if4"), (0xFFFFFFFF, "if4294967295")])
def test_interface(index: int, name: str | None) -> None:
    """An interface that is gone is named by its index."""
    decoded = decode(inet_message(**{"if": index}))
    assert (decoded.local.interface, decoded.peer.interface) == (name, None)


# Attributes


def test_integers_of_the_socket() -> None:
    attributes = {k.SHUTDOWN: b"\2", k.MARK: u32(0xDEADBEEF), k.CGROUP_ID: struct.pack("=Q", 0xABCDEF0123)}
    decoded = decode(inet_message(attributes))
    assert (decoded.shutdown, decoded.mark, decoded.cgroup_id) == (2, 0xDEADBEEF, 0xABCDEF0123)
    assert decoded.inet is None
    assert decoded.unknown_attributes == ()


@pytest.mark.parametrize("count", range(10))
def test_skmem_of_every_length(count: int) -> None:
    """3.10 sends eight words, older ones seven, newer ones nine."""
    decoded = decode(inet_message({k.SKMEMINFO: u32(*SKMEM_WORDS[:count])}))
    assert decoded.skmem == SkMem._make([*SKMEM_WORDS[:count], *[None] * (9 - count)])
    assert decoded.unknown_attributes == ()


def test_skmem_of_a_newer_kernel() -> None:
    """Words that are not known yet are kept."""
    decoded = decode(inet_message({k.SKMEMINFO: u32(*SKMEM_WORDS, 10, 11)}))
    assert decoded.skmem == SkMem._make(SKMEM_WORDS)
    assert decoded.unknown_attributes == ((k.SKMEMINFO, u32(10, 11)),)


def test_options() -> None:
    attributes = {k.TOS: b"\xb8", k.TCLASS: b"\x20", k.CLASS_ID: u32(0x10001), k.SKV6ONLY: b"\1", k.CONG: b"cubic\0"}
    decoded = decode(inet_message(attributes, family=socket.AF_INET6))
    assert decoded.inet == InetAttrs(tos=0xB8, tclass=0x20, class_id=0x10001, v6only=True, congestion="cubic")


@pytest.mark.parametrize("bit", range(16))
def test_sockopt_bits(bit: int) -> None:
    """The words of the flags go from the first bit field on; what is not named yet is in the number all the same."""
    assert inet(k.SOCKOPT, (1 << bit).to_bytes(2, "little")).sockopt == 1 << bit
    (words,) = [f.words for f in InetAttrs.FIELDS if f.name == "sockopt"]
    assert words.index("is_icsk") == 1
    assert words.index("bind_address_no_port") == 8
    assert len(words) == 11


@pytest.mark.parametrize("name", ["reno", "a-very-long-congestion-name", "", "caf\u00e9"])
def test_congestion_name_is_whole(name: str) -> None:
    assert inet(k.CONG, name.encode() + b"\0").congestion == name


def test_congestion_algorithms() -> None:
    assert inet(k.VEGASINFO, u32(1, 5, 5000, 4000)).vegas == VegasInfo(1, 5, 5000, 4000)
    assert inet(k.DCTCPINFO, struct.pack("=HHIII", 1, 0, 1024, 5, 6)).dctcp == DctcpInfo(1, 0, 1024, 5, 6)
    assert inet(k.BBRINFO, u32(0x100000, 1, 1234, 739, 512)).bbr == BbrInfo(0x100100000, 1234, 739, 512)
    assert inet(k.MEMINFO, u32(1, 2, 3, 4)).meminfo == MemInfo(1, 2, 3, 4)
    assert inet(k.SK_BPF_STORAGES, b"whatever").bpf_storage == b"whatever"


def md5(family: int, prefix: int, text: str, key: bytes) -> bytes:
    packed = socket.inet_pton(family, text).ljust(16, b"\0")
    return struct.pack("=BBH16s80s", family, prefix, len(key), packed, key)


def test_md5_keys() -> None:
    """The key has its own length: any byte may be in it."""
    keys = md5(2, 8, "10.0.0.0", b"a b,c\\d\0\x7f\xff") + md5(10, 16, "fd00::", b"six") + md5(2, 0, "0.0.0.0", b"")
    assert inet(k.MD5SIG, keys).md5_keys == (
        Md5Key("10.0.0.0", 8, b"a b,c\\d\0\x7f\xff"),
        Md5Key("fd00::", 16, b"six"),
        Md5Key("0.0.0.0", 0, b""),
    )
    assert inet(k.MD5SIG, b"").md5_keys == ()


def ulp(name: bytes, number: int = 0, nested: bytes = b"") -> bytes:
    return nlattr(k.ULP_NAME, name + b"\0") + (nlattr(number | 0x8000, nested) if number else b"")


def test_ulp_without_details() -> None:
    assert inet(k.ULP_INFO | 0x8000, ulp(b"espintcp")).ulp == UlpInfo("espintcp")


@pytest.mark.parametrize(("version", "word"), [(0x303, "1.2"), (0x304, "1.3"), (0x301, "unknown(769)")])
@pytest.mark.parametrize(("cipher", "name"), [(51, "AES_GCM_128"), (58, "ARIA_GCM_256"), (99, "unknown(99)")])
def test_tls(version: int, word: str, cipher: int, name: str) -> None:
    nested = b"".join(nlattr(i, struct.pack("=H", v)) for i, v in ((1, version), (2, cipher), (3, 1), (4, 3)))
    assert inet(k.ULP_INFO, ulp(b"tls", k.ULP_TLS, nested)).ulp == UlpInfo("tls", TlsInfo(word, name, "BASE", "HW"))


def test_tls_flags() -> None:
    """A flag attribute has no payload: it is there or not."""
    assert inet(k.ULP_INFO, ulp(b"tls", k.ULP_TLS, nlattr(5, b"") + nlattr(6, b""))).ulp == UlpInfo(
        "tls", TlsInfo(zc_ro_tx=True, no_pad_rx=True)
    )


def test_tls_largest_payload() -> None:
    """What 7.2 tells of a socket that was just given to kernel TLS; of another length it is not that attribute."""
    largest = nlattr(7, b"\x00\x40")
    assert inet(k.ULP_INFO, ulp(b"tls", k.ULP_TLS, largest)).ulp == UlpInfo("tls", TlsInfo(tx_max_payload_bytes=16384))
    other = ulp(b"tls", k.ULP_TLS, nlattr(7, b"\x00"))
    assert decode(inet_message({k.ULP_INFO: other}), "tcp").unknown_attributes == ((k.ULP_INFO, other),)


def test_mptcp_subflow() -> None:
    values = [
        (1, "=I", 0xBEEF),
        (2, "=I", 7),
        (3, "=I", 111),
        (4, "=Q", 1 << 40),
        (5, "=I", 222),
        (6, "=I", 333),
        (7, "=H", 444),
        (8, "=I", 0x1FF),
        (9, "=B", 3),
        (10, "=B", 4),
    ]
    nested = b"".join(nlattr(number, struct.pack(form, value)) for number, form, value in values) + nlattr(11, b"")
    assert inet(k.ULP_INFO, ulp(b"mptcp", k.ULP_MPTCP, nested)).ulp == UlpInfo(
        "mptcp", None, MptcpSubflow(0xBEEF, 7, 111, 1 << 40, 222, 333, 444, 0x1FF, 3, 4)
    )


@pytest.mark.parametrize(
    "payload",
    [
        ulp(b"tls", k.ULP_TLS, nlattr(7, b"new")),
        ulp(b"mptcp", k.ULP_MPTCP, nlattr(12, b"new")),
        ulp(b"new", 9, b"new"),
    ],
)
def test_ulp_of_a_newer_kernel(payload: bytes) -> None:
    """What is known of it is decoded, and all of it is kept."""
    decoded = decode(inet_message({k.ULP_INFO: payload}))
    assert decoded.inet is not None
    assert decoded.inet.ulp is not None
    assert decoded.unknown_attributes == ((k.ULP_INFO, payload),)


def test_tcp_info_longer_than_known() -> None:
    """What a newer kernel appended is kept."""
    decoded = inet_diag.decode(
        inet_message({k.INFO: bytes([1]) + bytes(279) + b"more"}), "tcp", INTERFACES, version=lambda: (9, 1)
    )
    assert decoded.tcp_info is not None
    assert decoded.tcp_info.accecn_opt_seen == 0
    assert decoded.unknown_attributes == ((k.INFO, b"more"),)


@pytest.mark.parametrize("length", [40, 80, 84, 96])
def test_mptcp_info_of_every_kernel(length: int) -> None:
    payload = (bytes([2]) + bytes(11) + u32(0xBEEF) + bytes(24) + bytes([9]) * 56)[:length]
    decoded = decode(inet_message({k.INFO: payload}), "mptcp")
    assert decoded.tcp_info is None
    assert decoded.mptcp_info is not None
    assert (decoded.mptcp_info.subflows, decoded.mptcp_info.token) == (2, 0xBEEF)
    assert decoded.mptcp_info.local_addr_used == (None if length == 40 else 9)
    assert decoded.mptcp_info.last_ack_recv_ms == (0x09090909 if length == 96 else None)
    assert len(MptcpInfo.FIELDS) == 25


@pytest.mark.parametrize(
    ("version", "laminar", "fullmesh"),
    [
        ((6, 1), None, None),
        ((6, 12), None, None),
        ((6, 18), 0, None),
        ((6, 19), 0, 0),
        ((7, 2), 0, 0),
        (None, None, None),
    ],
)
def test_bytes_that_mptcp_info_had_reserved(
    version: tuple[int, int] | None, laminar: int | None, fullmesh: int | None
) -> None:
    """A 0 where an older kernel has no member is unknown; another number is that of a kernel with changes of its own."""

    def told(reserved: bytes) -> tuple[int | None, int | None]:
        message = inet_message({k.INFO: bytes(80) + b"\2" + reserved + bytes(13)})
        info = inet_diag.decode(message, "mptcp", INTERFACES, version=lambda: version).mptcp_info
        assert info is not None
        assert (info.subflows_total, info.last_data_sent_ms) == (2, 0)
        return info.endp_laminar_max, info.endp_fullmesh_max

    message = inet_message({k.INFO: bytes([2]) + bytes(47)})
    padded = inet_diag.decode(message, "mptcp", INTERFACES, version=lambda: version).mptcp_info
    assert padded is not None
    assert padded.csum_enabled == (None if version is None else 0)
    assert padded.retransmits == (None if version is None or version < (6, 5) else 0)
    assert told(bytes(3)) == (laminar, fullmesh)
    assert told(b"\5\6\0") == (5, 6)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (None, (None, None, None)),
        # Nobody's struct was as long then.
        ((6, 17), (None, None, None)),
        ((6, 18), (None, 0x0201, 0x0906)),
        ((6, 19), (None, 0x0201, 0x0906)),
        ((7, 0), (2, 1, 0)),
        ((10, 1), (2, 1, 0)),
    ],
)
def test_last_word_of_tcp_info(version: tuple[int, int] | None, expected: tuple[object, ...]) -> None:
    """Two numbers of 16 bits in Linux 6.18 and 6.19, three bit fields since 7.0: only the kernel's version tells which."""
    word = b"\x06\x09\x01\x02" if sys.byteorder == "little" else b"\x09\x06\x02\x01"
    if version is not None and version >= (7, 0) and sys.byteorder == "big":
        word = b"\x90\0\0\0"
    message = inet_message({k.INFO: bytes([1]) + bytes(275) + word})
    info = inet_diag.decode(message, "tcp", INTERFACES, version=lambda: version).tcp_info
    assert info is not None
    assert (info.ecn_mode, info.accecn_opt_seen, info.accecn_fail_mode) == expected
    columns = Columns("tcp", Request("inet_diag_tcp", b""), INTERFACES, lambda: version)
    columns.take(message)
    (batch,) = columns.rest()
    assert [batch.values(f"tcp_info.{name}")[0] for name in ECN_WORD] == list(expected)


def sockaddr(text: str, port: int) -> bytes:
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    packed = socket.inet_pton(family, text)
    head = struct.pack("=H", family) + struct.pack("!H", port)
    return (head + (bytes(4) if family == socket.AF_INET6 else b"") + packed).ljust(128, b"\0")


@pytest.mark.parametrize("number", [13, 14])
def test_partopen(number: int) -> None:
    """DCCP's last state is 13, and 14 since TCP has BOUND_INACTIVE; it is asked for with every set that such sockets are in."""
    message = inet_message({}, state=number)
    assert decode(message, "dccp").state == "PARTOPEN"
    columns = Columns("dccp", Request("inet_diag_dccp", b""), INTERFACES)
    columns.take(message)
    (batch,) = columns.rest()
    assert list(batch.values("state")) == ["PARTOPEN"]
    assert decode(message, "tcp").state == {13: "BOUND_INACTIVE", 14: "UNKNOWN(14)"}[number]
    for text, there in (
        ("state connected", True),
        ("exclude listening", True),
        ("exclude established", True),
        ("state bound-inactive", False),
        ("state established", False),
        ("state closed", False),
    ):
        where = compile_where(text)
        (asked,) = inet_diag.inet_requests("dccp", ("AF_INET",), where.states)
        assert not there or asked.states >> number & 1, text
        assert where.match(decode(message, "dccp")) is there, text


def test_sctp_association() -> None:
    """A row with peers is an association: its state is SCTP's, its timer too."""
    info = struct.pack("=II", 0xABCD, 3) + bytes(160) + sockaddr("fd00::9", 5000) + bytes(72)
    attributes = {
        k.LOCALS: sockaddr("10.0.0.1", 4000) + sockaddr("fd00::1", 4000),
        k.PEERS: sockaddr("10.0.0.9", 5000),
        k.INFO: info,
    }
    decoded = decode(inet_message(attributes, state=1, timer=3, expires=2500, retrans=2), "sctp")
    assert decoded.state == "COOKIE_WAIT"
    assert decoded.timer == Timer("t3_rtx", 2500, 2)
    assert decoded.inet is not None
    assert decoded.inet.locals == (Endpoint("10.0.0.1", 4000), Endpoint("fd00::1", 4000))
    assert decoded.inet.peers == (Endpoint("10.0.0.9", 5000),)
    assert decoded.sctp_info is not None
    assert decoded.sctp_info.p_address == Endpoint("fd00::9", 5000)
    assert (decoded.sctp_info.tag, decoded.sctp_info.state, decoded.sctp_info.s_type) == (0xABCD, 3, 0)
    # The kernel gives it as maxseg, and leaves the member of this name 0.
    assert (decoded.sctp_info.fragmentation_point, decoded.sctp_info.maxseg) == (None, 0)
    assert decoded.type == "SOCK_SEQPACKET"
    assert decoded.unknown_attributes == ()
    assert decode(inet_message({k.PEERS: b""}, state=9), "sctp").state == "UNKNOWN(9)"


@pytest.mark.parametrize(("style", "kind"), [(0, "SOCK_SEQPACKET"), (1, "SOCK_SEQPACKET"), (2, "SOCK_STREAM")])
def test_sctp_type(style: int, kind: str) -> None:
    """Only sctp_info tells the two styles apart; an endpoint's state is one of TCP's numbers."""
    decoded = decode(inet_message({k.INFO: bytes(360) + u32(style, 0), k.LOCALS: b""}, state=LISTEN), "sctp")
    assert (decoded.type, decoded.state, decoded.recv_q_unit) == (kind, "LISTEN", "connections")
    info = decoded.sctp_info
    assert info is not None
    assert (info.p_address, info.tag, info.state, info.rwnd_bytes, info.p_error) == (None,) * 5
    assert (info.s_autoclose_s, info.s_nodelay) == (0, 0)


@pytest.mark.parametrize(
    ("number", "netid", "protocol"),
    [
        (6, "tcp", "TCP"),
        (17, "udp", "UDP"),
        (132, "sctp", "SCTP"),
        (33, "dccp", "DCCP"),
        (58, "tcp", "ICMPV6"),
        (200, "tcp", "200"),
    ],
)
def test_protocol_attribute_overrides(number: int, netid: str, protocol: str) -> None:
    """Messages of a destroy group tell their protocol."""
    decoded = decode(inet_message({k.PROTOCOL: bytes([number])}))
    assert (decoded.netid, decoded.protocol) == (netid, protocol)


@pytest.mark.parametrize(
    ("attributes", "protocol"),
    [
        ({}, "ICMP"),
        ({k.PROTOCOL: b"\x3a"}, "ICMPV6"),
        ({k.PROTOCOL: b"\x06"}, "TCP"),
        ({k.PROTOCOL: b"\xfd"}, "253"),
    ],
)
def test_raw_sockets(attributes: dict[int, bytes], protocol: str) -> None:
    """A raw socket is one of any protocol; its port is the protocol's number."""
    decoded = decode(inet_message(attributes, sport=1, dport=0), "raw")
    assert (decoded.netid, decoded.type, decoded.protocol, decoded.local.port) == ("raw", "SOCK_RAW", protocol, 1)


# What is not known, or not right


def test_unknown_attributes_are_kept() -> None:
    attributes = {23: b"new", k.SHUTDOWN: b"\0", 4711: b"", k.PAD: b"pad"}
    assert decode(inet_message(attributes)).unknown_attributes == ((23, b"new"), (4711, b""))


@pytest.mark.parametrize(
    ("number", "payload"),
    [
        (k.SHUTDOWN, b""),
        (k.SHUTDOWN, b"\0\0"),
        (k.MARK, b"\1\2"),
        (k.CGROUP_ID, u32(1)),
        (k.PROTOCOL, b""),
        (k.SKMEMINFO, b"12345"),
        (k.TOS, b""),
        (k.TCLASS, b"\0\0"),
        (k.CLASS_ID, b"\0"),
        (k.SKV6ONLY, b""),
        (k.SOCKOPT, b"\xff"),
        (k.SOCKOPT, b"\1\2\3"),
        (k.VEGASINFO, u32(1, 2, 3)),
        (k.DCTCPINFO, u32(1)),
        (k.BBRINFO, u32(1, 2, 3, 4)),
        (k.MEMINFO, u32(1, 2, 3)),
        (k.MD5SIG, bytes(99)),
        (k.MD5SIG, bytes(100)),
        (k.LOCALS, bytes(127)),
        (k.PEERS, bytes(128)),
        (k.ULP_INFO, b"\3\0\1\0"),
        (k.ULP_INFO, b"\x0a\0\1\0"),
    ],
)
def test_an_attribute_that_does_not_fit_is_kept_as_bytes(number: int, payload: bytes) -> None:
    """A wrong size costs that attribute only, and not its bytes."""
    decoded = decode(inet_message({number: payload, k.CONG: b"cubic\0"}))
    assert decoded.unknown_attributes == ((number, payload),)
    assert decoded.inet == InetAttrs(congestion="cubic")
    assert (decoded.shutdown, decoded.mark, decoded.cgroup_id, decoded.skmem) == (None, None, None, None)


@pytest.mark.parametrize("length", [0, 15, 16, 87])
def test_short_message(length: int) -> None:
    with pytest.raises(ParseError, match=f"netlink:test:0: nlmsg_len: expected at least 88, got '{length}'"):
        decode(inet_message()[:length])


def test_other_family() -> None:
    with pytest.raises(ParseError, match="netlink:test:16: idiag_family: expected 2 or 10, got '1'"):
        decode(inet_message(family=socket.AF_UNIX))


@pytest.mark.parametrize("length", [0, 3, 9, 0xFFFF])
def test_attribute_length(length: int) -> None:
    broken = inet_message() + struct.pack("=HH", length, k.MARK) + bytes(4)
    with pytest.raises(ParseError, match="netlink:test:88: nla_len: expected 4 to 8"):
        decode(broken)


# A whole table


class Kernel:
    """Answers requests by name: with datagrams, or an error."""

    def __init__(self, **answers: list[bytes] | SourceError) -> None:
        self.answers = answers

    def dump(self, request: Request) -> Iterator[bytes]:
        answer = self.answers.get(request.name, [])
        if isinstance(answer, SourceError):
            raise answer
        for datagram in answer:
            if datagram == b"lost":
                raise SourceTruncated(request.source, "part of the answer was lost (ENOBUFS)", 105)
            yield datagram

    def query(self, request: Request) -> bytes:
        raise NotImplementedError


def test_read(tmp_path: Path) -> None:
    """Rows of both families in the kernel's order, each socket once, a bad row apart."""
    kernel = Kernel(
        inet_diag_udp=[inet_message(cookie=1) + inet_message(cookie=2), inet_message(cookie=1), nlmsg(b"short")],
        inet_diag_udp6=[inet_message(cookie=3, family=10)],
    )
    reading = inet_diag.read(System(open_root(str(tmp_path)), kernel), "udp", interfaces=INTERFACES)
    assert [s.cookie for s in reading.sockets] == [1, 2, 3]
    assert [s.netid for s in reading.sockets] == ["udp"] * 3
    (error,) = reading.errors
    assert isinstance(error, ParseError)
    assert str(error).startswith("netlink:inet_diag_udp:0: nlmsg_len")


def test_read_keeps_the_rows_of_a_partial_answer(tmp_path: Path) -> None:
    kernel = Kernel(inet_diag_tcp=[inet_message(cookie=1), b"lost"], inet_diag_tcp6=[inet_message(cookie=2, family=10)])
    reading = inet_diag.read(System(open_root(str(tmp_path)), kernel), "tcp")
    assert [s.cookie for s in reading.sockets] == [1, 2]
    assert [str(error) for error in reading.errors] == ["netlink:inet_diag_tcp: part of the answer was lost (ENOBUFS)"]


def test_read_of_a_table_that_is_not_there(tmp_path: Path) -> None:
    """Without a handler there is no table; without one for IPv6 there is one of IPv4."""
    missing = SourceUnavailable("netlink:inet_diag_dccp", "No such file or directory", 2)
    system = System(open_root(str(tmp_path)), Kernel(inet_diag_dccp=missing))
    with pytest.raises(SourceUnavailable):
        inet_diag.read(system, "dccp")
    half = System(open_root(str(tmp_path)), Kernel(inet_diag_tcp=[inet_message()], inet_diag_tcp6=missing))
    reading = inet_diag.read(half, "tcp")
    assert len(reading.sockets) == 1
    assert reading.errors == (missing,)


def test_read_of_sctp_keeps_all_associations_of_a_socket(tmp_path: Path) -> None:
    """The associations of a socket have its cookie."""
    rows = [inet_message({k.LOCALS: b""}), inet_message({k.PEERS: b""}, state=3), inet_message({k.PEERS: b""}, state=4)]
    system = System(open_root(str(tmp_path)), Kernel(inet_diag_sctp=[b"".join(rows)]))
    reading = inet_diag.read(system, "sctp", ("AF_INET",))
    assert [s.state for s in reading.sockets] == ["ESTABLISHED", "ESTABLISHED", "SHUTDOWN_PENDING"]


def test_read_asks_for_what_is_wanted(tmp_path: Path) -> None:
    answers = Answers()
    inet_diag.read(System(open_root(str(tmp_path)), answers), "tcp", ("AF_INET",), 1 << LISTEN, needs={SKMEM, INET})
    assert answers.requests == inet_diag.inet_requests("tcp", ("AF_INET",), 1 << LISTEN, (SKMEM, INET))


def test_protocols_are_those_of_the_tables() -> None:
    assert inet_diag.PROTOCOLS.keys() == inet_diag.TABLES.keys()
    assert {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP} < set(inet_diag.PROTOCOLS.values())
