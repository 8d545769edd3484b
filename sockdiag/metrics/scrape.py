"""Look and judge for `metrics`, once or again and again, and give what was seen as families."""

from __future__ import annotations

import os
import time

from sockdiag.errors import SockdiagError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Given
    from sockdiag.model.finding import Finding
    from sockdiag.model.metric_family import Family
    from sockdiag.model.sample import Look
    from sockdiag.survey.session import Session
    from sockdiag.survey.workers import Rest

# An earlier look that is this many intervals old tells of another time, and nothing is compared with it.
_STALE = 20


class NothingRead(SockdiagError):
    """No part of a look could be read."""


class Scraped:
    """What was seen.

    Args:
        session: the run, with gaps and sources.
        families: what is shown.
        verdict: the worst of all findings.
        interval: seconds between the looks that were compared, None where there was one.
    """

    __slots__ = ("families", "interval", "session", "verdict")

    def __init__(self, session: Session, families: list[Family], verdict: str, interval: float | None) -> None:
        self.session = session
        self.families = families
        self.verdict = verdict
        self.interval = interval


class _Part:
    """What one network namespace comes to; it travels between processes."""

    __slots__ = ("families", "findings", "interval", "read", "sources", "unknown")

    def __init__(self) -> None:
        self.families: list[Family] = []
        self.findings: list[Finding] = []
        self.unknown: set[str] = set()
        self.sources: dict[str, bool] = {}
        self.interval: float | None = None
        self.read = True


class Scraper:
    """Looks, and of looks that are taken again and again keeps the two that later ones are compared with.

    The look before is at least an interval old once there is one of that age: whoever scrapes, and when, all are told what was lost
    within the interval. With --netns all no look is kept, for namespaces are looked at by processes that end: two are taken each
    time where --interval is given.

    Args:
        env: the program's surroundings.
        given: the command line.
        keep_s: looks are taken again and again, and this many seconds lie between those that are compared; None for one run.
    """

    def __init__(self, env: Env, given: Given, keep_s: float | None = None) -> None:
        from sockdiag.survey.session import ALL

        if given.top < 0:
            raise UsageError("--top takes 0 or more rows")
        self._env = env
        self._given = given
        self._everywhere = given.netns == ALL
        self._keep_s = None if self._everywhere else keep_s
        self._twice_s: float | None = None if self._keep_s is not None else given.interval
        self._kept: list[Look] = []

    def scrape(self) -> Scraped:
        """Look and judge.

        Raises:
            NothingRead: no part of the look could be read.
        """
        from sockdiag.analysis.metric_families import joined, placed
        from sockdiag.judging.finding_metrics import judged_families
        from sockdiag.metrics.own import own_families
        from sockdiag.model.finding import UNKNOWN, worst_verdict
        from sockdiag.survey.per_namespace import in_each
        from sockdiag.survey.session import Session

        started, cpu = time.monotonic(), _cpu()
        session = Session(self._env, self._given)
        if self._everywhere:
            self._prepare()
        parts: list[_Part] = list(in_each(session, self._steps))
        if not any(part.read for part in parts):
            raise NothingRead(session.gaps[0].reason if session.gaps else "nothing could be read")
        findings = [finding for part in parts for finding in part.findings]
        unknown = {code for part in parts for code in part.unknown}
        # What could not be read in one of the namespaces could not be read.
        sources: dict[str, bool] = {}
        for part in parts:
            sources.update((source, read and sources.get(source, True)) for source, read in part.sources.items())
        judged = judged_families(findings, unknown)
        seconds, spent = time.monotonic() - started - (self._twice_s or 0.0), _cpu() - cpu
        own = own_families(sources, len(session.gaps), session.started, max(0.0, seconds), spent, parts[0].interval)
        if session.place is not None:
            label = session.netns.label or ""
            judged, own = list(placed(judged, label)), list(placed(own, label))
        verdicts = [finding.verdict for finding in findings]
        verdict = worst_verdict([*verdicts, UNKNOWN] if unknown else verdicts)
        return Scraped(session, [*judged, *joined(part.families for part in parts), *own], verdict, parts[0].interval)

    def _steps(self, session: Session) -> Iterator[Rest | _Part]:
        from sockdiag.analysis.measures import Facts
        from sockdiag.analysis.metric_families import families, placed
        from sockdiag.judging.registry import RULES
        from sockdiag.metrics.own import sources_read
        from sockdiag.model.query import SKMEM
        from sockdiag.model.record import HOST, NETNS
        from sockdiag.survey.diagnose import judged_alone
        from sockdiag.survey.sample import take
        from sockdiag.survey.workers import Rest

        query = session.query([SKMEM])
        before = None
        if self._twice_s is not None:
            before = take(session, query, last=False, rates=True)
            yield Rest(before.at + self._twice_s)
        now = take(session, query, last=True, rates=True)
        if self._twice_s is not None:
            yield Rest()  # until all others were looked at again
        elif self._keep_s is not None:
            before = self._earlier(now, self._keep_s)
        case, judgement = judged_alone(session, now, before, self._given.horizon, RULES)
        part = _Part()
        part.read = bool(now.counters) or any(now.tables.values())
        part.findings, part.unknown = judgement.findings, {one.code for one in judgement.unknown}
        part.sources = dict(sources_read(now, session.gaps))
        part.interval = case.seconds
        facts, top = Facts(now), self._given.top
        here = session.place is None and session.own
        if here and not self._everywhere:
            part.families = list(families(facts, top))
        else:
            # What is the host's is shown where the program was started, and is no namespace's.
            part.families = list(placed(families(facts, top, (NETNS,)), session.netns.label or ""))
            part.families += families(facts, top, (HOST,)) if here else ()
        yield part

    def _prepare(self) -> None:
        """Import what the workers need, once."""
        import sockdiag.analysis.metric_families
        import sockdiag.metrics.own  # noqa: F401
        from sockdiag.judging.registry import RULES
        from sockdiag.survey.diagnose import prepare

        prepare(RULES, rates=True)

    def _earlier(self, now: Look, keep_s: float) -> Look | None:
        """Return the look to compare with, and keep this one if it can be the next."""
        kept = [look for look in self._kept if now.at - look.at <= _STALE * keep_s]
        if len(kept) > 1 and now.at - kept[1].at >= keep_s:
            del kept[0]
        before = kept[0] if kept else None
        # Of the looks in between none is needed: the second takes the place of the first when it is old enough.
        self._kept = kept if len(kept) > 1 else [*kept, now]
        return before


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
