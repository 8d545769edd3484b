"""Bytecode: the bytes of small programs, and random ones run as the kernel runs them."""

from __future__ import annotations

import random
from socket import AF_INET, AF_INET6, inet_pton

import pytest

from sockdiag.filter.bytecode import MAX_LENGTH, Assembler, assemble
from sockdiag.filter.context import FilterContext
from sockdiag.filter.ss_filter import SsFilterError, parse_ss
from sockdiag.filter.tree import And, Or
from tests.live.filters import expressions
from tests.unit.filter.bytecode_machine import Entry, audit, run

CONTEXT = FilterContext(
    interface={"lo": 1, "fil0": 7}.get,
    cgroup_id=lambda _path: 0x1122334455,
    hosts=lambda _name, family: (
        [inet_pton(AF_INET, "10.0.0.1"), inet_pton(AF_INET, "10.0.0.2")] if family == AF_INET else []
    ),
)


# What ss 6.1 sends for the same words, but for the four address bytes that it adds where no family is given.
@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("sport = 22", "070c1000 00000000 16000000"),
        ("dst 10/8", "08101400 02080000 ffffffff 0a000000"),
        ("src [::1]:80", "071c2000 0a800000 50000000 00000000000000000000000000000001"),
        ("sport ge 65558", "02080c00 00001600"),
        ("dport <= 80", "05080c00 00005000"),
        ("autobound", "06040800"),
        ("fwmark 1/3", "0a0c1000 0100000003000000"),
        ("cgroup x", "0d0c1000 5544332211000000"),
        ("sport > 22", "03080c00 00001600 01040800"),
        ("src inet:any", "07101400 02000000 ffffffff 00000000"),
    ],
)
def test_programs(words: str, code: str) -> None:
    """Single operations, and a negation."""
    assert parse_ss([words], CONTEXT).bytecode() == bytes.fromhex(code)


def test_or_jumps_over_what_is_left() -> None:
    """The first alternative that holds goes to the end."""
    assert parse_ss(["sport ge 1 or dport ge 2 or sport le 3"], CONTEXT).bytecode() == bytes.fromhex(
        "02080c00000001000104180004080c000000020001040c0003080c0000000300"
    )


@pytest.mark.parametrize("words", ["dev lo", "sport 22 or dev lo", "src unix:x", "not ( src link:ip )", ""])
def test_nothing_is_sent(words: str) -> None:
    """With a ``dev`` anywhere, or an operand of another family, ss leaves all to itself."""
    assert parse_ss([words], CONTEXT).bytecode() is None


def test_first_address_of_a_name_is_sent() -> None:
    """ss sends the first address as often as there are addresses; once is the same."""
    assert parse_ss(["src twohosts"], CONTEXT).bytecode() == parse_ss(["src 10.0.0.1"], CONTEXT).bytecode()


def test_always_and_never() -> None:
    """An empty conjunction lets all pass."""
    assert assemble(And()) == b""
    assert Assembler().code() == b""


def test_too_long() -> None:
    """Jumps of 16 bits reach no further."""
    leaf = parse_ss(["sport ge 1"], CONTEXT).tree
    assert leaf is not None
    fits = MAX_LENGTH // 8
    code = assemble(And(*[leaf] * fits))
    assert code is not None
    assert len(code) == fits * 8
    assert audit(code) is None
    assert assemble(And(*[leaf] * (fits + 1))) is None
    assert assemble(Or(*[leaf] * fits)) is None


def entries(chance: random.Random, count: int) -> list[Entry]:
    v4 = ["127.0.0.1", "127.0.1.2", "10.0.0.1", "0.0.0.0", "1.2.3.4"]
    v6 = ["::1", "fd00::1", "::ffff:127.0.0.1", "::", "::ffff:0.0.0.0", "7f00:1::"]
    found = []
    for _ in range(count):
        family, texts = chance.choice([(AF_INET, v4), (AF_INET6, v6)])
        found.append(
            Entry(
                family,
                inet_pton(family, chance.choice(texts)),
                inet_pton(family, chance.choice(texts)),
                chance.choice([0, 22, 80, 1024, 65535]),
                chance.choice([0, 22, 443, 65535]),
                chance.choice([0, 1, 7]),
                chance.choice([0, 1, 5, 0xFF]),
                chance.choice([0, 0x1122334455]),
            )
        )
    return found


def test_random_filters_run_as_they_are_read() -> None:
    """The kernel takes every program, and its run is its reading of the filter."""
    chance = random.Random(1)
    sockets = entries(chance, 60)
    for entry in sockets:
        entry.number = 0  # type: ignore[attr-defined]
    checked = 0
    while checked < 400:
        words = expressions.ss_words(chance, devices=False)
        try:
            parsed = parse_ss(words, CONTEXT)
        except SsFilterError:
            continue
        code = parsed.bytecode()
        assert code is not None
        assert audit(code) is None, words
        for entry in sockets:
            assert run(code, entry) == parsed.kernel_match(entry), (words, entry)  # type: ignore[arg-type]
            if parsed.settled and run(code, entry):
                assert parsed.match(entry), (words, entry)  # type: ignore[arg-type]
        checked += 1
