"""/proc/net/netstat: the Linux extensions of the TCP, IP and MPTCP MIBs of the network namespace."""

from __future__ import annotations

from sockdiag.sources._proc_mib import parse_mib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.model.counters import Counters
    from sockdiag.sources._procroot import ProcRoot

PATH = "/proc/net/netstat"


def parse_netstat(body: bytes) -> Counters:
    """Parse the text of ``/proc/net/netstat``; see :func:`sockdiag.sources._proc_mib.parse_mib`.

    Source: ``netstat_seq_show()``, net/ipv4/proc.c, ``mptcp_seq_show()``, net/mptcp/mib.c (since 5.6). TcpExt counts
    IPv4 and IPv6 together.
    """
    return parse_mib(body, PATH)


def read_netstat(files: ProcRoot) -> Counters:
    """Read and parse ``/proc/net/netstat``.

    Raises:
        SourceError: it cannot be read.
    """
    return parse_netstat(files.read(PATH))
