"""Routing tables: the device and the next hop for an address."""

from __future__ import annotations

import socket

import pytest

from sockdiag.errors import ParseError
from sockdiag.kernel.byte_order import LITTLE
from sockdiag.sources.proc.net_route import best_way, parse_route, parse_route6

HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"


def cell(address: str) -> str:
    packed = socket.inet_aton(address)
    return (packed[::-1] if LITTLE else packed).hex().upper()


def route(device: str, network: str, gateway: str, mask: str, metric: int = 0, flags: int = 1) -> str:
    return f"{device}\t{cell(network)}\t{cell(gateway)}\t{flags:04X}\t0\t0\t{metric}\t{cell(mask)}\t0\t0\t0\n"


TABLE = (
    HEAD
    + route("eth0", "0.0.0.0", "10.0.0.1", "0.0.0.0", 100)
    + route("wlan0", "0.0.0.0", "10.1.0.1", "0.0.0.0", 600)
    + route("eth0", "10.0.0.0", "0.0.0.0", "255.255.255.0")
    + route("tun0", "10.0.0.128", "0.0.0.0", "255.255.255.128")
    + route("eth0", "192.0.2.0", "0.0.0.0", "255.255.255.0", flags=0x201)
)
NONE6 = "0" * 32
TABLE6 = (
    f"fd000000000000000000000000000000 40 {NONE6} 00 {NONE6} 00000100 00000001 00000000 00000001     eth0\n"
    f"{NONE6} 00 {NONE6} 00 fd000000000000000000000000000001 00000400 00000002 00000000 00000003     eth0\n"
    f"{NONE6} 00 {NONE6} 00 {NONE6} ffffffff 00000001 00000000 00200200       lo\n"
)


@pytest.mark.parametrize(
    ("address", "way"),
    [
        ("10.0.0.9", ("eth0", "10.0.0.9")),
        ("10.0.0.200", ("tun0", "10.0.0.200")),
        ("8.8.8.8", ("eth0", "10.0.0.1")),
        ("192.0.2.9", ("eth0", "10.0.0.1")),
    ],
)
def test_longest_prefix_then_metric(address: str, way: tuple[str, str]) -> None:
    """The most specific network, then the lowest metric; routes that reject lead nowhere."""
    assert best_way(parse_route(TABLE.encode()), socket.inet_aton(address)) == way


def test_ipv6() -> None:
    """The same for IPv6; an unreachable default on lo is no route."""
    entries = parse_route6(TABLE6.encode())
    assert best_way(entries, socket.inet_pton(socket.AF_INET6, "fd00::5")) == ("eth0", "fd00::5")
    assert best_way(entries, socket.inet_pton(socket.AF_INET6, "2001:db8::1")) == ("eth0", "fd00::1")


def test_no_route() -> None:
    """Without a default nothing is claimed."""
    assert (
        best_way(parse_route((HEAD + route("eth0", "10.0.0.0", "0.0.0.0", "255.0.0.0")).encode()), b"\x08" * 4) is None
    )


@pytest.mark.parametrize("body", [HEAD + "eth0\tzz\n", HEAD + "eth0\n"])
def test_damaged(body: str) -> None:
    """A line that is not understood is an error."""
    with pytest.raises(ParseError):
        parse_route(body.encode())
    with pytest.raises(ParseError):
        parse_route6(b"zz\n")
