"""One run of ``check``: look, compare with the run before, judge, and say it in a line."""

from __future__ import annotations

import time

from sockdiag.cli.checking.levels import Alert, alert_name, alerts_of, badness_of, held, worst
from sockdiag.cli.exit import CHECK_OK, CHECK_UNKNOWN
from sockdiag.model.finding import INFO
from sockdiag.render.plugin_text import WORDS, number, perfdata, plugin_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from sockdiag.cli.checking.asked import Asked
    from sockdiag.cli.checking.measured import Measured
    from sockdiag.cli.checking.state import State
    from sockdiag.cli.env import Env
    from sockdiag.cli.session import Session
    from sockdiag.cli.spec import Given
    from sockdiag.model.look import Look
    from sockdiag.rules._judge import NotJudged


def answer(env: Env, given: Given) -> tuple[int, str]:
    """Run the check.

    Returns:
        The plugin status and what to write.

    Raises:
        SockdiagError: it is no verdict.
    """
    from sockdiag.cli.checking.asked import asked, check_times
    from sockdiag.cli.look import check_interval
    from sockdiag.cli.session import Session

    check_times(given)
    wanted = asked(given)
    session = Session(env, given)
    check_interval(session)
    return Run(session, wanted).outcome()


class Run:
    """One run.

    Args:
        session: its session.
        wanted: what is asked.
    """

    def __init__(self, session: Session, wanted: Asked) -> None:
        self.session = session
        self.given = session.given
        self.wanted = wanted
        self.began = time.monotonic()
        self.state: State | None = None
        self.note = ""
        self.alerts: list[Alert] = []
        self.unknown: list[NotJudged] = []
        self.measures: list[Measured] = []
        self.reset: list[str] = []
        self.seconds: float | None = None
        self.blind = False

    def outcome(self) -> tuple[int, str]:
        """Look, judge, remember, and say it."""
        now, before = self._looks()
        raised = self.state.entry.alerts if self.state is not None and self.state.entry is not None else {}
        self._judge(now, before, dict(raised))
        if self.state is not None:
            self._remember(now)
        status = self._status(before)
        return status, plugin_output(status, self._text(status), self._data(), self._lines())

    def _looks(self) -> tuple[Look, Look | None]:
        from sockdiag.analysis.baseline import recalled, set_to_zero
        from sockdiag.cli.checking.state import State
        from sockdiag.cli.look import TABLES, take
        from sockdiag.kernel.tcp_states import HASHED_STATES
        from sockdiag.model.query import SKMEM

        session, given = self.session, self.given
        where = session.where()
        query = session.query([SKMEM], where)
        tables = self.wanted.tables(TABLES)
        query = query._replace(
            tables=tuple(t for t in query.tables if t in tables), states=query.states & HASHED_STATES
        )
        if session.system.files.live:
            self.state = State(session, given.state or "", self.wanted.question)
            self.state.load()
        before = None
        if given.interval is not None:
            before = take(session, query, last=False, rates=True)
            time.sleep(max(0.0, given.interval - (time.monotonic() - before.at)))
        now = take(session, query, last=True, rates=True)
        if before is None and self.state is not None:
            age = self.state.age(now.at)
            if age is not None and self.state.entry is not None:
                before = recalled(self.state.entry.earlier, now, age)
            self.note = self.state.note if self.wanted.compares else ""
        elif before is None and self.wanted.compares:
            self.note = "a capture holds one look"
        if before is not None:
            self.reset = set_to_zero(before, now)
            self.seconds = now.at - before.at
        return now, before

    def _judge(self, now: Look, before: Look | None, raised: dict[str, int]) -> None:
        from sockdiag.cli.checking.measured import measured, usual
        from sockdiag.cli.look import case_of, judged

        case = case_of(self.session, now, before)
        if self.wanted.codes:
            judgement = judged(self.session, case, self.wanted.codes)
            self.unknown = judgement.unknown
            self.alerts = alerts_of(judgement.hits, raised, guarded=before is not None)
            self.alerts = held(case, self.alerts, raised, self.wanted.codes)
        self.measures = measured(self.wanted.measures or usual(), now, before, case.seconds, raised)

    def _remember(self, now: Look) -> None:
        from sockdiag.analysis.baseline import remembered
        from sockdiag.cli.checking.state import KEPT_S
        from sockdiag.model.baseline import Entry

        state = self.state
        assert state is not None
        at = state.boottime(now.at)
        alerts = {alert_name(a.finding): a.status for a in self.alerts if a.status}
        alerts.update(
            (m.alert_name, m.status) for m in self._asked_measures() if m.status not in (CHECK_OK, CHECK_UNKNOWN)
        )
        entry = Entry(
            state.question, state.place, at, at, self.session.env.clock(), remembered(now), alerts,
        )  # fmt: skip
        old = state.entry
        if old is not None and 0 <= at - old.looked_at < KEPT_S:
            entry = entry._replace(looked_at=old.looked_at, earlier=old.earlier)
        state.save(entry)

    def _asked_measures(self) -> list[Measured]:
        return self.measures if self.wanted.measures else []

    # Verdict

    def _status(self, before: Look | None) -> int:
        statuses = [a.status for a in self.alerts]
        statuses += [m.status for m in self._asked_measures()]
        if self._cannot_tell():
            statuses.append(CHECK_UNKNOWN)
        self.blind = bool(self.wanted.compares and self.state is not None and self.state.problem and before is None)
        if self.blind:
            # It would be so at each run, and losses would never be seen.
            statuses.append(CHECK_UNKNOWN)
        return worst(statuses)

    def _cannot_tell(self) -> bool:
        lacking = len(self.unknown)
        return bool(lacking) and (self.wanted.named or self.given.strict or lacking * 2 > len(self.wanted.codes))

    # Words

    def _text(self, status: int) -> str:
        parts = []
        problem = self.state.problem if self.state is not None else ""
        if self.blind and status == CHECK_UNKNOWN:
            parts.append(problem)
        said = [(badness_of(m.status), m.said()) for m in self._asked_measures() if m.status]
        said += [(badness_of(a.status), _headline(a)) for a in self._shown() if a.status]
        said.sort(key=lambda pair: -pair[0])
        if said:
            parts.append(said[0][1] + (f" (and {len(said) - 1} more)" if len(said) > 1 else ""))
        elif status == CHECK_OK or not self._cannot_tell():
            parts.append(self._good())
        if self.unknown:
            codes = ", ".join(one.code for one in self.unknown[:3])
            more = f" and {len(self.unknown) - 3} more" if len(self.unknown) > 3 else ""
            why = f" ({self.unknown[0].source}: {self.unknown[0].reason})" if self._cannot_tell() else ""
            parts.append(f"not judged: {codes}{more}{why}")
        few = [a for a in self.alerts if a.few]
        if few:
            parts.append(f"few losses: {', '.join(dict.fromkeys(a.finding.code for a in few))}")
        if self.reset:
            more = f" and {len(self.reset) - 1} more" if len(self.reset) > 1 else ""
            parts.append(f"set to zero since: {self.reset[0]}{more}")
        if self.note:
            parts.append(self.note)
        if problem and problem not in parts:
            parts.append(f"state not kept: {problem}")
        return "; ".join(parts)

    def _good(self) -> str:
        if self.wanted.measures:
            return ", ".join(m.said() for m in self.measures)
        judged = len(self.wanted.codes) - len(self.unknown)
        since = "" if self.seconds is None else f" in {number(round(self.seconds, 1))} s"
        return f"{judged} {'rule' if judged == 1 else 'rules'} found nothing{since}"

    def _shown(self) -> list[Alert]:
        """Return the alerts, worst first; what one process does at many sockets is one."""
        from sockdiag.rules._base import Hit
        from sockdiag.rules._group import by_cause

        alike: dict[tuple[int, bool, bool], list[Hit]] = {}
        for alert in self.alerts:
            alike.setdefault((alert.status, alert.few, alert.held), []).append(Hit(alert.finding))
        found = [
            Alert(finding, status, few=few, held=held)
            for (status, few, held), hits in alike.items()
            for finding in by_cause(hits)
        ]
        return sorted(found, key=lambda a: -badness_of(a.status))

    def _data(self) -> list[str]:
        data = [m.datum() for m in self.measures]
        if self.wanted.codes:
            for name, level in (("critical", 2), ("warning", 1)):
                data.append(perfdata(name, sum(a.status == level for a in self.alerts), least=0))
        data.append(perfdata("time", round(time.monotonic() - self.began, 3), "s", least=0, most=self.given.timeout))
        return data

    def _lines(self) -> list[str]:
        verbose = self.given.verbose
        if not verbose:
            return []
        lines = [f"{WORDS[m.status]} {m.said()}" for m in self._asked_measures()]
        for alert in self._shown():
            if alert.status or alert.few or verbose > 1:
                lines.append(_line(alert))
            if verbose > 2:
                lines += [f"    {name} {e.value} {e.unit} {e.source}" for name, e in alert.finding.evidence.items()]
        lines += [f"NOT JUDGED {one.code}: {one.source}: {one.reason}" for one in self.unknown]
        lines += [f"SET TO ZERO {name}" for name in self.reset] if verbose > 1 else []
        if verbose > 1:
            lines += [f"NOT SEEN {g.source}: {g.reason}{f'; {g.hint}' if g.hint else ''}" for g in self.session.gaps]
        if verbose > 2:
            lines += self._debug()
        return lines

    def _debug(self) -> Sequence[str]:
        lines = [f"SOURCE {table} {source or '-'}" for table, source in self.session.sources.items()]
        state = self.state
        if state is not None:
            lines.append(f"STATE {state.path}")
            lines.append(f"PLACE {state.place.boot_id} {state.place.netns}")
        lines.append(f"BASELINE {self.note or f'{number(round(self.seconds or 0, 3))} s ago'}")
        return lines


def _headline(alert: Alert) -> str:
    return f"{alert.finding.code}: {alert.finding.summary}{', not clearly better yet' if alert.held else ''}"


def _line(alert: Alert) -> str:
    finding = alert.finding
    word = WORDS[alert.status] if alert.status or finding.severity != INFO else "INFO"
    advice = " ".join(f"{one.action}{f' {one.command}' if one.command else ''}" for one in finding.advice)
    few = " (too few to raise an alert)" if alert.few else ""
    return f"{word} {_headline(alert)}{few}{'. ' if advice else ''}{advice}"
