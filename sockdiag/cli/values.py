"""Convert the text of an option's value, for the quick parser and for Typer alike."""

from __future__ import annotations

from sockdiag.cli.spec import CHOICE, INT, SECONDS
from sockdiag.errors import UsageError, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockdiag.cli.spec import Command, Option

_DIGITS = frozenset("0123456789")
_NUMBER = (*_DIGITS, ".")
# Longer numbers are mistakes, and Python refuses to read very long ones.
_LONGEST = 60


def with_values(command: Command, words: list[str]) -> list[str]:
    """Write out the value of each option that may stand alone, where no number follows it."""
    alone = {flag: option.alone for option in command.options if option.alone for flag in option.flags}
    if not alone or alone.keys().isdisjoint(words):
        return words
    valued = {flag for option in command.options if not option.bare for flag in option.flags}
    found: list[str] = []
    rest = list(reversed(words))
    while rest:
        word = rest.pop()
        found.append(word)
        if word == "--":
            break
        if word in alone and not (rest and rest[-1][:1] in _NUMBER):
            found.append(alone[word])
        elif word in valued and rest:
            found.append(rest.pop())
    return found + rest[::-1]


def convert(option: Option[Any], text: str) -> Any:
    """Convert the text of a value to the type of its option.

    Raises:
        UsageError: the text is not such a value.
    """
    if option.kind == INT:
        return _whole(option, text)
    if option.kind == SECONDS:
        return _seconds(option, text)
    if option.kind == CHOICE and text not in option.choices:
        raise UsageError(f"{option.flags[0]}: {unknown('value', text, option.choices)}")
    return text


def _whole(option: Option[Any], text: str) -> int:
    digits = text.removeprefix("-")
    if not digits or len(digits) > _LONGEST or not _DIGITS.issuperset(digits):
        raise UsageError(f"{option.flags[0]}: '{text}' is not a whole number")
    return int(text)


def _seconds(option: Option[Any], text: str) -> float:
    number = text.removeprefix("-")
    unit = number.lstrip("0123456789.")
    digits = number.removesuffix(unit)
    scale = 1e6 if not unit else _time_units().get(unit)
    plain = digits.replace(".", "", 1)
    if not plain or len(plain) > _LONGEST or not _DIGITS.issuperset(plain) or scale is None:
        raise UsageError(
            f"{option.flags[0]}: '{text}' is not a time: write seconds, as 2 or 0.5, or a unit, as 500ms, 2s or 1m"
        )
    # One division, so that 500ms is the same number as 0.5.
    seconds = float(digits) if scale == 1e6 else float(digits) * scale / 1e6
    return -seconds if text.startswith("-") else seconds


def _time_units() -> dict[str, int]:
    from sockdiag.filter.quantity import MICROSECONDS

    return MICROSECONDS
