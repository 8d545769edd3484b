"""CONNTRACK_FULL."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit, Threshold, Unseen
from sockdiag.model.finding import AT_RISK, CRITICAL, DROPPING, NAMESPACE, WARNING, Advice, Evidence, Finding, Subject
from sockdiag.model.quantity import count, counted, part_of, rate
from sockdiag.rules._conntrack import losses_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case
    from sockdiag.model.conntrack import Conntrack

RULE = DeclaredRule(
    "CONNTRACK_FULL",
    CRITICAL,
    (DROPPING, AT_RISK),
    "The connection tracking table is full: the kernel drops packets of new connections without an answer, even "
    "local ones.",
    "nf_conntrack_count exceeds nf_conntrack_max, and no unanswered entry can be evicted.",
    "__nf_conntrack_alloc(), net/netfilter/nf_conntrack_core.c",
    ("nf_conntrack_count", "nf_conntrack_max", "stat/nf_conntrack drop"),
    ("/proc/net/stat/nf_conntrack",),
    (
        Threshold("warning_ratio", 0.8, "monitoring systems warn from 75 to 90 %"),
        Threshold("critical_ratio", 0.95, "monitoring systems report critical from 90 to 95 %"),
    ),
    (
        "net.netfilter.nf_conntrack_max, set on the host",
        "shorter timeouts",
        "notrack for traffic that needs no tracking",
    ),
    parts=("conntrack",),
    earlier_parts=("conntrack",),
    drop_reasons=("NETFILTER_DROP",),
)

_STAT = "/proc/net/stat/nf_conntrack"
_SYSCTL = "/proc/sys/net/netfilter/nf_conntrack_"


def judge(case: Case) -> Iterator[Hit]:
    """Judge the level, and what was dropped. Without connection tracking there is nothing to judge."""
    now = case.now.conntrack
    if now is None:
        return
    drops = now.total("drop")
    losses = losses_of(case)
    lost = 0 if losses is None else losses.full
    known = now.count is not None and now.max is not None
    ratio = now.count / now.max if now.count is not None and now.max else None
    if lost or (ratio is not None and ratio >= case.threshold(RULE, "warning_ratio")):
        yield _hit(case, now, lost, ratio)
    if not known:
        raise Unseen(_SYSCTL + ("max" if now.max is None else "count"), "not read")
    if drops is None and case.before is not None:
        raise Unseen(_STAT, "the kernel does not report drops")


def _hit(case: Case, now: Conntrack, lost: int, ratio: float | None) -> Hit:
    past = case.before.conntrack if case.before is not None else None
    growth = 0 if past is None or past.count is None or now.count is None else now.count - past.count
    eta = case.lasts_s(now.max - now.count, growth) if now.max and now.count is not None else None
    if now.count is not None and now.max is not None:
        held = part_of(now.count, now.max)
    else:
        held = " of ".join(count(n) if n is not None else "an unknown number" for n in (now.count, now.max))
    said = f"the connection tracking table holds {held} entries"
    said += f"; {counted(lost, 'packet')} dropped ({rate(case.rate(lost))})" if lost else ""
    evidence = {
        "count": Evidence(now.count, "entries", now.max, f"{_SYSCTL}count"),
        "drop": Evidence(lost if past is not None else now.total("drop"), "count", None, _STAT),
    }
    advice = (
        Advice(
            "Raise net.netfilter.nf_conntrack_max in the host's own namespace.",
            f"sysctl -w net.netfilter.nf_conntrack_max={2 * now.max}" if now.max else None,
            "An entry costs about 300 bytes.",
        ),
        Advice(
            "Exempt traffic that no rule needs to track (notrack), or shorten timeouts.",
            None,
            "Entries outlive their connections by far.",
        ),
    )
    severity = CRITICAL if lost or (ratio or 0) >= case.threshold(RULE, "critical_ratio") else WARNING
    room = None if ratio is None else max(0.0, round(1 - ratio, 4))
    verdict = DROPPING if lost else AT_RISK
    return Hit(
        Finding(
            RULE.code,
            severity,
            Subject(NAMESPACE, "conntrack"),
            said,
            evidence,
            room,
            eta,
            advice,
            verdict,
            loss_per_s=case.rate(lost) if lost else None,
        )
    )
