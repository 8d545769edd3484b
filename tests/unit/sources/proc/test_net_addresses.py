"""Addresses of a network namespace, from the tables of routes and of IPv6 addresses."""

from __future__ import annotations

import socket

import pytest

from sockdiag.model.local_addresses import LocalAddresses
from sockdiag.sources.proc.net_addresses import parse_fib_trie, parse_if_inet6, read_local_addresses
from sockdiag.sources.system.proc_root import ProcRoot

TRIE = b"""Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 192.0.2.0
              /24 link UNICAST
           |-- 192.0.2.2
              /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
"""
SIX = b"00000000000000000000000000000001 01 80 10 80       lo\n2001 zz\nfe8000000000000000fc00fffe000001 04 40 20 80 eth0\n"


def raw(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.9.9.9", True),
        ("192.0.2.2", True),
        ("192.0.2.255", True),
        ("192.0.2.3", False),
        ("0.0.0.0", True),
        ("224.0.0.1", True),
        ("::", True),
        ("::1", True),
        ("fe80::fc:ff:fe00:1", True),
        ("2001:db8::1", False),
        ("ff02::1", True),
        ("::ffff:192.0.2.2", True),
        ("::ffff:192.0.2.3", False),
    ],
)
def test_what_bind_accepts(address: str, expected: bool) -> None:
    """Local, broadcast and multicast addresses."""
    found = LocalAddresses(parse_fib_trie(TRIE), parse_if_inet6(SIX))
    assert found.has(raw(address)) is expected
    assert LocalAddresses().has(raw(address)) in (None, True)


@pytest.mark.parametrize(
    "body", [b"", b"|--\n", b"|-- x\n/8 host LOCAL", b"/8 host LOCAL", b"|-- 1.2.3.4\n/99 host LOCAL"]
)
def test_damaged(body: bytes) -> None:
    """What no kernel writes is no address."""
    assert parse_fib_trie(body) == ()
    assert parse_if_inet6(body) == ()


def test_this_host() -> None:
    """Loopback is there."""
    assert read_local_addresses(ProcRoot()).has(raw("127.0.0.1")) in (None, True)
