"""UDP_CLOSED_PORT."""

from __future__ import annotations

from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import Advice
from sockdiag.model.quantity import counted
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
    "Datagrams arrive for a port without a socket: they are lost, and the sender's next send(2) fails with "
    "ECONNREFUSED.",
    "No socket is bound to the port. The receiving host answers with ICMP 'port unreachable'. A connected sender "
    "gets it as an error of its next call, which sends nothing.",
    _NO_PORTS,
    (*_READ, *_SENT),
    ("the service that should listen", "the sender, if it should not send"),
    guard(10, 5, 0.02, "answers that arrive after their socket was closed, and port scans"),
    beside=CLOSED_PORTS,
)

_HERE = Advice(
    "Start the service that should listen on the port, or stop the sender.",
    "tcpdump -nvc 20 -i any 'icmp[0:2] = 0x0303'",
    "The ICMP errors quote the datagrams, with sender, address and port.",
)
_THERE = Advice(
    "Check the service at the peer: no process listens on the port there.",
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
        "arrived for ports on which no process listens"
        + (f", and {counted(there, 'send')} failed with ECONNREFUSED" if there else ""),
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
            "not sent: the peer had reported the port as closed",
            (_THERE,),
            passed=case.sum_moved(*_SENT),
            of="datagrams sent",
            guarded=True,
            lost=there,
        )
