"""RETRANSMISSION."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit, Threshold
from sockdiag.model.finding import AT_RISK, INFO, NAMESPACE, OK, WARNING, Advice, Evidence, Finding, Subject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

RULE = DeclaredRule(
    "RETRANSMISSION",
    WARNING,
    (AT_RISK, OK),
    "A large part of the TCP segments was sent again: packets are lost on the way, or their acknowledgements come late.",
    "A timeout, or duplicate acknowledgements (SACK, RACK).",
    "tcp_retransmit_skb(), net/ipv4/tcp_output.c",
    ("Tcp.RetransSegs", "TcpExt.TCPOrigDataSent"),
    ("/proc/net/snmp", "/proc/net/netstat"),
    (
        Threshold("warning_ratio", 0.05, "from 1 % on throughput suffers, and monitoring alarms between 1 and 20 %"),
        Threshold("info_ratio", 0.01, "the lower end of those"),
        Threshold("segments", 500, "of fewer segments a share says little"),
    ),
    ("the network: drops of devices and queueing disciplines here and on the way",),
    counters=("Tcp.RetransSegs", "TcpExt.TCPOrigDataSent", "Tcp.OutSegs"),
)

_ADVICE = Advice(
    "Look for the place of the loss: sockdiag path here, and the same on the peers.",
    "sockdiag path --interval 2",
    "Retransmission is what loss looks like from afar; no buffer of a socket causes it.",
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge the share of segments sent again; data segments are the base, as pure acknowledgements are not sent again."""
    again, sent = case.moved("Tcp.RetransSegs"), case.moved("TcpExt.TCPOrigDataSent")
    if sent is None:
        sent = case.moved("Tcp.OutSegs")
    if not again or sent is None or sent < case.threshold(RULE, "segments"):
        return
    share = again / sent
    if share < case.threshold(RULE, "info_ratio"):
        return
    bad = share >= case.threshold(RULE, "warning_ratio")
    said = f"{again} TCP segments were sent again, and {sent} for the first time: {share:.1%}"
    evidence = {
        "RetransSegs": Evidence(again, "segments", None, "/proc/net/snmp"),
        "TCPOrigDataSent": Evidence(sent, "segments", None, "/proc/net/netstat"),
    }
    yield Hit(
        Finding(
            RULE.code,
            WARNING if bad else INFO,
            Subject(NAMESPACE, "TCP"),
            said,
            evidence,
            None,
            None,
            (_ADVICE,),
            AT_RISK if bad else OK,
        )
    )
