"""Quantities for people; machines get the exact numbers."""

from __future__ import annotations

from sockdiag.render.cells import UNKNOWN

_STEPS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def size(count: int | None) -> str:
    """Show bytes with a binary unit and three digits: 1.23 MiB."""
    if count is None:
        return UNKNOWN
    amount = float(count)
    step = 0
    while abs(amount) >= 1023.5 and step < len(_STEPS) - 1:
        amount /= 1024
        step += 1
    text = f"{amount:.0f}" if step == 0 or abs(amount) >= 99.95 else f"{amount:.3g}"
    return f"{text} {_STEPS[step]}"


def ratio(share: float | None) -> str:
    """Show a share as a percentage; a small one is told from none."""
    if share is None:
        return UNKNOWN
    if 0 < share < 0.001:
        return "<0.1%"
    return f"{share:.1%}" if share < 0.0995 else f"{share:.0%}"
