"""Findings and verdict as metrics."""

from __future__ import annotations

from sockdiag.judging.registry import RULES, load
from sockdiag.model.finding import SEVERITIES, VERDICTS, at_least
from sockdiag.model.metric_family import MetricFamily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sockdiag.model.finding import Finding

_FINDINGS = MetricFamily(
    "sockdiag_findings",
    "Findings of a rule, by severity. A rule that lacks data has a sample only if it found something.",
    ("code", "severity"),
)
_SUCCESS = MetricFamily(
    "sockdiag_rule_success",
    "1 if a rule could read everything it needs; 0 if its result is unknown.",
    ("code",),
)
_VERDICT = MetricFamily("sockdiag_verdict", "1 for the worst verdict of all findings, 0 for the others.", ("verdict",))

DECLARED = (_FINDINGS, _SUCCESS, _VERDICT)


def judged_families(
    findings: Iterable[Finding], unknown: Collection[str], verdict: str, codes: Collection[str] = tuple(RULES)
) -> list[MetricFamily]:
    """Return the findings of every rule, 0 where it found nothing, so that alerts need not ask for absence.

    Args:
        findings: all findings.
        unknown: codes of the rules that lacked data.
        verdict: the verdict of all.
        codes: the rules that were run; others have no samples.
    """
    counts = {
        (code, severity): 0
        for code in codes
        if code not in unknown
        for severity in SEVERITIES
        if at_least(load(code).RULE.severity, severity)
    }
    for finding in findings:
        key = (finding.code, finding.severity)
        counts[key] = counts.get(key, 0) + 1
    return [
        _FINDINGS._replace(samples=tuple(counts.items())),
        _SUCCESS._replace(samples=tuple(((code,), int(code not in unknown)) for code in codes)),
        _VERDICT._replace(samples=tuple(((one,), int(one == verdict)) for one in VERDICTS)),
    ]
