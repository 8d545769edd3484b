"""Numbers with units, read in the unit of the field that they are compared with.

============== ==================================================================================================
field's unit   suffixes
============== ==================================================================================================
us, ms         ``us ms s m h d``; without one, the field's own unit
bytes          ``K Ki KiB`` 1024, ``kB KB`` 1000, and so M G T P; ``B``
byte/s, bit/s  ``k M G T`` 1000, ``Ki`` 1024; then ``B``, ``B/s`` or ``bit``, ``bps``: 8 bits are a byte
ratio          ``%``
count, none    ``k M G T`` 1000, ``Ki Mi`` 1024
============== ==================================================================================================

A number is decimal, possibly with a fraction, or hexadecimal with ``0x``.
"""

from __future__ import annotations

from sockdiag.model.record import BITS_PER_S, BYTES, BYTES_PER_S, MS, RATIO, US

# What the suffix of a time comes to.
MICROSECONDS = {
    "us": 1,
    "µs": 1,
    "ms": 1000,
    "s": 10**6,
    "m": 60 * 10**6,
    "min": 60 * 10**6,
    "h": 3600 * 10**6,
    "d": 86400 * 10**6,
}
_POWERS = "kmgtp"


def parse_quantity(text: str, unit: str) -> int | float:
    """Return the number that *text* is, in *unit*.

    Raises:
        ValueError: it is no number, or its suffix does not fit the unit; the message names the mistake.
    """
    digits, suffix = _split(text)
    if digits is None:
        raise ValueError(f"'{text}' is not a number")
    if digits[:2].lower() == "0x" or digits[1:3].lower() == "0x":
        numerator, denominator = int(digits, 16), 1
    else:
        whole, _, fraction = digits.partition(".")
        numerator, denominator = int((whole + fraction) or "0"), 10 ** len(fraction)
    times, divided = _scale(suffix, unit)
    numerator, denominator = numerator * times, denominator * divided
    return numerator // denominator if numerator % denominator == 0 else numerator / denominator


def _split(text: str) -> tuple[str | None, str]:
    sign = 1 if text[:1] in ("-", "+") else 0
    hexadecimal = text[sign : sign + 2].lower() == "0x"
    end = sign + 2 if hexadecimal else sign
    start = end
    allowed = "0123456789abcdefABCDEF" if hexadecimal else "0123456789."
    while end < len(text) and text[end] in allowed:
        end += 1
    digits = text[:end]
    # Longer ones than this are no quantity, and Python refuses to read them.
    if end == start or digits.count(".") > 1 or digits.endswith(".") or end > 60:
        return None, ""
    return digits, text[end:]


def _scale(suffix: str, unit: str) -> tuple[int, int]:
    if not suffix:
        return 1, 1
    if unit in (US, MS):
        if suffix in MICROSECONDS:
            return MICROSECONDS[suffix], 1000 if unit == MS else 1
        raise ValueError(f"'{suffix}' is not a unit of time: us ms s m h d")
    if unit == RATIO:
        if suffix == "%":
            return 1, 100
        raise ValueError(f"'{suffix}' is not a unit for a share: write 80% or 0.8")
    if unit == BYTES:
        return _bytes(suffix), 1
    if unit in (BYTES_PER_S, BITS_PER_S):
        return _rate(suffix, unit)
    return _power(suffix, suffix), 1


def _power(prefix: str, suffix: str) -> int:
    # 1000 to a power, or 1024 to it where an "i" follows.
    base = 1024 if prefix[1:] == "i" else 1000
    if prefix[1:] not in ("", "i") or prefix[:1].lower() not in _POWERS:
        raise ValueError(f"'{suffix}' is not a unit: k M G T, Ki Mi Gi Ti")
    power: int = base ** (_POWERS.index(prefix[0].lower()) + 1)
    return power


def _bytes(suffix: str) -> int:
    if suffix in ("B", "b"):
        return 1
    prefix = suffix.removesuffix("B")
    if len(prefix) == 1 and prefix == suffix:
        prefix += "i"
    try:
        return _power(prefix, suffix)
    except ValueError:
        raise ValueError(f"'{suffix}' is not a unit of memory: B KiB MiB GiB, kB MB GB (K is KiB)") from None


def _rate(suffix: str, unit: str) -> tuple[int, int]:
    name = suffix
    kind = unit
    for ending, meant in (
        ("bit/s", BITS_PER_S),
        ("bps", BITS_PER_S),
        ("bit", BITS_PER_S),
        ("B/s", BYTES_PER_S),
        ("B", BYTES_PER_S),
    ):
        if suffix.endswith(ending):
            name, kind = suffix.removesuffix(ending), meant
            break
    try:
        times = _power(name, suffix) if name else 1
    except ValueError:
        raise ValueError(f"'{suffix}' is not a unit of rate: MB/s KiB/s, Mbit Gbps") from None
    if kind == unit:
        return times, 1
    return (8 * times, 1) if unit == BITS_PER_S else (times, 8)
