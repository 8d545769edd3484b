"""/proc/net/fib_trie and /proc/net/if_inet6: the addresses of a network namespace."""

from __future__ import annotations

from _socket import AF_INET, inet_pton  # start-up: docs/rejected.md

from sockdiag.errors import SourceError
from sockdiag.model.local_addresses import LocalAddresses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.system.proc_root import ProcRoot

_IPV4, _IPV6 = "/proc/net/fib_trie", "/proc/net/if_inet6"


def read_local_addresses(files: ProcRoot) -> LocalAddresses:
    """Read the addresses of the current network namespace; those that cannot be read are None."""
    found = LocalAddresses()
    try:
        found = found._replace(ipv4=parse_fib_trie(files.read(_IPV4)))
        found = found._replace(ipv6=parse_if_inet6(files.read(_IPV6)))
    except SourceError:
        pass  # no IPv6, or a capture without the files
    return found


def parse_fib_trie(body: bytes) -> tuple[tuple[bytes, int], ...]:
    """Return the networks whose addresses are local or broadcast; a line of another shape is left out.

    Source: ``fib_trie_seq_show()``: ``|-- ADDRESS``, and below it ``/LENGTH SCOPE TYPE`` for each route.
    """
    found: dict[tuple[bytes, int], None] = {}
    address = None
    for line in body.split(b"\n"):
        words = line.split()
        if len(words) == 2 and words[0] == b"|--":
            try:
                address = inet_pton(AF_INET, words[1].decode("ascii"))
            except (OSError, ValueError):
                address = None
        elif len(words) >= 3 and words[0][:1] == b"/" and words[2] in (b"LOCAL", b"BROADCAST") and address is not None:
            length = words[0][1:]
            if length.isdigit() and len(length) <= 2 and int(length) <= 32:
                found[address, int(length)] = None
    return tuple(found)


def parse_if_inet6(body: bytes) -> tuple[bytes, ...]:
    """Return the addresses. Source: ``if6_seq_show()``: 32 hexadecimal digits, index, prefix, scope, flags, device."""
    found = []
    for line in body.split(b"\n"):
        text = line.partition(b" ")[0]
        try:
            address = bytes.fromhex(text.decode("ascii"))
        except ValueError:
            continue
        if len(address) == 16:
            found.append(address)
    return tuple(found)
