"""Formats and pages that kernels gave."""

from __future__ import annotations

from pathlib import Path

import pytest

from sockdiag.analysis.trace_events import FIELDS
from sockdiag.errors import ParseError
from sockdiag.kernel.tracepoints import FIELDS_SINCE, KFREE_SKB, SEND_RESET, SET_STATE, UDP_FAIL
from sockdiag.sources.tracefs.formats import TraceFormat, parse_format
from sockdiag.sources.tracefs.ring import TracePage, parse_header_page

RECORDED = Path(__file__).parents[3] / "fixtures" / "tracefs"
RELEASES = sorted(path.name for path in RECORDED.iterdir())


def layout(release: str, point: str) -> TraceFormat:
    path = RECORDED / release / f"{point.replace('/', '.')}.format"
    return parse_format(path.read_bytes(), path.name)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("point", FIELDS)
def test_every_field_is_read(release: str, point: str) -> None:
    """What is absent is what the kernel got later, or what a newer kernel has in another field."""
    if not (RECORDED / release / f"{point.replace('/', '.')}.format").exists():
        pytest.skip("this kernel does not have it")
    found = layout(release, point)
    assert found.name == point.partition("/")[2]
    absent = set(found.reader(FIELDS[point]).absent)
    addresses = {"saddr_v6", "daddr_v6", "sport", "dport", "family", "lport"}
    later = {field for (of, field), _since in FIELDS_SINCE.items() if of == point}
    assert absent <= later | addresses | {"err", "sock_cookie", "state", "saddr"}
    assert {"common_flags", "common_pid"}.isdisjoint(absent)


@pytest.mark.parametrize("release", RELEASES)
def test_reasons_have_the_names_of_the_kernel(release: str) -> None:
    """Numbers of reasons differ from kernel to kernel; the names are those of the print format."""
    found = layout(release, KFREE_SKB)
    if "reason" not in found.fields:
        pytest.skip("drops have no reason")
    body = (RECORDED / release / "skb.kfree_skb.format").read_text()
    for number, name in found.symbols["reason"].items():
        assert f'{{ {number}, "{name}" }}' in body
    assert len(found.symbols["reason"]) == body.count('" }')
    assert found.number("reason", "NOT_SPECIFIED") is not None
    assert found.number("reason", "NO_SUCH_REASON") is None


def test_the_reader_skips_what_is_between() -> None:
    """Fields come in the order asked for, with None for one that is absent."""
    found = layout("6.18", SET_STATE)
    reader = found.reader(("newstate", "nothing", "oldstate", "common_pid", "saddr"))
    event = bytearray(72)
    event[4:8] = (4711).to_bytes(4, "little")
    event[16:24] = b"\7\0\0\0\2\0\0\0"
    event[32:36] = bytes((127, 0, 0, 1))
    assert reader.read(bytes(event), 0) == (2, None, 7, 4711, b"\x7f\0\0\1")
    assert reader.absent == ("nothing",)


@pytest.mark.parametrize(
    "body", [b"", b"name: x\n", b"name: x\nID: 3\nformat:\n", b"ID: 3\n\tfield:int a;\toffset:0;\tsize:4;\tsigned:1;\n"]
)
def test_what_is_no_format_is_an_error(body: bytes) -> None:
    """A file of another shape is an error with its name."""
    with pytest.raises(ParseError, match="thing"):
        parse_format(body, "thing")


def pages() -> list[TracePage]:
    header = parse_header_page((RECORDED / "6.18" / "header_page").read_bytes())
    return [TracePage(path.read_bytes(), header) for path in sorted((RECORDED / "6.18").glob("*.page"))]


def test_pages_hold_what_was_done() -> None:
    """The recording holds a connection of either family, and 56 datagrams that a full buffer refused."""
    numbers = {layout("6.18", point).id: point for point in FIELDS}
    events = [(at, numbers[number]) for page in pages() for at, number, _offset, _length in page.events()]
    times = [at for at, _point in events]
    assert times == sorted(times)
    assert times[-1] - times[0] < 10**9
    counts = {point: [p for _at, p in events].count(point) for point in FIELDS}
    assert counts[UDP_FAIL] == 56
    assert counts[KFREE_SKB] == 56
    assert counts[SET_STATE] == 20
    assert counts[SEND_RESET] >= 1
    assert all(page.missed == 0 for page in pages())


@pytest.mark.parametrize("cut", [0, 7, 15, 17, 100, 2000])
def test_damaged_pages_are_errors(cut: int) -> None:
    """A page that ends early is an error, and no other exception."""
    header = parse_header_page((RECORDED / "6.18" / "header_page").read_bytes())
    whole = (RECORDED / "6.18" / "cpu0.0.page").read_bytes()
    with pytest.raises(ParseError):
        list(TracePage(whole[:cut], header).events())


def test_missed_events_are_counted() -> None:
    """The flags in the length say that events were overwritten, and how many."""
    header = parse_header_page((RECORDED / "6.18" / "header_page").read_bytes())
    empty = bytes(8) + (8 | 1 << 31).to_bytes(8, "little") + bytes(4080)
    assert TracePage(empty, header).missed is None
    counted = bytes(8) + (8 | 3 << 30).to_bytes(8, "little") + bytes(8) + (17).to_bytes(8, "little") + bytes(4064)
    assert TracePage(counted, header).missed == 17


def test_long_pauses_and_absolute_times() -> None:
    """Times that do not fit into 27 bits are in events of their own."""
    header = parse_header_page((RECORDED / "6.18" / "header_page").read_bytes())

    def word(number: int) -> bytes:
        return number.to_bytes(4, "little")

    data = word(1 | 5 << 5) + b"\1\0\0\0"  # 4 bytes, 5 ns later
    data += word(30 | 2 << 5) + word(3)  # 3 << 27 | 2 later
    data += word(0 | 1 << 5) + word(8) + b"\2\0\0\0"  # the length is in the first word: 4 bytes
    data += word(29 | 1 << 5) + word(4) + word(0)[:0]  # discarded
    data += word(31 | 7 << 5) + word(9)  # now it is 9 << 27 | 7
    data += word(1 | 0 << 5) + b"\3\0\0\0"
    page = (1000).to_bytes(8, "little") + len(data).to_bytes(8, "little") + data.ljust(4080, b"\0")
    found = [(at, number) for at, number, _offset, _length in TracePage(page, header).events()]
    extended = 1005 + (3 << 27) + 2
    assert found == [(1005, 1), (extended + 1, 2), ((9 << 27) + 7, 3)]
