"""Read the main routing tables, to find the device behind which an address is.

Routing rules, marks and other tables are not considered: the answer attributes a loss, it does not route a packet.
"""

from __future__ import annotations

from _socket import AF_INET6, inet_aton, inet_pton  # start-up: docs/rejected.md

from sockdiag.errors import ParseError, SourceError
from sockdiag.kernel.byte_order import LITTLE
from sockdiag.kernel.sock_diag import AF_INET
from sockdiag.kernel.sock_diag import AF_INET6 as KERNEL_AF_INET6
from sockdiag.sources.netlink.attributes import ip_text
from sockdiag.sources.proc.table import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.sources.system.proc_root import ProcRoot

ROUTE = "/proc/net/route"
ROUTE6 = "/proc/net/ipv6_route"
_RTF_UP, _RTF_REJECT = 0x1, 0x200
_U32 = (1 << 32) - 1

# Network, length of its prefix, metric, next hop (empty: none), device.
Entry = tuple[int, int, int, bytes, str]


def parse_route(body: bytes) -> list[Entry]:
    """Parse the text of ``/proc/net/route``. Source: ``fib_route_seq_show()``, net/ipv4/fib_trie.c.

    Shape: a heading, then one line per route; addresses are hexadecimal numbers in the machine's order.

    Raises:
        ParseError: a line is not understood.
    """
    found: list[Entry] = []
    for line, text in enumerate(body.split(b"\n")[1:], 2):
        cells = text.split()
        if not cells:
            continue
        try:
            network, gateway, mask = (_reversed(_within(cells[i], 16, _U32)) for i in (1, 2, 7))
            flags, metric = _within(cells[3], 16, _U32), _within(cells[6], 10, _U32)
        except (ValueError, IndexError):
            raise ParseError(ROUTE, line, "line", "11 columns", text) from None
        if flags & _RTF_UP and not flags & _RTF_REJECT:
            length = int.from_bytes(mask, "big").bit_count()
            hop = gateway if any(gateway) else b""
            found.append((int.from_bytes(network, "big"), length, metric, hop, _name(cells[0])))
    return found


def parse_route6(body: bytes) -> list[Entry]:
    """Parse the text of ``/proc/net/ipv6_route``. Source: ``rt6_seq_show()``, net/ipv6/route.c.

    Shape: no heading; destination, prefix, source, prefix, next hop, metric, references, uses, flags, device.

    Raises:
        ParseError: a line is not understood.
    """
    found: list[Entry] = []
    for line, text in enumerate(body.split(b"\n"), 1):
        cells = text.split()
        if not cells:
            continue
        try:
            network, gateway = (bytes.fromhex(cells[i].decode("ascii")) for i in (0, 4))
            length, metric, flags = (_within(cells[i], 16, most) for i, most in ((1, 128), (5, _U32), (8, _U32)))
            name = _name(cells[9])
            if len(network) != 16 or len(gateway) != 16:
                raise ValueError
        except (ValueError, IndexError):
            raise ParseError(ROUTE6, line, "line", "10 columns", text) from None
        if flags & _RTF_UP and not flags & _RTF_REJECT and name != "lo":
            hop = gateway if any(gateway) else b""
            found.append((int.from_bytes(network, "big"), length, metric, hop, name))
    return found


def read_ways(files: ProcRoot) -> Callable[[str], tuple[str, str] | None]:
    """Return a function that finds device and next hop for an address, None if no route leads to it.

    The tables are read at the first question; if that fails, nothing is known.
    """
    tables: dict[bool, list[Entry]] = {}

    def entries(six: bool) -> list[Entry]:
        if six not in tables:
            try:
                tables[six] = parse_route6(files.read(ROUTE6)) if six else parse_route(files.read(ROUTE))
            except (SourceError, ParseError):
                tables[six] = []
        return tables[six]

    def way(address: str) -> tuple[str, str] | None:
        six = ":" in address
        try:
            packed = inet_pton(AF_INET6, address) if six else inet_aton(address)
        except OSError:
            return None
        if address.startswith("127.") or address == "::1":
            return "lo", address
        return best_way(entries(six), packed)

    return way


def best_way(entries: list[Entry], packed: bytes) -> tuple[str, str] | None:
    """Return device and next hop of the most specific route to an address, the address itself if it is on the link."""
    bits = 8 * len(packed)
    number = int.from_bytes(packed, "big")
    best: Entry | None = None
    for entry in entries:
        network, length, metric, _hop, _device = entry
        if (number ^ network) >> (bits - length):
            continue
        if best is None or (length, -metric) > (best[1], -best[2]):
            best = entry
    if best is None:
        return None
    family = AF_INET if bits == 32 else KERNEL_AF_INET6
    return best[4], ip_text(family, best[3] or packed) or ""


def _within(token: bytes, base: int, most: int) -> int:
    value = number(token, base, most)
    if value is None:
        raise ValueError
    return value


def _reversed(number: int) -> bytes:
    return number.to_bytes(4, "little" if LITTLE else "big")


def _name(cell: bytes) -> str:
    return cell.decode("utf-8", "surrogateescape")
