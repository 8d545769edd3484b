"""Show text that belongs to others: process names, socket paths, interface names.

Whoever names a process or binds an abstract socket chooses these bytes, and a terminal obeys what it is sent.
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
    r"""Make a name safe to print: what a terminal would obey becomes ``\xNN`` or ``\uNNNN``, a backslash is doubled.

    Bytes that are not UTF-8 become ``\xNN`` each, so no two names look the same.
    """
    text = name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name
    return text if is_printable(text) else "".join(map(_escaped, text))


def is_printable(text: str) -> bool:
    """Tell whether :func:`printable` leaves a text as it is; of some that it would leave, False all the same."""
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
    """Show a unix socket's name as ss does: an abstract one with ``@`` for NUL, the rest escaped."""
    if name.startswith(b"\0"):
        return "@" + printable(name[1:].replace(b"\0", b"@"))
    return printable(name)


def width(text: str) -> int:
    """Count the terminal columns of a printable text, which may be coloured."""
    if "\x1b" in text:
        # What is not ours has no such character any more.
        first, *others = text.split("\x1b[")
        text = first + "".join(part.partition("m")[2] for part in others)
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)
