"""Rows of /proc/net/raw, raw6, icmp and icmp6: what stands for the ports, and the queues that are memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sockdiag.model.address import Endpoint
from sockdiag.model.proc_attrs import ProcAttrs
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Socket
from sockdiag.sources.proc.inet import parse_raw, read_raw
from sockdiag.sources.system.captured_root import open_root
from tests.unit.sources.proc_rows import DATAGRAM_HEADING, RAW, TCP_HEADING, changed, messages

if TYPE_CHECKING:
    from pathlib import Path

SOCKET = Socket(
    netid="raw",
    family="AF_INET",
    type="SOCK_RAW",
    protocol="254",
    state="ESTABLISHED",
    local=Endpoint("127.0.0.1", 254),
    peer=Endpoint("127.0.0.1", 0),
    recv_q=2560,
    send_q=768,
    uid=0,
    inode=1071468,
    skmem=SkMem(rmem_alloc=2560, wmem_alloc=768, drops=8),
    proc=ProcAttrs(pointer=0x1FD1ADD6, refs=2),
    source="proc",
)


def test_row() -> None:
    assert parse_raw(DATAGRAM_HEADING + RAW) == ([SOCKET], ())


@pytest.mark.parametrize(
    ("port", "protocol"),
    [(b"0001", "ICMP"), (b"003A", "ICMPV6"), (b"0059", "OSPF"), (b"00FF", "RAW"), (b"00C8", "200")],
)
def test_the_local_port_is_the_protocol(port: bytes, protocol: str) -> None:
    (socket,) = parse_raw(DATAGRAM_HEADING + changed(RAW, 1, b"0100007F:" + port)).sockets
    assert (socket.protocol, socket.local.port) == (protocol, int(port, 16))


def test_ping_sockets() -> None:
    """Their local port is the id of their echo requests."""
    row = changed(RAW, 1, b"0100007F:A5EE")
    (socket,) = parse_raw(DATAGRAM_HEADING + row, "icmp").sockets
    assert socket == SOCKET._replace(
        netid="icmp", type="SOCK_DGRAM", protocol="ICMP", local=Endpoint("127.0.0.1", 0xA5EE)
    )


def test_ipv6() -> None:
    row = changed(RAW, 1, b"00000000000000000000000001000000:003A")
    row = changed(row, 2, b"00000000000000000000000000000000:0000")
    for name, netid, kind in (("raw6", "raw", "SOCK_RAW"), ("icmp6", "icmp", "SOCK_DGRAM")):
        (socket,) = parse_raw(DATAGRAM_HEADING + row, name).sockets
        assert (socket.netid, socket.family, socket.type, socket.protocol) == (netid, "AF_INET6", kind, "ICMPV6")
        assert (socket.local, socket.peer) == (Endpoint("::1", 58), Endpoint("::", 0))


def test_kernel_without_drops() -> None:
    """2.6.16: twelve columns."""
    (socket,) = parse_raw(TCP_HEADING + b" ".join(RAW.split()[:12]) + b"\n").sockets
    assert socket == SOCKET._replace(skmem=SkMem(rmem_alloc=2560, wmem_alloc=768))


@pytest.mark.parametrize(
    ("column", "token", "name", "expected"),
    [
        (1, b"0100007F:", "local_address", "8 hexadecimal digits, ':' and 4 more"),
        (7, b"1.5", "uid", "a decimal number"),
        (10, b"two", "ref", "a decimal number"),
        (12, b"eight", "drops", "a decimal number"),
    ],
)
def test_one_wrong_column_costs_that_row_only(column: int, token: bytes, name: str, expected: str) -> None:
    reading = parse_raw(DATAGRAM_HEADING + changed(RAW, column, token) + RAW)
    assert reading.sockets == [SOCKET]
    assert messages(reading) == [f"/proc/net/raw:2: {name}: expected {expected}, got {token!r}"]


def test_read(tmp_path: Path) -> None:
    (tmp_path / "proc/net").mkdir(parents=True)
    for name in ("raw", "raw6", "icmp"):
        (tmp_path / "proc/net" / name).write_bytes(DATAGRAM_HEADING + (RAW if name[-1] != "6" else b""))
    assert read_raw(open_root(str(tmp_path))) == ([SOCKET], ())
    assert [s.netid for s in read_raw(open_root(str(tmp_path)), ["icmp"]).sockets] == ["icmp"]
    assert read_raw(open_root(str(tmp_path)), states=1 << 7).sockets == []
