"""Why UDP sockets drop: what the counters of the namespace say beside the sockets' own."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.rules._base import Case
    from sockdiag.rules._buffers import Level

TABLES = ("udp", "udplite")

# IPv6 has counters of its own; IPv4 traffic to an AF_INET6 socket counts in Udp.
_MIBS = ("Udp", "Udp6", "UdpLite", "UdpLite6")
RCVBUF_ERRORS = tuple(f"{mib}.RcvbufErrors" for mib in _MIBS)
IN_ERRORS = tuple(f"{mib}.InErrors" for mib in _MIBS)
CSUM_ERRORS = tuple(f"{mib}.InCsumErrors" for mib in _MIBS)
MEM_ERRORS = tuple(f"{mib}.MemErrors" for mib in _MIBS)


def buffer_is_cause(case: Case, level: Level) -> bool:
    """Tell whether drops of a socket come of its full buffer, rather than of a filter, a checksum or memory.

    Every refusal for the buffer counts in RcvbufErrors; those of a filter, a checksum or udp_mem do not.
    """
    refused = case.sum_moved(*RCVBUF_ERRORS)
    if level.lost:
        return refused is None or refused > 0
    refused = case.sum_total(*RCVBUF_ERRORS)
    return refused > 0 or not any(name in case.now.counters for name in RCVBUF_ERRORS)
