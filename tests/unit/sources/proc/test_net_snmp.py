"""The grammar of /proc/net/snmp and /proc/net/netstat."""

from __future__ import annotations

import pytest

from sockdiag.errors import SourceUnavailable
from sockdiag.sources.proc.mib import SNMP, parse_netstat, parse_snmp, read_netstat, read_snmp
from sockdiag.sources.system.captured_root import open_root

GOOD = b"Tcp: RtoMin MaxConn CurrEstab\nTcp: 200 -1 3\nUdp: InDatagrams NoPorts\nUdp: 18446744073709551615 7\n"


def test_names_and_values() -> None:
    """Each value stands under its prefix and name; -1 is what the kernel prints for no limit."""
    counters = parse_snmp(GOOD)
    assert dict(counters.values) == {
        "Tcp.RtoMin": 200,
        "Tcp.MaxConn": -1,
        "Tcp.CurrEstab": 3,
        "Udp.InDatagrams": 2**64 - 1,
        "Udp.NoPorts": 7,
    }
    assert counters.errors == ()


def test_missing_is_not_zero() -> None:
    """A counter that the kernel does not have is unknown."""
    counters = parse_snmp(GOOD)
    assert counters.get("Udp.MemErrors") is None
    assert "Udp.MemErrors" not in counters
    with pytest.raises(KeyError):
        counters["Udp.MemErrors"]


def test_unknown_prefix_and_names_are_kept() -> None:
    """A newer kernel's MIB comes through under its own names."""
    assert parse_netstat(b"NewExt: Foo Bar\nNewExt: 1 2\n").get("NewExt.Bar") == 2


def test_icmpmsg_in_several_pairs() -> None:
    """The kernel prints sixteen ICMP types a line: all pairs of lines count."""
    body = b"IcmpMsg: InType3 InType8\nIcmpMsg: 1 2\nIcmpMsg: OutType0\nIcmpMsg: 3\n"
    assert dict(parse_snmp(body).values) == {"IcmpMsg.InType3": 1, "IcmpMsg.InType8": 2, "IcmpMsg.OutType0": 3}


@pytest.mark.parametrize(
    ("body", "kept", "line", "column", "text"),
    [
        (b"Tcp: A B\nTcp: 1 x\n", {"Tcp.A": 1}, 2, "Tcp.B", b"x"),
        (b"Tcp: A B\nTcp: 1_0 2\n", {"Tcp.B": 2}, 2, "Tcp.A", b"1_0"),
        (b"Tcp: A B\nTcp: +1 2\n", {"Tcp.B": 2}, 2, "Tcp.A", b"+1"),
        (b"Tcp: A\nTcp: 1-2\n", {}, 2, "Tcp.A", b"1-2"),
        (b"Tcp: A\nTcp: " + b"9" * 21 + b"\n", {}, 2, "Tcp.A", b"9" * 21),
        (b"Tcp: A B\nTcp: 1\nUdp: C\nUdp: 3\n", {"Udp.C": 3}, 2, "Tcp", b"Tcp: 1"),
        (b"Tcp: A\nTcp: 1 2\nUdp: C\nUdp: 3\n", {"Udp.C": 3}, 2, "Tcp", b"Tcp: 1 2"),
        (b"Tcp: A B\nUdp: C\nUdp: 3\n", {"Udp.C": 3}, 2, "Tcp:", b"Udp: C"),
        (b"Udp: C\nUdp: 3\nTcp: A B\n", {"Udp.C": 3}, 4, "Tcp:", b""),
        (b"nonsense\nUdp: C\nUdp: 3\n", {"Udp.C": 3}, 1, "prefix", b"nonsense"),
        (b"\xff: C\n\xff: 3\nUdp: C\nUdp: 3\n", {"Udp.C": 3}, 1, "prefix", b"\xff: C"),
    ],
)
def test_malformed(body: bytes, kept: dict[str, int], line: int, column: str, text: bytes) -> None:
    """What is wrong costs itself only, and the error names the place."""
    counters = parse_snmp(body)
    assert dict(counters.values) == kept
    error = counters.errors[0]
    assert (error.path, error.line, error.column, error.text) == (SNMP, line, column, text)


def test_errors_are_bounded() -> None:
    """A file that is all wrong gives a few errors, not one a counter."""
    assert len(parse_snmp(b"Tcp: " + b"A " * 99 + b"\nTcp: " + b"x " * 99).errors) == 5


def test_read(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """The readers take the files below the root, and say so where there is none."""
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/snmp").write_bytes(GOOD)
    assert read_snmp(open_root(str(tmp_path))).get("Tcp.CurrEstab") == 3
    with pytest.raises(SourceUnavailable):
        read_netstat(open_root(str(tmp_path)))
