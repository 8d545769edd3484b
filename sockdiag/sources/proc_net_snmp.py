"""/proc/net/snmp: the IPv4, ICMP, TCP, UDP and UDP-Lite MIBs of the network namespace."""

from __future__ import annotations

from sockdiag.sources._proc_mib import parse_mib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.model.counters import Counters
    from sockdiag.sources._procroot import ProcRoot

PATH = "/proc/net/snmp"


def parse_snmp(body: bytes) -> Counters:
    """Parse the text of ``/proc/net/snmp``; see :func:`sockdiag.sources._proc_mib.parse_mib`.

    Source: ``snmp_seq_show()``, net/ipv4/proc.c. ``Tcp.MaxConn`` is signed, -1 for no limit. TCP and IP retransmission
    counters here hold IPv4 and IPv6 together; datagrams and errors of UDP over IPv6 are in ``/proc/net/snmp6``.
    """
    return parse_mib(body, PATH)


def read_snmp(files: ProcRoot) -> Counters:
    """Read and parse ``/proc/net/snmp``.

    Raises:
        SourceError: it cannot be read.
    """
    return parse_snmp(files.read(PATH))
