"""The columns of /proc/net/protocols."""

from __future__ import annotations

import pytest

from sockdiag.errors import ParseError
from sockdiag.model.protocols import OPERATIONS, Protocol
from sockdiag.sources.proc.net_protocols import PATH, parse_protocols

HEADING = b"protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re bi br ha uh gp em\n"
TCP = b"TCP       2304      1     187   no     192   yes  kernel      y  y  y  y  y  y  y  y  y  y  y  y  n  y  y  y  y  y\n"
PACKET = b"PACKET    1600      0      -1   NI       0   no   af_packet   " + b"n  " * 17 + b"n\n"

TCP_OPERATIONS = (
    "close",
    "connect",
    "disconnect",
    "accept",
    "ioctl",
    "init",
    "destroy",
    "shutdown",
    "setsockopt",
    "getsockopt",
    "sendmsg",
    "recvmsg",
    "backlog_rcv",
    "hash",
    "unhash",
    "get_port",
    "enter_memory_pressure",
)


def test_rows() -> None:
    """Operations are spelled out; -1 pages and NI are unknown."""
    rows = parse_protocols(HEADING + TCP + PACKET)
    assert list(rows) == [
        Protocol("TCP", 2304, 1, 187, False, 192, True, "kernel", TCP_OPERATIONS),
        Protocol("PACKET", 1600, 0, None, None, 0, False, "af_packet", ()),
    ]
    assert rows.errors == ()


def test_pressure() -> None:
    """Yes is yes."""
    (row,) = parse_protocols(HEADING + TCP.replace(b" no ", b" yes"))
    assert row.pressure is True


def test_operations_of_older_and_newer_kernels() -> None:
    """sendpage is known where it still is; a new operation stands under its letters."""
    heading = b"protocol size sockets memory press maxhdr slab module sp zz cl\n"
    rows = parse_protocols(heading + b"A 1 2 3 no 4 no m y y n\nB 1 2 3 no 4 no m n n y\n")
    assert [row.operations for row in rows] == [("sendpage", "zz"), ("close",)]
    assert OPERATIONS["sp"] == "sendpage"


def test_unknown_column_is_passed_over() -> None:
    """A column that is no operation does not disturb the others."""
    heading = b"protocol size extra sockets memory press maxhdr slab module cl\n"
    (row,) = parse_protocols(heading + b"A 1 what 2 3 no 4 no m y\n")
    assert row == Protocol("A", 1, 2, 3, False, 4, False, "m", ("close",))


def test_name_with_blanks() -> None:
    """A module may name its protocol as it likes."""
    (row,) = parse_protocols(HEADING + b"My proto " + TCP[3:])
    assert (row.name, row.size_bytes) == ("My proto", 2304)


@pytest.mark.parametrize(
    ("line", "column"),
    [
        (b"TCP 1 2 3", "line"),
        (TCP.replace(b"2304", b"big "), "size"),
        (TCP.replace(b" 187", b"0x18"), "memory"),
        (TCP.replace(b" no ", b" off"), "press"),
        (TCP.replace(b"yes", b"NI "), "slab"),
        (TCP.replace(b"n  y", b"1  y"), "bi"),
    ],
)
def test_malformed(line: bytes, column: str) -> None:
    """A malformed row costs that row."""
    rows = parse_protocols(HEADING + PACKET + line.rstrip(b"\n") + b"\n" + TCP)
    assert [row.name for row in rows] == ["PACKET", "TCP"]
    (error,) = rows.errors
    assert (error.path, error.line, error.column) == (PATH, 3, column)


@pytest.mark.parametrize("body", [b"", b"protocol size\n", HEADING.replace(b"protocol", b"name    ")])
def test_unknown_heading(body: bytes) -> None:
    """Without its heading no column means anything."""
    with pytest.raises(ParseError):
        parse_protocols(body)
