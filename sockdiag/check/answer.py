"""One run of ``check``: look, compare with the run before, judge, and remember."""

from __future__ import annotations

import os
import time

from sockdiag.check.levels import Alert, alert_name, alerts_of, badness_of, held, worst
from sockdiag.check.state import KEPT_S, State, place_of
from sockdiag.cli.exit import CHECK_OK, CHECK_UNKNOWN
from sockdiag.model.record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.check.measured import Measured, Taken
    from sockdiag.check.request import Asked, Bounded
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Given
    from sockdiag.judging.case import Case
    from sockdiag.judging.judge import Judgement, NotJudged
    from sockdiag.model.baseline import Entry, Place
    from sockdiag.model.sample import Look
    from sockdiag.survey.session import Session


# Sources of gaps that tell of network namespaces: where they are found, and how they are entered.
_WHERE_NAMESPACES_ARE = ("/proc", "/proc/PID/ns/net")
_ENTERED = "setns"


def answer(env: Env, given: Given) -> tuple[int, str]:
    """Run the check.

    Returns:
        The plugin status and what to write.

    Raises:
        SockdiagError: it is no verdict.
    """
    from sockdiag.check.request import asked, check_times
    from sockdiag.check.status_line import output
    from sockdiag.survey.session import Session

    check_times(given)
    run = Run(Session(env, given), asked(given))
    run.judge()
    return run.status, output(run)


class There(Record):
    """What a run knows of one network namespace; it travels between processes."""

    netns: str | None = field("Its label.")
    alerts: tuple[tuple[str, Alert], ...] = field("Alerts of the rules by name, and what they found besides.")
    measures: tuple[Taken, ...] = field("Values of the measures.")
    entry: Entry | None = field("What is left for the next run.")
    note: str = field("Why there is no baseline, or the like.")
    reset: tuple[str, ...] = field("Counters that were set to zero since the look before.")
    seconds: float | None = field("Time between the looks.")


class Run:
    """One run.

    Args:
        session: its session.
        wanted: what is asked.

    Attributes:
        status: plugin status.
        alerts: what the rules found, in all namespaces.
        measures: measures that are compared or drawn.
        places: what is known of each namespace, this process's own first.
        unknown: rules that could not tell.
        state: the state file; None of a captured system.
        blind: it cannot compare, and neither will the next run.
        cannot_tell: so many rules could not tell that it is no verdict.
        unseen: why some network namespaces were not looked at, of all that were asked for.
    """

    def __init__(self, session: Session, wanted: Asked) -> None:
        self.session = session
        self.given = session.given
        self.wanted = wanted
        self.began = time.monotonic()
        self.state: State | None = None
        if session.system.files.live:
            self.state = State(session, self.given.state or "", wanted.question)
        self.drawn: tuple[Bounded, ...] = wanted.measures
        self.status = CHECK_UNKNOWN
        self.alerts: list[Alert] = []
        self.measures: list[Measured] = []
        self.places: list[There] = []
        self.unknown: list[NotJudged] = []
        self.blind = False
        self.cannot_tell = False
        self.unseen = ""
        # Of the namespace that is just being looked at, in the process that looks at it.
        self._place: Place | None = None
        self._past: Entry | None = None
        self._note = ""

    def judge(self) -> None:
        """Look, judge, and leave what the next run compares with."""
        from sockdiag.check.measured import measured, usual
        from sockdiag.survey.diagnose import verdicts
        from sockdiag.survey.sample import TABLES

        if not self.drawn:
            self.drawn = usual()
        found = verdicts(
            self.session,
            self.session.where(),
            self.wanted.tables(TABLES),
            codes=self.wanted.codes,
            rows=self._there,
            earlier=self._earlier,
        )
        self.unknown = found.unknown
        self.places = found.rows
        self.alerts = self._alerts()
        # What spans all namespaces is remembered with this process's own.
        raised = self._past.alerts if self._past is not None else {}
        self.measures = [
            measured(one, [there.measures[i] for there in self.places], raised) for i, one in enumerate(self.drawn)
        ]
        self._remember()
        self.status = self._status()

    @property
    def asked_measures(self) -> list[Measured]:
        """Measures that were asked for."""
        return self.measures if self.wanted.measures else []

    # In each namespace

    def _earlier(self, there: Session, now: Look, before: Look | None) -> Look | None:
        """Return the look to compare with."""
        from sockdiag.analysis.baseline import recalled

        self._place = self._past = None
        self._note = ""
        if self.state is None:
            self._note = "a capture holds one look" if before is None else ""
            return before
        self._place = place_of(there)
        self._past, self._note = self.state.entry(self._place)
        if before is not None:
            self._note = ""
            return before
        if self._past is None:
            return None
        age, self._note = self.state.age(self._past, now.at)
        return None if age is None else recalled(self._past.earlier, now, age)

    def _there(self, case: Case, judgement: Judgement) -> Iterator[There]:
        """Give what the rules found its statuses, and take the measures."""
        from sockdiag.analysis.baseline import set_to_zero
        from sockdiag.check.measured import taken

        raised = self._past.alerts if self._past is not None else {}
        alerts = alerts_of(judgement.hits, raised, guarded=case.before is not None)
        alerts = held(case, alerts, raised, self.wanted.codes)
        reset = () if case.before is None else tuple(set_to_zero(case.before, case.now))
        yield There(
            case.netns,
            tuple((alert_name(a.finding), a) for a in alerts),
            tuple(taken(self.drawn, case.now, case.before)),
            self._entry(case, alerts),
            self._note if self.wanted.compares else "",
            reset,
            case.seconds,
        )

    def _entry(self, case: Case, alerts: list[Alert]) -> Entry | None:
        from sockdiag.analysis.baseline import remembered
        from sockdiag.model.baseline import Entry

        if self.state is None or self._place is None:
            return None
        at = self.state.boottime(case.now.at)
        raised = {alert_name(a.finding): a.status for a in alerts if a.status}
        clock = self.session.env.clock()
        old = self._past
        if old is not None and 0 <= at - old.looked_at < KEPT_S:
            return Entry(self.state.question, self._place, old.looked_at, at, clock, old.earlier, raised)
        return Entry(self.state.question, self._place, at, at, clock, remembered(case.now), raised)

    # Of all namespaces

    def _alerts(self) -> list[Alert]:
        found: list[Alert] = []
        seen = set()
        for there in self.places:
            for name, alert in there.alerts:
                about = alert.finding.subject
                # What is wrong with a process as a whole is the same wherever its sockets are.
                if about.pid is not None and not about.sockets and about.inode is None and about.cookie is None:
                    if name in seen:
                        continue
                    seen.add(name)
                found.append(alert)
        return found

    def _remember(self) -> None:
        from sockdiag.check.measured import alert_name as measure_name

        if self.state is None:
            return
        entries = [there.entry for there in self.places if there.entry is not None]
        for one in self.asked_measures:
            if entries and one.status not in (CHECK_OK, CHECK_UNKNOWN):
                alerts = {**entries[0].alerts, measure_name(one.bounded): one.status}
                entries[0] = entries[0]._replace(alerts=alerts)
        self.state.save(entries)

    def _status(self) -> int:
        statuses = [a.status for a in self.alerts]
        statuses += [m.status for m in self.asked_measures]
        lacking = len(self.unknown)
        self.cannot_tell = bool(lacking) and (
            self.wanted.named or self.given.strict or lacking * 2 > len(self.wanted.codes)
        )
        # It would be so at each run, and losses would never be seen.
        self.blind = bool(
            self.wanted.compares
            and self.state is not None
            and self.state.problem
            and any(there.seconds is None for there in self.places)
        )
        hidden = [gap for gap in self.session.gaps if gap.source in (*_WHERE_NAMESPACES_ARE, _ENTERED)]
        if self.session.everywhere is not None and hidden:
            self.unseen = hidden[0].reason
            # Root looks wherever one can; some container hosts have a process that nobody may look into.
            if os.geteuid() != 0 or self.given.strict or any(gap.source == _ENTERED for gap in hidden):
                statuses.append(CHECK_UNKNOWN)
        if self.cannot_tell or self.blind or not self.places:
            statuses.append(CHECK_UNKNOWN)
        return worst(statuses)


def worst_first(alerts: list[Alert]) -> list[Alert]:
    """Order alerts, and put together what one process does at many sockets."""
    from sockdiag.judging.case import Hit
    from sockdiag.judging.group import by_cause

    alike: dict[tuple[int, bool, bool], list[Hit]] = {}
    for alert in alerts:
        alike.setdefault((alert.status, alert.few, alert.held), []).append(Hit(alert.finding))
    found = [
        Alert(finding, status, few=few, held=kept)
        for (status, few, kept), hits in alike.items()
        for finding in by_cause(hit.finding for hit in hits)
    ]
    return sorted(found, key=lambda a: -badness_of(a.status))
