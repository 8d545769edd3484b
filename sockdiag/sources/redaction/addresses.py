"""Pseudonyms of IP addresses: keyed, one to one, and such that addresses share as long a prefix as before.

An address is a path in a binary tree, and a node may swap its two halves. Whether it does comes from the key and the bits above it; so two
addresses part where they parted before. A node swaps only if all addresses below it are of one class (private, link-local, …), which
keeps the class, and take the same room: decimal digits in IPv4, hexadecimal ones in IPv6, whose groups of 0 stay 0.

Source: "Prefix-preserving IP address anonymization", Xu, Fan, Ammar, Moon, 2002, for the tree; RFC 6890, RFC 4291 for the classes.
"""

from __future__ import annotations

from hashlib import blake2b
from socket import AF_INET, AF_INET6, inet_pton

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

V4, V6 = 4, 16
# Of which octets of such addresses every bit may change, although an octet of 0 then gets digits: nothing else in them tells hosts apart.
_DOCUMENTATION = range(4, 6)
_LINK_LOCAL = range(14, 16)


class AddressBlock:
    """Addresses of a class: first octets, length of the prefix in bits, and octets that may change freely."""

    __slots__ = ("free", "keeps", "length", "octets")

    def __init__(self, text: str, *, keeps: bool = False, free: range = range(0)) -> None:
        address, _, length = text.partition("/")
        self.octets = inet_pton(AF_INET6 if ":" in address else AF_INET, address)
        self.length = int(length)
        self.keeps = keeps
        self.free = free

    def holds(self, address: bytes) -> bool:
        """Return whether an address is one of them."""
        whole, rest = divmod(self.length, 8)
        return address[:whole] == self.octets[:whole] and (
            not rest or (address[whole] ^ self.octets[whole]) >> (8 - rest) == 0
        )


# What names nobody stays: this host, its loopback, the groups that RFCs number, every host.
_KEPT = {
    V4: ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/24", "239.255.255.250/32", "255.255.255.255/32"),
    V6: ("::/128", "::1/128", "fe80::/128", *(f"ff{flags}{scope:x}::/112" for flags in "01" for scope in range(16))),
}
_BLOCKS = {
    V4: (
        *(AddressBlock(text, keeps=True) for text in _KEPT[V4]),
        *map(
            AddressBlock,
            (
                "10.0.0.0/8",
                "100.64.0.0/10",
                "169.254.0.0/16",
                "172.16.0.0/12",
                "192.0.0.0/24",
                "192.0.2.0/24",
                "192.168.0.0/16",
                "198.18.0.0/15",
                "198.51.100.0/24",
                "203.0.113.0/24",
                "224.0.0.0/4",
                "232.0.0.0/8",
                "239.0.0.0/8",
                "240.0.0.0/4",
            ),
        ),
    ),
    V6: (
        *(AddressBlock(text, keeps=True) for text in _KEPT[V6]),
        AddressBlock("2001:db8::/32", free=_DOCUMENTATION),
        AddressBlock("fe80::/64", free=_LINK_LOCAL),
        AddressBlock("fe80::/10"),
        *map(
            AddressBlock,
            (
                "::/96",
                "::ffff:0:0/96",
                "64:ff9b::/96",
                "2000::/3",
                "2001::/32",
                "2002::/16",
                "fc00::/8",
                "fd00::/8",
                "fec0::/10",
                "ff02::1:ff00:0/104",
                *(f"ff{flags}{scope:x}::/16" for flags in "0137" for scope in range(16)),
            ),
        ),
    ),
}
# An IPv4 address in an IPv6 one: mapped, compatible, translated.
_EMBEDDED = tuple(inet_pton(AF_INET6, text)[:12] for text in ("::ffff:0.0.0.0", "::", "64:ff9b::"))


def kept(address: bytes) -> bool:
    """Return whether an address (4 or 16 bytes) names nobody and stays as it is."""
    if len(address) == V6 and address[:12] in _EMBEDDED and not any(b.keeps and b.holds(address) for b in _BLOCKS[V6]):
        return kept(address[12:])
    return any(block.keeps and block.holds(address) for block in _BLOCKS[len(address)])


def starts_block(address: bytes) -> bool:
    """Return whether an address is the first of a class, as the network 10.0.0.0/8 is: as a network it names nobody."""
    return any(block.octets == address for block in _BLOCKS[len(address)])


def masked(address: bytes, length: int) -> bytes:
    """Return an address with nothing but the first *length* bits."""
    bits = 8 * len(address)
    if length >= bits:
        return address
    whole = int.from_bytes(address, "big") >> (bits - length) << (bits - length)
    return whole.to_bytes(len(address), "big")


def last_of(address: bytes, length: int) -> bytes:
    """Return the last address of a network, which is its broadcast address."""
    bits = 8 * len(address)
    whole = int.from_bytes(address, "big") | ((1 << (bits - min(length, bits))) - 1)
    return whole.to_bytes(len(address), "big")


def _same_width() -> bytes:
    # By node of the tree of an octet: 1 where all numbers below it have as many decimal digits.
    widths = bytearray(256)
    for node in range(1, 256):
        depth = node.bit_length() - 1
        first = (node << (8 - depth)) & 0xFF
        widths[node] = len(str(first)) == len(str(first + (1 << (8 - depth)) - 1))
    return bytes(widths)


_SAME_WIDTH = _same_width()


class AddressTree:
    """Addresses to pseudonyms, by a key."""

    __slots__ = ("_flips", "_key")

    # Nodes that are remembered; there are few besides those of the last octet.
    _MOST = 1 << 16

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._flips: dict[bytes, int] = {}

    def pseudonym(self, address: bytes) -> bytes:
        """Return the pseudonym of an address of 4 or 16 bytes."""
        if kept(address):
            return address
        if len(address) == V6 and address[:12] in _EMBEDDED:
            return address[:12] + self.pseudonym(address[12:])
        out = bytearray(len(address))
        for place, octet in enumerate(address):
            flips = self._of(address[:place], len(address))
            node = 1
            new = 0
            for shift in (7, 6, 5, 4, 3, 2, 1, 0):
                bit = octet >> shift & 1
                new = new << 1 | (bit ^ (flips >> node & 1))
                node = node << 1 | bit
            out[place] = new
        return bytes(out)

    def _of(self, above: bytes, size: int) -> int:
        """Return which of the 255 nodes below some octets swap, as a number with a bit for each."""
        index = bytes((size,)) + above
        flips = self._flips.get(index)
        if flips is None:
            flips = int.from_bytes(blake2b(index, key=self._key, digest_size=32, person=b"address").digest(), "big")
            flips &= self._allowed(above, size)
            if len(self._flips) >= self._MOST:
                self._flips.clear()
            self._flips[index] = flips
        return flips

    @staticmethod
    def _allowed(above: bytes, size: int) -> int:
        place = len(above)
        free = False
        barred: set[int] = set()
        for block in _BLOCKS[size]:
            left = block.length - 8 * place
            if left > 0:
                if block.octets[:place] == above:
                    own = block.octets[place]
                    barred.update((1 << depth) | (own >> (8 - depth)) for depth in range(min(8, left)))
            elif place in block.free and block.holds(above.ljust(size, b"\0")):
                free = True
        allowed = 0
        inside = size == V6 and place % 2 == 1 and above[-1] != 0
        for node in range(1, 256):
            if node in barred:
                continue
            below = _SAME_WIDTH[node] == 1 if size == V4 else free or inside or node & (node - 1) != 0
            if below:
                allowed |= 1 << node
        return allowed


def collisions(tree: AddressTree, addresses: Iterable[bytes]) -> int:
    """Return how many pseudonyms of addresses are the address of another or their own."""
    changed = {address for address in addresses if not kept(address)}
    return sum(tree.pseudonym(address) in changed for address in changed)
