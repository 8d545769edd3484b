"""IP_DISCARD."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule
from sockdiag.model.finding import DROPPING, WARNING, Advice
from sockdiag.rules._counters import lost_in_interval

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
_OUT_NAMES = tuple(name for discards, refused in _OUT for name in (discards, *refused))

RULE = DeclaredRule(
    "IP_DISCARD",
    WARNING,
    (DROPPING,),
    "IP threw packets away that were in order: on receipt for want of memory, on the way out because the queueing discipline, "
    "the neighbour table or the sender's buffer had no room.",
    "ip_rcv() finds no memory; ip_finish_output() gets an error; udp_sendmsg() gets ENOBUFS or EAGAIN.",
    "ip_rcv_core(), ip_output(), udp_sendmsg()",
    (*_IN, *_OUT_NAMES),
    ("/proc/net/snmp",),
    (),
    ("the queueing discipline and the neighbours of the device", "SO_SNDBUF"),
    partly=("/proc/net/snmp6",),
    counters=(*_IN, *_OUT_NAMES),
)

_ADVICE = Advice(
    "Look at the way out: queueing disciplines and neighbours.",
    "tc -s qdisc; ip -s neigh",
    "The sender may have got ENOBUFS or EAGAIN for them.",
)
_MEMORY = Advice(
    "Look at the memory of the machine.", "cat /proc/buddyinfo", "Packets that came in could not be copied."
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge both directions by the counters of both families."""
    yield from lost_in_interval(case, RULE, _IN, "IP receive", "packet", "thrown away on receipt", (_MEMORY,))
    lost = sum(max(case.moved(discards) or 0, case.sum_moved(*refused) or 0) for discards, refused in _OUT)
    yield from lost_in_interval(
        case, RULE, _OUT_NAMES, "IP send", "packet", "thrown away or refused instead of sent", (_ADVICE,), lost=lost
    )
