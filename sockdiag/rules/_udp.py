"""Why UDP sockets drop: what the counters of the namespace add to those of the sockets."""

from __future__ import annotations

from sockdiag.rules._memory import used_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.judging.case import Case
    from sockdiag.rules._buffers import Level

TABLES = ("udp", "udplite")

# IPv6 has counters of its own; IPv4 traffic to an AF_INET6 socket counts in Udp.
_MIBS = ("Udp", "Udp6", "UdpLite", "UdpLite6")
RCVBUF_ERRORS = tuple(f"{mib}.RcvbufErrors" for mib in _MIBS)
IN_ERRORS = tuple(f"{mib}.InErrors" for mib in _MIBS)
CSUM_ERRORS = tuple(f"{mib}.InCsumErrors" for mib in _MIBS)
MEM_ERRORS = tuple(f"{mib}.MemErrors" for mib in _MIBS)
# Counted in recvmsg(2), not on arrival.
READ = tuple(f"{mib}.InDatagrams" for mib in _MIBS)

# For the declarations of rules: what buffer_is_cause() and rejected() read.
COUNTERS = (*RCVBUF_ERRORS, *IN_ERRORS, *MEM_ERRORS)

# A buffer that is less full than this in both samples is not what refuses datagrams all the time.
_ROOMY = 0.5
# Counters and sockets are read milliseconds apart, during which drops go on.
_ABOUT = 0.5


def buffer_is_cause(case: Case, level: Level) -> bool:
    """Whether a full buffer is why a socket drops, rather than a filter, a checksum or memory.

    Every refusal by a buffer counts in RcvbufErrors; those by a filter, a checksum or udp_mem do not. Where buffers of other
    sockets in the namespace refuse at the same time, the level of this one decides.
    """
    refused = case.sum_moved(*RCVBUF_ERRORS)
    if level.lost:
        if refused is None or refused <= 0:
            return refused is None
        return not (_roomy(level) and (rejected(case) >= _ABOUT * level.lost or bool(used_up(case, "UDP")[0])))
    refused = case.sum_total(*RCVBUF_ERRORS)
    return refused > 0 or not any(name in case.now.counters for name in RCVBUF_ERRORS)


def rejected(case: Case) -> int:
    """Return how many datagrams were refused for neither a full buffer nor memory: by filters, or for their checksums."""
    refused = sum(case.sum_moved(*names) or 0 for names in (RCVBUF_ERRORS, MEM_ERRORS))
    return max(0, (case.sum_moved(*IN_ERRORS) or 0) - refused)


def datagrams_read(case: Case) -> int | None:
    """Return how many datagrams processes of the namespace read between the samples; None where that is unknown.

    Source: ``udp_recvmsg()`` counts InDatagrams when it hands a datagram over. A peek does not count.
    """
    return case.sum_moved(*READ)


def _roomy(level: Level) -> bool:
    before = level.past[0] if level.past is not None else None
    if level.rmem is None or before is None or not level.rcvbuf:
        return False
    return max(level.rmem, before) < _ROOMY * level.rcvbuf


# An ICMP error makes the next send(2) of a connected socket fail, and IP counts that datagram as discarded.
_UNREACHABLE = (("Ip.OutDiscards", "Icmp.InDestUnreachs"), ("Ip6.OutDiscards", "Icmp6.InDestUnreachs"))
CLOSED_PORTS = tuple(name for pair in _UNREACHABLE for name in pair)


def refused_by_peers(case: Case) -> int:
    """Return how many datagrams were not sent because an ICMP error about an earlier one was pending."""
    return sum(
        min(max(0, case.moved(discards) or 0), max(0, case.moved(errors) or 0)) for discards, errors in _UNREACHABLE
    )
