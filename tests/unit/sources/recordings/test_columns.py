"""Netlink answers as changes: what is decoded is what was encoded, to the last byte."""

from __future__ import annotations

import random
import struct
import zlib

import pytest

from sockdiag.sources.recordings.columns import NO_MESSAGES, Messages, decode, encode
from sockdiag.sources.recordings.packing import Damaged, places, steps
from tests.program import FIXTURES

ANSWERS = sorted((FIXTURES / "6.18-world" / "netlink").glob("*.nl"))


def connection(number: int, seq: int, age: int, sent: int = 0, size: int = 240) -> bytes:
    """Return a message of a TCP socket: what changes while it rests is the time since it last sent."""
    body = bytearray(size)
    struct.pack_into("=IHHII", body, 0, size, 20, 2, seq, 77)
    body[16] = 2
    struct.pack_into(">HH", body, 20, 1000 + number, 443)
    struct.pack_into("=II", body, 60, number, number >> 3)
    struct.pack_into("=IIII", body, 120, age, 7, age, age)
    struct.pack_into("=Q", body, 200, sent)
    return bytes(body)


def cut(body: bytes) -> Messages:
    """Cut an answer into its messages."""
    found = Messages.of(body)
    assert found is not None
    return found


@pytest.mark.parametrize("path", ANSWERS, ids=lambda path: path.stem)
def test_an_answer_of_the_kernel_comes_back(path) -> None:  # type: ignore[no-untyped-def]
    """From nothing, from itself, and from one of which every third message is missing and the others are in another order."""
    body = path.read_bytes()
    now = Messages.of(body)
    if now is None:
        pytest.skip("its last message is not padded")
    other = cut(b"".join(reversed([row for number, row in enumerate(now.rows) if number % 3])))
    for before in (NO_MESSAGES, now, other):
        assert b"".join(decode(before, encode(before, now), 1 << 30)) == body


@pytest.mark.parametrize("seed", range(20))
def test_changes_of_a_busy_table_come_back(seed: int) -> None:
    """Sockets rest, send, end, begin and change places."""
    chance = random.Random(seed)
    numbers = list(range(chance.choice([1, 60, 700])))
    before, seq, age = NO_MESSAGES, 5, 1000
    for _ in range(4):
        chance.shuffle(numbers) if chance.random() < 0.3 else None
        numbers = [n for n in numbers if chance.random() < 0.95] + [10_000 + chance.randrange(99) for _ in range(3)]
        numbers = list(dict.fromkeys(numbers))
        rows = [
            connection(
                n, seq, age + n // 50, chance.choice([0, 0, 0, 1 << 33, 9]), chance.choice([240, 240, 240, 96 + 112])
            )
            for n in numbers
        ]
        now = cut(b"".join(rows))
        assert decode(before, encode(before, now), 1 << 30) == rows
        before, seq, age = now, seq + 1, age + 5003


def test_resting_sockets_take_next_to_no_room() -> None:
    """Ten thousand of them, of which each tells another time since it last sent, and of which the request has another number."""
    before = cut(b"".join(connection(n, 1, 1000 + n // 400) for n in range(10_000)))
    now = cut(b"".join(connection(n, 2, 6003 + n // 390) for n in range(10_000)))
    assert len(zlib.compress(encode(before, now))) < 1200


@pytest.mark.parametrize("found", [[], [0, 1, 2], [None, 5, 4, None, 6], [9, 0]])
def test_places_are_small_numbers_and_back(found: list[int | None]) -> None:
    """The next one is 1."""
    assert places(steps(found), 10) == found
    with pytest.raises(Damaged):
        places([*steps(found), 99], 10)


def test_what_is_damaged_is_refused() -> None:
    """Any byte may be another, or missing: the answer is a wrong message or a refusal, and nothing else."""
    chance = random.Random(1)
    before = cut(b"".join(connection(n, 1, 1000) for n in range(100)))
    whole = encode(before, cut(b"".join(connection(n, 2, 2000, n) for n in range(7, 103))))
    for _ in range(400):
        body = bytearray(whole)
        body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        damaged = bytes(body[: chance.choice([len(body), chance.randrange(len(body))])])
        try:
            rows = decode(before, damaged, 1 << 20)
        except Damaged:
            continue
        assert sum(map(len, rows)) <= 1 << 20
