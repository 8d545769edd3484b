"""TCP_SEND_FAILED."""

from __future__ import annotations

from sockdiag.judging.case import Explained
from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import STALLED, Advice
from sockdiag.rules._counters import counter_rule, judge_by_share

_NAMES = ("TcpExt.TCPRetransFail", "TcpExt.TCPWqueueTooBig")
_PASSED = ("Tcp.OutSegs",)

RULE = counter_rule(
    "TCP_SEND_FAILED",
    "TCP cannot retransmit: a firewall rule, queueing discipline or device of this host refuses its segments, or "
    "the send queue is too large to split a segment.",
    "__tcp_retransmit_skb() gets an error from netfilter, the queueing discipline or the device; or wmem_queued exceeds SO_SNDBUF by more than 128 KiB (since 4.19.52, CVE-2019-11478).",
    _NAMES,
    _PASSED,
    ("firewall rules and queueing disciplines of this host", "SO_SNDBUF"),
    guard(3, 0.5, 0.001, "a device that is full for a moment"),
    verdicts=(STALLED,),
    explained_by=(Explained("NO_ROUTE"), Explained("QDISC_DROP"), Explained("DEVICE_DROP"), Explained("NFT_DROP")),
)

_ADVICE = (
    Advice(
        "Check the firewall rules for outgoing packets and the queueing disciplines.",
        "nft list ruleset; tc -s qdisc",
        "The connections wait for the next timeout, longer each time.",
    ),
    Advice(
        "If TCPWqueueTooBig grew, raise SO_SNDBUF or leave it to the kernel.",
        None,
        "The kernel does not split segments of a send queue far above its limit.",
    ),
)

judge = judge_by_share(
    RULE,
    _NAMES,
    _PASSED,
    "TCP",
    "retransmission",
    "could not leave this host",
    _ADVICE,
    of="segments sent",
)
