"""Raw and ping sockets from /proc/net/raw, raw6, icmp and icmp6."""

from __future__ import annotations

from sys import byteorder as native_byteorder

from sockdiag.kernel.tcp_states import ALL_STATES
from sockdiag.sources._proc_inet import InetTable, parse_inet
from sockdiag.sources._proc_table import read_tables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockdiag.sources._procroot import ProcRoot
    from sockdiag.sources.reading import Reading

_TABLES = {
    "raw": InetTable("raw", "AF_INET", "SOCK_RAW", None, rx_is_rmem=True),
    "raw6": InetTable("raw", "AF_INET6", "SOCK_RAW", None, rx_is_rmem=True),
    "icmp": InetTable("icmp", "AF_INET", "SOCK_DGRAM", "ICMP", rx_is_rmem=True),
    "icmp6": InetTable("icmp", "AF_INET6", "SOCK_DGRAM", "ICMPV6", rx_is_rmem=True),
}


def parse_raw(
    body: bytes, name: str = "raw", states: int = ALL_STATES, *, byteorder: str = native_byteorder
) -> Reading:
    """Parse the text of ``/proc/net/raw``, ``raw6``, ``icmp`` or ``icmp6``.

    The local port of a raw socket is its protocol number, which also gives ``protocol``; that of a ping socket is the
    ICMP id of its echo requests. The peer's port is 0.

    Source: ``raw_seq_show()``, net/ipv4/raw.c; ``ping_v4_seq_show()``, net/ipv4/ping.c;
    ``ip6_dgram_sock_seq_show()``, net/ipv6/datagram.c.
    Units: queues in bytes of memory, overhead included: sk_wmem_alloc and sk_rmem_alloc.

    Args:
        body: the whole file.
        name: the file's name.
        states: mask of ``1 << state``: ESTABLISHED is connected, CLOSE is not; other rows are left out.
        byteorder: ``little`` or ``big``, of the system that wrote the file.

    Returns:
        Sockets in file order; a ParseError for each malformed row (bounded), or one for an unknown heading.
    """
    return parse_inet(body, f"/proc/net/{name}", _TABLES[name], states=states, byteorder=byteorder)


def read_raw(
    files: ProcRoot,
    names: Iterable[str] = ("raw", "raw6"),
    states: int = ALL_STATES,
    *,
    byteorder: str = native_byteorder,
) -> Reading:
    """Read and parse the raw or ping tables *names* of /proc/net; a file that cannot be read is among the errors."""
    return read_tables(files, names, lambda body, name: parse_raw(body, name, states, byteorder=byteorder))
