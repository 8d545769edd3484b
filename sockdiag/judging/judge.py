"""Run the rules on a case, and fold what they find into one verdict."""

from __future__ import annotations

from sockdiag.judging.case import Unseen
from sockdiag.judging.causes import mark_effects
from sockdiag.judging.registry import RULES, load
from sockdiag.model.counters import MIBS
from sockdiag.model.finding import RECOVERED, UNKNOWN, Finding, badness, worst_verdict
from sockdiag.model.record import LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sockdiag.judging.case import Case, Hit


# Where the kernel counts what it lost, and the tables that every host uses. Without one of them a loss could go unseen. All
# other sources show how near a limit is, serve a few sockets, or count what an administrator has the packet filter drop,
# which only a privileged user may read: a rule that lacks them leaves the others their verdict.
_FILES = frozenset(mib.source for mib in MIBS.values() if mib.source.startswith("/proc/net/"))
COUNTS_LOSSES = frozenset({*_FILES, "rtnetlink:RTM_GETQDISC", "tcp", "udp"})


class NotJudged(Record):
    """A rule that lacked what it needs."""

    code: str = field("The rule.", kind=LABEL)
    source: str = field("What could not be read.", kind=LABEL)
    reason: str = field("Why.", kind=LABEL)

    @property
    def part(self) -> str:
        """The part of the sample that it lacked."""
        return self.source.removeprefix("sockets: ")

    @property
    def hides_losses(self) -> bool:
        """Whether a loss could go unseen, so that no document can say that all is well."""
        return self.part.removeprefix("some ") in COUNTS_LOSSES


class Judgement:
    """What the rules found.

    Attributes:
        hits: findings and their sockets, worst first.
        unknown: rules that lacked data.
        present: the case that the findings about sockets come from, if not the one that was judged
            (``sockdiag.judging.confirm``).
    """

    __slots__ = ("hits", "present", "unknown")

    def __init__(self, hits: list[Hit], unknown: list[NotJudged], present: Case | None = None) -> None:
        self.hits = hits
        self.unknown = unknown
        self.present = present

    @property
    def findings(self) -> list[Finding]:
        """All findings, worst first."""
        return [hit.finding for hit in self.hits]


def most_lack_data(unknown: Iterable[NotJudged], rules: int) -> bool:
    """Return whether more than half of the rules lacked data, so that the others say little."""
    return 2 * len({one.code for one in unknown}) > rules


def verdict_of(
    findings: Iterable[Finding], unknown: Collection[NotJudged], rules: int = len(RULES), *, levels_only: bool = False
) -> str:
    """Return the worst verdict of findings; unknown if no finding is worse and something bad could have gone unseen.

    Args:
        findings: what the rules found.
        unknown: rules that lacked data.
        rules: how many rules there were.
        levels_only: there was a single sample, and some of the rules detect losses only by comparing two.
    """
    verdicts = [finding.verdict for finding in findings]
    unseen = levels_only or most_lack_data(unknown, rules) or any(one.hides_losses for one in unknown)
    return worst_verdict([*verdicts, UNKNOWN] if unseen else verdicts)


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
    hits = mark_effects(case, hits)
    hits.sort(key=lambda hit: badness(hit.finding))
    return Judgement(hits, unknown)


def _unproven(hit: Hit) -> Hit:
    """Return what a single sample shows of a loss in the past: proving that it has stopped takes a second one."""
    if hit.finding.verdict != RECOVERED:
        return hit
    return hit.changed(hit.finding._replace(verdict=UNKNOWN))


def _lacking(case: Case, code: str, parts: Iterable[str]) -> NotJudged | None:
    for part in parts:
        reason = case.lacks(part)
        if reason is not None:
            return NotJudged(code, part, reason)
    return None
