"""Look at a system at regular intervals, and judge what changed since the last look."""

from __future__ import annotations

import time

from sockdiag.model.query import OWNERS, TCP_INFO
from sockdiag.survey.pacing import STANDING_AFTER
from sockdiag.top.locks import unblocked
from sockdiag.top.look import Look, part_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from sockdiag.analysis.memory import ProtocolMemory
    from sockdiag.filter.where import Where
    from sockdiag.judging.case import Case
    from sockdiag.judging.judge import Judgement
    from sockdiag.model.sample import Sample
    from sockdiag.survey.diagnose import Diagnosis, Examination
    from sockdiag.survey.reader import SystemReader
    from sockdiag.survey.survey import Survey
    from sockdiag.top.look import Part
    from sockdiag.top.playback import Playback

# When probes are taken between two looks, in parts of the interval.
_PROBES = (0.3, 0.62, 0.84)
# After a look that had nothing to compare with, the next comes so soon.
_SOON_S = 1.0
_ONE_BY_ONE = frozenset((OWNERS, TCP_INFO))


class Watch:
    """Takes one look after another.

    Of a single network namespace the sample of the last look is the one to compare with: each look takes one sample, and
    probes in between. Of several, and in another one, workers take two samples per look.

    Args:
        survey: the system.
        interval_s: seconds between two looks.
        codes: rules to judge by; None for all.
        horizon_s: seconds within which a trend counts.
        needs: parts of sockets that their columns show, besides those that are judged.
        playback: the recording that is played; None for a running system or a capture.
    """

    def __init__(
        self,
        survey: Survey,
        interval_s: float,
        codes: tuple[str, ...] | None = None,
        horizon_s: float = 3600.0,
        needs: Iterable[str] = (),
        playback: Playback | None = None,
    ) -> None:
        self.survey = survey
        self.interval_s = interval_s
        self.where: Where | None = survey.where
        self._codes = codes
        self._horizon_s = horizon_s
        self.needs = frozenset(needs)
        # What the column that sockets are sorted by needs of all of them.
        self.sorting: frozenset[str] = frozenset()
        self.playback = playback
        self._before: Sample | None = None
        self._probes: list[Sample] = []
        # The next look compares with this one for the first time.
        self._fresh = True

    def narrow(self, where: Where | None) -> None:
        """Judge and show only the sockets that match a filter; all of them with None."""
        self.where = where
        self._before, self._probes, self._fresh = None, [], True

    def wait_s(self) -> float | None:
        """Return the seconds from the last look to the next; None if none is due.

        A look that had nothing to compare with shows no losses, so the next one comes soon.
        """
        if self.playback is not None:
            return self.playback.wait_s()
        return min(_SOON_S, self.interval_s) if self._fresh and self._compares else self.interval_s

    @property
    def _compares(self) -> bool:
        """Whether each look is compared with the one before, instead of with a sample of its own."""
        return self.survey.namespaces is None and self.survey.system.files.live

    def advance(self, passed_s: float) -> None:
        """Take note that the next look is due, some seconds after the last."""
        if self.playback is not None:
            self.playback.advance(passed_s)

    def look(self) -> Look:
        """Take a look now.

        Raises:
            SourceError: the network namespace no longer exists, or may not be entered.
        """
        started = time.process_time()
        survey = self.survey
        unblocked(survey)
        place = None
        if self.playback is not None:
            place = self.playback.number
            from sockdiag.survey.opening import in_namespace

            survey.move(in_namespace(self.playback.system(), survey.options.netns))
        else:
            survey.renew()
        if self._compares:
            self._fresh = self._before is None
            found, parts, memory = self._here()
        else:
            found, parts, memory = self._elsewhere()
        look = Look(survey.started, found, parts, memory, survey.gaps, time.process_time() - started)
        look.place = place
        look.soon = self._compares and self._fresh
        return look

    def probe(self) -> None:
        """Read what shows whether queues are served; between two looks, a few times."""
        if self._before is None or self.survey.namespaces is not None:
            return
        from sockdiag.survey.sample import judged_query, take_probe

        unblocked(self.survey)
        self._probes.append(take_probe(self.survey, judged_query(self.survey, self.where), self.where))
        if len(self._probes) == STANDING_AFTER:
            from sockdiag.survey.diagnose import note_turns

            note_turns(self.survey, self._before, self._probes, self.survey.host)

    def probes_at(self) -> list[float]:
        """Return the seconds after a look at which probes are due."""
        wait = self.wait_s()
        return [] if wait is None or self.playback is not None else [part * wait for part in _PROBES]

    def _here(self) -> tuple[Diagnosis[Any], list[Part], list[ProtocolMemory]]:
        from sockdiag.survey.diagnose import Judging, diagnose_samples
        from sockdiag.survey.sample import judged_query, take_sample

        survey = self.survey
        query = judged_query(survey, self.where)
        # tcp_info and owners of the rows on the screen are read one by one: the first takes socket locks, the second looks at all processes.
        query = query._replace(needs=query.needs | (self.needs - _ONE_BY_ONE) | self.sorting)
        now = take_sample(survey, query, self.where)
        how = Judging(self._codes, None, self._horizon_s)
        found = diagnose_samples(survey, now, self._before, tuple(self._probes), how, _examine)
        self._before, self._probes = now, []
        return _taken_apart(found)

    def _elsewhere(self) -> tuple[Diagnosis[Any], list[Part], list[ProtocolMemory]]:
        from sockdiag.judging.declared import TABLES
        from sockdiag.survey.diagnose import Judging, diagnose

        survey = self.survey
        live = survey.system.files.live
        interval = min(1.0, self.interval_s) if live else survey.system.recorded_s
        found = diagnose(
            survey,
            Judging(self._codes, interval or None, self._horizon_s),
            self.where,
            TABLES,
            _examine,
            needs=(self.needs - {OWNERS}) | self.sorting,
        )
        return _taken_apart(found)


def _taken_apart(found: Diagnosis[Any]) -> tuple[Diagnosis[Any], list[Part], list[ProtocolMemory]]:
    parts = [part for part, _memory in found.rows]
    memory: list[ProtocolMemory] = next((memory for _part, memory in found.rows if memory), [])
    return found, parts, memory


def _examine(there: SystemReader, now: Sample, before: Sample | None) -> Examination[Any]:
    from sockdiag.survey.diagnose import Examination
    from sockdiag.survey.host import protocol_memory

    memory = list(protocol_memory(there, now)) if there.own else []

    def results(case: Case, judgement: Judgement) -> list[Any]:
        return [(part_of(case, judgement, own=there.own), memory)]

    return Examination(before, results)
