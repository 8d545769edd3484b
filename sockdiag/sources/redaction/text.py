"""Names and addresses in text: paths, command lines, names of sockets."""

from __future__ import annotations

import re
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.redaction.mapping import Mapping

_OCTET = rb"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
# In the order in which they are looked for.
_PART = re.compile(
    rb"(?P<user>(?:(?<=user-)|(?<=user@)|(?<=/run/user/))\d+)"
    rb"|(?P<escape>\\x[0-9a-fA-F]{2})"
    rb"|(?<![0-9A-Za-z])(?P<mac>[0-9A-Fa-f]{2}(?P<between>[:-])[0-9A-Fa-f]{2}(?:(?P=between)[0-9A-Fa-f]{2}){4})(?![0-9A-Za-z])"
    rb"|(?<![0-9A-Za-z:.])(?P<v6>(?:[0-9A-Fa-f]{0,4}:){2,7}(?:[0-9A-Fa-f]{1,4}|%(octet)b(?:\.%(octet)b){3})?)(?![0-9A-Za-z:.])"
    rb"|(?<![0-9A-Za-z])(?P<v4>%(octet)b(?P<dot>[-._])%(octet)b(?:(?P=dot)%(octet)b){2})(?P<port>:\d{1,5}(?![0-9A-Za-z.]))?(?![0-9A-Za-z])"
    rb"|(?P<v6port>(?<=\]):\d{1,5}(?![0-9A-Za-z.]))"
    rb"|(?P<word>[0-9A-Za-z\x80-\xff]+)" % {b"octet": _OCTET}
)
_LETTERS = re.compile(rb"[0-9A-Za-z]")
# A command line that names where a port is passed on to, in words of its own: docker-proxy's.
_PROXY = re.compile(rb"(?:[^\0]*/)?docker-proxy\0")
_OPTION = re.compile(rb"-{1,2}[a-z]+(?:-[a-z]+)*")


def redacted(text: bytes, mapping: Mapping) -> bytes:
    """Return a text with pseudonyms for its words, and for addresses as they are written in it; as long but for IPv6."""

    def new(found: re.Match[bytes]) -> bytes:
        kind = found.lastgroup
        if kind == "word":
            return mapping.word(found[0])
        whole = found[0]
        if found["escape"]:
            # systemd writes so what is neither a letter nor a digit.
            return whole if not _LETTERS.match(bytes.fromhex(whole[2:].decode())) else b"\\" + mapping.word(whole[1:])
        if found["user"] or found["v6port"]:
            return whole
        if found["mac"]:
            between = found["between"].decode()
            shown = mapping.mac(bytes.fromhex(whole.decode().replace(between, ""))).hex(between).encode()
            return shown.upper() if whole.upper() == whole else shown
        if found["v6"]:
            return _v6(whole, mapping)
        dot = found["dot"]
        address = bytes(int(octet) for octet in found["v4"].split(dot))
        shown = dot.join(b"%d" % octet for octet in mapping.address(address))
        return shown + (found["port"] or b"")

    return _PART.sub(new, text)


def _v6(text: bytes, mapping: Mapping) -> bytes:
    try:
        address = inet_pton(AF_INET6, text.decode())
    except OSError:
        # A time, or words between colons.
        return b":".join(mapping.word(word) if word else word for word in re.split(rb"[:.]", text))
    return inet_ntop(AF_INET6, mapping.address(address)).encode()


def redacted_command(line: bytes, mapping: Mapping) -> bytes:
    """Return a command line, whose words end with NUL, with pseudonyms."""
    if _PROXY.match(line) is None:
        return redacted(line, mapping)
    program, *words = line.split(b"\0")
    return b"\0".join((redacted(program, mapping), *(_proxy_word(word, mapping) for word in words)))


def _proxy_word(word: bytes, mapping: Mapping) -> bytes:
    if _OPTION.fullmatch(word) or (word.isdigit() and len(word) <= 5):
        return word
    return redacted(word, mapping)


def dotted(text: bytes) -> bytes | None:
    """Return the IPv4 address that a text is, or None."""
    try:
        return inet_pton(AF_INET, text.decode("ascii"))
    except (OSError, UnicodeDecodeError):
        return None


_ESCAPED = re.compile(rb"\\([0-7]{3})")
_MANGLED = re.compile(rb"[ \t\n\\#]")


def redacted_octal(text: bytes, mapping: Mapping) -> bytes:
    """Return a path in which blanks are written as three octal digits after a backslash, with pseudonyms."""
    plain = _ESCAPED.sub(lambda found: bytes((int(found[1], 8) & 0xFF,)), text)
    return _MANGLED.sub(lambda found: b"\\%03o" % found[0][0], redacted(plain, mapping))
