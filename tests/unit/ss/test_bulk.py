"""The short way equals the clear one."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockdiag.kernel.inet_diag import MSG, SHUTDOWN, SKV6ONLY
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP
from sockdiag.ss.bulk import Bulk, possible
from sockdiag.ss.context import Context
from sockdiag.ss.inet_tables import show_inet
from sockdiag.ss.layout import NETID, PROCESS, Layout
from sockdiag.ss.options import parse


def message(family: int, state: int, ports: tuple[int, int], addresses: tuple[bytes, bytes], queues: tuple[int, int],
            iface: int = 0, attributes: tuple[tuple[int, bytes], ...] = ()) -> bytes:  # fmt: skip
    tail = b"".join(struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4) for kind, data in attributes)
    sport, dport = (port.to_bytes(2, "big") for port in ports)
    body = MSG.pack(family, state, 0, 0, sport, dport, addresses[0].ljust(16, b"\0"), addresses[1].ljust(16, b"\0"),
                    iface, 1, 0, *queues, 0, 77)  # fmt: skip
    return struct.pack("=IHHII", 16 + len(body) + len(tail), 20, 2, 1, 1) + body + tail


def context(line: str, out: list[str], *, old: bool = False) -> Context:
    settings = parse(["ss", *line.split()], old=old)
    settings.selection.settle()
    layout = Layout([NETID] if old else [NETID, PROCESS], old=old, screen=None, emit=out.append)
    layout.header()
    return Context(settings, layout)


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


@given(st.lists(st.lists(_MESSAGES | _MESSAGES6, min_size=1, max_size=6), max_size=5), st.booleans(), st.booleans())
def test_equal_to_the_clear_way(datagrams: list[list[bytes]], old: bool, numeric: bool) -> None:
    short: list[str] = []
    clear: list[str] = []
    line = "-tan" if numeric else "-ta"
    one, other = context(line, short, old=old), context(line, clear, old=old)
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
    [("-tan", True), ("-ta", True), ("-tp", True), ("-tane", False), ("-to", False), ("-tm", False), ("-ti", False),
     ("-t --tos", False), ("-t --cgroup", False), ("-t --inet-sockopt", False), ("-tr", False), ("-tK", False)],
)  # fmt: skip
def test_when_it_is_taken(line: str, wanted: bool) -> None:
    assert possible(context(line, []), IPPROTO_TCP) is wanted


def test_damaged_datagrams_are_left_to_the_clear_way() -> None:
    bulk = Bulk(context("-uan", []), IPPROTO_UDP)
    good = message(AF_INET, 1, (1, 2), (_ANY4, _ANY4), (0, 0))
    assert bulk.take(good)
    for damaged in (good[:60], good + good[:40], good[:-1], struct.pack("=I", 4) + good[4:]):
        assert not bulk.take(damaged)
