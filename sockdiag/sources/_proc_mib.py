"""Grammar that /proc/net/snmp and /proc/net/netstat share: a line of names, then a line of values, both with the prefix."""

from __future__ import annotations

from sockdiag.errors import ParseError
from sockdiag.model.counters import Counters
from sockdiag.sources._numbers import number
from sockdiag.sources.reading import MAX_ERRORS


def parse_mib(body: bytes, path: str) -> Counters:
    """Parse pairs of lines ``Prefix: Name …`` and ``Prefix: value …``.

    Source: ``snmp_seq_show()`` and ``netstat_seq_show()``, net/ipv4/proc.c.
    Units: events, except those of :data:`sockdiag.model.counters.GAUGES`.
    Shape: names are not sorted and differ between kernels; a prefix may come in several pairs (IcmpMsg, 16 types each).

    Args:
        body: the whole file.
        path: its name, for errors.

    Returns:
        Counters by ``Prefix.Name``. A value that is not a number costs that counter, a pair of lines that does not
        match costs that pair; its ``errors`` say which.
    """
    values: dict[str, int] = {}
    errors: list[ParseError] = []
    prefix = b""
    names: list[bytes] = []
    for line, text in enumerate(body.split(b"\n"), 1):
        tokens = text.split()
        if not tokens:
            continue
        head = tokens.pop(0)
        if prefix and head != prefix:
            errors.append(ParseError(path, line, _text(prefix), "the line of values", text))
            prefix = b""
        if not prefix:
            if head.endswith(b":") and head.isascii() and text.isascii():
                prefix, names = head, tokens
            else:
                errors.append(ParseError(path, line, "prefix", "a line of names that starts with Prefix:", text))
            continue
        start = _text(prefix)[:-1] + "."
        prefix = b""
        if len(tokens) != len(names):
            errors.append(ParseError(path, line, start[:-1], f"{len(names)} values", text))
            continue
        for name, token in zip(names, tokens, strict=True):
            value = number(token)
            if value is None:
                errors.append(ParseError(path, line, start + _text(name), "a decimal number", token))
            else:
                values[start + _text(name)] = value
    if prefix:
        errors.append(ParseError(path, body.count(b"\n") + 1, _text(prefix), "the line of values", b""))
    return Counters(values, tuple(errors[:MAX_ERRORS]))


def _text(token: bytes) -> str:
    return token.decode("ascii", "backslashreplace")
