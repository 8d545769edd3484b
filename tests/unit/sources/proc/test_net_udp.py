"""Rows of /proc/net/udp, udp6, udplite and udplite6, with and without the column drops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sockdiag.model.address import Endpoint
from sockdiag.model.proc_attrs import ProcAttrs
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Socket
from sockdiag.sources.proc.inet import parse_udp, read_udp
from sockdiag.sources.system.captured_root import open_root
from tests.unit.sources.proc_rows import DATAGRAM6_HEADING, DATAGRAM_HEADING, TCP_HEADING, UDP, changed, messages

if TYPE_CHECKING:
    from pathlib import Path

SOCKET = Socket(
    netid="udp",
    family="AF_INET",
    type="SOCK_DGRAM",
    protocol="UDP",
    state="CLOSE",
    local=Endpoint("127.0.0.1", 39155),
    peer=Endpoint("0.0.0.0", 0),
    recv_q=7680,
    send_q=1280,
    uid=1000,
    inode=1071508,
    skmem=SkMem(wmem_alloc=1280, drops=44),
    proc=ProcAttrs(pointer=0x17BB4D44, refs=2),
    source="proc",
)


def test_row() -> None:
    """tx_queue is sk_wmem_alloc; rx_queue is not sk_rmem_alloc, but less."""
    assert parse_udp(DATAGRAM_HEADING + UDP) == ([SOCKET], ())


@pytest.mark.parametrize(
    ("name", "netid", "family", "protocol"),
    [
        ("udp", "udp", "AF_INET", "UDP"),
        ("udp6", "udp", "AF_INET6", "UDP"),
        ("udplite", "udplite", "AF_INET", "UDPLITE"),
        ("udplite6", "udplite", "AF_INET6", "UDPLITE"),
    ],
)
def test_tables(name: str, netid: str, family: str, protocol: str) -> None:
    heading, row = DATAGRAM_HEADING, changed(UDP, 3, b"01")
    if family == "AF_INET6":
        heading = DATAGRAM6_HEADING
        row = changed(row, 1, b"00000000000000000000000001000000:007B")
        row = changed(row, 2, b"000080FE00000000FF6A21025EDDA0FE:0035")
    reading = parse_udp(heading + row, name)
    assert reading.errors == ()
    (socket,) = reading.sockets
    assert (socket.netid, socket.family, socket.type, socket.protocol) == (netid, family, "SOCK_DGRAM", protocol)
    assert socket.state == "ESTABLISHED"
    if family == "AF_INET6":
        assert socket.local == Endpoint("::1", 123)
        assert socket.peer == Endpoint("fe80::221:6aff:fea0:dd5e", 53)
    assert messages(parse_udp(heading + b"x\n", name)) == [
        f"/proc/net/{name}:2: sl: expected a number and ':', got b'x'"
    ]


def test_kernel_without_drops() -> None:
    """Before 2.6.27 the heading ends with inode: what else a row has is not drops."""
    for row in (UDP, b" ".join(UDP.split()[:12]) + b"\n"):
        (socket,) = parse_udp(TCP_HEADING + row).sockets
        assert socket.skmem == SkMem(wmem_alloc=1280)
        assert socket.proc is not None
        assert (socket.proc.pointer, socket.proc.extra) == (0x17BB4D44, b"44" if row == UDP else None)


def test_drops_without_the_names_before_it() -> None:
    heading = TCP_HEADING.rstrip() + b"  drops\n"
    assert parse_udp(heading + UDP) == ([SOCKET], ())


def test_vendor_column_at_the_end() -> None:
    heading = DATAGRAM_HEADING.rstrip() + b" vendor\n"
    (socket,) = parse_udp(heading + UDP.rstrip() + b"   7  8 \n").sockets
    assert socket.proc is not None
    assert socket.proc.extra == b"7  8"
    assert socket._replace(proc=SOCKET.proc) == SOCKET


def test_vendor_column_before_drops() -> None:
    heading = DATAGRAM_HEADING.replace(b"pointer drops", b"pointer vendor drops")
    row = changed(UDP, 11, b"0000000017bb4d44 what")
    (socket,) = parse_udp(heading + row).sockets
    assert socket.skmem == SkMem(wmem_alloc=1280, drops=44)
    assert socket.proc is not None
    assert socket.proc.extra == b"what"
    (error,) = messages(parse_udp(heading + UDP))
    assert error.startswith("/proc/net/udp:2: drops: expected a row of 13 columns, got b'")


@pytest.mark.parametrize(
    ("column", "token", "name", "expected"),
    [
        (1, b"0100007F:98F", "local_address", "8 hexadecimal digits, ':' and 4 more"),
        (2, b"*:*", "rem_address", "8 hexadecimal digits, ':' and 4 more"),
        (3, b"x", "st", "a hexadecimal number"),
        (4, b"0:0", "tx_queue:rx_queue", "8 hexadecimal digits, ':' and 8 more"),
        (5, b"0:0", "tr:tm->when", "2 hexadecimal digits, ':' and 8 or more"),
        (9, b"x", "inode", "a decimal number"),
        (11, b"x", "pointer", "a hexadecimal number"),
        (12, b"DEADCODE", "drops", "a decimal number"),
        (12, b"-1", "drops", "a decimal number"),
    ],
)
def test_one_wrong_column_costs_that_row_only(column: int, token: bytes, name: str, expected: str) -> None:
    reading = parse_udp(DATAGRAM_HEADING + UDP + changed(UDP, column, token) + UDP)
    assert reading.sockets == [SOCKET, SOCKET]
    assert messages(reading) == [f"/proc/net/udp:3: {name}: expected {expected}, got {token!r}"]


def test_missing_drops() -> None:
    row = b" ".join(UDP.split()[:12]) + b"\n"
    assert messages(parse_udp(DATAGRAM_HEADING + row)) == [
        f"/proc/net/udp:2: drops: expected a row of 13 columns, got {row.strip()[:80]!r}"
    ]


def test_states_that_are_not_wanted_are_left_out() -> None:
    assert parse_udp(DATAGRAM_HEADING + UDP, states=1 << 1).sockets == []
    assert parse_udp(DATAGRAM_HEADING + UDP, states=1 << 7).sockets == [SOCKET]


def test_read(tmp_path: Path) -> None:
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/udp").write_bytes(DATAGRAM_HEADING + UDP)
    (tmp_path / "proc/net/udp6").write_bytes(DATAGRAM6_HEADING)
    assert read_udp(open_root(str(tmp_path))) == ([SOCKET], ())
    reading = read_udp(open_root(str(tmp_path)), ["udplite"])
    assert [type(error).__name__ for error in reading.errors] == ["SourceUnavailable"]
