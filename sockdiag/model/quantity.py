"""Write numbers for people. Every screen, finding and status line uses these functions, so one quantity looks the same everywhere.

Machines get the exact numbers: JSON, CSV and evidence never pass through here.
"""

from __future__ import annotations

UNKNOWN = "-"

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_DECIMAL = ("", "k", "M", "G", "T", "P", "E")

# Time spans that differ by less than this part are written as one.
_SAME = 0.1

# Counts below it are exact: four digits are as easy to read as a rounded number.
_EXACT = 10_000

# Units of which numbers are converted into others.
_CONVERTED = ("bytes", "s", "seconds", "ms", "milliseconds", "ratio")

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


def size(count: float | None) -> str:
    """Write bytes with a binary unit: 3.7 MiB, 208 KiB."""
    if count is None:
        return UNKNOWN
    value, step = _scaled(float(count), 1024, len(_BINARY))
    return f"{_digits(value)} {_BINARY[step]}"


def count(number: float | None) -> str:
    """Write how many there are: exact below 10,000, else with three digits and a decimal unit: 52.5 k."""
    if number is None:
        return UNKNOWN
    if abs(number) < _EXACT:
        return str(number) if isinstance(number, int) else _digits(number)
    value, step = _scaled(float(number), 1000, len(_DECIMAL))
    return f"{_digits(value)} {_DECIMAL[step]}".rstrip()


def amount(value: float | None, unit: str = "") -> str:
    """Write a figure with its unit; bytes get a binary unit, seconds and milliseconds a duration.

    Args:
        value: the figure; None is unknown.
        unit: bytes, s, ms, ratio, or a noun in the plural.
    """
    if value is None:
        return UNKNOWN
    if unit == "bytes":
        return size(value)
    if unit in ("s", "seconds"):
        return duration(value)
    if unit in ("ms", "milliseconds"):
        return duration(value / 1000)
    if unit == "ratio":
        return share(value)
    return f"{count(value)} {unit}".rstrip()


def part_of(value: float, limit: float, unit: str = "", one: str = "") -> str:
    """Write a level against its limit: 40 of 20000, 12.3 k of 65.5 k, 9 KiB of 208 KiB.

    Counts are exact where rounding would put a small one beside a rounded limit, or hide that the two differ.

    Args:
        value: the level.
        limit: its limit.
        unit: bytes, or a noun in the plural, as in :func:`amount`.
        one: the noun in the singular, if the limit may be 1.
    """
    if limit == 1 and one:
        unit = one
    level, whole = amount(value, unit), amount(limit, unit)
    if unit in _CONVERTED:
        return f"{level} of {whole}"
    exact = min(abs(value), abs(limit)) < _EXACT or (level == whole and value != limit)
    if exact and float(value).is_integer() and float(limit).is_integer():
        return f"{value:.0f} of {limit:.0f} {unit}".rstrip()
    return f"{level.removesuffix(f' {unit}') if unit else level} of {whole}"


def counted(number: int, one: str, many: str = "") -> str:
    """Write how many there are, with the noun in singular or plural."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def rate(per_s: float | None, unit: str = "") -> str:
    """Write a rate: 50 k/s, 3.7 MiB/s; per minute or per hour if it is below one per second."""
    if per_s is None:
        return UNKNOWN
    if unit == "bytes":
        return f"{size(per_s)}/s"
    if per_s == 0 or abs(per_s) >= 1:
        return f"{_rounded(per_s)}/s"
    if abs(per_s) * _MINUTE_S >= 1:
        return f"{_rounded(per_s * _MINUTE_S)}/min"
    return f"{_rounded(per_s * _HOUR_S)}/h"


def share(ratio: float | None) -> str:
    """Write a share in per cent. Only none at all is 0 %, and only all of it is 100 %."""
    if ratio is None:
        return UNKNOWN
    if 0 < ratio < 0.001:
        return "<0.1 %"
    if 0.999 < ratio < 1:
        return ">99.9 %"
    return f"{_digits(100 * ratio)} %"


def duration(seconds: float | None) -> str:
    """Write a time span in its two largest units: 50 ms, 1.5 s, 1 min 30 s, 2 h 5 min, 3 d 4 h."""
    if seconds is None:
        return UNKNOWN
    if 0 < seconds < 0.9995:
        return f"{_digits(1000 * seconds)} ms"
    if seconds < 59.95:
        return f"{_digits(seconds)} s"
    whole = round(seconds)
    for larger, smaller, words in (
        (_DAY_S, _HOUR_S, ("d", "h")),
        (_HOUR_S, _MINUTE_S, ("h", "min")),
        (_MINUTE_S, 1, ("min", "s")),
    ):
        # Rounded to the smaller unit first, so that 59 min 59.9 s becomes 1 h.
        units = round(whole / smaller)
        per = larger // smaller
        if units >= per:
            rest = f" {units % per} {words[1]}" if units % per else ""
            return f"{units // per} {words[0]}{rest}"
    return f"{whole} s"


def span(shortest: float | None, longest: float | None) -> str:
    """Write time spans between two bounds: 1 s, or 1 s to 3.2 s if they differ."""
    if shortest is None or longest is None:
        return duration(shortest)
    if longest - shortest < _SAME * shortest:
        return duration(longest)
    return f"{duration(shortest)} to {duration(longest)}"


def _scaled(value: float, base: int, steps: int) -> tuple[float, int]:
    step = 0
    # What would be printed as 1000 of a unit is 1 of the next.
    while abs(value) >= base - 0.5 and step < steps - 1:
        value /= base
        step += 1
    return value, step


def _rounded(value: float) -> str:
    """Write a measured number with at most three digits."""
    scaled, step = _scaled(value, 1000, len(_DECIMAL))
    return f"{_digits(scaled)} {_DECIMAL[step]}".rstrip()


def _digits(value: float) -> str:
    """Write one decimal below 100, none from there on, and no trailing zero."""
    text = f"{value:.1f}" if abs(value) < 99.95 else f"{value:.0f}"
    if text in ("0.0", "-0.0") and value:
        text = f"{value:.1g}"
    return text.removesuffix(".0")
