"""What the rules said, as families of metrics."""

from __future__ import annotations

from sockdiag.model.family import Family
from sockdiag.model.finding import SEVERITIES, VERDICTS, at_least
from sockdiag.rules._registry import RULES, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.rules._judge import Judgement

_FINDINGS = Family(
    "sockdiag_findings",
    "Findings of a rule, by severity; no sample of a rule that lacks what it needs, unless it found something.",
    ("code", "severity"),
)
_SUCCESS = Family(
    "sockdiag_rule_success", "1 where a rule had all that it needs, 0 where it cannot tell and is not to be relied on.", ("code",)
)  # fmt: skip
_VERDICT = Family("sockdiag_verdict", "1 for the worst verdict of all findings, 0 for the others.", ("verdict",))

DECLARED = (_FINDINGS, _SUCCESS, _VERDICT)


def judged_families(judgement: Judgement) -> list[Family]:
    """Return the findings of all rules; 0 for those that found nothing, so that alerts need not ask for absence."""
    unknown = {one.code for one in judgement.unknown}
    counts = {
        (code, severity): 0
        for code in RULES
        if code not in unknown
        for severity in SEVERITIES
        if at_least(load(code).RULE.severity, severity)
    }
    for finding in judgement.findings:
        key = (finding.code, finding.severity)
        counts[key] = counts.get(key, 0) + 1
    verdict = judgement.verdict()
    return [
        _FINDINGS._replace(samples=tuple(counts.items())),
        _SUCCESS._replace(samples=tuple(((code,), int(code not in unknown)) for code in RULES)),
        _VERDICT._replace(samples=tuple(((one,), int(one == verdict)) for one in VERDICTS)),
    ]
