"""Formats of the extended column's numbers."""

from __future__ import annotations

import pytest

from sockdiag.kernel.inet_diag import MEMINFO, SKMEMINFO
from sockdiag.ss.details import arrows, bandwidth, expiry, memory, timer_text


@pytest.mark.parametrize(
    ("ms", "new", "old"),
    [
        (0, "", ""),
        (1, "001ms", "001ms"),
        (9, "009ms", "009ms"),
        (999, "999ms", "999ms"),
        (1000, "1sec", "1sec"),
        (1500, "1.500sec", "1.500ms"),
        (9999, "9.999sec", "9.999ms"),
        (10001, "10sec", "10sec"),
        (59999, "59sec", "59sec"),
        (60000, "1min", "1min"),
        (60500, "1min", "1min"),
        (61000, "1min1sec", "1min1sec"),
        (599000, "9min59sec", "9min59sec"),
        (601000, "10min", "10min"),
        (7195640, "119min", "119min"),
    ],
)
def test_expiry(ms: int, new: str, old: str) -> None:
    assert expiry(ms, old=False) == new
    assert expiry(ms, old=True) == old


def test_timer_names() -> None:
    assert timer_text(0, 1, 1, old=False) == ""
    assert timer_text(5, 1000, 2, old=False) == " timer:(delack,1sec,2)"
    assert timer_text(5, 1000, 2, old=True) == " timer:(unknown,1sec,2)"
    assert timer_text(6, 0, 0, old=False) == " timer:(unknown,,0)"


@pytest.mark.parametrize(
    ("value", "text", "plain"),
    [
        (2.99513, "2.99513", "3"),
        (999, "999", "999"),
        (1000, "1k", "1000"),
        (999999992, "1e+03M", "999999992"),
        (1e9, "1G", "1000000000"),
        (8e15, "8e+03T", "8000000000000000"),
        (2.0**67, "1.48e+08T", "147573952589676412928"),
        (0, "0", "0"),
    ],
)
def test_bandwidth(value: float, text: str, plain: str) -> None:
    assert bandwidth(value, numeric=False) == text
    assert bandwidth(value, numeric=True) == plain


def words(*numbers: int) -> bytes:
    return b"".join(n.to_bytes(4, "little") for n in numbers)


def test_memory() -> None:
    assert memory({}) == ""
    assert memory({MEMINFO: words(1, 2, 3, 4)}) == " mem:(r1,w2,f3,t4)"
    assert memory({SKMEMINFO: words(*range(7))}) == " skmem:(r0,rb1,t2,tb3,f4,w5,o6)"
    assert memory({SKMEMINFO: words(*range(8)), MEMINFO: words(1, 2, 3, 4)}) == " skmem:(r0,rb1,t2,tb3,f4,w5,o6,bl7)"
    assert memory({SKMEMINFO: words(*range(9))}) == " skmem:(r0,rb1,t2,tb3,f4,w5,o6,bl7,d8)"
    assert memory({SKMEMINFO: words(*range(12))}).endswith(",d8)")


def test_arrows() -> None:
    assert [arrows(n) for n in range(4)] == [" <->", " -->", " <--", " ---"]
