"""Memory of the protocols against their limits."""

from __future__ import annotations

from sockdiag.analysis.memory import ProtocolMemory, protocol_memory
from sockdiag.model.protocols import Protocol
from sockdiag.model.sockstat import SockStat
from sockdiag.model.sysctl import Sysctls

SOCKSTAT = SockStat(tcp_mem_pages=300, udp_mem_pages=50)
PROTOCOLS = (
    Protocol("MPTCPv6", memory_pages=299, pressure=True),
    Protocol("UDP-Lite"),
    Protocol("UDP", memory_pages=51),
    Protocol("ALG", memory_pages=4),
    Protocol("TCP", memory_pages=299, pressure=False),
    Protocol("SCTP", memory_pages=10, pressure=False),
    Protocol("RAW"),
)
LIMITS = Sysctls(
    {"net.ipv4.tcp_mem": (100, 200, 400), "net.ipv4.udp_mem": (100, 200, 400), "net.core.mem_pcpu_rsv": 256},
    {"net.sctp.sctp_mem": "not visible in this network namespace"},
)


def test_accounts() -> None:
    """Protocols that share an account are one row; UDP is refused from the first number on, TCP from the third."""
    tcp, udp, alg, sctp = protocol_memory(SOCKSTAT, PROTOCOLS, LIMITS, 4096, 2)
    assert tcp == ProtocolMemory(
        protocol="TCP",
        members=("MPTCPv6", "TCP"),
        pages=300,
        bytes=1228800,
        uncertainty_pages=512,
        low_pages=100,
        pressure_pages=200,
        high_pages=400,
        limit_pages=400,
        limit_bytes=1638400,
        ratio=0.75,
        pressure=True,
        limit_source="net.ipv4.tcp_mem",
    )
    assert (udp.members, udp.pages, udp.limit_pages, udp.ratio, udp.pressure) == (("UDP",), 50, 100, 0.5, None)
    assert (alg.protocol, alg.pages, alg.limit_pages, alg.ratio, alg.limit_source, alg.note) == (
        "ALG",
        4,
        None,
        None,
        "",
        "",
    )
    assert (sctp.pages, sctp.ratio) == (10, None)
    assert sctp.note == "net.sctp.sctp_mem: not visible in this network namespace"


def test_without_limits() -> None:
    """In a container usage is known and nothing else: no default stands in."""
    tcp, udp = protocol_memory(SOCKSTAT, None, Sysctls({}), None, 2)
    assert (tcp.pages, tcp.bytes, tcp.limit_pages, tcp.ratio, tcp.uncertainty_pages) == (300, None, None, None, None)
    assert tcp.note == "net.ipv4.tcp_mem: not read"
    assert udp.pages == 50


def test_without_sockstat() -> None:
    """Without sockstat the protocols' own numbers are taken; without both there is nothing."""
    assert [(m.protocol, m.pages) for m in protocol_memory(None, PROTOCOLS, LIMITS, 4096, None)] == [
        ("TCP", 299),
        ("UDP", 51),
        ("ALG", 4),
        ("SCTP", 10),
    ]
    assert protocol_memory(None, None, LIMITS, 4096, 2) == []


def test_zero_limit() -> None:
    """A limit of 0 has no ratio."""
    (tcp, _udp) = protocol_memory(SOCKSTAT, None, Sysctls({"net.ipv4.tcp_mem": (0, 0, 0)}), 4096, 2)
    assert (tcp.limit_pages, tcp.ratio) == (0, None)
