"""Whatever the expression: it is refused with its place, or it judges; and what is narrowed or pushed loses nothing."""

from __future__ import annotations

import random
from socket import AF_INET, AF_INET6, AF_UNSPEC, inet_pton
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sockdiag.errors import FilterError
from sockdiag.filter.context import FilterContext
from sockdiag.filter.ss_filter import SsFilterError, parse_ss
from sockdiag.filter.ss_view import SsView
from sockdiag.filter.where import compile_where
from sockdiag.kernel.tcp_states import BOUND_INACTIVE, STATE_NAMES, STATE_NUMBERS
from sockdiag.model.address import Endpoint
from sockdiag.model.batch import Batch
from sockdiag.model.fields import ALIASES, catalogue
from sockdiag.model.query import TABLES
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Owner, Socket, Timer
from tests.live.filters import expressions
from tests.unit.filter.bytecode_machine import Entry, audit, run

CONTEXT = FilterContext(
    service=lambda _name, _protocol: None,
    hosts=lambda _name, _family: [],
    interface={"lo": 1, "fil0": 7}.get,
    interface_name={1: "lo", 7: "fil0"}.get,
    user_name=str,
    cgroup_id=lambda _path: 5,
)
V4 = ["127.0.0.1", "127.0.1.2", "10.0.0.1", "0.0.0.0", "1.2.3.4"]
V6 = ["::1", "fd00::1", "::ffff:127.0.0.1", "::", "7f00:1::"]
INDEXES = {None: 0, "lo": 1, "fil0": 7}


def unknown_or(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


@st.composite
def ends(draw: st.DrawFn, addresses: list[str]) -> Endpoint:
    ports = st.sampled_from([0, 22, 80, 443, 1024, 5000, 65535])
    return Endpoint(draw(st.sampled_from(addresses)), draw(ports), draw(st.sampled_from([None, "lo", "fil0"])))


@st.composite
def ip_sockets(draw: st.DrawFn) -> Socket:
    family, addresses = draw(st.sampled_from([("AF_INET", V4), ("AF_INET6", V6)]))
    netid = draw(st.sampled_from(["tcp", "udp"]))
    return Socket(
        netid,
        family,
        state=draw(st.sampled_from(STATE_NAMES[1:12])),
        local=draw(ends(addresses)),
        peer=draw(ends(addresses)),
        recv_q=draw(unknown_or(st.integers(0, 9))),
        uid=draw(unknown_or(st.integers(0, 3))),
        inode=draw(st.integers(0, 3)),
        mark=draw(st.sampled_from([0, 1, 5, 0xFF])),
        cgroup_id=draw(st.sampled_from([0, 5])),
        timer=Timer("keepalive", 5, 0) if netid == "tcp" and draw(st.booleans()) else None,
        skmem=draw(
            unknown_or(st.builds(SkMem, st.integers(0, 100), st.just(100), drops=unknown_or(st.integers(0, 2))))
        ),
        processes=draw(unknown_or(st.just((Owner(1, b"a", 3),)) | st.just(()))),
    )


@st.composite
def sockets(draw: st.DrawFn) -> Socket:
    netid = draw(st.sampled_from(TABLES))
    address = draw(unknown_or(st.sampled_from([b"/x", b"\0y", "::1", "10.0.0.1", "ROUTE", "3"])))
    return draw(ip_sockets())._replace(
        netid=netid,
        state=draw(unknown_or(st.sampled_from(STATE_NAMES))),
        local=Endpoint(address, draw(unknown_or(st.just(5)))),
        family=draw(st.sampled_from(["AF_UNIX", "AF_PACKET", "AF_NETLINK", "AF_VSOCK", "AF_XDP"])),
        protocol="0",
        source=draw(st.sampled_from(["netlink", "proc"])),
    )


WORDS = st.sampled_from(
    [
        "and",
        "or",
        "not",
        "(",
        ")",
        "=",
        "!=",
        ">",
        "<=",
        "~",
        "!~",
        "!",
        "&&",
        "|",
        "src",
        "dst",
        "sport",
        "dev",
        "fwmark",
        "cgroup",
        "state",
        "exclude",
        "autobound",
        "unknown",
        "'",
        '"',
        "\\",
        "*",
        "10/8",
        "[::1]:80",
        "unix:x",
        "link:ip",
        "vsock:1",
        "netlink:0",
        "listening",
        "22",
        "5ms",
        "80%",
        "64K",
        "0x5",
        "nginx*",
        "yes",
        "[a-",
        "AF_INET",
        *ALIASES,
    ]
)
NAMES = st.deferred(lambda: st.sampled_from([entry.name for entry in catalogue()]))


@settings(max_examples=400)
@given(
    st.lists(WORDS | NAMES | st.text(max_size=4), max_size=9).map(" ".join) | st.text(max_size=30),
    st.lists(ip_sockets() | sockets(), max_size=4),
)
@example("sport = 00000000000000000000000000000000000000", [])
@example("recv_q > " + "9" * 5000, [])
@example("sport = " + "9" * 5000, [])
@example("(" * 5000 + "uid" + ")" * 5000, [])
@example("not " * 5000 + "uid", [])
def test_any_text(text: str, rows: list[Socket]) -> None:
    """A text is refused by FilterError, with its place inside the text, or judges every socket, alone as in a batch."""
    refused: FilterError | None = None
    try:
        where = compile_where(text, CONTEXT)
    except FilterError as error:
        refused = error
    if refused is not None:
        assert 0 <= refused.position <= len(text)
        assert 1 <= refused.length <= max(1, len(text) - refused.position)
        return
    answers = [where.match(row) for row in rows]
    assert set(answers) <= {True, False, None}
    passed, unknown = where.sift(Batch.of(rows))
    assert (passed.size if passed else 0, unknown) == (answers.count(True), answers.count(None))
    repr(where.tree)
    where.bytecode()


def entry_of(socket: Socket) -> Entry:
    family = AF_INET if socket.family == "AF_INET" else AF_INET6
    return Entry(
        family,
        inet_pton(family, str(socket.local.address)),
        inet_pton(family, str(socket.peer.address)),
        socket.local.port or 0,
        socket.peer.port or 0,
        INDEXES[socket.local.interface],
        socket.mark or 0,
        socket.cgroup_id or 0,
    )


@settings(max_examples=400)
@given(st.integers(0, 1 << 32), st.lists(ip_sockets(), min_size=1, max_size=8))
def test_nothing_is_lost_on_the_way(seed: int, rows: list[Socket]) -> None:
    """What passes, or has no answer, is asked for by state, table and family, and passes the bytecode."""
    where = compile_where(expressions.where_text(random.Random(seed)), CONTEXT)
    code = where.bytecode()
    if code is not None:
        assert audit(code) is None
    for row in rows:
        if where.match(row) is False:
            continue
        asked = where.states >> STATE_NUMBERS[row.state or ""] & 1
        # A TCP socket in CLOSE is bound and idle, and asked for as that.
        assert asked or (row.state == "CLOSE" and row.netid == "tcp" and where.states >> BOUND_INACTIVE & 1)
        assert row.netid in where.tables
        assert not where.families or row.family in where.families
        assert code is None or run(code, entry_of(row))


@settings(max_examples=300)
@given(
    st.lists(WORDS | st.text(max_size=5), max_size=8),
    st.binary(max_size=60) | st.none(),
    st.sampled_from([AF_UNSPEC, AF_INET, 1, 16, 17, 40]),
)
def test_any_words_of_ss(words: list[str], file_text: bytes | None, preferred: int) -> None:
    """Words are refused by SsFilterError, or make a filter that judges."""
    refused: SsFilterError | None = None
    try:
        parsed = parse_ss(words, CONTEXT, file_text=file_text, preferred=preferred)
    except SsFilterError as error:
        refused = error
    if refused is not None:
        assert refused.exit_code in (1, 255)
        assert refused.message
        return
    socket = Socket("tcp", "AF_INET6", local=Endpoint("::ffff:10.0.0.1", 22), peer=Endpoint("::1", 5))
    assert parsed.match(SsView(socket, CONTEXT)) in (True, False)
    assert parsed.kernel_match(SsView(socket, CONTEXT)) in (True, False)
    code = parsed.bytecode()
    assert code is None or audit(code) is None
