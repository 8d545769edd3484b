"""Ranges of the monitoring plugins: when a value is a reason for an alert.

Source: Monitoring Plugins Development Guidelines, "Threshold and Ranges": ``[@]start:end``, both ends included.
"""

from __future__ import annotations

# A value that has raised an alert ends it when it is this part of the bound on the good side of it.
MARGIN = 0.1

_INFINITE = float("inf")
_DIGITS = frozenset("0123456789.+-")
_LONGEST = 64


class AlertRange:
    """A range, and whether values inside it or outside it are a reason for an alert.

    Attributes:
        text: the range as it was given.
        inside: alert inside (``@``), else outside.
        start: least value, -inf where there is none.
        end: greatest value, inf where there is none.
    """

    __slots__ = ("end", "inside", "start", "text")

    def __init__(self, text: str) -> None:
        """Parse ``[@]start:end``; ``~`` is minus infinity, a missing start 0, a missing end infinity.

        Raises:
            ValueError: it is no range, or ends before it starts.
        """
        self.text = text
        self.inside = text.startswith("@")
        first, colon, last = text.removeprefix("@").partition(":")
        if not colon:
            first, last = "", first
        if not (colon or last):
            raise ValueError("an empty range; write ~: for one that never alerts")
        self.start = -_INFINITE if first == "~" else _number(first, 0.0)
        self.end = _number(last, _INFINITE)
        if self.start > self.end:
            raise ValueError(f"the range {text!r} ends before it starts")

    def __repr__(self) -> str:
        return f"AlertRange({self.text!r})"

    def alerts(self, value: float, *, held: bool = False) -> bool:
        """Return whether a value is a reason for an alert.

        Args:
            value: the value.
            held: it is one already, and ends only when the value is clearly good: MARGIN of the bound away from it.
        """
        low, high = self.start, self.end
        if held:
            grow = 1 if self.inside else -1
            wide_low = low - grow * MARGIN * abs(low) if low != -_INFINITE else low
            wide_high = high + grow * MARGIN * abs(high) if high != _INFINITE else high
            # A narrow range may leave nothing; then no value is clearly good, and the range itself decides.
            if wide_low <= wide_high:
                low, high = wide_low, wide_high
        return (low <= value <= high) is self.inside


def _number(text: str, default: float) -> float:
    if not text:
        return default
    if len(text) > _LONGEST or not set(text) <= _DIGITS:
        raise ValueError(
            f"{text[:_LONGEST]!r} is not a number; a range is [@]start:end, such as 10, 10:, ~:10, 10:20 or @10:20"
        )
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is not a number; a range is [@]start:end, such as 10, 10:, ~:10, 10:20 or @10:20"
        ) from None
