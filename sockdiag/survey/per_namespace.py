"""Run one function in the network namespace of a survey, or in each of those that it covers."""

from __future__ import annotations

import time

from sockdiag import progress
from sockdiag.survey.workers import Pause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeVar

    from sockdiag.survey.reader import SystemReader
    from sockdiag.survey.workers import Visit

    T = TypeVar("T")


def in_each(survey: SystemReader, steps: Callable[[SystemReader], Iterable[Pause | T]]) -> Iterator[T]:
    """Yield the results of a function in each network namespace, this process's own first.

    The survey notes the gaps of the namespaces, and the sources of their tables.

    Args:
        survey: covers one namespace or several.
        steps: called with a survey of each namespace, or with *survey* itself if that covers only one. It yields a
            :class:`~sockdiag.survey.workers.Pause` between two samples. In namespaces other than this process's own it
            runs in a worker process: its results must be picklable, and assignments to outer variables are lost.
    """
    if survey.namespaces is None:
        for item in steps(survey):
            if isinstance(item, Pause):
                progress.pause(item.until - time.monotonic(), item.within)
            else:
                yield item
        return

    def question(visit: Visit) -> Iterator[Pause | tuple[T, None] | tuple[None, _End]]:
        there = survey.inside(visit)
        for item in steps(there):
            yield item if isinstance(item, Pause) else (item, None)
        # With only one namespace, gaps need not name it.
        label = None if visit.own or not survey.everywhere else visit.namespace.label
        yield None, (label, there.sources, there.gaps)

    for item, end in survey.namespaces.each(question, survey.host.answer):
        if end is None:
            yield item
        else:
            survey.learn(*end)


if TYPE_CHECKING:
    from sockdiag.model.provenance import Gap

    _End = tuple[str | None, dict[str, str | None], list[Gap]]
