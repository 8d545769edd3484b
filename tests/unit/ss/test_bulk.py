"""The short way equals the clear one."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockdiag.kernel.inet_diag import (
    BBRINFO,
    CGROUP_ID,
    CLASS_ID,
    CONG,
    DCTCPINFO,
    INFO,
    MARK,
    MD5SIG,
    MEMINFO,
    MSG,
    MSG_ATTRIBUTES,
    PROTOCOL,
    SHUTDOWN,
    SKMEMINFO,
    SKV6ONLY,
    SOCKOPT,
    TCLASS,
    TOS,
    ULP_INFO,
    VEGASINFO,
)
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP
from sockdiag.ss.bulk import Bulk, possible
from sockdiag.ss.inet_tables import show_inet
from sockdiag.ss.layout import NETID, PROCESS, RowLayout
from sockdiag.ss.listing import Listing
from sockdiag.ss.options import parse


def message(
    family: int,
    state: int,
    ports: tuple[int, int],
    addresses: tuple[bytes, bytes],
    queues: tuple[int, int],
    iface: int = 0,
    attributes: tuple[tuple[int, bytes], ...] = (),
    timer: tuple[int, int, int] = (0, 0, 0),
    who: tuple[int, int, int] = (1, 0, 77),
) -> bytes:
    tail = b"".join(struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4) for kind, data in attributes)
    sport, dport = (port.to_bytes(2, "big") for port in ports)
    body = MSG.pack(
        family,
        state,
        *timer[:2],
        sport,
        dport,
        addresses[0].ljust(16, b"\0"),
        addresses[1].ljust(16, b"\0"),
        iface,
        who[0],
        timer[2],
        *queues,
        *who[1:],
    )
    return struct.pack("=IHHII", 16 + len(body) + len(tail), 20, 2, 1, 1) + body + tail


def listing(line: str, out: list[str], *, old: bool = False) -> Listing:
    settings = parse(["ss", *line.split()], old=old)
    settings.selection.settle()
    layout = RowLayout([NETID] if old else [NETID, PROCESS], old=old, screen=None, emit=out.append)
    layout.header()
    return Listing(settings, layout)


_ANY4, _ANY6 = bytes(4), bytes(16)
_MESSAGES = st.builds(
    message,
    st.just(AF_INET),
    st.integers(0, 13),
    st.tuples(st.integers(0, 65535), st.integers(0, 65535)),
    st.tuples(st.binary(min_size=4, max_size=4), st.sampled_from([_ANY4, b"\x7f\0\0\1"])),
    st.tuples(st.integers(0, 2**32 - 1), st.sampled_from([0, 5, 2**31])),
    st.sampled_from([0, 0, 0, 1]),
    st.sampled_from([(), ((SHUTDOWN, b"\0"),)]),
)
_MESSAGES6 = st.builds(
    message,
    st.just(AF_INET6),
    st.integers(0, 13),
    st.tuples(st.integers(0, 65535), st.integers(0, 65535)),
    st.tuples(st.sampled_from([_ANY6, b"\1" * 16]), st.binary(min_size=16, max_size=16)),
    st.tuples(st.just(0), st.just(0)),
    st.just(0),
    st.sampled_from([(), ((SKV6ONLY, b"\1"),), ((SHUTDOWN, b"\0"), (SKV6ONLY, b"\0"))]),
)


_SHUT, _CGROUP = (SHUTDOWN, b"\0"), (CGROUP_ID, bytes(8))
_MEMORY = st.lists(st.sampled_from([0, 1, 2304, 2**32 - 1]), min_size=13, max_size=13).map(
    lambda words: ((MEMINFO, struct.pack("=4I", *words[:4])), (SKMEMINFO, struct.pack("=9I", *words[4:])))
)
# What the kernel sends, in its order, and what it does not.
_ATTRIBUTES = st.one_of(
    st.just(()),
    st.tuples(
        st.sampled_from([_SHUT, (SHUTDOWN, b"\1"), (SHUTDOWN, b"\3")]),
        st.sampled_from([(MARK, bytes(4)), (MARK, b"\1\0\1\0")]),
        st.just(_CGROUP),
        st.sampled_from([(SOCKOPT, b"\x12\0"), (SOCKOPT, b"\xff\7")]),
    ).flatmap(lambda known: _MEMORY.map(lambda last: (*known, *last)) | st.just(known)),
    st.lists(
        st.sampled_from(
            [
                (TOS, b"\x10"),
                (TOS, b"\0"),
                (TCLASS, b"\1"),
                (CLASS_ID, b"\1\0\0\0"),
                _SHUT,
                _SHUT,
                _CGROUP,
                (PROTOCOL, b"\x3a"),
                (INFO, bytes(8)),
                (ULP_INFO, b""),
                (SOCKOPT, b"\0"),
                (SKMEMINFO, bytes(28)),
                (SKMEMINFO, bytes(36)),
                (MEMINFO, bytes(16)),
                (99, b"12345678"),
            ]
        ),
        max_size=4,
    ).map(tuple),
)
_TIMER = st.tuples(
    st.sampled_from([0, 0, 1, 2, 3, 6]),
    st.sampled_from([0, 3]),
    st.sampled_from([0, 9, 999, 1000, 9999, 10000, 10999, 60000, 61999, 600001, 7200000]) | st.integers(0, 2**32 - 1),
)
_WHO = st.tuples(
    st.sampled_from([1, 2**32 - 1, 2**32, 2**64 - 1]),
    st.sampled_from([0, 0, 1000]),
    st.sampled_from([0, 77, 2**32 - 1]),
)
_ANY_STATE = st.sampled_from([1, 6, 7, 10])


def _connections(
    family: int, ends: tuple[bytes, bytes], attributes: st.SearchStrategy[list[tuple[int, bytes]]]
) -> st.SearchStrategy[bytes]:
    """Draw messages of connections between two addresses, from port 80 to 81."""
    ports, zero = st.just((80, 81)), st.just(0)
    return st.builds(
        message, st.just(family), _ANY_STATE, ports, st.just(ends), st.just((0, 0)), zero, attributes, _TIMER, _WHO
    )


_FULL = _connections(AF_INET, (b"\x7f\0\0\1", _ANY4), _ATTRIBUTES) | _connections(
    AF_INET6, (b"\1" * 16, _ANY6), _ATTRIBUTES
)


class Holders:
    """Stands for the scan of /proc."""

    def text(self, inode: int) -> str:
        return f' users:(("x",pid={inode},fd=3))' if inode == 77 else ""


@given(
    st.lists(st.lists(_FULL, min_size=1, max_size=5) | _FULL.map(lambda m: [m] * 4), max_size=6),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.lists(st.sampled_from(["-o", "-e", "-m", "-O", "--tos", "--cgroup", "--inet-sockopt"]), max_size=5),
)
def test_extended_columns_equal_to_the_clear_way(
    datagrams: list[list[bytes]], old: bool, held: bool, long: bool, options: list[str]
) -> None:
    texts = []
    for short in (True, False):
        out: list[str] = []
        run = listing(f"-tan {' '.join(options)}", out, old=old)
        if held:
            run.owners = Holders()  # type: ignore[assignment]
            if not old:
                run.layout = RowLayout([NETID], old=old, screen=None, emit=out.append)
        bulk = Bulk(run, IPPROTO_TCP)
        # Long ones are counted in several chunks.
        for parts in datagrams * (40 if long and len(datagrams) == 1 else 1):
            whole = b"".join(parts * (20 if long else 1))
            if not (short and bulk.take(whole)):
                show_inet(run, whole, IPPROTO_TCP, "inet_diag_tcp")
        run.layout.render()
        texts.append("".join(out))
    assert texts[0] == texts[1]


def test_extended_columns_are_taken() -> None:
    """What hosts send goes the short way: sockets with all attributes beside TIME-WAIT without any."""
    memory = ((MEMINFO, bytes(16)), (SKMEMINFO, bytes(36)))
    bulk = Bulk(listing("-tanemo", []), IPPROTO_TCP)
    ends = (b"\x7f\0\0\1", _ANY4)
    full = message(AF_INET, 1, (1, 2), ends, (0, 0), attributes=(_SHUT, (MARK, bytes(4)), _CGROUP, *memory))
    waiting = message(AF_INET, 6, (1, 2), ends, (0, 0), timer=(3, 0, 59123))
    assert bulk.take(full + full)
    assert bulk.take(full + waiting + full)
    assert bulk.take(waiting)
    assert not bulk.take(full + message(AF_INET, 1, (1, 2), ends, (0, 0), attributes=((INFO, bytes(8)),)))


@given(st.lists(st.lists(_MESSAGES | _MESSAGES6, min_size=1, max_size=6), max_size=5), st.booleans(), st.booleans())
def test_equal_to_the_clear_way(datagrams: list[list[bytes]], old: bool, numeric: bool) -> None:
    short: list[str] = []
    clear: list[str] = []
    line = "-tan" if numeric else "-ta"
    one, other = listing(line, short, old=old), listing(line, clear, old=old)
    one.names.protocol = other.names.protocol = "tcp"
    bulk = Bulk(one, IPPROTO_TCP)
    for parts in datagrams:
        # v6only is told of listeners and closed sockets alone, so a message with it is made one.
        whole = b"".join(
            p[:17] + b"\x0a" + p[18:] if p[16] == AF_INET6 and struct.pack("=HH", 5, SKV6ONLY) in p else p
            for p in parts
        )
        if not bulk.take(whole):
            show_inet(one, whole, IPPROTO_TCP, "inet_diag_tcp")
        show_inet(other, whole, IPPROTO_TCP, "inet_diag_tcp")
    one.layout.render()
    other.layout.render()
    assert "".join(short) == "".join(clear)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("-tan", True),
        ("-ta", True),
        ("-tp", True),
        ("-tane", True),
        ("-to", True),
        ("-tm", True),
        ("-ti", True),
        ("-t --tos", True),
        ("-t --cgroup", True),
        ("-t --inet-sockopt", True),
        ("-tr", False),
        ("-tK", False),
    ],
)
def test_when_it_is_taken(line: str, wanted: bool) -> None:
    assert possible(listing(line, []), IPPROTO_TCP) is wanted


def test_internals_of_other_protocols_go_the_clear_way() -> None:
    assert not possible(listing("-uani", []), IPPROTO_UDP)


def test_ports_as_they_are_and_as_texts() -> None:
    """Ports of a datagram stay numbers, unless one of them is 0 or all are equal; what is printed is the same."""
    short: list[str] = []
    clear: list[str] = []
    one, other = listing("-tan", short), listing("-tan", clear)
    bulk = Bulk(one, IPPROTO_TCP)
    ends = (b"\x7f\0\0\1", b"\x7f\0\0\2")
    for ports in ((7, 7), (1, 65535, 80), (9, 0, 443), (22, 22), (255, 256), (1, 256, 1), (10239, 9999), (10240, 9)):
        whole = b"".join([message(AF_INET, 1, (port, 8080), ends, (0, 0)) for port in ports])
        assert bulk.take(whole)
        show_inet(other, whole, IPPROTO_TCP, "inet_diag_tcp")
    one.layout.render()
    other.layout.render()
    assert "".join(short) == "".join(clear)
    assert "127.0.0.1:65535" in "".join(short)


@st.composite
def _infos(draw: st.DrawFn) -> bytes:
    """A struct tcp_info of some kernel, most of its words 0 or like those of other rows."""
    size = draw(st.sampled_from([8, 104, 192, 230, 232, 280, 280, 280, 288, 300]))
    data = bytearray(draw(st.sampled_from([bytes(300), b"\xff" * 300, struct.pack("=75I", *range(75))])))
    places = st.integers(0, 74)
    words = st.sampled_from([0, 1, 3, 0x7FFFFFFF, 0xFFFFFFFF, 3_000_000, 200_000, 1448]) | st.integers(0, 2**32 - 1)
    for place, word in draw(st.dictionaries(places, words, max_size=30)).items():
        struct.pack_into("=I", data, 4 * place, word)
    return bytes(data[:size])


_INTERNALS = st.builds(
    lambda before, memory, info, after: (*before, *memory, *((INFO, one) for one in info), *after),
    st.lists(st.sampled_from([_SHUT, (MARK, b"\1\0\0\0"), _CGROUP, (SOCKOPT, b"\1\0"), (TOS, b"\1")]), max_size=3),
    st.just(()) | _MEMORY,
    st.lists(_infos(), max_size=1),
    st.lists(
        st.sampled_from(
            [
                (CONG, b"cubic\0"),
                (CONG, b"cubic\0"),
                (CONG, b"reno\0"),
                (CONG, b"\0"),
                (BBRINFO, struct.pack("=5I", 1_000_000, 0, 1500, 739, 256)),
                (BBRINFO, bytes(20)),
                (DCTCPINFO, struct.pack("=HHIII", 1, 0, 1024, 0, 0)),
                (DCTCPINFO, bytes(16)),
                (VEGASINFO, struct.pack("=4I", 1, 2, 3000, 4)),
                (MD5SIG, b""),
                (ULP_INFO, b""),
                (SKMEMINFO, bytes(28)),
                (SHUTDOWN, b"\1"),
                (99, b"12345678"),
            ]
        ),
        max_size=3,
    ),
)
_WITH_INTERNALS = _connections(AF_INET, (b"\x7f\0\0\1", _ANY4), _INTERNALS)


@st.composite
def _like(draw: st.DrawFn) -> list[bytes]:
    """Messages of one layout whose tcp_info differs in a few words."""
    whole = draw(_WITH_INTERNALS)
    rows = [whole]
    for _ in range(draw(st.integers(1, 4))):
        row = bytearray(whole)
        for _ in range(draw(st.integers(0, 6))):
            at = 4 * draw(st.integers(MSG_ATTRIBUTES // 4, len(row) // 4))
            if at + 8 <= len(row) and row[at - 4 : at] != b"\0\0\0\0":
                row[at : at + 4] = struct.pack("=I", draw(st.sampled_from([0, 1, 77, 2**32 - 1])))
        rows.append(bytes(row))
    return rows


@given(
    st.lists(_like() | st.lists(_WITH_INTERNALS, min_size=1, max_size=4), max_size=5),
    st.booleans(),
    st.lists(st.sampled_from(["-o", "-e", "-m", "-O", "--tos", "--cgroup", "--inet-sockopt"]), max_size=4),
    st.sampled_from(["-tai", "-tani"]),
)
def test_internals_equal_to_the_clear_way(
    datagrams: list[list[bytes]], old: bool, options: list[str], line: str
) -> None:
    texts = []
    for short in (True, False):
        out: list[str] = []
        run = listing(f"{line} {' '.join(options)}", out, old=old)
        run.names.protocol = "tcp"
        bulk = Bulk(run, IPPROTO_TCP)
        for parts in datagrams:
            whole = b"".join(parts)
            if not (short and bulk.take(whole)):
                show_inet(run, whole, IPPROTO_TCP, "inet_diag_tcp")
        run.layout.render()
        texts.append("".join(out))
    assert texts[0] == texts[1]


def test_internals_are_taken() -> None:
    """What hosts send goes the short way: several algorithms, TIME-WAIT without any attribute, older and newer structs."""
    bulk = Bulk(listing("-tanimeo", []), IPPROTO_TCP)
    ends = (b"\x7f\0\0\1", _ANY4)
    memory = ((MEMINFO, bytes(16)), (SKMEMINFO, bytes(36)))
    info = (INFO, struct.pack("=70I", *range(70)))
    rows = [
        message(AF_INET, 1, (1, 2), ends, (0, 0), attributes=(_SHUT, *memory, *some))
        for some in (
            (info, (CONG, b"cubic\0")),
            (info, (CONG, b"reno\0")),
            (info, (CONG, b"bbr\0"), (BBRINFO, bytes(20))),
            (info, (CONG, b"dctcp\0"), (DCTCPINFO, bytes(16))),
            ((INFO, bytes(104)), (CONG, b"cubic\0")),
            ((INFO, bytes(296)), (CONG, b"cubic\0")),
        )
    ]
    waiting = message(AF_INET, 6, (1, 2), ends, (0, 0), timer=(3, 0, 59123))
    for row in rows:
        assert bulk.take(row * 3)
        assert bulk.take(row + waiting + row)
    assert bulk.take(b"".join(rows))
    assert not bulk.take(message(AF_INET, 1, (1, 2), ends, (0, 0), attributes=(info, (MD5SIG, b""))))


def test_damaged_datagrams_are_left_to_the_clear_way() -> None:
    bulk = Bulk(listing("-uan", []), IPPROTO_UDP)
    good = message(AF_INET, 1, (1, 2), (_ANY4, _ANY4), (0, 0))
    assert bulk.take(good)
    for damaged in (good[:60], good + good[:40], good[:-1], struct.pack("=I", 4) + good[4:]):
        assert not bulk.take(damaged)
