"""Evidence for the rules that judge counters of a namespace by rate and share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sockdiag.kernel.rtnetlink import NUD_FAILED, NUD_INCOMPLETE
from sockdiag.model.conntrack import Conntrack, ConntrackCpu
from sockdiag.model.drop_rule import DropRule
from sockdiag.model.route import Neighbour, NeighbourTable
from tests.unit.rules.samples import sample

if TYPE_CHECKING:
    from sockdiag.model.sample import Sample


def two(before: dict[str, Any], now: dict[str, Any]) -> tuple[Sample, Sample]:
    """Make two samples, two seconds apart: the later one first, as the rules take them."""
    return sample(**{"at": 2.0, **now}), sample(**before)


def moved(**counters: int) -> tuple[Sample, Sample]:
    """Make two samples between which counters grew; ``__`` stands for the dot."""
    named = {name.replace("__", "."): n for name, n in counters.items()}
    return two({"counters": dict.fromkeys(named, 0)}, {"counters": named})


def neighbour(state: int = NUD_INCOMPLETE, probes: int = 5, used_ms: int = 40, address: str = "10.0.0.2") -> Neighbour:
    return Neighbour(address, state, None, probes, "eth0", used_ms)


def rule(packets: int, handle: int | None = 4, verdict: str = "drop") -> DropRule:
    return DropRule("inet", "filter", "input", handle, verdict, packets)


def table(entries: int = 30, fulls: int = 0) -> list[NeighbourTable]:
    return [NeighbourTable("arp_cache", entries, 1024, 5 + fulls)]


def tracked(drop: int = 0, insert_failed: int = 0, chainlength: int = 0, count: int = 5) -> Conntrack:
    cpu = ConntrackCpu(0, drop=drop, insert_failed=insert_failed, chainlength=chainlength)
    return Conntrack(count=count, max=100, cpus=(cpu,))


# code, verdict, samples.
BAD: list[tuple[str, str, tuple[Sample, ...]]] = [
    ("NO_ROUTE", "dropping", moved(Ip__OutNoRoutes=200, Ip__OutRequests=5)),
    ("NO_ROUTE", "dropping", moved(Ip6__OutNoRoutes=200, Ip6__OutRequests=5)),
    ("NO_ROUTE", "ok", moved(Ip6__OutNoRoutes=20, Ip6__OutRequests=5, Udp__OutDatagrams=20, Tcp__ActiveOpens=9)),
    ("NO_ROUTE", "dropping", moved(IpExt__InNoRoutes=50, Ip__InReceives=500, Ip6__InNoRoutes=0, Ip6__InReceives=1)),
    ("REVERSE_PATH_FILTER", "dropping", moved(TcpExt__IPReversePathFilter=50, Ip__InReceives=50)),
    (
        "IP_HEADER_ERRORS",
        "dropping",
        moved(Ip__InHdrErrors=30, Ip6__InHdrErrors=1, IpExt__InTruncatedPkts=2, Ip__InReceives=90, Ip6__InReceives=1),
    ),
    ("IP_ADDRESS_ERRORS", "dropping", moved(Ip__InAddrErrors=30, Ip6__InAddrErrors=1, Ip__InReceives=90)),
    ("UNKNOWN_PROTOCOL", "dropping", moved(Ip__InUnknownProtos=30, Ip6__InUnknownProtos=3, Ip__InReceives=90)),
    ("CHECKSUM_ERRORS", "dropping", moved(Tcp__InCsumErrors=1, Ip__InReceives=90)),
    ("CHECKSUM_ERRORS", "dropping", moved(Udp__InCsumErrors=30, Ip__InReceives=90)),
    ("UDP_CLOSED_PORT", "dropping", moved(Udp__NoPorts=500, Udp__InDatagrams=0)),
    (
        "UDP_CLOSED_PORT",
        "dropping",
        moved(Udp__NoPorts=0, Ip__OutDiscards=100, Icmp__InDestUnreachs=100, Udp__OutDatagrams=100),
    ),
    (
        "UDP_CLOSED_PORT",
        "dropping",
        moved(Icmp__InDestUnreachs=2, Udp__OutDatagrams=9, Udp__InDatagrams=0, Udp__NoPorts=0),
    ),
    ("DEVICE_ERRORS", "dropping", moved(dev__eth0__rx_errs=30, dev__eth0__rx_frame=30, dev__eth0__rx_packets=900)),
    ("DEVICE_ERRORS", "dropping", moved(dev__eth0__tx_errs=3, dev__eth0__tx_carrier=9, dev__eth0__tx_packets=0)),
    ("CONNECTIONS_REFUSED", "dropping", moved(Tcp__AttemptFails=60, Tcp__ActiveOpens=60, Tcp__OutRsts=60)),
    ("CONNECTIONS_REFUSED", "dropping", moved(Tcp__AttemptFails=0, Tcp__OutRsts=60, Tcp__PassiveOpens=2)),
    ("CONNECTIONS_REFUSED", "dropping", moved(Tcp__AttemptFails=3, Tcp__ActiveOpens=4, Tcp__OutRsts=3)),
    ("CONNECTIONS_REFUSED", "dropping", moved(Tcp__AttemptFails=9, Tcp__ActiveOpens=9, Icmp__InDestUnreachs=9)),
    (
        "CONNECTIONS_REFUSED",
        "dropping",
        moved(TcpExt__TCPMigrateReqFailure=6, Tcp__PassiveOpens=20, Tcp__AttemptFails=0, Tcp__OutRsts=0),
    ),
    (
        "CONNECTIONS_RESET",
        "dropping",
        moved(TcpExt__TCPAbortOnClose=130, Tcp__EstabResets=260, Tcp__ActiveOpens=130, Tcp__PassiveOpens=130),
    ),
    (
        "CONNECTIONS_RESET",
        "ok",
        moved(TcpExt__TCPAbortOnClose=0, TcpExt__TCPAbortOnData=60, Tcp__EstabResets=60, Tcp__ActiveOpens=60),
    ),
    ("CONNECTIONS_TIMED_OUT", "dropping", moved(TcpExt__TCPAbortOnTimeout=4, Tcp__ActiveOpens=4, Tcp__PassiveOpens=0)),
    ("SYN_COOKIES_FAILED", "dropping", moved(TcpExt__SyncookiesFailed=90, TcpExt__SyncookiesRecv=1)),
    ("TCP_FAST_OPEN", "at_risk", moved(TcpExt__TCPFastOpenListenOverflow=60, TcpExt__TCPFastOpenPassive=2)),
    ("TCP_FAST_OPEN", "ok", moved(TcpExt__TCPFastOpenListenOverflow=0, TcpExt__TCPFastOpenPassiveFail=60)),
    ("TTL_TOO_LOW", "dropping", moved(TcpExt__TCPMinTTLDrop=6, Tcp__InSegs=60)),
    ("TCP_AUTHENTICATION", "dropping", moved(TcpExt__TCPMD5NotFound=6, Tcp__InSegs=60)),
    ("TCP_INVALID_SEGMENTS", "dropping", moved(TcpExt__PAWSEstab=60, Tcp__InSegs=600)),
    ("TCP_OUT_OF_WINDOW", "dropping", moved(TcpExt__TCPZeroWindowDrop=60, Tcp__InSegs=600)),
    ("MPTCP_ERRORS", "dropping", moved(MPTcpExt__MPJoinNoTokenFound=60, MPTcpExt__MPJoinAckRx=5)),
    (
        "MPTCP_ERRORS",
        "ok",
        moved(MPTcpExt__MPJoinNoTokenFound=0, MPTcpExt__MPCapableFallbackSYNACK=60, MPTcpExt__MPCapableSYNACKRX=0),
    ),
    ("CRYPTO_ERRORS", "dropping", moved(Xfrm__InNoStates=60, Ip__InReceives=90)),
    ("TCP_SEND_FAILED", "stalled", moved(TcpExt__TCPRetransFail=9, TcpExt__TCPWqueueTooBig=1, Tcp__OutSegs=90)),
    ("FRAGMENTATION_FAILED", "dropping", moved(Ip__FragFails=90, Ip__OutRequests=90)),
    ("ICMP_LIMITED", "ok", moved(Icmp__OutRateLimitGlobal=900, Icmp__OutMsgs=90)),
    ("NEIGHBOUR_TABLE_FULL", "dropping", two({"neighbour_tables": table()}, {"neighbour_tables": table(1024, 9)})),
    ("NEIGHBOUR_TABLE_FULL", "at_risk", (sample(neighbour_tables=table(1000)),)),
    (
        "NEIGHBOUR_FAILED",
        "dropping",
        two(
            {"unanswering": [neighbour()]},
            {
                "unanswering": [neighbour()],
                "counters": {"Icmp.OutDestUnreachs": 100, "Ip.OutRequests": 200, "Udp.NoPorts": 0},
            },
        ),
    ),
    ("NEIGHBOUR_FAILED", "dropping", two({"unanswering": [neighbour()]}, {"unanswering": [neighbour(NUD_FAILED, 0)]})),
    ("NEIGHBOUR_FAILED", "stalled", (sample(unanswering=[neighbour(NUD_FAILED, 0, 900)]),)),
    (
        "NFT_DROP",
        "dropping",
        two(
            {"drop_rules": [rule(5)], "counters": {"Ip.InReceives": 0}},
            {"drop_rules": [rule(305)], "counters": {"Ip.InReceives": 1000}},
        ),
    ),
    ("NFT_DROP", "dropping", two({"drop_rules": [rule(5, None, "policy drop")]}, {"drop_rules": [rule(305, None)]})),
    (
        "CONNTRACK_INSERT",
        "dropping",
        two({"conntrack": tracked()}, {"conntrack": tracked(9, 9), "counters": {"Ip.InReceives": 90}}),
    ),
    ("CONNTRACK_INSERT", "dropping", two({"conntrack": tracked()}, {"conntrack": tracked(0, 9, 9)})),
]

# code, samples: nothing is to be said.
HEALTHY: list[tuple[str, tuple[Sample, ...]]] = [
    ("NO_ROUTE", moved(Ip__OutNoRoutes=1, Ip__OutRequests=900)),
    ("REVERSE_PATH_FILTER", moved(TcpExt__IPReversePathFilter=3, Ip__InReceives=5000)),
    ("IP_ADDRESS_ERRORS", moved(Ip__InAddrErrors=9, Ip__InReceives=90_000)),
    # Five SYNs of a scan, a browser that closes, a health check.
    ("CONNECTIONS_REFUSED", moved(Tcp__OutRsts=5, Tcp__AttemptFails=0, Tcp__ActiveOpens=0, Tcp__PassiveOpens=0)),
    ("CONNECTIONS_REFUSED", moved(Tcp__AttemptFails=2, Tcp__ActiveOpens=2, Tcp__OutRsts=2)),
    ("CONNECTIONS_REFUSED", moved(Tcp__AttemptFails=10, Tcp__ActiveOpens=9000, Tcp__OutRsts=10)),
    # A client that did not answer, and one that reset its own request.
    (
        "CONNECTIONS_REFUSED",
        moved(Tcp__AttemptFails=9, Tcp__ActiveOpens=9, TcpExt__EmbryonicRsts=5, TcpExt__TCPAbortOnTimeout=4),
    ),
    # Downloads that clients break off: resets for what was under way.
    ("CONNECTIONS_REFUSED", moved(Tcp__OutRsts=100, Tcp__EstabResets=20, Tcp__AttemptFails=0)),
    ("CONNECTIONS_RESET", moved(TcpExt__TCPAbortOnClose=8, Tcp__EstabResets=8, Tcp__PassiveOpens=20)),
    ("CONNECTIONS_RESET", moved(TcpExt__TCPAbortOnClose=30, Tcp__EstabResets=30, Tcp__PassiveOpens=9000)),
    ("CONNECTIONS_TIMED_OUT", moved(TcpExt__TCPAbortOnTimeout=4, Tcp__PassiveOpens=900)),
    ("UDP_CLOSED_PORT", moved(Udp__NoPorts=9, Udp__InDatagrams=0)),
    # Another peer answers; the errors are about TCP connections, or traceroute's; nothing was sent over UDP.
    ("UDP_CLOSED_PORT", moved(Icmp__InDestUnreachs=9, Udp__OutDatagrams=9, Udp__NoPorts=0, Udp__InDatagrams=1)),
    (
        "UDP_CLOSED_PORT",
        moved(Icmp__InDestUnreachs=9, Udp__OutDatagrams=9, Udp__NoPorts=0, Udp__InDatagrams=0, Tcp__AttemptFails=8),
    ),
    (
        "UDP_CLOSED_PORT",
        moved(Icmp__InDestUnreachs=9, Udp__OutDatagrams=9, Udp__NoPorts=0, Udp__InDatagrams=0, Icmp__InTimeExcds=9),
    ),
    ("UDP_CLOSED_PORT", moved(Icmp__InDestUnreachs=9, Udp__OutDatagrams=0, Udp__NoPorts=0, Udp__InDatagrams=0)),
    ("UDP_CLOSED_PORT", moved(Udp__NoPorts=90, Udp__InDatagrams=90_000)),
    ("DEVICE_ERRORS", moved(dev__eth0__rx_errs=2, dev__eth0__rx_packets=9)),
    ("TCP_INVALID_SEGMENTS", moved(TcpExt__TCPChallengeACK=20, Tcp__InSegs=90_000)),
    ("TCP_OUT_OF_WINDOW", moved(TcpExt__TCPZeroWindowDrop=8, Tcp__InSegs=90)),
    ("FRAGMENTATION_FAILED", moved(Ip__FragFails=3, Ip__OutRequests=90)),
    ("SYN_COOKIES_FAILED", moved(TcpExt__SyncookiesFailed=2, TcpExt__SyncookiesRecv=100)),
    ("ICMP_LIMITED", moved(Icmp__OutRateLimitHost=9, Icmp__OutMsgs=90)),
    # Resolved within the interval; not used any more; the first request is under way.
    ("NEIGHBOUR_FAILED", two({"unanswering": []}, {"unanswering": [neighbour()]})),
    ("NEIGHBOUR_FAILED", two({"unanswering": [neighbour()]}, {"unanswering": [neighbour(NUD_FAILED, 0, 60_000)]})),
    ("NEIGHBOUR_FAILED", (sample(unanswering=[neighbour(probes=4)]),)),
    ("NFT_DROP", two({"drop_rules": [rule(5)]}, {"drop_rules": [rule(15)], "counters": {"Ip.InReceives": 90}})),
    ("NFT_DROP", two({"drop_rules": [rule(5)]}, {"drop_rules": [rule(95)], "counters": {"Ip.InReceives": 90_000}})),
    ("NFT_DROP", two({"drop_rules": []}, {"drop_rules": [rule(15)]})),
    ("CONNTRACK_INSERT", two({"conntrack": tracked()}, {"conntrack": tracked(9)})),
    ("CONNTRACK_FULL", two({"conntrack": tracked()}, {"conntrack": tracked(9, 9)})),
    ("NEIGHBOUR_TABLE_FULL", two({"neighbour_tables": table()}, {"neighbour_tables": table(40)})),
]
