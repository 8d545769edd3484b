"""The grammar of /proc/net/sockstat and sockstat6."""

from __future__ import annotations

import pytest

from sockdiag.model.record import HOST
from sockdiag.model.sockstat import COLUMNS, SockStat, SockStat6
from sockdiag.sources.proc.net_sockstat import PATH, parse_sockstat, parse_sockstat6

BODY = (
    b"sockets: used 290\nTCP: inuse 5 orphan 1 tw 2 alloc 17 mem 1000\nUDP: inuse 6 mem 7\nUDPLITE: inuse 8\n"
    b"RAW: inuse 9\nFRAG: inuse 10 memory 4096\n"
)


def test_levels() -> None:
    """Each word of the file is a field."""
    assert parse_sockstat(BODY) == SockStat(290, 5, 1, 2, 17, 1000, 6, 7, 8, 9, 10, 4096)


def test_levels_by_the_words_of_the_file() -> None:
    """get() takes the file's own words, for declared columns and others."""
    stat = parse_sockstat(BODY + b"SMC: inuse 3\nTCP: fresh 4\n")
    assert [stat.get(name) for name in ("TCP.mem", "FRAG.memory", "sockets.used")] == [1000, 4096, 290]
    assert stat.more == (("SMC.inuse", 3), ("TCP.fresh", 4))
    assert stat.get("SMC.inuse") == 3
    assert stat.get("DCCP.inuse") is None


def test_sockstat6() -> None:
    """IPv6 has a file and a record of its own."""
    stat = parse_sockstat6(
        b"TCP6: inuse 17\nUDP6: inuse 9\nUDPLITE6: inuse 0\nRAW6: inuse 1\nFRAG6: inuse 0 memory 2\n"
    )
    assert stat == SockStat6(17, 9, 0, 1, 0, 2)
    assert stat.get("TCP6.inuse") == 17


def test_absent_is_unknown() -> None:
    """An old kernel's file leaves what it does not say unknown."""
    stat = parse_sockstat(b"sockets: used 118\nTCP: inuse 10\n")
    assert (stat.tcp_inuse, stat.tcp_mem_pages, stat.udp_inuse) == (10, None, None)


def test_scopes() -> None:
    """Memory, orphans and allocated sockets are the host's, the others the namespace's."""
    host = {name for name, place in COLUMNS[SockStat].items() if SockStat.FIELDS[place].scope == HOST}
    assert host == {"TCP.orphan", "TCP.alloc", "TCP.mem", "UDP.mem"}
    assert not any(field.scope for field in SockStat6.FIELDS)


@pytest.mark.parametrize(
    ("line", "inuse", "column", "text"),
    [
        (b"TCP: inuse x orphan 1", None, "TCP.inuse", b"x"),
        (b"TCP: inuse 5 orphan", None, "TCP", b"TCP: inuse 5 orphan"),
        (b"TCP inuse 5", None, "protocol", b"TCP inuse 5"),
        (b"TCP: inuse 5 orphan 0x1", 5, "TCP.orphan", b"0x1"),
        (b"T\xc3: inuse 5", None, "protocol", b"T\xc3: inuse 5"),
    ],
)
def test_malformed(line: bytes, inuse: int | None, column: str, text: bytes) -> None:
    """What is wrong costs itself only."""
    stat = parse_sockstat(b"sockets: used 1\n" + line + b"\nUDP: inuse 6 mem 7\n")
    assert (stat.sockets_used, stat.tcp_inuse, stat.udp_mem_pages) == (1, inuse, 7)
    (error,) = stat.errors
    assert (error.path, error.line, error.column, error.text) == (PATH, 2, column, text)
