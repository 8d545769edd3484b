"""Add up what may be unknown."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    N = TypeVar("N", int, float)


def add_known(one: N | None, other: N | None) -> N | None:
    """Return the sum of two numbers; of an unknown and a known one, the known one."""
    if one is None:
        return other
    return one if other is None else one + other
