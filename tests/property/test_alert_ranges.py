"""Ranges and performance data against another reader of the same language."""

from __future__ import annotations

import math

import nagiosplugin
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockdiag.model.alert_range import AlertRange

NUMBERS = st.one_of(
    st.integers(-(10**9), 10**9).map(str), st.decimals(-1000, 1000, places=3).map(str), st.just("0"), st.just("-0.5")
)
RANGES = st.tuples(
    st.sampled_from(["", "@"]),
    st.one_of(st.just(""), st.just("~:"), NUMBERS.map(lambda n: f"{n}:")),
    st.one_of(st.just(""), NUMBERS),
).map("".join)
ANYTHING = st.one_of(RANGES, st.text(alphabet="@~:0123456789.-+e _\n|", max_size=12), st.text(max_size=6))
VALUES = st.one_of(st.integers(-(10**9), 10**9), st.floats(-1e9, 1e9), st.sampled_from([0, 10, 20, -1]))


@given(RANGES, VALUES)
def test_same_as_the_other_reader(text: str, value: float) -> None:
    """Every range that both accept alerts for the same values; what one refuses the other does."""
    try:
        other = nagiosplugin.Range(text)
    except ValueError:
        with pytest.raises(ValueError):
            AlertRange(text)
        return
    if text in {"", "@"}:
        # There it is the same as 0:, an option that was forgotten to be filled in.
        with pytest.raises(ValueError):
            AlertRange(text)
        return
    assert AlertRange(text).alerts(value) is not other.match(value)


@given(RANGES.filter(lambda text: text not in {"", "@"}))
def test_bounds_belong_to_the_range(text: str) -> None:
    """Both ends are inside."""
    try:
        mine = AlertRange(text)
    except ValueError:
        return
    for bound in (mine.start, mine.end):
        if math.isfinite(bound):
            assert mine.alerts(bound) is mine.inside


@given(ANYTHING)
def test_whatever_is_no_range_is_refused(text: str) -> None:
    """Any text is a range or a ValueError whose message is one line."""
    try:
        mine = AlertRange(text)
    except ValueError as error:
        said = str(error)
    else:
        said = ""
        assert mine.start <= mine.end
        assert not math.isnan(mine.start)
    assert "\n" not in said


@given(RANGES.filter(lambda text: text not in {"", "@"}), VALUES)
def test_what_alerts_goes_on_to(text: str, value: float) -> None:
    """A value that alerts does so while the alert is held: it only ever ends later."""
    try:
        mine = AlertRange(text)
    except ValueError:
        return
    assert mine.alerts(value, held=True) or not mine.alerts(value)


@pytest.mark.parametrize(
    ("text", "value", "alerts", "held"),
    [
        ("10", 10, False, True),
        ("10", 9.1, False, True),
        ("10", 9, False, False),
        ("10", 11, True, True),
        ("10", -1, True, True),
        ("10:", 10, False, True),
        ("10:", 11, False, False),
        ("10:", 9, True, True),
        ("~:10", -100, False, False),
        ("10:20", 15, False, False),
        ("10:20", 18.5, False, True),
        ("@10:20", 20, True, True),
        ("@10:20", 21, False, True),
        ("@10:20", 22.1, False, False),
        ("@10:20", 8.9, False, False),
        ("0", 0, False, False),
        ("0", 1, True, True),
        ("10:10", 10, False, False),
        ("10:10", 11, True, True),
        ("0.7", 0.65, False, True),
        ("~:-5", -5.2, False, True),
        ("~:-5", -5.5, False, False),
    ],
)
def test_an_alert_ends_clearly_below(text: str, value: float, alerts: bool, held: bool) -> None:
    """An alert ends a tenth of the bound away from it, on the good side."""
    mine = AlertRange(text)
    assert mine.alerts(value) is alerts
    assert mine.alerts(value, held=True) is held
