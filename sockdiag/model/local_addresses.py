"""The addresses that a network namespace has, and accepts in bind(2)."""

from __future__ import annotations

from sockdiag.kernel.sock_diag import V4_MAPPED
from sockdiag.model.record import ID, Record, field


class LocalAddresses(Record):
    """Local addresses. Source: ``fib_trie_seq_show()``, net/ipv4/fib_trie.c; ``if6_seq_show()``, net/ipv6/addrconf.c."""

    ipv4: tuple[tuple[bytes, int], ...] | None = field(
        "Networks whose addresses are local or broadcast: address, prefix length.",
        default=None,
        kind=ID,
        sources=("/proc/net/fib_trie",),
    )
    ipv6: tuple[bytes, ...] | None = field("Addresses.", default=None, kind=ID, sources=("/proc/net/if_inet6",))

    def has(self, address: bytes) -> bool | None:
        """Return whether bind(2) accepts an address, 4 bytes or 16; None where that is unknown.

        Source: ``inet_addr_valid_or_nonlocal()``, ``__inet6_bind()``.
        """
        if len(address) == 16 and address[:12] == V4_MAPPED:
            address = address[12:]
        if not any(address):
            return True
        if len(address) == 4:
            if self.ipv4 is None:
                return None
            number = int.from_bytes(address, "big")
            multicast = number >> 28 == 0xE
            return multicast or any(
                (number ^ int.from_bytes(network, "big")) >> (32 - length) == 0 for network, length in self.ipv4
            )
        if self.ipv6 is None:
            return None
        return address[0] == 0xFF or address in self.ipv6
