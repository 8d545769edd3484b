"""Run the rules on a case, and fold what they find into verdicts."""

from __future__ import annotations

from sockdiag.judging.case import Unseen
from sockdiag.judging.registry import RULES, load
from sockdiag.model.finding import UNKNOWN, Finding, badness, worst_verdict
from sockdiag.model.record import LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockdiag.judging.case import Case, Hit


class NotJudged(Record):
    """A rule that lacked what it needs."""

    code: str = field("The rule.", kind=LABEL)
    source: str = field("What could not be read.", kind=LABEL)
    reason: str = field("Why.", kind=LABEL)


class Judgement:
    """What the rules said.

    Attributes:
        hits: findings and their sockets, worst first.
        unknown: rules that could not tell.
    """

    __slots__ = ("hits", "unknown")

    def __init__(self, hits: list[Hit], unknown: list[NotJudged]) -> None:
        self.hits = hits
        self.unknown = unknown

    @property
    def findings(self) -> list[Finding]:
        """All findings, worst first."""
        return [hit.finding for hit in self.hits]

    def system(self) -> list[Finding]:
        """Return the findings that are about no single socket."""
        return [hit.finding for hit in self.hits if not hit.rows]

    def verdict(self, findings: Iterable[Finding] | None = None) -> str:
        """Return the worst verdict of findings, or of everything, rules that could not tell among it."""
        if findings is not None:
            return worst_verdict(f.verdict for f in findings)
        verdicts = [f.verdict for f in self.findings]
        return worst_verdict([*verdicts, UNKNOWN] if self.unknown else verdicts)


def judge(case: Case, codes: Iterable[str] = tuple(RULES)) -> Judgement:
    """Run rules. One that lacks what it needs is unknown; what it found before it came to that stands."""
    hits: list[Hit] = []
    unknown: list[NotJudged] = []
    for code in codes:
        module = load(code)
        lacking = _lacking(case, code, module.RULE.needs)
        if lacking is None:
            needs, partly = module.RULE.needs, module.RULE.partly
            lacking = _lacking(
                case, code, (*partly, *(f"some {part.removeprefix('skmem:')}" for part in (*needs, *partly)))
            )
            try:
                for hit in module.judge(case):
                    hits.append(hit)  # noqa: PERF402 - what came before an error stands
            except Unseen as error:
                lacking = NotJudged(code, error.source, error.reason)
        if lacking is not None:
            unknown.append(lacking)
    hits.sort(key=lambda hit: badness(hit.finding))
    return Judgement(hits, unknown)


def _lacking(case: Case, code: str, parts: Iterable[str]) -> NotJudged | None:
    for part in parts:
        reason = case.lacks(part)
        if reason is not None:
            return NotJudged(code, part, reason)
    return None


def judge_relaxed(case: Case, codes: Iterable[str], factor: float) -> Judgement:
    """Run rules with the thresholds of their levels (``…_ratio``) multiplied by *factor*.

    Below 1 they find, too, what is nearly as bad: levels that have been higher and are not clearly lower yet.
    """
    codes = list(codes)
    strict = {code: load(code).RULE for code in codes}
    try:
        for code, rule in strict.items():
            load(code).RULE = rule._replace(
                thresholds=tuple(
                    t._replace(value=t.value * factor) if t.name.endswith("_ratio") else t for t in rule.thresholds
                )
            )
        return judge(case, codes)
    finally:
        for code, rule in strict.items():
            load(code).RULE = rule
