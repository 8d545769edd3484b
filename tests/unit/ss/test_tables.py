"""Which tables, families and states a command line selects."""

from __future__ import annotations

import pytest

from sockdiag.kernel.sock_diag import AF_INET, AF_INET6, AF_UNIX, AF_UNSPEC
from sockdiag.ss.options import parse
from sockdiag.ss.output import Stop
from sockdiag.ss.tables import (
    ALL_TABLES,
    INET_FAMILIES,
    INET_TABLES,
    NETLINK,
    TCP,
    TIPC,
    UDP,
    UNIX_DGRAM,
    UNIX_TABLES,
    Selection,
)

_ALL = 0x3FFF
_CONNECTED = _ALL & ~(1 << 10 | 1 << 7 | 1 << 6 | 1 << 3)


def settled(line: str, *, old: bool = False) -> Selection:
    selection = parse(["ss", *line.split()], old=old).selection
    selection.settle()
    return selection


@pytest.mark.parametrize(
    ("line", "tables", "families", "states"),
    [
        ("", ALL_TABLES, None, _CONNECTED),
        ("-t", TCP, INET_FAMILIES, _CONNECTED),
        ("-u", UDP, INET_FAMILIES, 1 << 1),
        ("-ta", TCP, INET_FAMILIES, _ALL),
        ("-tl", TCP, INET_FAMILIES, 1 << 10 | 1 << 7),
        ("-tB", TCP, INET_FAMILIES, 1 << 13),
        ("-taB", TCP, INET_FAMILIES, 1 << 13),
        ("-tBa", TCP, INET_FAMILIES, _ALL),
        ("-x", UNIX_TABLES, 1 << AF_UNIX, _CONNECTED),
        ("-4", INET_TABLES, 1 << AF_INET, _CONNECTED),
        ("-4 -t", TCP, 1 << AF_INET, _CONNECTED),
        ("-4 -x -t", TCP | UNIX_TABLES, 1 << AF_INET | 1 << AF_UNIX, _CONNECTED),
        ("-x -4", INET_TABLES | UNIX_TABLES, 1 << AF_INET | 1 << AF_UNIX, _CONNECTED),
        ("-t -A udp", UDP, INET_FAMILIES, _CONNECTED),
        ("-A udp -t", TCP | UDP, INET_FAMILIES, _CONNECTED),
        ("-A udp -a", UDP, INET_FAMILIES, _ALL),
        ("-a -A udp", UDP, INET_FAMILIES, _ALL),
        ("-A unix_dgram", UNIX_DGRAM, 1 << AF_UNIX, _CONNECTED),
        ("-f netlink", NETLINK, 1 << 16, 1 << 7),
        ("--tipc", TIPC, 1 << 30, 1 << 1 | 1 << 7 | 1 << 10),
        ("-A tcp,!tcp", 0, 0, _CONNECTED),
        ("-A all,!inet", ALL_TABLES & ~INET_TABLES, None, _CONNECTED),
    ],
)
def test_selection(line: str, tables: int, families: int | None, states: int) -> None:
    selection = settled(line)
    assert selection.tables == tables
    assert selection.states == states
    if families is not None:
        assert selection.families == families


def test_the_last_family_is_preferred() -> None:
    assert settled("-4 -6 -t").preferred == AF_INET6
    assert settled("-6 -4 -t").preferred == AF_INET
    assert settled("-t").preferred == AF_UNSPEC


def test_6_1_knows_twelve_states_and_two_options_less() -> None:
    assert settled("-ta", old=True).states == 0xFFF
    for line in ("-tB", "-tQ", "--bound-inactive", "--no-queues"):
        with pytest.raises(Stop) as caught:
            settled(line, old=True)
        assert (caught.value.code, caught.value.usage) == (255, True)


@pytest.mark.parametrize("line", ["-f INET", "-A TCP", "-A tcp,", "-A tcp,,udp", "-A !", "--bpf-map", "--tcp=1"])
def test_wrong_names(line: str) -> None:
    with pytest.raises(Stop) as caught:
        settled(line)
    assert (caught.value.code, caught.value.usage) == (255, True)
