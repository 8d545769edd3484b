"""UDP and UDP-Lite sockets from /proc/net/udp, udp6, udplite and udplite6."""

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
    "udp": InetTable("udp", "AF_INET", "SOCK_DGRAM", "UDP"),
    "udp6": InetTable("udp", "AF_INET6", "SOCK_DGRAM", "UDP"),
    "udplite": InetTable("udplite", "AF_INET", "SOCK_DGRAM", "UDPLITE"),
    "udplite6": InetTable("udplite", "AF_INET6", "SOCK_DGRAM", "UDPLITE"),
}


def parse_udp(
    body: bytes, name: str = "udp", states: int = ALL_STATES, *, byteorder: str = native_byteorder
) -> Reading:
    """Parse the text of ``/proc/net/udp``, ``udp6``, ``udplite`` or ``udplite6``.

    Source: ``udp4_seq_show()``, net/ipv4/udp.c; ``udp6_seq_show()``, net/ipv6/udp.c.
    Units: queues in bytes of memory, overhead included. ``rx_queue`` is sk_rmem_alloc less what the kernel has yet to
    give back (4.10 and later), so ``skmem`` has ``wmem_alloc`` and ``drops`` only; ``drops`` came in 2.6.27.

    Args:
        body: the whole file.
        name: the file's name.
        states: mask of ``1 << state``: ESTABLISHED is connected, CLOSE is not; other rows are left out.
        byteorder: ``little`` or ``big``, of the system that wrote the file.

    Returns:
        Sockets in file order; a ParseError for each malformed row (bounded), or one for an unknown heading.
    """
    return parse_inet(body, f"/proc/net/{name}", _TABLES[name], states=states, byteorder=byteorder)


def read_udp(
    files: ProcRoot,
    names: Iterable[str] = ("udp", "udp6"),
    states: int = ALL_STATES,
    *,
    byteorder: str = native_byteorder,
) -> Reading:
    """Read and parse the UDP or UDP-Lite tables *names* of /proc/net; a file that cannot be read is among the errors."""
    return read_tables(files, names, lambda body, name: parse_udp(body, name, states, byteorder=byteorder))
