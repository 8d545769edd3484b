"""UDP_CLOSED_PORT."""

from __future__ import annotations

from sockdiag.judging.case import Threshold
from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import WARNING, Advice
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
_ERRORS = ("Icmp.InDestUnreachs", "Icmp6.InDestUnreachs")
# Each of these may be what an ICMP error was about, instead of a datagram: a TCP connection, a path that traceroute(8) explores.
_TCP, _EXPLORED = "Tcp.AttemptFails", ("Icmp.InTimeExcds", "Icmp6.InTimeExcds")

RULE = counter_rule(
    "UDP_CLOSED_PORT",
    "Datagrams arrive for a port without a socket: they are lost, and the sender's next send(2) fails with "
    "ECONNREFUSED.",
    "No socket is bound to the port. The receiving host answers with ICMP 'port unreachable'. A connected sender "
    "gets it as an error of its next call, which sends nothing.",
    _NO_PORTS,
    (*_READ, *_SENT),
    ("the service that should listen", "the sender, if it should not send"),
    (
        *guard(10, 5, 0.02, "answers that arrive after their socket was closed, and port scans"),
        Threshold(
            "unanswered",
            2,
            "peers limit ICMP errors to about one per second; where no answer arrives, two are not chance",
        ),
        Threshold("unanswered_per_s", 0.2, "a program that tries an unreachable service now and then"),
    ),
    beside=(*CLOSED_PORTS, _TCP, *_EXPLORED),
    drop_reasons=("NO_SOCKET",),
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
_UNANSWERED = Advice(
    "Check the services that processes here ask by UDP: a name server, a log server, a time server.",
    "tcpdump -nvc 20 -i any 'icmp[0] = 3 or icmp6[0] = 1'",
    "The ICMP errors quote the datagrams, with address and port. Peers send about one per second, however many datagrams "
    "they reject.",
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
    if here:
        return
    refused = list(
        lost_in_interval(
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
    )
    yield from refused or _unanswered(case)


def _unanswered(case: Case) -> Iterator[Hit]:
    """Judge ICMP errors where datagrams are sent and none is received: every peer that was asked rejects them."""
    errors = (case.sum_moved(*_ERRORS) or 0) - (case.moved(_TCP) or 0)
    sent = case.sum_moved(*_SENT) or 0
    if (
        case.sum_moved(*_READ) != 0
        or case.sum_moved(*_EXPLORED)
        or not case.threshold(RULE, "unanswered") <= errors <= sent
        or (case.rate(errors) or 0.0) < case.threshold(RULE, "unanswered_per_s")
    ):
        return
    yield from lost_in_interval(
        case,
        RULE,
        _ERRORS,
        "UDP peers",
        "ICMP error",
        f"arrived for {counted(sent, 'datagram')} sent, and no answer: the peer rejects them",
        (_UNANSWERED,),
        lost=errors,
        severity=WARNING,
    )
