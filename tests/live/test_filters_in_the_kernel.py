"""What is sent to the kernel decides as it is decided here."""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING

import pytest

from sockdiag.filter.bytecode import MAX_LENGTH
from sockdiag.filter.context import FilterContext
from sockdiag.filter.ss_filter import SsFilterError, parse_ss
from sockdiag.filter.ss_view import SsView
from sockdiag.filter.where import compile_where
from sockdiag.kernel.sock_diag import IPPROTO_TCP, IPPROTO_UDP
from sockdiag.kernel.tcp_states import STATE_NUMBERS
from tests.live.filters import expressions, population
from tests.live.world.namespace import RemoteError, netns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.model.socket import Socket
    from tests.live.world.namespace import Namespace

TABLES = {"tcp": IPPROTO_TCP, "udp": IPPROTO_UDP}
ATTEMPTS = 10


@pytest.fixture(scope="module")
def populated() -> Iterator[Namespace]:
    with netns() as namespace:
        namespace.call(population.populate)
        yield namespace


@pytest.fixture(scope="module")
def context(populated: Namespace) -> FilterContext:
    indexes = populated.call(population.interfaces)
    names = {index: name for name, index in indexes.items()}
    limits = populated.call(population.port_range)
    return FilterContext(interface=indexes.get, interface_name=names.get, port_range=lambda: limits)


def run(namespace: Namespace, table: str, programs: list[bytes]) -> tuple[list[Socket], list[set[int]]]:
    """Return the sockets of a table, and the cookies that each program lets pass, at a time when none came or went."""
    for _ in range(ATTEMPTS):
        before = namespace.call(population.listed, table)
        passed = namespace.call(population.sifted_each, TABLES[table], programs)
        after = namespace.call(population.listed, table)
        if {(s.cookie, s.state) for s in before} == {(s.cookie, s.state) for s in after}:
            return before, passed
    pytest.fail("never steady")


# One walk of the TCP hash takes from 0.3 to 50 ms, as the caches are.
COUNTS = [("tcp", 120), ("udp", 300)]


@pytest.mark.parametrize(("table", "count"), COUNTS)
def test_bytecode_of_ss_filters(populated: Namespace, context: FilterContext, table: str, count: int) -> None:
    """The kernel's run of an ss filter gives what the kernel's reading of it gives here."""
    chance = random.Random(count)
    filters = []
    while len(filters) < count:
        words = expressions.ss_words(chance, devices=False)
        # Whether a port was bound explicitly is not in the answer.
        if "autobound" in words:
            continue
        # After an operand "inet:…", one of IPv6 is refused.
        with contextlib.suppress(SsFilterError):
            filters.append((words, parse_ss(words, context)))
    programs = [parsed.bytecode() or b"" for _words, parsed in filters]
    sockets, passed = run(populated, table, programs)
    views = [(socket.cookie, SsView(socket, context)) for socket in sockets]
    for (words, parsed), found in zip(filters, passed, strict=True):
        assert found == {cookie for cookie, view in views if parsed.kernel_match(view)}, words
        if parsed.settled:
            assert all(parsed.match(view) for cookie, view in views if cookie in found), words


@pytest.mark.parametrize(("table", "count"), COUNTS)
def test_what_is_pushed_of_where(populated: Namespace, context: FilterContext, table: str, count: int) -> None:
    """The kernel drops nothing that passes or has no answer, and what it sends, judged again, is the same result."""
    chance = random.Random(count)
    filters = [compile_where(expressions.where_text(chance), context) for _ in range(count)]
    programs = [where.bytecode() or b"" for where in filters]
    assert sum(bool(program) for program in programs) > count // 4
    sockets, passed = run(populated, table, programs)
    for where, program, found in zip(filters, programs, passed, strict=True):
        answers = {socket.cookie: where.match(socket) for socket in sockets}
        assert {cookie for cookie, answer in answers.items() if answer is not False} <= found, where.text
        reachable = {
            s.cookie
            for s in sockets
            if s.netid in where.tables
            and (not where.families or s.family in where.families)
            and where.states >> STATE_NUMBERS[s.state or ""] & 1
        }
        assert {cookie for cookie, answer in answers.items() if answer is not False} <= reachable, where.text
        if not program:
            assert found == answers.keys()


@pytest.mark.parametrize(
    "text",
    [
        "src 127.0.0.1",
        "sport = 22",
        "sport > 1000 and dport < 60000",
        "dst [::1] or dst fd00::/16",
        "dev fil0",
        "dev 0",
        "fwmark 5/5",
        "not src 127/8",
        "not (sport = 22 or dev lo)",
        "src != [::ffff:127.0.0.1]",
        "(src 127/8 or src ::1) and not dport = 80",
    ],
)
def test_kernel_decides_alone_what_it_can(populated: Namespace, context: FilterContext, text: str) -> None:
    """Of an expression that the kernel knows all of, its result is the result."""
    where = compile_where(text, context)
    program = where.bytecode()
    assert program is not None
    sockets, (found,) = run(populated, "tcp", [program])
    assert found == {socket.cookie for socket in sockets if where.match(socket)}
    assert 0 < len(found) < len(sockets)


def test_longest_bytecode(populated: Namespace, context: FilterContext) -> None:
    """The kernel accepts what is not refused here for its length."""
    words = ["sport", "22"]
    while True:
        longer = [*words, *["or", "sport", "65535"] * 500]
        if parse_ss(longer, context).bytecode() is None:
            break
        words = longer
    program = parse_ss(words, context).bytecode()
    assert program is not None
    assert MAX_LENGTH - 16 * 1000 < len(program) <= MAX_LENGTH
    with pytest.raises(RemoteError):
        populated.call(population.sifted, IPPROTO_TCP, program + b"\xff\x04\x08\x00")
    passed = populated.call(population.sifted, IPPROTO_TCP, program)
    sockets = populated.call(population.listed, "tcp")
    assert passed == {s.cookie for s in sockets if s.local.port in (22, 65535)}
