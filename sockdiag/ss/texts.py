"""Texts of values that repeat, each made once."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Texts(dict):  # type: ignore[type-arg]
    """Text of each value met so far, and the longest of them.

    Args:
        make: prints a value.
    """

    __slots__ = ("_make", "longest")

    def __init__(self, make: Callable[[Any], str]) -> None:
        super().__init__()
        self._make = make
        self.longest = 0

    def __missing__(self, key: object) -> str:
        text = self[key] = self._make(key)
        self.longest = max(self.longest, len(text))
        return text
