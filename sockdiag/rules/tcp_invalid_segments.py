"""TCP_INVALID_SEGMENTS."""

from __future__ import annotations

from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import Advice
from sockdiag.rules._counters import counter_rule, lost_in_interval

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit

_NAMES = (
    "TcpExt.PAWSActive",
    "TcpExt.PAWSEstab",
    "TcpExt.PAWSTimewait",
    "TcpExt.TSEcrRejected",
    "TcpExt.TCPChallengeACK",
    "TcpExt.OutOfWindowIcmps",
)
_PASSED = ("Tcp.InSegs",)

RULE = counter_rule(
    "TCP_INVALID_SEGMENTS",
    "TCP drops segments that do not fit their connection: old timestamps, wrong sequence numbers, resets or SYNs that are not exact.",
    "A device that shares one address among hosts mixes their timestamps, a peer restarted and reuses ports, or somebody injects segments.",
    _NAMES,
    _PASSED,
    ("NAT, load balancers and firewalls in front of this host", "net.ipv4.tcp_timestamps of hosts behind one address"),
    guard(10, 5, 0.01, "duplicates on the way, and peers that restart, cause a few"),
)

_ADVICE = (
    Advice(
        "Look for NAT or a load balancer that mixes hosts, a peer that restarts, or forged segments.",
        "nstat -az TcpExtPAWS* TcpExtTCPChallengeACK TcpExtTSEcrRejected",
        "The single counters are in the evidence: PAWS is about timestamps, challenge ACKs answer inexact resets and SYNs.",
    ),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge the counters against the traffic."""
    yield from lost_in_interval(
        case,
        RULE,
        _NAMES,
        "TCP",
        "segment",
        "rejected: timestamp, sequence number or flags do not fit the connection",
        _ADVICE,
        passed=case.sum_moved(*_PASSED),
        of="segments received",
        guarded=True,
    )
