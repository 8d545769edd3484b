"""Show untrusted text: process names, socket paths, interface names. Both front ends and all messages use this module.

Any user can choose these bytes by naming a process or binding an abstract socket, and terminals obey escape sequences.
Spelled out are: the controls C0, DEL and C1, bidirectional controls, line and paragraph separators, characters without a
width or without a shape (by which two names look alike), spaces other than U+0020, what Unicode has not assigned, bytes
that are not UTF-8, and the backslash, which begins what is spelled out.
"""

from __future__ import annotations

# Characters that str.isprintable() admits, but that hide or leave a blank: variation selectors, fillers, empty Braille.
_BLANK = frozenset(
    [
        0x34F,
        0x115F,
        0x1160,
        0x17B4,
        0x17B5,
        *range(0x180B, 0x1810),
        0x2800,
        0x3164,
        *range(0xFE00, 0xFE10),
        0xFFA0,
        0xFFFC,
        *range(0xE0100, 0xE01F0),
    ]
)


def printable(name: bytes | str) -> str:
    r"""Make a name safe to print: what is listed above becomes ``\xNN`` or ``\uNNNN``, a backslash is doubled.

    ``\xNN`` is a byte: a control of ASCII, or one that is not UTF-8. So no two names look the same.
    """
    text = name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name
    return text if is_printable(text) else _spelled(text, "\\\\")


def printable_line(text: str) -> str:
    """Make a message safe to print that quotes names; its backslashes stay, for they may begin an escape already."""
    return text if is_printable(text) else _spelled(text, "\\")


def is_printable(text: str) -> bool:
    """Return True only if :func:`printable` leaves a text as it is; it may be False for such a text too."""
    return text.isascii() and text.isprintable() and "\\" not in text


def _spelled(text: str, backslash: str) -> str:
    return "".join([char if " " <= char <= "~" and char != "\\" else _escaped(char, backslash) for char in text])


def _escaped(char: str, backslash: str) -> str:
    code = ord(char)
    if char == "\\":
        return backslash
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, by surrogateescape
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    if code in _BLANK or not char.isprintable():
        return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return char


def socket_name(name: bytes) -> str:
    """Format a unix socket's name as ss does: with ``@`` for the leading NUL of an abstract name, the rest escaped."""
    if name.startswith(b"\0"):
        return "@" + printable(name[1:].replace(b"\0", b"@"))
    return printable(name)


def width(text: str) -> int:
    """Return the terminal columns of a printable text, which may contain colours."""
    if "\x1b" in text:
        # Untrusted text has been escaped and has no such character: these are our own colours.
        first, *others = text.split("\x1b[")
        text = first + "".join(part.partition("m")[2] for part in others)
    if text.isascii():
        return len(text)
    from unicodedata import category, east_asian_width

    return sum(0 if category(char) in _COMBINING else 2 if east_asian_width(char) in "WF" else 1 for char in text)


# Categories of characters that are drawn onto the one before.
_COMBINING = ("Mn", "Me")
