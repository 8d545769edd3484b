"""MPTCP_ERRORS."""

from __future__ import annotations

from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import DROPPING, INFO, OK, Advice
from sockdiag.rules._counters import counter_rule, lost_in_interval

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit

_REFUSED = tuple(
    f"MPTcpExt.{name}"
    for name in (
        "MPJoinNoTokenFound",
        "MPJoinSynAckHMacFailure",
        "MPJoinAckHMacFailure",
        "MismatchPortSynRx",
        "MismatchPortAckRx",
        "DSSCorruptionReset",
        "DataCsumErr",
        "FallbackFailed",
    )
)
_FELL_BACK = tuple(
    f"MPTcpExt.{name}"
    for name in (
        "MPCapableFallbackACK",
        "MPCapableFallbackSYNACK",
        "MPFallbackTokenInit",
        "DSSCorruptionFallback",
        "MPCapableDataFallback",
        "MD5SigFallback",
        "DssFallback",
        "SimultConnectFallback",
        "Blackhole",
    )
)
_PASSED = ("MPTcpExt.MPCapableACKRX", "MPTcpExt.MPCapableSYNACKRX", "MPTcpExt.MPJoinAckRx")

RULE = counter_rule(
    "MPTCP_ERRORS",
    "Multipath TCP refuses subflows or resets them, or connections fall back to plain TCP.",
    "A join has no valid token or signature, data does not match its mapping, or the peer or the path does not "
    "support MPTCP.",
    (*_REFUSED, *_FELL_BACK),
    _PASSED,
    ("middleboxes that change TCP options or data", "MPTCP at the peer"),
    guard(5, 1, 0.05, "peers without MPTCP"),
    verdicts=(DROPPING, OK),
)

_PATH = Advice(
    "Check the paths for a middlebox that rewrites options, ports or data.",
    "ip mptcp endpoint; nstat -az MPTcpExt*",
    "MPTCP verifies data that plain TCP accepts unchecked.",
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge what was refused; a fallback costs the second path and nothing else. Without MPTCP there is nothing to judge."""
    if not any(name in case.now.counters for name in (*_REFUSED, *_FELL_BACK)):
        return
    passed = case.sum_moved(*_PASSED)
    yield from lost_in_interval(
        case,
        RULE,
        _REFUSED,
        "MPTCP",
        "subflow",
        "refused or reset by MPTCP",
        (_PATH,),
        passed=passed,
        of="MPTCP connections and subflows",
        guarded=True,
    )
    yield from lost_in_interval(
        case,
        RULE,
        _FELL_BACK,
        "MPTCP fallback",
        "connection",
        "fell back to plain TCP",
        (),
        passed=passed,
        of="MPTCP connections",
        guarded=True,
        verdict=OK,
        severity=INFO,
    )
