"""/proc/net/sockstat and /proc/net/sockstat6: sockets and socket memory by protocol."""

from __future__ import annotations

from sockdiag.errors import ParseError
from sockdiag.model.sockstat import COLUMNS, SockStat, SockStat6
from sockdiag.sources.proc.table import number
from sockdiag.sources.reading import MAX_ERRORS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from sockdiag.sources.system.proc_root import ProcRoot

PATH = "/proc/net/sockstat"
PATH6 = "/proc/net/sockstat6"


def parse_sockstat(body: bytes) -> SockStat:
    """Parse the text of ``/proc/net/sockstat``.

    Source: ``sockstat_seq_show()``, net/ipv4/proc.c.
    Units: sockets; TCP and UDP ``mem`` in pages, FRAG ``memory`` in bytes.
    Shape: one line per protocol, ``NAME: word number word number …``; words were added over time.

    Returns:
        The levels. A malformed pair costs that level, a line without a name that line; its ``errors`` name it.
    """
    return SockStat._make(_values(COLUMNS[SockStat], body, PATH))


def parse_sockstat6(body: bytes) -> SockStat6:
    """Parse the text of ``/proc/net/sockstat6``; see :func:`parse_sockstat`.

    Source: ``sockstat6_seq_show()``, net/ipv6/proc.c.
    """
    return SockStat6._make(_values(COLUMNS[SockStat6], body, PATH6))


def _values(places: Iterable[str], body: bytes, path: str) -> list[Any]:
    levels: dict[str, int] = {}
    errors: list[ParseError] = []
    for line, text in enumerate(body.split(b"\n"), 1):
        tokens = text.split()
        if not tokens:
            continue
        if not tokens[0].endswith(b":") or not text.isascii():
            errors.append(ParseError(path, line, "protocol", "NAME:", text))
            continue
        protocol = tokens[0][:-1].decode()
        if len(tokens) % 2 == 0:
            errors.append(ParseError(path, line, protocol, "pairs of a word and a number", text))
            continue
        for word, token in zip(tokens[1::2], tokens[2::2], strict=True):
            name = f"{protocol}.{word.decode()}"
            value = number(token)
            if value is None:
                errors.append(ParseError(path, line, name, "a decimal number", token))
            else:
                levels[name] = value
    declared = [levels.pop(name, None) for name in places]
    return [*declared, tuple(levels.items()), tuple(errors[:MAX_ERRORS])]


def read_sockstat(files: ProcRoot) -> SockStat:
    """Read and parse ``/proc/net/sockstat``.

    Raises:
        SourceError: it cannot be read.
    """
    return parse_sockstat(files.read(PATH))


def read_sockstat6(files: ProcRoot) -> SockStat6:
    """Read and parse ``/proc/net/sockstat6``.

    Raises:
        SourceError: it cannot be read; SourceUnavailable where the kernel has no IPv6.
    """
    return parse_sockstat6(files.read(PATH6))
