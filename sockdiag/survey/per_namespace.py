"""Do the same in this network namespace, or with --netns all in each."""

from __future__ import annotations

import time

from sockdiag import progress
from sockdiag.survey.workers import Rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from sockdiag.survey.session import Session
    from sockdiag.survey.workers import Visit


def in_each(session: Session, steps: Callable[[Session], Iterable[Any]]) -> Iterator[Any]:
    """Yield what a function yields of each network namespace that is looked at, this process's own first.

    What the sessions of namespaces lack, and where they read tables, is noted with the session of the run.

    Args:
        session: the run.
        steps: is called with a session of each namespace, where --netns is not all with *session* itself. It yields
            :class:`~sockdiag.survey.workers.Rest` between two looks. In another namespace than this process's own it
            runs in another process, so that what it yields must be picklable, and what it does to variables is lost.
    """
    if session.everywhere is None:
        for item in steps(session):
            if isinstance(item, Rest):
                progress.pause(item.until - time.monotonic())
            else:
                yield item
        return

    def question(visit: Visit) -> Iterator[Any]:
        there = session.inside(visit)
        for item in steps(there):
            yield item if isinstance(item, Rest) else (item, None)
        yield None, (None if visit.own else visit.namespace.label, there.sources, there.gaps)

    for item, end in session.everywhere.each(question, session.once):
        if end is None:
            yield item
        else:
            session.learn(*end)
