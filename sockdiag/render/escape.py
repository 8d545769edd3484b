"""Show untrusted text: process names, socket paths, interface names.

Any user can choose these bytes by naming a process or binding an abstract socket, and terminals obey escape sequences.
"""

from __future__ import annotations

# Characters above ASCII that move or hide other text: C1 controls, bidirectional controls, line separators, zero width.
_DANGEROUS = frozenset(
    [
        *range(0x80, 0xA0),
        0xAD,
        0x61C,
        *range(0x200B, 0x2010),
        0x2028,
        0x2029,
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        0xFEFF,
        *range(0xFFF9, 0xFFFC),
        *range(0xE0000, 0xE0080),
    ]
)


def printable(name: bytes | str) -> str:
    r"""Make a name safe to print: control characters become ``\xNN`` or ``\uNNNN``, a backslash is doubled.

    Each byte that is not UTF-8 becomes ``\xNN``, so no two names look the same.
    """
    text = name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name
    return text if is_printable(text) else "".join(map(_escaped, text))


def is_printable(text: str) -> bool:
    """Return True only if :func:`printable` leaves a text as it is; it may be False for such a text too."""
    return text.isascii() and text.isprintable() and "\\" not in text


def _escaped(char: str) -> str:
    code = ord(char)
    if char == "\\":
        return "\\\\"
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, by surrogateescape
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x20 or 0x7F <= code < 0xA0:
        return f"\\x{code:02x}"
    if code in _DANGEROUS or not (char.isprintable() or char == " "):
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
