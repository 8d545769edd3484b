"""Numbers for people: sizes, counts, rates, shares and time spans."""

from __future__ import annotations

import pytest

from sockdiag.model.quantity import amount, count, counted, duration, rate, share, size


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (212992, "208 KiB"),
        (1536, "1.5 KiB"),
        (1 << 20, "1 MiB"),
        ((1 << 20) - 1, "1 MiB"),
        (3837952, "3.7 MiB"),
        (2358460416, "2.2 GiB"),
        (1 << 60, "1 EiB"),
        (1 << 70, "1024 EiB"),
    ],
)
def test_size(value: int | None, shown: str) -> None:
    """A binary unit and one decimal; unknown is not zero."""
    assert size(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (0, "0"), (9999, "9999"), (10000, "10 k"), (52507, "52.5 k"), (162044, "162 k"), (1999999, "2 M")],
)
def test_count(value: int | None, shown: str) -> None:
    """Four digits are exact, larger numbers have three digits and a unit."""
    assert count(value) == shown


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.0, "", "0/s"),
        (0.0001, "", "0.4/h"),
        (1 / 60, "", "1/min"),
        (0.667, "", "40/min"),
        (1.0, "", "1/s"),
        (4340.0, "", "4.3 k/s"),
        (50054.5, "", "50.1 k/s"),
        (3837952.0, "bytes", "3.7 MiB/s"),
        (None, "", "-"),
    ],
)
def test_rate(value: float | None, unit: str, shown: str) -> None:
    """What happens less than once per second is counted per minute or hour."""
    assert rate(value, unit) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0.0, "0 %"),
        (0.0001, "<0.1 %"),
        (0.02, "2 %"),
        (0.129, "12.9 %"),
        (0.9999, ">99.9 %"),
        (1.0, "100 %"),
        (1.016, "102 %"),
    ],
)
def test_share(value: float | None, shown: str) -> None:
    """A small share is not none, and nearly all is not all."""
    assert share(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0.0, "0 s"),
        (0.05, "50 ms"),
        (1.5, "1.5 s"),
        (59.97, "1 min"),
        (90, "1 min 30 s"),
        (3599.9, "1 h"),
        (7500, "2 h 5 min"),
        (86399, "1 d"),
        (270000, "3 d 3 h"),
    ],
)
def test_duration(value: float | None, shown: str) -> None:
    """The two largest units, without a unit that is zero or full."""
    assert duration(value) == shown


def test_amount() -> None:
    """The unit decides how a figure is written."""
    assert amount(212992, "bytes") == "208 KiB"
    assert amount(1500, "ms") == "1.5 s"
    assert amount(0.5, "ratio") == "50 %"
    assert amount(12, "segments") == "12 segments"
    assert amount(None, "bytes") == "-"


def test_counted() -> None:
    """The noun agrees with the number."""
    assert counted(1, "socket") == "1 socket"
    assert counted(20000, "datagram") == "20 k datagrams"
    assert counted(2, "entry", "entries") == "2 entries"
