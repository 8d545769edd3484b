"""NO_ROUTE."""

from __future__ import annotations

from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import DROPPING, INFO, OK, Advice
from sockdiag.rules._counters import counter_rule, lost_in_interval

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit

_OUT, _IN = ("Ip.OutNoRoutes", "Ip6.OutNoRoutes"), ("IpExt.InNoRoutes", "Ip6.InNoRoutes")
_SENT, _RECEIVED = ("Ip.OutRequests", "Ip6.OutRequests"), ("Ip.InReceives", "Ip6.InReceives")
# What programs send over IPv4 after they tried the IPv6 addresses of a name.
_INSTEAD = ("Tcp.ActiveOpens", "Udp.OutDatagrams")
# getaddrinfo(3) tries each IPv6 address of a name before the program connects to one address.
_TRIED = 4

RULE = counter_rule(
    "NO_ROUTE",
    "Packets or connections have no route to their destination: processes get ENETUNREACH, or the kernel drops "
    "received packets.",
    "The routing tables have no entry for the destination, or one of type unreachable. For received packets, "
    "forwarding may also be off.",
    (*_OUT, *_IN),
    (*_SENT, *_RECEIVED),
    ("ip route get ADDRESS", "a default route"),
    guard(5, 1, 0.001, "a program that tries an unreachable service now and then"),
    verdicts=(DROPPING, OK),
    beside=_INSTEAD,
    drop_reasons=("IP_INNOROUTES", "IP_OUTNOROUTES"),
)

_ADVICE = Advice(
    "Look up the route to the destination, and add it or a default route.",
    "ip route; ip -6 route",
    "connect(2) and sendto(2) fail at once with ENETUNREACH; the log of the process shows the destination.",
)
_ADVICE_IN = Advice(
    "Check which packets arrive, and the routes. net.ipv4.ip_forward decides whether this host forwards at all.",
    "ip route; ip -6 route",
    "They arrived for a destination that this host has no route to.",
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge each direction of each version of IP."""
    for (name, sent), version in zip(zip(_OUT, _SENT, strict=True), ("IPv4", "IPv6"), strict=True):
        if name not in case.now.counters and version == "IPv6":
            continue
        instead = case.sum_moved(*_INSTEAD) or 0
        tries = version == "IPv6" and (case.moved(name) or 0) <= _TRIED * instead
        yield from lost_in_interval(
            case,
            RULE,
            (name,),
            f"{version} send",
            "send",
            f"over {version} failed: no route to the destination",
            () if tries else (_ADVICE,),
            passed=case.moved(sent),
            of="sends",
            cause="Programs try the IPv6 addresses of a name first, and this host has no route to them."
            if tries
            else "",
            guarded=True,
            verdict=OK if tries else DROPPING,
            severity=INFO if tries else None,
        )
    for name, received in zip(_IN, _RECEIVED, strict=True):
        if name in case.now.counters:
            yield from lost_in_interval(
                case,
                RULE,
                (name,),
                "IP receive",
                "packet",
                "dropped on receipt: no route to the destination",
                (_ADVICE_IN,),
                passed=case.moved(received),
                of="packets",
                guarded=True,
            )
