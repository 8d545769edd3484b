"""Sample and judge for `metrics`, once or repeatedly, and return metric families."""

from __future__ import annotations

import os
import time

from sockdiag.defaults import HORIZON_S
from sockdiag.errors import SockdiagError, UsageError
from sockdiag.judging.declared import TWO_SAMPLES
from sockdiag.judging.registry import RULES
from sockdiag.model.record import LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sockdiag.judging.judge import NotJudged
    from sockdiag.model.finding import Finding
    from sockdiag.model.metric_family import MetricFamily
    from sockdiag.model.sample import Sample
    from sockdiag.survey.reader import SystemReader
    from sockdiag.survey.survey import Survey
    from sockdiag.survey.workers import Pause

# Listeners, UDP ports and devices that are shown one by one, by default.
TOP = 20
# An earlier sample older than this many intervals is too old to compare with.
_STALE = 20


class NothingRead(SockdiagError):
    """No part of a sample could be read."""


class Scraped:
    """The result of one scrape.

    Args:
        survey: holds the gaps, and the sources of the tables.
        families: the metric families.
        verdict: the worst of all findings.
        interval: seconds between the samples that were compared; None for a single sample.
    """

    __slots__ = ("families", "interval", "survey", "verdict")

    def __init__(self, survey: Survey, families: list[MetricFamily], verdict: str, interval: float | None) -> None:
        self.survey = survey
        self.families = families
        self.verdict = verdict
        self.interval = interval


class _ScrapedNamespace:
    """The result of one network namespace, as sent between processes."""

    __slots__ = ("families", "findings", "interval", "read", "sources", "unknown")

    def __init__(self) -> None:
        self.families: list[MetricFamily] = []
        self.findings: list[Finding] = []
        self.unknown: list[NotJudged] = []
        self.sources: dict[str, bool] = {}
        self.interval: float | None = None
        self.read = True


class ScrapeOptions(Record):
    """How a scrape samples and judges, and how much it shows."""

    interval_s: float | None = field("Seconds between two samples; None for a single one.", default=None)
    horizon_s: float = field("Seconds within which a trend that reaches its limit is a risk.", default=HORIZON_S)
    codes: tuple[str, ...] = field("Rules to run.", default=tuple(RULES), kind=LABEL)
    top: int = field("Listeners, UDP ports and devices that are shown one by one.", default=TOP)


class Scraper:
    """Samples and judges. If it does so repeatedly, it keeps two samples to compare later ones with.

    Each scrape is compared with an earlier sample that is at least an interval old, as soon as there is one. So every
    client, whenever it scrapes, sees the losses within the interval. With all namespaces no sample is kept, because the
    processes that enter them end: if there is an interval, each scrape takes two samples.

    Args:
        open_survey: opens the system, once for each scrape.
        options: what is scraped.
        keep_s: minimum number of seconds between the samples that repeated scrapes compare; None for a single scrape.
    """

    def __init__(self, open_survey: Callable[[], Survey], options: ScrapeOptions, keep_s: float | None = None) -> None:
        if options.top < 0:
            raise UsageError("--top takes 0 or more rows")
        self._open_survey = open_survey
        self._options = options
        self._again_s = keep_s
        self._kept: list[Sample] = []

    def scrape(self) -> Scraped:
        """Sample and judge.

        Raises:
            NothingRead: no part of the sample could be read.
        """
        from sockdiag.analysis.metric_families import joined, placed
        from sockdiag.judging.finding_metrics import judged_families
        from sockdiag.judging.judge import verdict_of
        from sockdiag.metrics.own import own_families
        from sockdiag.survey.per_namespace import in_each

        started, cpu = time.monotonic(), _cpu()
        survey = self._open_survey()
        keep_s = None if survey.everywhere else self._again_s
        twice_s = self._options.interval_s if keep_s is None else None
        if survey.everywhere:
            self._prepare()
        parts = list(in_each(survey, lambda there: self._steps(there, twice_s, keep_s, alone=not survey.everywhere)))
        if not any(part.read for part in parts):
            gap = survey.gaps[0] if survey.gaps else None
            raise NothingRead("nothing could be read" if gap is None else f"could not read {gap.source}: {gap.reason}")
        findings = [finding for part in parts for finding in part.findings]
        unknown = [one for part in parts for one in part.unknown]
        # A source counts as unread if it could not be read in one of the namespaces.
        sources: dict[str, bool] = {}
        for part in parts:
            sources.update((source, read and sources.get(source, True)) for source, read in part.sources.items())
        codes = self._options.codes
        single = parts[0].interval is None and any(code in TWO_SAMPLES for code in codes)
        verdict = verdict_of(findings, unknown, len(codes), levels_only=single)
        judged = judged_families(findings, {one.code for one in unknown}, verdict, codes)
        seconds, spent = time.monotonic() - started - (twice_s or 0.0), _cpu() - cpu
        own = own_families(sources, len(survey.gaps), survey.started, max(0.0, seconds), spent, parts[0].interval)
        if _is_named(survey):
            label = survey.netns.label or ""
            judged, own = list(placed(judged, label)), list(placed(own, label))
        return Scraped(survey, [*judged, *joined(part.families for part in parts), *own], verdict, parts[0].interval)

    def _steps(
        self, survey: SystemReader, twice_s: float | None, keep_s: float | None, *, alone: bool
    ) -> Iterator[Pause | _ScrapedNamespace]:
        from sockdiag.analysis.measures import Facts
        from sockdiag.analysis.metric_families import families, placed
        from sockdiag.metrics.own import sources_read
        from sockdiag.model.query import SKMEM
        from sockdiag.model.record import HOST, NETNS
        from sockdiag.survey.diagnose import first_sample, judge_sample, judge_since
        from sockdiag.survey.sample import take_sample
        from sockdiag.survey.workers import Pause

        where, codes = survey.where, self._options.codes
        query = survey.query([SKMEM], where)
        before, between = yield from first_sample(survey, query, where, twice_s)
        now = take_sample(survey, query, where)
        if twice_s is not None:
            yield Pause()  # until all others have been sampled again
        earlier = self._earlier(now, keep_s) if twice_s is None and keep_s is not None else None
        horizon = self._options.horizon_s
        if earlier is None:
            case, judgement = judge_sample(survey, now, before, horizon, codes, between)
        else:
            case, judgement = yield from judge_since(
                survey, query, where, now, earlier, lambda _later: earlier, horizon, codes
            )
            now = case.now
        part = _ScrapedNamespace()
        part.read = bool(now.counters) or any(now.tables.values())
        part.findings, part.unknown = judgement.findings, judgement.unknown
        part.sources = dict(sources_read(now, survey.gaps))
        part.interval = case.seconds
        facts, top = Facts(now), self._options.top
        here = not _is_named(survey) and survey.own
        if here and alone:
            part.families = list(families(facts, top))
        else:
            # Metrics of the host are shown once, by the namespace that the program was started in, and without a label.
            part.families = list(placed(families(facts, top, (NETNS,)), survey.netns.label or ""))
            part.families += families(facts, top, (HOST,)) if here else ()
        yield part

    def _prepare(self) -> None:
        """Import once what every worker needs."""
        import sockdiag.analysis.metric_families
        import sockdiag.metrics.own  # noqa: F401
        from sockdiag.survey.diagnose import prepare

        prepare(self._options.codes)

    def _earlier(self, now: Sample, keep_s: float) -> Sample | None:
        """Return the sample to compare with, and keep this one if it can be the next."""
        kept = [sample for sample in self._kept if now.at - sample.at <= _STALE * keep_s]
        if len(kept) > 1 and now.at - kept[1].at >= keep_s:
            del kept[0]
        before = kept[0] if kept else None
        # Samples in between are not needed: the second replaces the first when it is old enough.
        self._kept = kept if len(kept) > 1 else [*kept, now]
        return before


def _is_named(survey: SystemReader) -> bool:
    # --netns named it, now or when the capture was taken.
    return survey.place is not None or survey.netns.name is not None


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
