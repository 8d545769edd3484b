"""Which moment a time stands for, also where the clock was set or the system was started anew."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import UsageError
from sockdiag.sources.recordings.moments import before, choose
from sockdiag.sources.recordings.reader import RecordingReader
from tests.recordings import BEGIN, BOOT, record, small

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OTHER = bytes(reversed(range(16)))


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(os.environ, "TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def recording(path: Path, times: list[tuple[float, float, bytes]]) -> RecordingReader:
    """Record moments by wall clock behind 12:00, monotonic clock and boot."""
    record(path / "r", ((small(n), BEGIN + wall, at, boot) for n, (wall, at, boot) in enumerate(times)))
    return RecordingReader(str(path / "r"))


def steady(path: Path, number: int = 100) -> RecordingReader:
    """Record every 5 s."""
    return recording(path, [(5.0 * n, 100 + 5.0 * n, BOOT) for n in range(number)])


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("last", 99),
        ("-0s", 99),
        ("-1s", 98),
        ("-5s", 98),
        ("-1m", 87),
        ("-90", 81),
        ("2026-05-04T12:00:00", 0),
        ("2026-05-04 12:01", 12),
        ("2026-05-04T12:01:04.9", 12),
        ("2026-05-04T14:01:04+02:00", 12),
        ("12:00:13", 2),
        ("12:08", 96),
        ("@1777896011", 2),
        ("2026-05-04T12:08:16", 99),
    ],
)
def test_a_time_is_the_last_moment_before_it(tmp_path: Path, text: str, number: int) -> None:
    """Times may be written in many ways."""
    chosen = choose(steady(tmp_path), text)
    assert (chosen.moment.number, chosen.remarks) == (number, ())


@pytest.mark.parametrize(
    "text",
    ["2026-05-04T11:59", "13:00", "-1h", "-x", "--5m", "yesterday", "@", "@nan", "-nan", "2026-13-01", "-1y", ":"],
)
def test_other_times_are_refused(tmp_path: Path, text: str) -> None:
    """A time outside of the recording is no moment of it."""
    with pytest.raises(UsageError):
        choose(steady(tmp_path), text)


def test_a_clock_that_was_set_back(tmp_path: Path) -> None:
    """It shows a time twice: the later one is meant, and that is said. Times before the end are not affected."""
    made = recording(tmp_path, [(5.0 * n - (200 if n >= 60 else 0), 100 + 5.0 * n, BOOT) for n in range(100)])
    chosen = choose(made, "12:02:00")
    assert chosen.moment.number == 64
    assert "set back" in chosen.remarks[0]
    assert choose(made, "-495s").moment.number == 0
    # Only shown before it was set: 12:04:50 is the 58th moment, and the end shows 12:04:55.
    assert choose(made, "12:00:30").moment.number == 6


def test_a_clock_that_was_set_forward(tmp_path: Path) -> None:
    """A time that it did not show is that of the moment before, and that is said."""
    made = recording(tmp_path, [(5.0 * n + (3600 if n >= 50 else 0), 100 + 5.0 * n, BOOT) for n in range(100)])
    chosen = choose(made, "12:30")
    assert chosen.moment.number == 49
    assert "nothing was recorded" in chosen.remarks[0]
    assert choose(made, "-4m").moment.number == 51
    assert choose(made, "-5m").moment.number == 39
    later = before(made, made.moments[52], 20)
    assert later is not None
    assert later.number == 48


def test_a_reboot(tmp_path: Path) -> None:
    """Moments of two boots are not compared, and the first of a boot has none to compare with."""
    made = recording(
        tmp_path,
        [(5.0 * n, 100 + 5.0 * n, BOOT) for n in range(10)] + [(200 + 5.0 * n, 5.0 * n, OTHER) for n in range(10)],
    )
    assert before(made, made.moments[10], None) is None
    assert before(made, made.moments[10], 60) is None
    first = before(made, made.moments[13], 3600)
    assert first is not None
    assert first.number == 10
    assert choose(made, "-60s").moment.number == 9
    assert choose(made, "-200s").moment.number == 9
    assert choose(made, "-201s").moment.number == 8
    assert not made.moments[9].stepped(made.moments[10])


@pytest.mark.parametrize(("seconds", "number"), [(None, 49), (1, 49), (5, 49), (7, 49), (10, 48), (60, 38), (9999, 0)])
def test_what_is_compared_with(tmp_path: Path, seconds: float | None, number: int) -> None:
    """The moment before, or the one that is as far away as asked for."""
    made = steady(tmp_path)
    found = before(made, made.moments[50], seconds)
    assert found is not None
    assert found.number == number
