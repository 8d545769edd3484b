"""CONNTRACK_FULL."""

from __future__ import annotations

from sockdiag.model.finding import AT_RISK, CRITICAL, DROPPING, NAMESPACE, WARNING, Advice, Evidence, Finding, Subject
from sockdiag.rules._base import Hit, Rule, Threshold, counted, per_second

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.rules._base import Case

RULE = Rule(
    "CONNTRACK_FULL",
    CRITICAL,
    (DROPPING, AT_RISK),
    "The table of tracked connections is full: packets of new connections are dropped without an answer, even local ones.",
    "nf_conntrack_count exceeds nf_conntrack_max and no entry that saw no answer can be thrown out.",
    "__nf_conntrack_alloc(), net/netfilter/nf_conntrack_core.c",
    ("nf_conntrack_count", "nf_conntrack_max", "stat/nf_conntrack drop"),
    (),
    (
        Threshold("warning_ratio", 0.8, "monitoring warns from 75 to 90 %"),
        Threshold("critical_ratio", 0.95, "monitoring calls it critical from 90 to 95 %"),
    ),
    ("net.netfilter.nf_conntrack_max, set on the host", "shorter timeouts", "no tracking of what needs none (notrack)"),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge the level, and what was dropped. Without connection tracking there is nothing to judge."""
    now = case.now.conntrack
    if now is None or now.count is None or not now.max:
        return
    past = case.before.conntrack if case.before is not None else None
    drops, before = now.total("drop"), past.total("drop") if past is not None else None
    lost = 0 if drops is None or before is None else (drops - before) % (1 << 32)
    ratio = now.count / now.max
    if not lost and ratio < RULE.threshold("warning_ratio"):
        return
    growth = 0 if past is None or past.count is None else now.count - past.count
    eta = round(max(0, now.max - now.count) / (growth / case.seconds), 1) if growth > 0 and case.seconds else None
    said = f"{now.count} connections are tracked, {now.max} may be"
    said += f"; {counted(lost, 'packet')} dropped{per_second(case.rate(lost))}" if lost else ""
    evidence = {
        "count": Evidence(now.count, "entries", now.max, "/proc/sys/net/netfilter/nf_conntrack_count"),
        "drop": Evidence(lost if past is not None else drops, "count", None, "/proc/net/stat/nf_conntrack"),
    }
    advice = (
        Advice(
            "Raise net.netfilter.nf_conntrack_max in the host's own namespace.",
            f"sysctl -w net.netfilter.nf_conntrack_max={2 * now.max}",
            "An entry costs some 300 bytes.",
        ),
        Advice(
            "Do not track what no rule needs (notrack), or shorten timeouts.",
            None,
            "Entries stay long after their connections.",
        ),
    )
    severity = CRITICAL if lost or ratio >= RULE.threshold("critical_ratio") else WARNING
    yield Hit(
        Finding(
            RULE.code, severity, Subject(NAMESPACE, "conntrack"), said, evidence, max(0.0, round(1 - ratio, 4)), eta, advice,
            DROPPING if lost else AT_RISK,
        )
    )  # fmt: skip
