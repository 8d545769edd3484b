"""IP_DISCARD."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Explained, Threshold
from sockdiag.judging.magnitude import THRESHOLDS, beyond_guard, guard
from sockdiag.model.finding import CRITICAL, DROPPING, Advice
from sockdiag.rules._counters import lost_in_interval
from sockdiag.rules._udp import CLOSED_PORTS, refused_by_peers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit

_IN = ("Ip.InDiscards", "Ip6.InDiscards")
# By family: what a UDP sender was refused counts as discarded by IP, too.
_OUT = (
    ("Ip.OutDiscards", ("Udp.SndbufErrors", "UdpLite.SndbufErrors")),
    ("Ip6.OutDiscards", ("Udp6.SndbufErrors", "UdpLite6.SndbufErrors")),
)
_RECEIVED, _SENT = ("Ip.InReceives", "Ip6.InReceives"), ("Ip.OutRequests", "Ip6.OutRequests")
_OUT_NAMES = tuple(name for discards, refused in _OUT for name in (discards, *refused))

RULE = DeclaredRule(
    "IP_DISCARD",
    CRITICAL,
    (DROPPING,),
    "IP discarded valid packets: on receipt because memory was short, on sending because the queueing discipline or "
    "the sender's buffer had no room.",
    "ip_rcv() gets no memory, ip_finish_output() gets an error, or udp_sendmsg() gets ENOBUFS or EAGAIN.",
    "ip_rcv_core(), ip_output(), udp_sendmsg()",
    (*_IN, *_OUT_NAMES),
    ("/proc/net/snmp",),
    (
        *guard(5, 1, 0.001, "IPv6 counts multicast for groups without members as discarded"),
        Threshold(
            "slack",
            0.05,
            "for sends that failed because of an ICMP error: the kernel counts the two at different moments",
        ),
        *THRESHOLDS,
    ),
    ("the queueing discipline of the device", "SO_SNDBUF"),
    partly=("/proc/net/snmp6",),
    counters=(*_IN, *_OUT_NAMES, *CLOSED_PORTS, *_RECEIVED, *_SENT),
    explained_by=(
        Explained("QDISC_DROP"),
        Explained("DEVICE_DROP"),
        Explained("NEIGHBOUR_FAILED"),
        Explained("FRAGMENTATION_FAILED"),
        Explained("NFT_DROP"),
        Explained("CONNTRACK_FULL"),
        Explained("CONNTRACK_INSERT"),
        Explained("CRYPTO_ERRORS"),
    ),
    drop_reasons=("NOMEM", "QDISC_DROP"),
)

_ADVICE = Advice(
    "Check the queueing disciplines, and senders with small send buffers.",
    "tc -s qdisc; sockdiag memory",
    "The sender got ENOBUFS or EAGAIN, or the device had no room.",
)
_MEMORY = Advice(
    "Check the memory of the machine.", "cat /proc/buddyinfo", "The kernel found no memory for received packets."
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge both directions by the counters of both families."""
    received = case.sum_moved(*_RECEIVED)
    discarded = case.sum_moved(*_IN) or 0
    if case.moved(_IN[0]) or beyond_guard(case, RULE, discarded, received):
        yield from lost_in_interval(
            case,
            RULE,
            _IN,
            "IP receive",
            "packet",
            "discarded on receipt",
            (_MEMORY,),
            passed=received,
            of="packets received",
        )
    lost = sum(max(case.moved(discards) or 0, case.sum_moved(*refused) or 0) for discards, refused in _OUT)
    # A datagram that was not sent because of a closed port is that rule's; the ICMP errors are counted a moment earlier or later.
    refused = refused_by_peers(case)
    if refused:
        lost = lost - refused if lost - refused > max(2, refused * case.threshold(RULE, "slack")) else 0
    yield from lost_in_interval(
        case,
        RULE,
        _OUT_NAMES,
        "IP send",
        "packet",
        "discarded or refused on sending",
        (_ADVICE,),
        lost=lost,
        passed=case.sum_moved(*_SENT),
        of="packets sent",
    )
