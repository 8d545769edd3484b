"""The grammar of /proc/net/snmp6."""

from __future__ import annotations

import pytest

from sockdiag.sources.proc.mib import SNMP6, dotted, parse_snmp6


@pytest.mark.parametrize(
    ("printed", "name"),
    [
        ("Ip6InReceives", "Ip6.InReceives"),
        ("Icmp6InType136", "Icmp6.InType136"),
        ("Udp6RcvbufErrors", "Udp6.RcvbufErrors"),
        ("UdpLite6InErrors", "UdpLite6.InErrors"),
        ("SctpCurrEstab", "Sctp.CurrEstab"),
        ("ifIndex", "ifIndex"),
        ("Tcp6New", "Tcp6New"),
    ],
)
def test_names(printed: str, name: str) -> None:
    """Names get the dot that those of IPv4 have; an unknown prefix stays."""
    assert dotted(printed) == name
    assert dict(parse_snmp6(f"{printed:<32}\t5\n".encode()).values) == {name: 5}


@pytest.mark.parametrize(
    ("line", "column", "text"),
    [
        (b"Ip6InReceives", "line", b"Ip6InReceives"),
        (b"Ip6InReceives 1 2", "line", b"Ip6InReceives 1 2"),
        (b"Ip6InReceives 0x1", "Ip6.InReceives", b"0x1"),
        (b"Ip6\xe4 1", "line", b"Ip6\xe4 1"),
    ],
)
def test_malformed(line: bytes, column: str, text: bytes) -> None:
    """A malformed line costs that counter."""
    counters = parse_snmp6(b"Ip6InDelivers 1\n" + line + b"\n\nIp6OutRequests 2\n")
    assert dict(counters.values) == {"Ip6.InDelivers": 1, "Ip6.OutRequests": 2}
    (error,) = counters.errors
    assert (error.path, error.line, error.column, error.text) == (SNMP6, 2, column, text)
