"""Whatever bytes a file of counters or limits has, its parser ends, and raises nothing but a ParseError with its place."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockdiag.analysis.limits.effects import available_ports
from sockdiag.errors import ParseError
from sockdiag.model.counters import U32, Counters
from sockdiag.model.sysctl_table import SYSCTLS
from sockdiag.sources.proc.mib import parse_netstat, parse_snmp, parse_snmp6
from sockdiag.sources.proc.net_dev import parse_dev
from sockdiag.sources.proc.net_protocols import parse_protocols
from sockdiag.sources.proc.net_sockstat import parse_sockstat, parse_sockstat6
from sockdiag.sources.proc.net_softnet_stat import parse_softnet_stat
from sockdiag.sources.proc.net_stat_nf_conntrack import parse_nf_conntrack_stat
from sockdiag.sources.proc.sys_net import parse_sysctl

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD: dict[Callable[[bytes], Any], bytes] = {
    parse_snmp: b"Tcp: RtoMin MaxConn\nTcp: 200 -1\nIcmpMsg: InType3\nIcmpMsg: 5\n",
    parse_netstat: b"TcpExt: A B C\nTcpExt: 1 2 3\n",
    parse_snmp6: b"Ip6InReceives\t1\nUdp6InErrors 2\n",
    parse_sockstat: b"sockets: used 1\nTCP: inuse 1 orphan 2 tw 3 alloc 4 mem 5\n",
    parse_sockstat6: b"TCP6: inuse 1\nFRAG6: inuse 0 memory 0\n",
    parse_softnet_stat: b"00000001 0 0 0 0 0 0 0 0 0 0 0 00000001 0 0\n" * 2,
    parse_dev: b"Inter-| Receive | Transmit\n face |bytes drop|bytes drop\n eth0: 1 2 3 4\n lo:5 6 7 8\n",
    parse_protocols: b"protocol size sockets memory press maxhdr slab module cl co\nTCP 1 2 3 no 4 yes kernel y n\n",
    parse_nf_conntrack_stat: b"entries clashres drop\n00000001 00000002 0000000a\n",
}
PARSERS = pytest.mark.parametrize("parse", GOOD, ids=lambda parse: parse.__name__)


def errors_of(parse: Callable[[bytes], Any], body: bytes) -> tuple[ParseError, ...]:
    """Parse, and return what was wrong."""
    try:
        errors: tuple[ParseError, ...] = parse(body).errors
    except ParseError as error:
        return (error,)
    return errors


@PARSERS
@given(body=st.binary())
def test_any_bytes(parse: Callable[[bytes], Any], body: bytes) -> None:
    """Only ParseErrors, with a line of the file."""
    for error in errors_of(parse, body):
        assert 1 <= error.line <= body.count(b"\n") + 1
        assert error.column
        assert str(error)


@PARSERS
@given(data=st.data())
def test_damaged_files(parse: Callable[[bytes], Any], data: st.DataObject) -> None:
    """A good file with a piece cut out, put in or doubled."""
    good = GOOD[parse]
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, len(good)))
    piece = data.draw(
        st.one_of(st.binary(max_size=4), st.just(good[start:end] * 2), st.sampled_from([b"\n", b" ", b"9" * 30]))
    )
    body = good[:start] + piece + good[end:]
    for error in errors_of(parse, body):
        assert 1 <= error.line <= body.count(b"\n") + 1


@PARSERS
def test_good_files(parse: Callable[[bytes], Any]) -> None:
    """What the damage is done to is right."""
    assert errors_of(parse, GOOD[parse]) == ()


@given(st.sampled_from(sorted(SYSCTLS)), st.one_of(st.binary(), st.text("0123456789,-\t \n").map(str.encode)))
def test_sysctls(name: str, body: bytes) -> None:
    """Only ParseErrors; lists of ports are ranges within 0 and 65535."""
    with contextlib.suppress(ParseError):
        value = parse_sysctl(SYSCTLS[name], body)
        if name == "net.ipv4.ip_local_reserved_ports":
            assert isinstance(value, tuple)
            assert len(value) % 2 == 0
            assert all(0 <= low <= high <= 65535 for low, high in zip(value[::2], value[1::2], strict=True))


@given(
    st.integers(0, 60),
    st.integers(0, 60),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).filter(lambda r: r[0] <= r[1]), max_size=5),
)
def test_ports(first: int, last: int, reserved: list[tuple[int, int]]) -> None:
    """Counting ranges is counting ports."""
    taken = {port for low, high in reserved for port in range(low, high + 1)}
    assert available_ports(first, last, reserved) == len(set(range(first, last + 1)) - taken)


@given(st.integers(0, U32 - 1), st.integers(0, U32 // 2 - 1))
def test_narrow_counters(before: int, events: int) -> None:
    """Fewer than half the range of events come out exactly, wherever the counter stood."""
    name = "softnet_stat.0.processed"
    (change,) = Counters({name: (before + events) % U32}).since(Counters({name: before}))
    assert change.value == events
