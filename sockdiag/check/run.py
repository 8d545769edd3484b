"""One run of ``check``: sample, compare with the last run, judge, and keep a baseline for the next run."""

from __future__ import annotations

import os
import time

from sockdiag.check.levels import Alert, alert_name, alerts_of, sustained, worst
from sockdiag.check.measured import alert_name as measure_name
from sockdiag.check.measured import measured, taken, usual
from sockdiag.check.request import check_request
from sockdiag.check.state import KEPT_S, State, place_of
from sockdiag.check.status import CHECK_OK, CHECK_UNKNOWN
from sockdiag.defaults import INTERVAL_S
from sockdiag.judging.declared import TABLES
from sockdiag.judging.judge import most_lack_data
from sockdiag.model.record import Record, field
from sockdiag.survey.diagnose import Examination, diagnose, judging

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sockdiag.check.entries import BaselineEntry, BaselinePlace
    from sockdiag.check.measured import Measured, Taken
    from sockdiag.check.options import CheckOptions
    from sockdiag.check.request import BoundedMeasure, CheckRequest
    from sockdiag.judging.case import Case
    from sockdiag.judging.judge import Judgement, NotJudged
    from sockdiag.model.sample import Sample
    from sockdiag.survey.reader import SystemReader

# Sources of gaps about finding and entering network namespaces.
_WHERE_NAMESPACES_ARE = ("/proc", "/proc/PID/ns/net")
_ENTERED = "setns"


class NamespaceResult(Record):
    """The result of a run in one network namespace, as sent between processes."""

    netns: str | None = field("Its label.")
    alerts: tuple[tuple[str, Alert], ...] = field("Findings with their plugin statuses, by the name of the alert.")
    measures: tuple[Taken, ...] = field("Values of the measures.")
    entry: BaselineEntry | None = field("Baseline for the next run.")
    raised: Mapping[str, int] = field("Alerts of the last run, by name.")
    note: str = field("Why there is no baseline, or another remark on it.")
    reset: tuple[str, ...] = field("Counters that were reset since the earlier sample.")
    seconds: float | None = field("Time between the samples.")
    hides_losses: bool = field("A source that counts losses could not be read.")


class _Past:
    """What earlier runs left of a namespace, compared with its sample.

    Attributes:
        state: the state file; None for a capture.
        place: the namespace as the state file identifies it; None for a capture.
        entry: what the last run left; None if it left nothing.
        before: the sample to compare with: the first of two, or the baseline of the last run.
        note: why there is no baseline, or the like.

    Args:
        paired: --interval asks for two samples, whether there is a baseline or not.
    """

    __slots__ = ("before", "entry", "note", "place", "state")

    def __init__(
        self, state: State | None, there: SystemReader, now: Sample, before: Sample | None, *, paired: bool
    ) -> None:
        self.state = state
        self.place: BaselinePlace | None = None
        self.entry: BaselineEntry | None = None
        self.before = before
        self.note = ""
        if state is None:
            self.note = "a capture is a single sample" if before is None else ""
            return
        self.place = place_of(there)
        self.entry, note = state.entry(self.place)
        if paired:
            return
        self.note = note
        if before is not None:
            if self.entry is not None:
                self.note = state.age(self.entry, before.at)[1]
            return
        if self.entry is not None:
            from sockdiag.check.baseline import recalled

            age, self.note = state.age(self.entry, now.at)
            self.before = None if age is None else recalled(self.entry.earlier, now, age)


def _examine(
    there: SystemReader,
    now: Sample,
    before: Sample | None,
    *,
    request: CheckRequest,
    drawn: tuple[BoundedMeasure, ...],
    state: State | None,
    paired: bool,
) -> Examination[NamespaceResult]:
    """Compare a namespace with its baseline from the last run, assign statuses to findings, and take the measures."""
    past = _Past(state, there, now, before, paired=paired)

    def results(case: Case, judgement: Judgement) -> Iterator[NamespaceResult]:
        from sockdiag.check.baseline import set_to_zero

        raised = past.entry.alerts if past.entry is not None else {}
        alerts = alerts_of(judgement.hits, raised, guarded=case.before is not None)
        alerts = sustained(case, alerts, raised, request.codes, judgement.present)
        reset = () if case.before is None else tuple(set_to_zero(case.before, case.now))
        yield NamespaceResult(
            case.netns,
            tuple((alert_name(a.finding), a) for a in alerts),
            tuple(taken(drawn, case.now, case.before)),
            _left(past, case, alerts),
            raised,
            past.note if request.compares else "",
            reset,
            case.seconds,
            any(one.hides_losses and one.part in case.now.absent for one in judgement.unknown),
        )

    return Examination(past.before, results)


def _left(past: _Past, case: Case, alerts: list[Alert]) -> BaselineEntry | None:
    """Return what this run leaves of a namespace for the next one."""
    from sockdiag.check.baseline import remembered
    from sockdiag.check.entries import BaselineEntry

    state, place, old = past.state, past.place, past.entry
    if state is None or place is None:
        return None
    at = state.boottime(case.now.at)
    raised = {alert_name(a.finding): a.status for a in alerts if a.status}
    clock = state.clock()
    if old is not None and 0 <= at - old.looked_at < KEPT_S:
        return BaselineEntry(state.question, place, old.looked_at, at, clock, old.earlier, raised)
    return BaselineEntry(state.question, place, at, at, clock, remembered(case.now), raised)


class Run:
    """One run.

    Args:
        survey: reads the system.
        options: what to check, and how.

    Attributes:
        status: plugin status.
        alerts: findings of all namespaces with their statuses.
        measures: measures that are compared or go to the performance data.
        namespaces: results of each network namespace, this process's own first.
        unknown: rules that lacked data.
        state: the state file; None for a capture.
        blind: this run has nothing to compare with, and neither will the next one.
        levels_only: there was a single sample, and some of the rules detect losses only by comparing two.
        lacks_data: so many rules lacked data that there is no verdict.
        not_sampled: why some network namespaces were not sampled, if all were asked for.
    """

    def __init__(self, survey: SystemReader, options: CheckOptions) -> None:
        self.survey = survey
        self.options = options
        self.request = check_request(options)
        self.began = time.monotonic()
        self.state: State | None = None
        if survey.system.files.live:
            path = options.state or options.own_state
            self.state = State(path, self.request.question, survey.system.clock, private=not options.state)
        # The two samples that a capture holds are compared as those of --interval are.
        recorded = survey.system.recorded_s if options.interval_s is None else None
        self.interval = recorded or options.interval_s
        self.drawn: tuple[BoundedMeasure, ...] = self.request.measures
        self.status = CHECK_UNKNOWN
        self.alerts: list[Alert] = []
        self.measures: list[Measured] = []
        self.namespaces: list[NamespaceResult] = []
        self.unknown: list[NotJudged] = []
        self.blind = False
        self.lacks_data = False
        self.levels_only = False
        self.not_sampled = ""

    def judge(self) -> None:
        """Sample, judge, and prepare a baseline for the next run."""
        if not self.drawn:
            self.drawn = usual()
        options, request = self.options, self.request
        recorded = bool(self.survey.system.moments) and options.interval_s is None
        found = diagnose(
            self.survey,
            judging(
                self.survey.system, None if recorded else options.interval_s or 0, options.horizon_s, request.codes
            ),
            self.survey.where,
            request.tables(TABLES),
            lambda there, now, before: _examine(
                there,
                now,
                before,
                request=request,
                drawn=self.drawn,
                state=self.state,
                paired=bool(self.interval),
            ),
            pace=self._pace,
        )
        self.unknown = found.unknown
        self.levels_only = found.levels_only
        self.namespaces = found.rows
        self.alerts = self._alerts()
        # Alerts that span all namespaces are kept with this process's own, which comes first.
        raised = self.namespaces[0].raised if self.namespaces else {}
        self.measures = [
            measured(one, [there.measures[i] for there in self.namespaces], raised) for i, one in enumerate(self.drawn)
        ]
        self._remember()
        self.status = self._status()

    def _pace(self, there: SystemReader) -> float | None:
        """Return the interval of a run in a namespace; None if there is a baseline to compare with, or nothing to compare."""
        if self.options.interval_s is not None or self.state is None:
            return self.interval or None
        if not self.request.needs_two_samples:
            return None
        entry, _note = self.state.entry(place_of(there))
        if entry is not None and self.state.age(entry, time.monotonic())[0] is not None:
            return None
        return INTERVAL_S

    @property
    def named_measures(self) -> list[Measured]:
        """Measures that the user named."""
        return self.measures if self.request.measures else []

    def _alerts(self) -> list[Alert]:
        found: list[Alert] = []
        seen = set()
        for there in self.namespaces:
            for name, alert in there.alerts:
                about = alert.finding.subject
                # A finding about a process as a whole is the same in every namespace that its sockets are in.
                if about.pid is not None and not about.sockets and about.inode is None and about.cookie is None:
                    if name in seen:
                        continue
                    seen.add(name)
                found.append(alert)
        return found

    def _remember(self) -> None:
        if self.state is None:
            return
        entries = [there.entry for there in self.namespaces if there.entry is not None]
        for one in self.named_measures:
            if entries and one.status not in (CHECK_OK, CHECK_UNKNOWN):
                alerts = {**entries[0].alerts, measure_name(one.bounded): one.status}
                entries[0] = entries[0]._replace(alerts=alerts)
        self.state.prepare(entries)

    def keep_baseline(self) -> None:
        """Save the baseline for the next run, which no longer sees the losses that this one reports."""
        if self.state is not None:
            self.state.commit()

    def _status(self) -> int:
        statuses = [a.status for a in self.alerts]
        statuses += [m.status for m in self.named_measures]
        strict = self.options.strict
        self.lacks_data = bool(self.unknown) and (
            self.request.named
            or strict
            or any(there.hides_losses for there in self.namespaces)
            or most_lack_data(self.unknown, len(self.request.codes))
        )
        # It would be so in every run, and losses would never be reported.
        self.blind = bool(
            self.request.compares
            and self.state is not None
            and self.state.problem
            and not self.options.interval_s
            and any(there.note for there in self.namespaces)
        )
        hidden = [gap for gap in self.survey.gaps if gap.source in (*_WHERE_NAMESPACES_ARE, _ENTERED)]
        if self.survey.everywhere and hidden:
            self.not_sampled = hidden[0].reason
            # Root reads all that can be read; some container hosts have a process that no user may inspect.
            if os.geteuid() != 0 or strict or any(gap.source == _ENTERED for gap in hidden):
                statuses.append(CHECK_UNKNOWN)
        if self.lacks_data or self.levels_only or self.blind or not self.namespaces:
            statuses.append(CHECK_UNKNOWN)
        return worst(statuses)
