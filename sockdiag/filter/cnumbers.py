"""Read numbers as the C library does, in the base that the prefix gives.

Source: strtol(3), strtoul(3) and scanf(3) in the C locale, 64-bit long.
"""

from __future__ import annotations

_SPACE = " \t\n\v\f\r"
_DIGITS = {"0123456789abcdef"[n]: n for n in range(16)}

INT_MAX = (1 << 31) - 1
LONG_MAX = (1 << 63) - 1
ULONG_MAX = (1 << 64) - 1
UINT_MAX = (1 << 32) - 1


def scan(text: str) -> tuple[int, int]:
    """Read a number at the start of *text*: ``0x`` is hexadecimal, ``0`` octal.

    Returns:
        The number without regard to any width, and how many characters it takes; 0 of them where there is no number.
    """
    at = 0
    while at < len(text) and text[at] in _SPACE:
        at += 1
    negative = text[at : at + 1] == "-"
    if text[at : at + 1] in ("-", "+"):
        at += 1
    base = 10
    if text[at : at + 1] == "0":
        base = 8
        if text[at + 1 : at + 2] in ("x", "X") and text[at + 2 : at + 3].lower() in _DIGITS:
            base = 16
            at += 2
    start = at
    value = 0
    while at < len(text):
        digit = _DIGITS.get(text[at].lower(), 16)
        if digit >= base:
            break
        value = value * base + digit
        at += 1
    if at == start:
        return 0, 0
    return -value if negative else value, at


def signed(text: str, largest: int) -> int | None:
    """Return the number that *text* is as a whole, None where it is none or leaves ``-largest - 1 … largest``."""
    value, used = scan(text)
    if not used or used != len(text) or not -largest - 1 <= value <= largest:
        return None
    return value


def unsigned(text: str, largest: int) -> int | None:
    """Return the number that *text* is as a whole, None where it is none or above *largest*.

    A negative number wraps at 64 bits, as strtoul(3) does, and so is too large unless it is close to -2^64.
    """
    value, used = scan(text)
    if not used or used != len(text):
        return None
    if value < 0:
        value = ULONG_MAX if value < -ULONG_MAX else value & ULONG_MAX
    return value if value <= largest else None


def converted(text: str) -> tuple[int, int]:
    """Read a 32-bit number at the start of *text* as ``%i`` of scanf(3) does.

    Too large ones are cut to 32 bits after saturating at 64. Returns the number, unsigned, and the characters it takes.
    """
    at = len(text) - len(text.lstrip(_SPACE))
    value, used = scan(text)
    # scanf has consumed the x of "0x" when it finds that no digit follows.
    sign = text[at : at + 1] in ("-", "+")
    if used and value == 0 and text[at + sign : at + sign + 2] in ("0x", "0X") and used == at + sign + 1:
        used += 1
    return max(-LONG_MAX - 1, min(LONG_MAX, value)) & UINT_MAX, used
