"""Rows of /proc/net/netlink, of 2.6 and of 6.18."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sockdiag.model.address import Endpoint
from sockdiag.model.local_attrs import NetlinkAttrs
from sockdiag.model.proc_attrs import ProcAttrs
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Socket
from sockdiag.sources.proc.net_netlink import parse_netlink, read_netlink
from sockdiag.sources.system.captured_root import open_root
from tests.unit.sources.proc_rows import NETLINK, NETLINK_HEADING, changed, messages

if TYPE_CHECKING:
    from pathlib import Path

SOCKET = Socket(
    netid="netlink",
    family="AF_NETLINK",
    type=None,
    protocol="ROUTE",
    state=None,
    local=Endpoint("ROUTE", 3008012040),
    recv_q=2304,
    send_q=768,
    uid=None,
    inode=1073951,
    skmem=SkMem(rmem_alloc=2304, wmem_alloc=768, drops=21),
    netlink=NetlinkAttrs(groups=0x80000001, cb_running=True, refs=2),
    proc=ProcAttrs(pointer=0x1C0B62E8),
    source="proc",
)


def test_row() -> None:
    assert parse_netlink(NETLINK_HEADING + NETLINK) == ([SOCKET], ())


@pytest.mark.parametrize(("number", "word"), [(b"4", "SOCK_DIAG"), (b"16", "GENERIC"), (b"99", "99")])
def test_protocols(number: bytes, word: str) -> None:
    (socket,) = parse_netlink(NETLINK_HEADING + changed(NETLINK, 1, number)).sockets
    assert (socket.protocol, socket.local.address) == (word, word)


def test_layout_of_2_6() -> None:
    """Without Drops and Inode, port ids signed, and the dump a pointer."""
    body = (
        b"sk       Eth Pid    Groups   Rmem     Wmem     Dump     Locks\n"
        b"eb527c00 15  -4127  00000000 0        0          (null) 2\n"
        b"eb527c01 15  4127   00000003 8        0        eb527c80 3\n"
    )
    reading = parse_netlink(body)
    assert reading.errors == ()
    first, second = reading.sockets
    assert first.local == Endpoint("KOBJECT_UEVENT", 4294963169)
    assert (first.inode, first.skmem) == (None, SkMem(rmem_alloc=0, wmem_alloc=0))
    assert first.netlink == NetlinkAttrs(groups=0, cb_running=False, refs=2)
    assert second.netlink == NetlinkAttrs(groups=3, cb_running=True, refs=3)


def test_columns_are_found_by_the_heading() -> None:
    heading = b"sk Eth Vendor Pid Groups Rmem Wmem More\n"
    reading = parse_netlink(heading + b"1c0b62e8 0 x 5 00000000 1 2 y and z\n")
    assert reading.errors == ()
    (socket,) = reading.sockets
    assert (socket.local.port, socket.recv_q, socket.send_q) == (5, 1, 2)
    assert socket.netlink == NetlinkAttrs(groups=0)


@pytest.mark.parametrize(
    ("column", "token", "name", "expected"),
    [
        (0, b"sk", "sk", "a hexadecimal number"),
        (1, b"ROUTE", "Eth", "a decimal number"),
        (1, b"-1", "Eth", "a decimal number"),
        (2, b"kernel", "Pid", "a decimal number"),
        (3, b"0x1", "Groups", "a hexadecimal number"),
        (4, b"1k", "Rmem", "a decimal number"),
        (5, b"1.0", "Wmem", "a decimal number"),
        (6, b"none", "Dump", "a hexadecimal number"),
        (7, b"x", "Locks", "a decimal number"),
        (8, b"x", "Drops", "a decimal number"),
        (9, b"x", "Inode", "a decimal number"),
    ],
)
def test_one_wrong_column_costs_that_row_only(column: int, token: bytes, name: str, expected: str) -> None:
    reading = parse_netlink(NETLINK_HEADING + NETLINK + changed(NETLINK, column, token) + NETLINK)
    assert reading.sockets == [SOCKET, SOCKET]
    assert messages(reading) == [f"/proc/net/netlink:3: {name}: expected {expected}, got {token!r}"]


def test_missing_columns() -> None:
    for length, name in enumerate(NETLINK_HEADING.decode().split()[1:], 1):
        row = b" ".join(NETLINK.split()[:length])
        assert messages(parse_netlink(NETLINK_HEADING + row + b"\n")) == [
            f"/proc/net/netlink:2: {name}: expected a row of 10 columns, got {row!r}"
        ]


def test_unknown_heading_costs_the_table() -> None:
    heading = NETLINK_HEADING.replace(b"Groups", b"Group")
    reading = parse_netlink(heading + NETLINK)
    assert reading.sockets == []
    assert messages(reading) == [
        f"/proc/net/netlink:1: heading: expected sk Eth Pid Groups Rmem Wmem, got {heading[:-1][:80]!r}"
    ]
    assert len(parse_netlink(b"").errors) == 1


def test_file_that_ends_within_a_row() -> None:
    reading = parse_netlink(NETLINK_HEADING + NETLINK + NETLINK[:-2])
    assert reading.sockets == [SOCKET]
    assert messages(reading) == [f"/proc/net/netlink:3: row: expected a newline at its end, got {NETLINK[:-2][:80]!r}"]


def test_read(tmp_path: Path) -> None:
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/netlink").write_bytes(NETLINK_HEADING + b"\n" + NETLINK)
    assert read_netlink(open_root(str(tmp_path))) == ([SOCKET], ())
