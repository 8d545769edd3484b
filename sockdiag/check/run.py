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
from sockdiag.judging.declared import TABLES
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


class _Comparison(Examination["NamespaceResult"]):
    """Compares a namespace with its baseline from the last run.

    Args:
        survey: reads the namespace.
        request: the rules and measures to check.
        drawn: measures to take.
        state: the state file; None for a capture.
    """

    def __init__(
        self, survey: SystemReader, request: CheckRequest, drawn: tuple[BoundedMeasure, ...], state: State | None
    ) -> None:
        super().__init__(survey)
        self._request = request
        self._drawn = drawn
        self._state = state
        self._place: BaselinePlace | None = None
        self._past: BaselineEntry | None = None
        self._note = ""

    def earlier(self, now: Sample, before: Sample | None) -> Sample | None:
        """Return the first of two samples, or the baseline of the last run."""
        from sockdiag.check.baseline import recalled

        if self._state is None:
            self._note = "a capture is a single sample" if before is None else ""
            return before
        self._place = place_of(self.survey)
        self._past, self._note = self._state.entry(self._place)
        if before is not None:
            self._note = ""
            return before
        if self._past is None:
            return None
        age, self._note = self._state.age(self._past, now.at)
        return None if age is None else recalled(self._past.earlier, now, age)

    def results(self, case: Case, judgement: Judgement) -> Iterator[NamespaceResult]:
        """Assign statuses to findings, and take the measures."""
        from sockdiag.check.baseline import set_to_zero

        raised = self._past.alerts if self._past is not None else {}
        alerts = alerts_of(judgement.hits, raised, guarded=case.before is not None)
        alerts = sustained(case, alerts, raised, self._request.codes)
        reset = () if case.before is None else tuple(set_to_zero(case.before, case.now))
        yield NamespaceResult(
            case.netns,
            tuple((alert_name(a.finding), a) for a in alerts),
            tuple(taken(self._drawn, case.now, case.before)),
            self._entry(case, alerts),
            raised,
            self._note if self._request.compares else "",
            reset,
            case.seconds,
        )

    def _entry(self, case: Case, alerts: list[Alert]) -> BaselineEntry | None:
        from sockdiag.check.baseline import remembered
        from sockdiag.check.entries import BaselineEntry

        state, place, old = self._state, self._place, self._past
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
        self.drawn: tuple[BoundedMeasure, ...] = self.request.measures
        self.status = CHECK_UNKNOWN
        self.alerts: list[Alert] = []
        self.measures: list[Measured] = []
        self.namespaces: list[NamespaceResult] = []
        self.unknown: list[NotJudged] = []
        self.blind = False
        self.lacks_data = False
        self.not_sampled = ""

    def judge(self) -> None:
        """Sample, judge, and keep a baseline for the next run."""
        if not self.drawn:
            self.drawn = usual()
        options, request = self.options, self.request
        found = diagnose(
            self.survey,
            judging(self.survey.system, options.interval_s, options.horizon_s, request.codes),
            self.survey.where,
            request.tables(TABLES),
            lambda there: _Comparison(there, request, self.drawn, self.state),
        )
        self.unknown = found.unknown
        self.namespaces = found.rows
        self.alerts = self._alerts()
        # Alerts that span all namespaces are kept with this process's own, which comes first.
        raised = self.namespaces[0].raised if self.namespaces else {}
        self.measures = [
            measured(one, [there.measures[i] for there in self.namespaces], raised) for i, one in enumerate(self.drawn)
        ]
        self._remember()
        self.status = self._status()

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
        self.state.save(entries)

    def _status(self) -> int:
        statuses = [a.status for a in self.alerts]
        statuses += [m.status for m in self.named_measures]
        strict = self.options.strict
        lacking = len(self.unknown)
        self.lacks_data = bool(lacking) and (self.request.named or strict or lacking * 2 > len(self.request.codes))
        # It would be so in every run, and losses would never be reported.
        self.blind = bool(
            self.request.compares
            and self.state is not None
            and self.state.problem
            and any(there.seconds is None for there in self.namespaces)
        )
        hidden = [gap for gap in self.survey.gaps if gap.source in (*_WHERE_NAMESPACES_ARE, _ENTERED)]
        if self.survey.everywhere and hidden:
            self.not_sampled = hidden[0].reason
            # Root reads all that can be read; some container hosts have a process that no user may inspect.
            if os.geteuid() != 0 or strict or any(gap.source == _ENTERED for gap in hidden):
                statuses.append(CHECK_UNKNOWN)
        if self.lacks_data or self.blind or not self.namespaces:
            statuses.append(CHECK_UNKNOWN)
        return worst(statuses)
