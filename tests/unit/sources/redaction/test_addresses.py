"""Pseudonyms of addresses: one to one, of the same class, subnet and width."""

from __future__ import annotations

import random
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import pairwise

import pytest

from sockdiag.sources.redaction.addresses import AddressTree, collisions, kept, last_of, masked

KEY = bytes(32)


def pseudonym(text: str, key: bytes = KEY) -> str:
    return str(ip_address(AddressTree(key).pseudonym(ip_address(text).packed)))


def common_bits(one: bytes, other: bytes) -> int:
    """Return how many bits two addresses have in common at their beginning."""
    apart = int.from_bytes(one, "big") ^ int.from_bytes(other, "big")
    return 8 * len(one) - apart.bit_length()


def sample(count: int, size: int) -> list[bytes]:
    chance = random.Random(5)
    starts = (
        b"\x0a\0\0",
        b"\xac\x10\1",
        b"\xc0\xa8\1",
        b"\x5d\xb8",
        b"\xfd\0\0\1",
        b"\x20\1\x0d\xb8",
        b"\xfe\x80" + bytes(6),
        b"\xff\2",
    )
    return [(chance.choice(starts) + chance.randbytes(16))[:size] for _ in range(count)]


@pytest.mark.parametrize("size", [4, 16])
def test_addresses_part_where_they_parted(size: int) -> None:
    tree = AddressTree(KEY)
    addresses = [a for a in sample(300, size) if not kept(a)]
    new = {a: tree.pseudonym(a) for a in addresses}
    assert len(set(new.values())) == len(set(addresses))
    for one, other in pairwise(addresses):
        assert common_bits(one, other) == common_bits(new[one], new[other])


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.1.2.3", "10.0.0.0/8"),
        ("172.20.1.1", "172.16.0.0/12"),
        ("192.168.77.5", "192.168.0.0/16"),
        ("100.99.0.1", "100.64.0.0/10"),
        ("169.254.33.44", "169.254.0.0/16"),
        ("198.51.100.150", "198.51.100.0/24"),
        ("239.1.2.3", "239.0.0.0/8"),
        ("230.1.2.3", "224.0.0.0/4"),
        ("fd12:3456::7", "fd00::/8"),
        ("fe80::1234:56ff:fe78:9abc", "fe80::/64"),
        ("ff02::1:ff12:3456", "ff02::1:ff00:0/104"),
        ("ff05::1:1234", "ff05::/16"),
        ("2001:db8:1:2::3", "2001:db8::/32"),
        ("::ffff:10.1.2.3", "::ffff:10.0.0.0/104"),
        ("64:ff9b::93.184.216.34", "64:ff9b::/96"),
    ],
)
def test_the_class_stays(text: str, network: str) -> None:
    new = pseudonym(text)
    assert new != text
    assert ip_address(new) in ip_network(network)


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",
        "127.0.0.1",
        "127.0.0.53",
        "255.255.255.255",
        "224.0.0.251",
        "239.255.255.250",
        "::",
        "::1",
        "ff02::1",
        "ff05::2",
        "::ffff:127.0.0.1",
    ],
)
def test_what_names_nobody_stays(text: str) -> None:
    assert ip_address(pseudonym(text)) == ip_address(text)
    assert kept(ip_address(text).packed)


def test_public_addresses_stay_public() -> None:
    chance = random.Random(1)
    tree = AddressTree(KEY)
    for _ in range(2000):
        address = IPv4Address(chance.randbytes(4))
        new = IPv4Address(tree.pseudonym(address.packed))
        assert (address.is_global, address.is_private, address.is_multicast) == (
            new.is_global,
            new.is_private,
            new.is_multicast,
        )
        # Text is as wide as it was.
        assert list(map(len, str(address).split("."))) == list(map(len, str(new).split(".")))


def test_an_ipv4_address_within_an_ipv6_one_has_its_own_pseudonym() -> None:
    assert pseudonym("::ffff:10.1.2.3") == str(IPv6Address("::ffff:" + pseudonym("10.1.2.3")))


def test_another_key_gives_others() -> None:
    given = {pseudonym("10.77.3.250", bytes((n,) * 32)) for n in range(8)}
    assert len(given) > 3


def test_collisions() -> None:
    tree = AddressTree(KEY)
    address = ip_address("10.1.2.3").packed
    assert collisions(tree, [address]) == 0
    assert collisions(tree, [address, tree.pseudonym(address)]) >= 1


def test_networks() -> None:
    address = ip_address("10.1.2.3").packed
    assert masked(address, 20) == ip_address("10.1.0.0").packed
    assert masked(address, 32) == address
    assert last_of(address, 24) == ip_address("10.1.2.255").packed
