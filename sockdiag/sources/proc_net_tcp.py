"""TCP sockets from /proc/net/tcp and /proc/net/tcp6."""

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
    "tcp": InetTable("tcp", "AF_INET", "SOCK_STREAM", "TCP", is_tcp=True),
    "tcp6": InetTable("tcp", "AF_INET6", "SOCK_STREAM", "TCP", is_tcp=True),
}


def parse_tcp(
    body: bytes, name: str = "tcp", states: int = ALL_STATES, *, byteorder: str = native_byteorder, user_hz: int = 100
) -> Reading:
    """Parse the text of ``/proc/net/tcp`` or ``/proc/net/tcp6``.

    Source: ``tcp4_seq_show()``, net/ipv4/tcp_ipv4.c; ``tcp6_seq_show()``, net/ipv6/tcp_ipv6.c.
    Units: queues in payload bytes, except on a listener, where ``rx_queue`` counts connections that wait in accept(2);
    its limit is not in /proc. Times in ticks of 1/USER_HZ s, given in ms.
    Shape: rows of TIME_WAIT, SYN_RECV and orphaned FIN_WAIT2 sockets end after the pointer. Their inode is 0, as that of
    sockets without a file, and the uid is then unknown.

    Args:
        body: the whole file.
        name: ``tcp`` or ``tcp6``.
        states: mask of ``1 << state``; other rows are left out.
        byteorder: ``little`` or ``big``, of the system that wrote the file.
        user_hz: ticks a second of that system.

    Returns:
        Sockets in file order; a ParseError for each malformed row (bounded), or one for an unknown heading.
    """
    return parse_inet(body, f"/proc/net/{name}", _TABLES[name], states=states, byteorder=byteorder, user_hz=user_hz)


def read_tcp(
    files: ProcRoot,
    names: Iterable[str] = ("tcp", "tcp6"),
    states: int = ALL_STATES,
    *,
    byteorder: str = native_byteorder,
    user_hz: int = 100,
) -> Reading:
    """Read and parse the TCP tables *names* of /proc/net; a file that cannot be read is among the errors."""
    return read_tables(
        files, names, lambda body, name: parse_tcp(body, name, states, byteorder=byteorder, user_hz=user_hz)
    )
