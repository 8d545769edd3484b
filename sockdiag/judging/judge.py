"""Run the rules on a case, and fold what they find into one verdict."""

from __future__ import annotations

from sockdiag.judging.case import Hit, Unseen
from sockdiag.judging.registry import RULES, load
from sockdiag.model.finding import RECOVERED, UNKNOWN, Finding, badness, worst_verdict
from sockdiag.model.record import LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sockdiag.judging.case import Case


class NotJudged(Record):
    """A rule that lacked what it needs."""

    code: str = field("The rule.", kind=LABEL)
    source: str = field("What could not be read.", kind=LABEL)
    reason: str = field("Why.", kind=LABEL)


class Judgement:
    """What the rules found.

    Attributes:
        hits: findings and their sockets, worst first.
        unknown: rules that lacked data.
    """

    __slots__ = ("hits", "unknown")

    def __init__(self, hits: list[Hit], unknown: list[NotJudged]) -> None:
        self.hits = hits
        self.unknown = unknown

    @property
    def findings(self) -> list[Finding]:
        """All findings, worst first."""
        return [hit.finding for hit in self.hits]


def verdict_of(findings: Iterable[Finding], unknown: Collection[NotJudged], *, levels_only: bool = False) -> str:
    """Return the worst verdict of findings; unknown if no finding is worse and the rules cannot exclude problems.

    Args:
        findings: what the rules found.
        unknown: rules that lacked data.
        levels_only: there was a single sample, and some of the rules detect losses only by comparing two.
    """
    verdicts = [finding.verdict for finding in findings]
    return worst_verdict([*verdicts, UNKNOWN] if unknown or levels_only else verdicts)


def judge(case: Case, codes: Iterable[str] = tuple(RULES)) -> Judgement:
    """Run rules. One that lacks data is unknown; its findings until then stand."""
    hits: list[Hit] = []
    unknown: list[NotJudged] = []
    single = case.before is None
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
                    hits.append(_unproven(hit) if single else hit)  # noqa: PERF401 - hits before an error stand
            except Unseen as error:
                lacking = NotJudged(code, error.source, error.reason)
        if lacking is not None:
            unknown.append(lacking)
    hits.sort(key=lambda hit: badness(hit.finding))
    return Judgement(hits, unknown)


def _unproven(hit: Hit) -> Hit:
    """Return what a single sample shows of a loss in the past: proving that it has stopped takes a second one."""
    if hit.finding.verdict != RECOVERED:
        return hit
    return Hit(hit.finding._replace(verdict=UNKNOWN), hit.rows)


def _lacking(case: Case, code: str, parts: Iterable[str]) -> NotJudged | None:
    for part in parts:
        reason = case.lacks(part)
        if reason is not None:
            return NotJudged(code, part, reason)
    return None
