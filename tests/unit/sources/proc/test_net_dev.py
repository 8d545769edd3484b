"""The columns of /proc/net/dev."""

from __future__ import annotations

import pytest

from sockdiag.errors import ParseError
from sockdiag.model.device import Device
from sockdiag.sources.proc.net_dev import PATH, parse_dev

HEADING = (
    b"Inter-|   Receive                                                |  Transmit\n"
    b" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier"
    b" compressed\n"
)
ROW = b" 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"


@pytest.mark.parametrize("name", [b"eth0", b"eth0.100", b"eth0:1", b"\xff\xfe", b"a" * 15])
def test_row(name: bytes) -> None:
    """Names are bytes, with and without a blank after the colon; all columns are in their fields."""
    for text in (b"  " + name + b":" + ROW, name + b":" + ROW.lstrip()):
        assert list(parse_dev(HEADING + text)) == [Device(name, *range(1, 17))]


def test_unknown_and_missing_columns() -> None:
    """Columns are found by their heading."""
    heading = b"Inter-| Receive | Transmit\n face |packets bytes nohandler|bytes\n"
    (row,) = parse_dev(heading + b"lo: 1 2 3 4\n")
    assert row == Device(b"lo", rx_packets=1, rx_bytes=2, tx_bytes=4, more=(("rx_nohandler", 3),))
    assert row.rx_drop is None


@pytest.mark.parametrize(
    ("line", "column"),
    [
        (b"eth0" + ROW, "face"),
        (b" :" + ROW, "face"),
        (b"eth0: 1 2 3", "line"),
        (b"eth0:" + ROW.replace(b" 4 ", b" 0x4 "), "rx_drop"),
        (b"eth0:" + ROW.replace(b" 12 ", b" - "), "tx_drop"),
    ],
)
def test_malformed(line: bytes, column: str) -> None:
    """A malformed row costs that row."""
    rows = parse_dev(HEADING + b"lo:" + ROW + line.rstrip(b"\n") + b"\neth1:" + ROW)
    assert [row.name for row in rows] == [b"lo", b"eth1"]
    (error,) = rows.errors
    assert (error.path, error.line, error.column) == (PATH, 4, column)


@pytest.mark.parametrize("body", [b"", b"x", b"Inter-|\nface bytes\n", b"a\nb|c\n"])
def test_unknown_heading(body: bytes) -> None:
    """Without its heading no column means anything."""
    with pytest.raises(ParseError):
        parse_dev(body)
