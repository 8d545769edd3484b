"""Whatever the bytes of a socket table, the parser ends, and what is wrong becomes a ParseError with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockdiag.errors import ParseError
from sockdiag.sources.proc.inet import parse_raw, parse_tcp, parse_udp
from sockdiag.sources.proc.net_netlink import parse_netlink
from sockdiag.sources.proc.net_packet import parse_packet
from sockdiag.sources.proc.net_unix import parse_unix
from sockdiag.sources.reading import MAX_ERRORS, Reading
from tests.unit.sources import proc_rows as rows

if TYPE_CHECKING:
    from collections.abc import Callable

    Parse = Callable[[bytes], Reading]

TCP6_ROW = rows.changed(
    rows.changed(rows.ESTABLISHED, 1, b"000080FE00000000FF6A21025EDDA0FE:C781"), 2, b"0" * 32 + b":0000"
)
VENDOR_HEADING = rows.TCP_HEADING.replace(b"retrnsmt   uid", b"uid vendor retrnsmt").rstrip() + b" ref pointer drops\n"

# parser, heading, rows that are right
TABLES: dict[str, tuple[Parse, bytes, tuple[bytes, ...]]] = {
    "tcp": (parse_tcp, rows.TCP_HEADING, (rows.LISTEN, rows.ESTABLISHED, rows.TIME_WAIT)),
    "tcp6": (lambda body: parse_tcp(body, "tcp6"), rows.TCP6_HEADING, (TCP6_ROW,)),
    "vendor": (
        parse_tcp,
        VENDOR_HEADING,
        (b"0: 0100007F:1F90 0100007F:1F91 01 00000000:00000000 00:00000000 5 7 00000000 0 9 1 ff 3\n",),
    ),
    "udp": (parse_udp, rows.DATAGRAM_HEADING, (rows.UDP,)),
    "raw": (parse_raw, rows.DATAGRAM_HEADING, (rows.RAW,)),
    "icmp": (lambda body: parse_raw(body, "icmp"), rows.DATAGRAM_HEADING, (rows.RAW,)),
    "unix": (
        parse_unix,
        rows.UNIX_HEADING,
        (rows.UNIX, b"000000001f2c3b2e: 00000003 00000000 00000000 0001 03  2100\n"),
    ),
    "netlink": (parse_netlink, rows.NETLINK_HEADING, (rows.NETLINK,)),
    "packet": (lambda body: parse_packet(body, lambda index: f"eth{index}"), rows.PACKET_HEADING, (rows.PACKET,)),
}
NAMES = list(TABLES)


def check(reading: Reading) -> None:
    assert len(reading.errors) <= MAX_ERRORS + 1
    for error in reading.errors:
        assert isinstance(error, ParseError)
        assert error.path.startswith("/proc/net/")
        assert error.line >= 1
        assert error.column
        assert error.expected
    hash(tuple(reading.sockets))


@pytest.mark.parametrize("name", NAMES)
@given(body=st.binary(max_size=300))
@settings(max_examples=40)
def test_any_bytes(name: str, body: bytes) -> None:
    parse, heading, _ = TABLES[name]
    check(parse(body))
    check(parse(heading + body))


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """Change, remove, insert or repeat bytes of a row that is right."""
    row = bytearray(good)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(row)))
        stop = draw(st.integers(start, min(len(row), start + 20)))
        row[start:stop] = draw(
            st.one_of(st.binary(max_size=3), st.sampled_from([b" ", b":", b"-", b"F" * 40, b"\n", b"_"]))
        )
    return bytes(row)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=60)
def test_damaged_rows(name: str, data: st.DataObject) -> None:
    """The rows around a damaged one are there as ever; its name may go on in the line below, if it is a unix one."""
    parse, heading, good = TABLES[name]
    bad = data.draw(damaged(data.draw(st.sampled_from(good))))
    reading = parse(heading + good[0] + bad + b"\n" + good[-1])
    check(reading)
    expected = parse(heading + good[0] + good[-1]).sockets
    assert reading.sockets[-1] == expected[-1]
    if name == "unix":
        assert reading.sockets[0]._replace(local=expected[0].local) == expected[0]
    else:
        assert reading.sockets[0] == expected[0]


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=25)
def test_damaged_heading(name: str, data: st.DataObject) -> None:
    parse, heading, good = TABLES[name]
    check(parse(data.draw(damaged(heading)) + b"".join(good)))


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=25)
def test_order_and_repetition(name: str, data: st.DataObject) -> None:
    """A row means the same wherever it stands and however often; a table is the sum of its parts."""
    parse, heading, good = TABLES[name]
    alone = {row: parse(heading + row).sockets for row in good}
    order = data.draw(st.lists(st.sampled_from(good), max_size=8))
    reading = parse(heading + b"".join(order))
    assert reading.errors == ()
    assert reading.sockets == [socket for row in order for socket in alone[row]]


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=25)
def test_a_cut_file_never_has_rows_of_its_own(name: str, data: st.DataObject) -> None:
    """What is left of a table that was cut gives the first rows of the whole one, and an error unless at a line's end."""
    parse, heading, good = TABLES[name]
    body = heading + b"".join(good)
    cut = data.draw(st.integers(0, len(body) - 1))
    whole, part = parse(body), parse(body[:cut])
    check(part)
    assert whole.errors == ()
    assert part.sockets == whole.sockets[: len(part.sockets)]
    assert bool(part.errors) == (body[:cut][-1:] != b"\n")


@given(
    name=st.binary(min_size=1, max_size=107).filter(lambda name: b"\0" not in name and name[:1] != b"@"),
    abstract=st.booleans(),
)
@settings(max_examples=150)
def test_unix_names_survive(name: bytes, abstract: bool) -> None:
    """What the kernel prints of a name comes back, unless a line of it is made to look like a row."""
    row = b"000000001f2c3b2e: 00000003 00000000 00000000 0001 03  2100 "
    reading = parse_unix(rows.UNIX_HEADING + row + (b"@" if abstract else b"") + name + b"\n" + rows.UNIX)
    if any(line[8:9] == b":" or line[16:17] == b":" for line in name.split(b"\n")[1:]):
        check(reading)
        return
    assert reading.errors == ()
    assert [s.local.address for s in reading.sockets] == [b"\0" + name if abstract else name, b"/run/listener"]
