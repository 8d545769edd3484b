"""TCP_AUTHENTICATION."""

from __future__ import annotations

from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import Advice
from sockdiag.rules._counters import counter_rule, judge_by_share

_NAMES = (
    "TcpExt.TCPMD5NotFound",
    "TcpExt.TCPMD5Unexpected",
    "TcpExt.TCPMD5Failure",
    "TcpExt.TCPAORequired",
    "TcpExt.TCPAOBad",
    "TcpExt.TCPAOKeyNotFound",
)
_PASSED = ("Tcp.InSegs",)

RULE = counter_rule(
    "TCP_AUTHENTICATION",
    "The kernel drops TCP segments whose signature (TCP MD5, TCP-AO) is missing, unexpected or wrong.",
    "A key is set for the peer and the segment does not carry its signature, or it carries one and no key is set.",
    _NAMES,
    _PASSED,
    ("the same key at both ends",),
    guard(1, 0, 0, "none: the keys are set on purpose and differ"),
    drop_reasons=(
        "TCP_AUTH_HDR",
        "TCP_MD5NOTFOUND",
        "TCP_MD5UNEXPECTED",
        "TCP_MD5FAILURE",
        "TCP_AONOTFOUND",
        "TCP_AOUNEXPECTED",
        "TCP_AOKEYNOTFOUND",
        "TCP_AOFAILURE",
    ),
)

_ADVICE = (
    Advice(
        "Compare the keys at both ends, such as the password of a BGP session.",
        "dmesg",
        "The connection is not established, or stalls. The kernel logs the addresses (MD5 Hash not found, MD5 Hash "
        "failed).",
    ),
)

judge = judge_by_share(
    RULE,
    _NAMES,
    _PASSED,
    "TCP",
    "segment",
    "dropped: their signature is missing or wrong",
    _ADVICE,
    of="segments received",
)
