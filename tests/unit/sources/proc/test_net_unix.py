"""Rows of /proc/net/unix: states, names with anything in them, the format of a patched kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sockdiag.model.address import NOWHERE, Endpoint
from sockdiag.model.local_attrs import UnixAttrs
from sockdiag.model.proc_attrs import ProcAttrs
from sockdiag.model.socket import Socket
from sockdiag.sources.proc.net_unix import parse_unix, read_unix
from sockdiag.sources.system.captured_root import open_root
from tests.unit.sources.proc_rows import UNIX, UNIX_HEADING, changed, messages

if TYPE_CHECKING:
    from pathlib import Path

NAMELESS = b"000000001f2c3b2e: 00000003 00000000 00000000 0001 03  2100\n"
ROW = "a row of 7 columns and perhaps a name"


def one(row: bytes) -> Socket:
    reading = parse_unix(UNIX_HEADING + row)
    assert reading.errors == ()
    (socket,) = reading.sockets
    return socket


def name_of(text: bytes) -> str | bytes | None:
    return one(NAMELESS[:-1] + b" " + text + b"\n").local.address


def test_row() -> None:
    assert one(UNIX) == Socket(
        netid="unix",
        family="AF_UNIX",
        type="SOCK_STREAM",
        state="LISTEN",
        local=Endpoint(b"/run/listener"),
        recv_q=None,
        send_q=None,
        recv_q_unit="connections",
        uid=None,
        inode=1074110,
        unix=UnixAttrs(socket_state="SS_UNCONNECTED", refs=3),
        proc=ProcAttrs(pointer=0x772BD2A7),
        source="proc",
    )


def test_nameless() -> None:
    assert one(NAMELESS) == Socket(
        netid="unix",
        family="AF_UNIX",
        type="SOCK_STREAM",
        state="ESTABLISHED",
        local=NOWHERE,
        inode=2100,
        unix=UnixAttrs(socket_state="SS_CONNECTED", refs=3),
        proc=ProcAttrs(pointer=0x1F2C3B2E),
        source="proc",
    )


@pytest.mark.parametrize(
    ("flags", "number", "state", "word"),
    [
        (b"00000000", b"01", "CLOSE", "SS_UNCONNECTED"),
        (b"00000000", b"02", "ESTABLISHED", "SS_CONNECTING"),
        (b"00000000", b"03", "ESTABLISHED", "SS_CONNECTED"),
        (b"00000000", b"04", "CLOSE", "SS_DISCONNECTING"),
        (b"00010000", b"01", "LISTEN", "SS_UNCONNECTED"),
        (b"00010001", b"01", "LISTEN", "SS_UNCONNECTED"),
        (b"00000000", b"00", None, "unknown(0)"),
        (b"00000000", b"1F", None, "unknown(31)"),
    ],
)
def test_states(flags: bytes, number: bytes, state: str | None, word: str) -> None:
    """St tells whether there is a file and whether sk_state is ESTABLISHED; the flag that it is LISTEN."""
    socket = one(changed(changed(NAMELESS, 3, flags), 5, number))
    assert socket.unix is not None
    assert (socket.state, socket.unix.socket_state) == (state, word)
    assert socket.recv_q_unit == ("connections" if state == "LISTEN" else "bytes")


@pytest.mark.parametrize(
    ("number", "word"),
    [(b"0001", "SOCK_STREAM"), (b"0002", "SOCK_DGRAM"), (b"0005", "SOCK_SEQPACKET"), (b"0010", "SOCK_16")],
)
def test_types(number: bytes, word: str) -> None:
    assert one(changed(NAMELESS, 4, number)).type == word


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (b"/run/a", b"/run/a"),
        (b"relative", b"relative"),
        (b"@", b"\0"),
        (b"@abstract", b"\0abstract"),
        (b"@with@nul@", b"\0with@nul@"),
        (b"/with@at", b"/with@at"),
        (b"/two  blanks and\ttab", b"/two  blanks and\ttab"),
        (b" leading", b" leading"),
        (b"\t\x0b\x0c leading", b"\t\x0b\x0c leading"),
        (b"trailing ", b"trailing "),
        (b"@trailing \x0b", b"\0trailing \x0b"),
        (b"  ", b"  "),
        (b"12", b"12"),
        (b"\xff\xfe\x1b[31m", b"\xff\xfe\x1b[31m"),
        (b"@car\rriage", b"\0car\rriage"),
        (b"@new\nline", b"\0new\nline"),
        (b"@new\n\n line\n", b"\0new\n\n line\n"),
        (b"@\n", b"\0\n"),
        (b"x" * 54 + b"\n" + b"y" * 53, b"x" * 54 + b"\n" + b"y" * 53),
    ],
)
def test_names(text: bytes, name: bytes) -> None:
    """They stand as they are, but for the NUL that an abstract one begins with."""
    assert name_of(text) == name


def test_no_name_but_a_blank() -> None:
    assert one(NAMELESS[:-1] + b" \n").local == NOWHERE


def test_a_name_of_two_lines_does_not_swallow_rows() -> None:
    body = UNIX_HEADING + UNIX[:-1] + b"\nsecond\n" + NAMELESS + UNIX
    assert [s.local.address for s in parse_unix(body).sockets] == [b"/run/listener\nsecond", None, b"/run/listener"]


def test_what_no_name_can_go_on_with_is_an_error() -> None:
    """sun_path has 108 bytes; a socket without a name has no second line."""
    long = b"y" * (108 - len(b"/run/listener"))
    reading = parse_unix(UNIX_HEADING + UNIX + long + b"\n" + NAMELESS + b"word\n" + UNIX)
    assert [s.local.address for s in reading.sockets] == [b"/run/listener", None, b"/run/listener"]
    assert messages(reading) == [
        f"/proc/net/unix:3: row: expected {ROW}, got {long[:80]!r}",
        f"/proc/net/unix:5: row: expected {ROW}, got b'word'",
    ]


@pytest.mark.parametrize(
    ("column", "token", "name", "expected"),
    [
        (0, b"xxxxxxxx1f2c3b2e:", "Num", "a hexadecimal number and ':'"),
        (0, b"1f2c3b2e ab:", "Num", "a hexadecimal number and ':'"),
        (1, b"x", "RefCount", "a hexadecimal number"),
        (3, b"0x10000", "Flags", "a hexadecimal number"),
        (4, b"STREAM", "Type", "a hexadecimal number"),
        (5, b"-1", "St", "a hexadecimal number"),
        (6, b"12ab", "Inode", "a decimal number"),
        (6, b"-12", "Inode", "a decimal number"),
    ],
)
def test_one_wrong_column_costs_that_row_only(column: int, token: bytes, name: str, expected: str) -> None:
    row = changed(UNIX, column, token)
    if token == b"1f2c3b2e ab:":  # the colon is where that of a 32-bit pointer would be
        row = b"1f2c ab1: 00000000 00010000 0001 01 3 4 /x\n"
        token = b"1f2c"
    reading = parse_unix(UNIX_HEADING + NAMELESS + row + UNIX)
    assert [s.inode for s in reading.sockets] == [2100, 1074110]
    assert messages(reading) == [f"/proc/net/unix:3: {name}: expected {expected}, got {token!r}"]


@pytest.mark.parametrize("length", range(1, 7))
def test_missing_columns(length: int) -> None:
    row = b" ".join(UNIX.split()[:length])
    reading = parse_unix(UNIX_HEADING + row + b"\n" + NAMELESS)
    assert [s.inode for s in reading.sockets] == [2100]
    assert messages(reading) == [f"/proc/net/unix:2: row: expected {ROW}, got {row!r}"]


@pytest.mark.parametrize(
    "heading",
    [
        b"Num       RefCount Protocol Flags    Type St Path\n",
        b"Num       RefCount Protocol Flags    Type St Inode\n",
        b"Inode Path\n",
        b"\n",
        b"Peer: Flags Type St Inode Path\n",
    ],
)
def test_unknown_heading_costs_the_table(heading: bytes) -> None:
    reading = parse_unix(heading + UNIX)
    assert reading.sockets == []
    expected = "Num RefCount Protocol Flags Type St Inode Path"
    assert messages(reading) == [f"/proc/net/unix:1: heading: expected {expected}, got {heading[:-1]!r}"]


def test_empty_file() -> None:
    assert len(parse_unix(b"").errors) == 1
    assert parse_unix(UNIX_HEADING) == ([], ())


def test_vendor_column() -> None:
    heading = UNIX_HEADING.replace(b"Inode", b"Vendor Inode")
    reading = parse_unix(heading + UNIX.replace(b" 1074110", b" what   1074110"))
    assert reading == ([one(UNIX)], ())


@pytest.mark.parametrize("cut", range(1, len(UNIX)))
def test_file_that_ends_within_a_row(cut: int) -> None:
    reading = parse_unix(UNIX_HEADING + NAMELESS + UNIX[:cut])
    assert [s.inode for s in reading.sockets] == [2100]
    assert messages(reading) == [f"/proc/net/unix:3: row: expected a newline at its end, got {UNIX[:cut]!r}"]


def test_patched_kernel() -> None:
    """The first column is the inode of the other end, the next two are queues."""
    body = (
        b"Peer:    RcvQueue SendQueue Flags    Type St Inode Path\n"
        b"000003F1: 00000005 00000007 00000000 0001 03  1001 /run/connected\n"
        b"00000000: 00000000 00000000 00010000 0001 01  1000 @listening\n"
        b"0000000x: 00000000 00000000 00010000 0001 01  1000\n"
    )
    reading = parse_unix(body)
    first, second = reading.sockets
    assert (first.recv_q, first.send_q, first.local.address) == (5, 7, b"/run/connected")
    assert first.unix == UnixAttrs(peer_inode=1009, socket_state="SS_CONNECTED")
    assert first.proc == ProcAttrs()
    assert (second.recv_q, second.send_q, second.state) == (0, 0, "LISTEN")
    assert second.unix == UnixAttrs(socket_state="SS_UNCONNECTED")
    assert messages(reading) == ["/proc/net/unix:4: Peer: expected a hexadecimal number and ':', got b'0000000x:'"]


def test_states_that_are_not_wanted_are_left_out() -> None:
    body = UNIX_HEADING + UNIX + NAMELESS + changed(NAMELESS, 5, b"01") + changed(NAMELESS, 5, b"1F")
    assert [s.state for s in parse_unix(body, 1 << 10).sockets] == ["LISTEN", None]
    assert [s.state for s in parse_unix(body, 1 << 1 | 1 << 7).sockets] == ["ESTABLISHED", "CLOSE", None]


def test_read(tmp_path: Path) -> None:
    (error,) = read_unix(open_root(str(tmp_path))).errors
    assert type(error).__name__ == "SourceUnavailable"
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/unix").write_bytes(UNIX_HEADING + UNIX)
    assert read_unix(open_root(str(tmp_path))) == ([one(UNIX)], ())
    assert read_unix(open_root(str(tmp_path)), 1 << 1).sockets == []
