"""Severity follows magnitude: share, rate and number."""

from __future__ import annotations

import pytest

from sockdiag.judging.magnitude import severity_of, share_of


@pytest.mark.parametrize(
    ("lost", "passed", "seconds", "severity"),
    [
        (900, 100, 1.0, "critical"),
        (5, 1_000_000, 1.0, "info"),
        (5, 5, 1.0, "warning"),
        (4, 5, 1.0, "info"),
        (1, 0, 1.0, "info"),
        (2, 0, 1.0, "warning"),
        (10, 190, 1.0, "critical"),
        (9, 0, 1.0, "warning"),
        (1800, 100_000, 1.0, "critical"),
        (1800, 10_000_000, 1.0, "warning"),
        (300, 10_000_000, 1.0, "warning"),
        (30, 100_000, 1.0, "warning"),
        (30, 100_000, 60.0, "info"),
        (90, None, 1.0, "warning"),
        (300, None, 1.0, "critical"),
        (900, 100, None, "critical"),
    ],
)
def test_severity(lost: int, passed: int | None, seconds: float | None, severity: str) -> None:
    """Nine tenths are critical, five of a million are not."""
    assert severity_of(lost, passed, seconds) == severity


def test_worst() -> None:
    """A rule may have a bound of its own."""
    assert severity_of(900, 100, 1.0, "warning") == "warning"
    assert severity_of(1, 100, 1.0, "warning") == "info"


def test_share() -> None:
    """What did not get through, of all; unknown traffic has no share."""
    assert share_of(1, 3) == 0.25
    assert share_of(1, 0) == 1.0
    assert share_of(1, None) is None
    assert share_of(0, 5) is None
