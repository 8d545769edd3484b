"""What redaction replaces by what: the key and the table that the giver of a capture keeps.

Redaction goes over a capture twice. The first time, everything that will be replaced is only noted, so that no pseudonym is the name or the
address of anything in the capture; the second time it is replaced.
"""

from __future__ import annotations

from hashlib import blake2b
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from sockdiag.errors import SourceTruncated
from sockdiag.sources.redaction.addresses import AddressTree, collisions, kept, last_of, masked, starts_block
from sockdiag.sources.redaction.names import Pseudonyms, kept_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

FORMAT = 1
_KEY_BYTES = 32
# Keys that are tried, and addresses to try them with.
_MOST_KEYS, _MOST_TRIED = 128, 4096
_MULTICAST, _LOCAL = 1, 2
# The groups that RFCs number, of IPv4 and IPv6.
_KEPT_MACS = (b"\x01\x00\x5e\0\0", b"\x33\x33\0\0\0")


class Mapping:
    """Pseudonyms given.

    Args:
        key: secret: who has it can tell whether a name is behind a pseudonym.

    Attributes:
        noting: what is asked for is noted, and comes back as it is.
    """

    __slots__ = ("_broadcasts", "_known", "_seen", "_tree", "_words", "addresses", "key", "macs", "names", "noting")

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.addresses: dict[bytes, bytes] = {}
        self.macs: dict[bytes, bytes] = {}
        self.names = Pseudonyms(key, {})
        self.noting = True
        self._tree = AddressTree(key)
        # Whether the key has been used, and must stay.
        self._known = False
        self._seen: dict[bytes, None] = {}
        self._words: dict[bytes, None] = {}
        self._broadcasts: dict[bytes, int] = {}

    def settle(self) -> None:
        """End the first pass: choose the key, if it was not used yet, and give pseudonyms to what was noted."""
        if not self._known:
            tried = [a for _number, a in zip(range(_MOST_TRIED), self._seen, strict=False)]
            self._choose(tried)
        for broadcast, length in self._broadcasts.items():
            network = masked(broadcast, length)
            self.addresses.setdefault(broadcast, last_of(self._tree.pseudonym(network), length))
        self.names.assign(self._words)
        self._words.clear()
        self._known = True
        self.noting = False
        for address in self._seen:
            self.address(address)
        self._seen.clear()

    def _choose(self, addresses: list[bytes]) -> None:
        best: tuple[int, bytes] | None = None
        for number in range(_MOST_KEYS if len(addresses) <= _MOST_TRIED // 16 else 2):
            key = self.key if not number else blake2b(number.to_bytes(4, "big"), key=self.key, digest_size=32).digest()
            count = collisions(AddressTree(key), addresses)
            if best is None or count < best[0]:
                best = count, key
            if not count:
                break
        if best is not None:
            self.key = best[1]
            self._tree = AddressTree(self.key)
            self.names = Pseudonyms(self.key, self.names.table)

    def address(self, address: bytes) -> bytes:
        """Return the pseudonym of an IP address of 4 or 16 bytes; of bytes of another number, as many zeros."""
        found = self.addresses.get(address)
        if found is not None:
            return address if self.noting else found
        if len(address) not in (4, 16):
            return bytes(len(address))
        if kept(address):
            return address
        if self.noting:
            self._seen[address] = None
            return address
        if len(address) == 16 and address[:12] == _MAPPED:
            found = _MAPPED + self.address(address[12:])
        else:
            found = self._tree.pseudonym(address)
        self.addresses[address] = found
        return found

    def network(self, address: bytes, length: int) -> bytes:
        """Return the pseudonym of the address of a network, whose prefix has *length* bits."""
        if len(address) not in (4, 16):
            return bytes(len(address))
        base = masked(address, length)
        if base != address or length >= 8 * len(address):
            return self.address(address)
        if self.noting:
            if not kept(address) and not starts_block(address):
                self._seen[address] = None
            return address
        return masked(self._tree.pseudonym(base), length)

    def broadcast(self, address: bytes, length: int) -> None:
        """Note that an address is the last one, or the first, of a network."""
        if self.noting and len(address) == 4 and not kept(address) and address == last_of(address, length):
            self._broadcasts.setdefault(address, length)

    def mac(self, address: bytes) -> bytes:
        """Return the pseudonym of a link-layer address."""
        if kept_mac(address):
            return address
        if len(address) != 6:
            return bytes(len(address))
        found = self.macs.get(address)
        if found is None:
            # What kind of address it is stays: group, local, and the groups of IPv4 and IPv6.
            first = 3 if address[:3] == b"\x01\x00\x5e" else 2 if address[:2] == b"\x33\x33" else 0
            new = blake2b(address, key=self.key, digest_size=6, person=b"mac").digest()
            found = address[:first] + new[first:]
            if not first:
                found = bytes((found[0] & 0xFC | address[0] & (_MULTICAST | _LOCAL),)) + found[1:]
            if self.noting:
                return address
            self.macs[address] = found
        return address if self.noting else found

    def word(self, word: bytes) -> bytes:
        """Return the pseudonym of a word of a name."""
        if self.noting:
            if not kept_word(word):
                self._words[word] = None
            return word
        return self.names.pseudonym(word)

    def again(self) -> None:
        """Begin the first pass over another capture."""
        self.noting = True

    def to_json(self) -> Iterator[bytes]:
        """Yield the mapping as it is kept, a line for each pseudonym."""
        from json import dumps

        yield dumps({"sockdiag_redaction": FORMAT, "key": self.key.hex()}).encode() + b"\n"
        for kind, table, show in (
            ("address", self.addresses, _shown_address),
            ("mac", self.macs, _shown_mac),
            ("name", self.names.table, _shown_name),
        ):
            for old, new in sorted(table.items()):
                yield dumps([kind, show(old), show(new)]).encode() + b"\n"


def kept_mac(address: bytes) -> bool:
    """Return whether a link-layer address names nobody: none, every host, or a group that an RFC numbers."""
    return not any(address) or not address.strip(b"\xff") or address.startswith(_KEPT_MACS)


def new_mapping() -> Mapping:
    """Return a mapping with a key of its own."""
    from os import urandom

    return Mapping(urandom(_KEY_BYTES))


def parse_mapping(lines: Iterator[bytes], source: str) -> Mapping:
    """Read a mapping that was kept.

    Raises:
        SourceTruncated: it is none, or a damaged one.
    """
    from json import loads

    try:
        head: Any = loads(next(lines, b""))
        if head["sockdiag_redaction"] != FORMAT:
            raise SourceTruncated(source, "a mapping of another version")
        mapping = Mapping(bytes.fromhex(head["key"]))
        if len(mapping.key) != _KEY_BYTES:
            raise ValueError
        names: dict[bytes, bytes] = {}
        for line in lines:
            kind, old, new = loads(line)
            if kind == "address":
                mapping.addresses[_address(old)] = _address(new)
            elif kind == "mac":
                mapping.macs[_mac(old)] = _mac(new)
            elif kind == "name":
                names[old.encode("latin-1")] = new.encode("latin-1")
    except (ValueError, TypeError, KeyError, AttributeError, OSError, RecursionError):
        raise SourceTruncated(source, "not a mapping of sockdiag redact, or a damaged one") from None
    mapping.names = Pseudonyms(mapping.key, names)
    mapping._known = True
    return mapping


_MAPPED = bytes(10) + b"\xff\xff"


def _shown_address(address: bytes) -> str:
    return inet_ntop(AF_INET if len(address) == 4 else AF_INET6, address)


def _address(text: str) -> bytes:
    return inet_pton(AF_INET6 if ":" in text else AF_INET, text)


def _shown_mac(address: bytes) -> str:
    return address.hex(":")


def _mac(text: str) -> bytes:
    address = bytes.fromhex(text.replace(":", ""))
    if len(address) != 6:
        raise ValueError
    return address


def _shown_name(name: bytes) -> str:
    return name.decode("latin-1")
