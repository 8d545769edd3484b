"""TCP_INVALID_SEGMENTS."""

from __future__ import annotations

from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import Advice
from sockdiag.rules._counters import counter_rule, judge_by_share

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
    "TCP drops segments that do not match their connection: old timestamps, wrong sequence numbers, or inexact "
    "resets and SYNs.",
    "A device that shares one address among hosts mixes their timestamps, a peer restarts and reuses ports, or an "
    "attacker injects segments.",
    _NAMES,
    _PASSED,
    ("NAT, load balancers and firewalls in front of this host", "net.ipv4.tcp_timestamps of hosts behind one address"),
    guard(10, 5, 0.01, "duplicates on the path and restarting peers cause a few"),
    drop_reasons=("TCP_INVALID_SYN", "TCP_ACK_UNSENT_DATA", "TCP_TOO_OLD_ACK"),
)

_ADVICE = (
    Advice(
        "Check for NAT or a load balancer that mixes hosts, a peer that restarts, or forged segments.",
        "nstat -az TcpExtPAWS* TcpExtTCPChallengeACK TcpExtTSEcrRejected",
        "The evidence has each counter: PAWS is about timestamps, challenge ACKs answer inexact resets and SYNs.",
    ),
    Advice(
        "Find the peers that send them.",
        "sockdiag trace drops --where 'netid = tcp' --for 10s",
        "The counters name no connection. The trace shows each drop with its connection, process and reason.",
    ),
)

judge = judge_by_share(
    RULE,
    _NAMES,
    _PASSED,
    "TCP",
    "segment",
    "rejected: timestamp, sequence number or flags do not match the connection",
    _ADVICE,
    of="segments received",
)
