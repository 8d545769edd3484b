"""The table of counters: complete, without repetitions, and looked up by the names of a kernel."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from sockdiag.model.counter_table import (
    CLASSES,
    SETTING,
    class_of,
    declared_name,
    every_counter,
    is_loss,
    known_counter,
    meaning_of,
    names_of,
)
from sockdiag.model.counters import GAUGES, MIBS
from sockdiag.sources.proc.mib import parse_netstat, parse_snmp, parse_snmp6

FIXTURES = Path(__file__).parents[2] / "fixtures"
ROWS = tuple(every_counter())


def test_no_counter_twice() -> None:
    """A counter has one row."""
    assert [name for name, n in Counter(row.name for row in ROWS).items() if n > 1] == []


def test_rows_are_sound() -> None:
    """Classes exist, functions look like functions, meanings are phrases without a full stop."""
    for row in ROWS:
        assert row.kind in CLASSES, row
        assert row.function == "none" or all(part.endswith("()") for part in row.function.split(", ")), row
        assert row.since == "" or row.since.replace(".", "").isdigit(), row
        assert row.meaning, row
        assert row.meaning.count("  ") == 0, row
        assert not row.meaning.endswith("."), row


def test_settings_are_the_gauges_among_the_counters() -> None:
    """What is no event is declared as such in both places."""
    settings = {row.name for row in ROWS if row.kind == SETTING}
    assert settings >= GAUGES
    assert {name for name in settings - GAUGES if name.partition(".")[0] in ("Ip", "Tcp", "TcpExt", "Ip6")} == set()


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("TcpExt.ListenDrops", "TcpExt.ListenDrops"),
        ("dev.eth0.7.rx_drop", "dev.*.rx_drop"),
        ("dev.*.rx_drop", "dev.*.rx_drop"),
        ("softnet_stat.0.dropped", "softnet_stat.*.dropped"),
        ("IcmpMsg.InType3", "IcmpMsg.InType*"),
        ("Icmp6.OutType135", "Icmp6.OutType*"),
    ],
)
def test_names_of_rows(name: str, declared: str) -> None:
    """Devices, CPUs and message types share a row."""
    assert declared_name(name) == declared
    found = known_counter(name)
    assert found is not None
    assert found.name == declared


def test_lookups() -> None:
    """What is not in the table is unknown, not ordinary."""
    assert (class_of("TcpExt.Nonsense"), meaning_of("TcpExt.Nonsense"), is_loss("TcpExt.Nonsense")) == ("", "", False)
    assert known_counter("TcpExt.Nonsense") is None
    assert is_loss("TcpExt.ListenDrops")
    assert is_loss("Udp.RcvbufErrors")
    assert not is_loss("Udp.NoPorts")
    assert "TcpExt.TCPBacklogDrop" in names_of("loss")


def test_prefixes() -> None:
    """Counters of the MIBs that are read, and of no others."""
    tables = {"arp_cache", "ndisc_cache"}
    assert set(MIBS) - {"qdisc", "qdisc_ingress", "nft"} | tables == {row.name.partition(".")[0] for row in ROWS}


def test_fixtures() -> None:
    """Every counter of the recorded systems is known."""
    parsers = {"snmp": parse_snmp, "netstat": parse_netstat, "snmp6": parse_snmp6}
    files = [(path, parse) for name, parse in parsers.items() for path in FIXTURES.glob(f"**/proc/**/net/{name}")]
    assert files
    for path, parse in files:
        counters = parse(path.read_bytes())
        assert [name for name in counters if known_counter(name) is None] == [], path
