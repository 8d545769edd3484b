"""UDP_CLOSED_PORT."""

from __future__ import annotations

from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import Advice
from sockdiag.rules._counters import counter_rule, lost_in_interval
from sockdiag.rules._udp import CLOSED_PORTS, refused_by_peers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit

_NO_PORTS = ("Udp.NoPorts", "Udp6.NoPorts", "UdpLite.NoPorts", "UdpLite6.NoPorts")
_READ = ("Udp.InDatagrams", "Udp6.InDatagrams")
_SENT = ("Udp.OutDatagrams", "Udp6.OutDatagrams")

RULE = counter_rule(
    "UDP_CLOSED_PORT",
    "Datagrams are sent to a port on which nobody listens: they are lost, and the sender's next send(2) fails with ECONNREFUSED.",
    "No socket is bound to the port. The receiving host answers with ICMP 'port unreachable'; a connected sender gets it as an error "
    "of its next call, whose datagram is not sent.",
    _NO_PORTS,
    (*_READ, *_SENT),
    ("the service that should listen", "the sender, if it is not wanted"),
    guard(10, 5, 0.02, "answers that come after their socket was closed, and port scans"),
    beside=CLOSED_PORTS,
)

_HERE = Advice(
    "Start the service that should listen on the port, or stop the sender.",
    "tcpdump -nvc 20 -i any 'icmp[0:2] = 0x0303'",
    "The ICMP errors quote the datagrams, and so name sender, address and port.",
)
_THERE = Advice(
    "Look at the service on the peer's side: nobody listens on the port there.",
    "tcpdump -nvc 20 -i any 'icmp[0:2] = 0x0303'",
    "Processes here get ECONNREFUSED from send(2) on connected sockets.",
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge datagrams that came for closed ports of this namespace, and those that peers refused."""
    here = case.sum_moved(*_NO_PORTS) or 0
    there = refused_by_peers(case)
    yield from lost_in_interval(
        case,
        RULE,
        _NO_PORTS,
        "UDP",
        "datagram",
        "arrived for ports on which nobody listens" + (f", and {there} sends failed because of that" if there else ""),
        (_HERE,),
        passed=case.sum_moved(*_READ),
        of="datagrams received",
        guarded=True,
        lost=here,
    )
    if there and not here:
        yield from lost_in_interval(
            case,
            RULE,
            CLOSED_PORTS,
            "UDP peers",
            "datagram",
            "not sent: the peer had answered that nobody listens on the port",
            (_THERE,),
            passed=case.sum_moved(*_SENT),
            of="datagrams sent",
            guarded=True,
            lost=there,
        )
