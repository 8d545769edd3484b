"""A trace of drops beside the samples of a diagnosis: what is lost in between, in the kernel's words.

It runs in a process of its own, so that neither the samples nor the trace wait for each other.
"""

from __future__ import annotations

import time

from sockdiag import progress
from sockdiag.errors import SourceError, SourceTruncated
from sockdiag.model.provenance import Gap
from sockdiag.model.trace_event import DropTrace
from sockdiag.sources.system.detached import END, FAILED, DetachedWorker, error_of, wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from sockdiag.sources.system.detached import Channel
    from sockdiag.survey.reader import SystemReader

# Frames: the trace has begun; what it found.
_BEGUN, _FOUND = 2, 3
# A busy host takes its time to list sockets before, and to decide the last events after.
_PATIENCE_S = 60.0
_NAME = "trace"
NOTHING = DropTrace(None, None, None, None)


class TraceBeside:
    """Traces drops in the network namespace of a survey until it is asked for what it found; a context.

    Args:
        survey: the system; why nothing can be traced is a gap there.
        seconds: the least time that the trace takes.
    """

    def __init__(self, survey: SystemReader, seconds: float) -> None:
        self._survey = survey
        self._seconds = seconds
        self._worker: DetachedWorker | None = None
        try:
            self._worker = DetachedWorker(lambda line: _trace(survey.apart(), seconds, line), _NAME)
            self._hear(self._worker, _BEGUN, _PATIENCE_S)
        except SourceError as error:
            self._give_up(error)
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def found(self) -> DropTrace:
        """Wait until the time is over, end the trace, and return what it found; gaps are noted."""
        from pickle import loads

        worker = self._worker
        if worker is None:
            return NOTHING
        progress.pause(self._began + self._seconds - time.monotonic())
        try:
            worker.answer(b"")
            found, gaps = loads(self._hear(worker, _FOUND, _PATIENCE_S))  # noqa: S301 - the worker's own
        except SourceError as error:
            self._give_up(error)
            return NOTHING
        for gap in gaps:
            self._survey.note(gap)
        return found  # type: ignore[no-any-return]

    def _give_up(self, error: SourceError) -> None:
        gap = Gap.from_error(error)
        self._survey.note(gap._replace(source=gap.source or _NAME))
        self.__exit__()

    @staticmethod
    def _hear(worker: DetachedWorker, wanted: int, patience: float) -> bytes:
        until = time.monotonic() + patience
        while wait([worker], max(0.0, until - time.monotonic())):
            for kind, payload in worker.frames():
                if kind == wanted:
                    return payload
                if kind == FAILED:
                    raise error_of(payload)
                if kind == END:
                    raise SourceTruncated(_NAME, "the trace ended too early")
        raise SourceTruncated(_NAME, f"no answer within {patience:g} s")


def _trace(survey: SystemReader, seconds: float, line: Channel) -> None:
    from pickle import HIGHEST_PROTOCOL, dumps

    from sockdiag.analysis.trace_drops import DropSums
    from sockdiag.survey.trace import Tracer

    known = list(survey.gaps)
    sums = DropSums()
    told = False
    with Tracer(survey, ("drops",), None, socketless=True) as tracer:
        began = time.monotonic()
        line.emit(_BEGUN, b"")

        def left() -> float | None:
            nonlocal told
            told = told or line.told()
            rest = began + seconds - time.monotonic()
            return max(rest, 0.0) if told else None

        for batch in tracer.batches(left):
            for event in batch:
                sums.add(event)
        found = DropTrace(round(time.monotonic() - began, 3), tracer.lost(), sums.drops(), sums.others)
    gaps = [gap for gap in survey.gaps if gap not in known]
    line.emit(_FOUND, dumps((found, gaps), HIGHEST_PROTOCOL))
