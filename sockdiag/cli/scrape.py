"""Look and judge for `metrics`, once or again and again, and give what was seen as families."""

from __future__ import annotations

import time

from sockdiag.errors import SockdiagError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockdiag.cli.env import Env
    from sockdiag.cli.session import Session
    from sockdiag.cli.spec import Given
    from sockdiag.model.family import Family
    from sockdiag.model.look import Look

# An earlier look that is this many intervals old tells of another time, and nothing is compared with it.
_STALE = 20


class NothingRead(SockdiagError):
    """No part of a look could be read."""


class Scraped:
    """What one look came to.

    Args:
        session: the run, with gaps and sources.
        families: what is shown.
        verdict: the worst of all findings.
        interval: seconds since the look that it was compared with, None where there was none.
    """

    __slots__ = ("families", "interval", "session", "verdict")

    def __init__(self, session: Session, families: list[Family], verdict: str, interval: float | None) -> None:
        self.session = session
        self.families = families
        self.verdict = verdict
        self.interval = interval


class Scraper:
    """Looks, and keeps the look that the next one is compared with.

    The earlier look is at least an interval old where there is one of that age: whoever scrapes, at whatever times, all are told
    what was lost within the interval.

    Args:
        env: the program's surroundings.
        given: the command line.
        interval: seconds between the looks that are compared; None: none are.
    """

    def __init__(self, env: Env, given: Given, interval: float | None) -> None:
        if given.top < 0:
            raise UsageError("--top takes 0 or more rows")
        self._env = env
        self._given = given
        self._interval = interval
        self._base: Look | None = None

    def begin(self) -> None:
        """Take the look that the first one is compared with."""
        from sockdiag.cli.session import Session

        self._base = self._take(Session(self._env, self._given), last=False)

    def _take(self, session: Session, *, last: bool) -> Look:
        from sockdiag.cli.look import take
        from sockdiag.model.query import SKMEM

        return take(session, session.query([SKMEM]), last=last, rates=self._interval is not None)

    def scrape(self) -> Scraped:
        """Look and judge.

        Raises:
            NothingRead: no part of the look could be read.
        """
        from sockdiag.analysis.families import families, placed
        from sockdiag.analysis.measures import Facts
        from sockdiag.cli.look import case_of, unknown_as_gaps
        from sockdiag.cli.metrics_own import own_families
        from sockdiag.cli.session import Session
        from sockdiag.rules._families import judged_families
        from sockdiag.rules._judge import judge

        started, cpu = time.monotonic(), time.process_time()
        session = Session(self._env, self._given)
        now = self._take(session, last=True)
        if not now.counters and not any(now.tables.values()):
            raise NothingRead(session.gaps[0].reason if session.gaps else "nothing could be read")
        before = self._earlier(now)
        case = case_of(session, now, before)
        judgement = judge(case)
        unknown_as_gaps(session, judgement)
        told: Iterable[Family] = (*judged_families(judgement), *families(Facts(now), self._given.top, own=self._own))
        if not self._own:
            told = placed(told, session.netns.label or "")
        seconds, spent = time.monotonic() - started, time.process_time() - cpu
        own = own_families(now, session.gaps, session.started, seconds, spent, case.seconds)
        if not self._own:
            own = list(placed(own, session.netns.label or ""))
        return Scraped(session, [*told, *own], judgement.verdict(), case.seconds)

    @property
    def _own(self) -> bool:
        # What is the host's belongs to the exposition of the namespace that the program was started in.
        return self._given.netns is None

    def _earlier(self, now: Look) -> Look | None:
        if self._interval is None:
            return None
        before, age = self._base, 0.0
        if before is not None:
            age = now.at - before.at
            if age > _STALE * self._interval:
                before = None
        if before is None or age >= self._interval:
            self._base = now
        return before
