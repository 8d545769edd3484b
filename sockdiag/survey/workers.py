"""Run a question in many network namespaces: a few worker processes enter one namespace after the other.

A question that takes two samples pauses in between. The workers take the first sample in every namespace and then return
for the second, so the interval is the same everywhere and passes only once. The data that a worker reads stays in its
process; only the results of the question are sent here. docs/processes.md has a drawing.

A worker visits many namespaces because starting a process for each would take longer than reading most of them, and 200
processes waiting for their second sample would hold a gigabyte. (/proc/net follows setns(2) in all kernels except 4.20
to 5.9 without the fixes c6c75deda813 and 1fde6f21d90f.)
"""

from __future__ import annotations

import os
from collections import deque
from errno import ENOENT, ETIMEDOUT
from struct import Struct
from time import monotonic

from sockdiag import progress
from sockdiag.errors import SourceError, SourceTruncated, SourceUnavailable
from sockdiag.sources.namespaces import netns
from sockdiag.sources.system.detached import ASKED, END, FAILED, DetachedWorker, error_of, packed, unforeseen, wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from sockdiag.model.provenance import Namespace
    from sockdiag.sources.namespaces.search import FoundNamespace
    from sockdiag.sources.system.detached import Channel
    from sockdiag.sources.system.machine import System

    Question = Callable[["Visit"], Iterable[Any]]
    Answer = Callable[[Any], Any]

# Frames; each begins with the number of the namespace.
_AT, _ITEM, _DONE, _MISSED = 2, 3, 4, 5
_NUMBER = Struct("=I")
_POSITION = Struct("=Id")  # and for how many seconds the worker will be silent

# More workers than CPUs finish no sooner.
_MOST_WORKERS = 8


class Pause:
    """Yielded by a question between two samples. Its results must come after its last pause.

    Args:
        until: earliest time on the monotonic clock at which the question continues; it waits for all others to pause too.
        within: begin and end of the interval that this pause is a part of, for progress; None if it is all of it.
    """

    __slots__ = ("until", "within")

    def __init__(self, until: float = 0.0, within: tuple[float, float] | None = None) -> None:
        self.until = until
        self.within = within


class Visit:
    """A namespace that a question is asked in.

    Attributes:
        system: the system, as seen from that namespace.
        namespace: the namespace.
        place: its name, or a file by which to enter it; None for this process's own.
        own: it is this process's own. Otherwise the question runs in another process: its results must be picklable,
            and assignments to outer variables are lost.
        ask: asks the main process for facts that are read once; question and answer must be picklable.
    """

    __slots__ = ("ask", "namespace", "own", "place", "system")

    def __init__(self, system: System, namespace: Namespace, ask: Answer, path: str | None = None) -> None:
        self.system = system
        self.namespace = namespace
        self.place = None if path is None else namespace.name or path
        self.ask = ask
        self.own = path is None


class WorkerPool:
    """The workers that run a question in namespaces other than this process's own; they start at once.

    Args:
        places: the namespaces.
        question: called with a visit of each.
        answer: answers questions from the visits.
        system: the running system, which looks different from within each namespace.
    """

    def __init__(self, places: list[FoundNamespace], question: Question, answer: Answer, system: System) -> None:
        import ctypes  # noqa: F401  # for setns(2) before Python 3.12: once, not in each worker
        import pickle  # noqa: F401

        self._system = system
        self._question = question
        self._answer = answer
        self._queues: list[deque[tuple[int, bytes]]] = [deque() for _ in places]
        # Namespaces that gave results, and those that a worker died in: the latter are asked once more, unless they had.
        self._heard: set[int] = set()
        self._died: set[int] = set()
        count = min(_MOST_WORKERS, (os.cpu_count() or 1) + 1, len(places))
        numbered = list(enumerate(places))
        self._workers = [_Worker(numbered[first::count]) for first in range(count)]
        for worker in self._workers:
            self._start(worker)

    def results(self, number: int) -> Iterator[Any]:
        """Yield the results of the question in a namespace; to be called for each in turn.

        Raises:
            SourceUnavailable: the namespace has gone.
            SourceDenied: it may not be entered.
            SourceTruncated: results may be missing: no answer came in time, or the worker died, also when asked again.
        """
        from pickle import loads

        worker = self._workers[number % len(self._workers)]
        queue = self._queues[number]
        while True:
            while queue:
                kind, payload = queue.popleft()
                if kind == _DONE:
                    return
                if kind == _MISSED:
                    raise error_of(payload)
                yield loads(payload)  # noqa: S301 - the worker's own
            self._hear(worker)

    def serve(self, until: float, within: tuple[float, float] | None = None) -> None:
        """Answer the workers' questions until a time on the monotonic clock; *within* as in :class:`Pause`."""
        first, last = within or (monotonic(), until)
        while (seconds := until - monotonic()) > 0:
            progress.step("seconds of the interval", int(until - first - seconds), round(last - first))
            listening = [w for w in self._workers if w.child is not None and not self._behind(w)]
            self._dispatch(listening, seconds)

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            if worker.child is not None:
                worker.child.close()

    def _start(self, worker: _Worker) -> None:
        worker.at = worker.left[0][0]
        worker.until = monotonic() + netns.TIMEOUT_S
        system, places, question = self._system, list(worker.left), self._question
        try:
            worker.child = DetachedWorker(lambda line: _run(system, places, question, line), "network namespaces")
        except SourceError as error:
            worker.child = None
            for number, _place in worker.left:
                self._queues[number].append((_MISSED, packed(error)))
            worker.left.clear()

    def _behind(self, worker: _Worker) -> bool:
        # Results for later stay in the pipe.
        return any(self._queues[number] for number, _place in worker.places)

    def _hear(self, worker: _Worker) -> None:
        others = [w for w in self._workers if w is not worker and w.child is not None and not self._behind(w)]
        left = sum(len(w.left) for w in self._workers)
        progress.step("network namespaces", len(self._queues) - left, len(self._queues))
        self._dispatch([worker, *others], worker.until - monotonic())
        if worker.left and monotonic() >= worker.until:
            self._lost(worker, f"no answer within {netns.TIMEOUT_S:g} s", ETIMEDOUT)

    def _dispatch(self, workers: list[_Worker], seconds: float) -> None:
        by_child = {w.child: w for w in workers if w.child is not None}
        if progress.watched():
            seconds = min(seconds, progress.PIECE_S)
        for child in wait(by_child, max(0.0, seconds)):
            worker = by_child[child]
            worker.until = monotonic() + netns.TIMEOUT_S
            for kind, payload in child.frames():
                self._frame(worker, child, kind, payload)
            if child.ended and worker.left:
                self._died_in(worker)
            elif child.ended:
                child.close()
                worker.child = None

    def _frame(self, worker: _Worker, child: Any, kind: int, payload: bytes) -> None:
        from pickle import HIGHEST_PROTOCOL, dumps, loads

        if kind == ASKED:
            child.answer(dumps(self._answer(loads(payload)), HIGHEST_PROTOCOL))  # noqa: S301 - the worker's own
        elif kind == _AT:
            worker.at, seconds = _POSITION.unpack(payload)
            worker.until = monotonic() + netns.TIMEOUT_S + seconds
        elif kind not in (END, FAILED):
            (number,) = _NUMBER.unpack_from(payload)
            self._queues[number].append((kind, payload[_NUMBER.size :]))
            if kind == _ITEM:
                self._heard.add(number)
            else:
                worker.left = [one for one in worker.left if one[0] != number]

    def _died_in(self, worker: _Worker) -> None:
        # Who ends all processes of a namespace ends its visitor, too, and not by intention.
        number = worker.at
        if number in self._died or number in self._heard or all(one != number for one, _place in worker.left):
            self._lost(worker, "worker process died", None)
            return
        self._died.add(number)
        assert worker.child is not None
        worker.child.close()
        self._start(worker)

    def _lost(self, worker: _Worker, reason: str, number: int | None) -> None:
        """Give up the namespace that a worker was in, and start another worker for the remaining ones."""
        assert worker.child is not None
        worker.child.close()
        worker.child = None
        place = next((p for n, p in worker.left if n == worker.at), None)
        if place is None:
            worker.at, place = worker.left[0]
        error = SourceTruncated(place.path, reason, number)
        self._queues[worker.at].append((_MISSED, packed(error)))
        worker.left = [one for one in worker.left if one[0] != worker.at]
        if worker.left:
            self._start(worker)


class _Worker:
    """A process and its namespaces: those it has not finished, the current one, and its deadline for a sign of life."""

    __slots__ = ("at", "child", "left", "places", "until")

    def __init__(self, places: list[tuple[int, FoundNamespace]]) -> None:
        self.places = places
        self.left = places
        self.child: DetachedWorker | None = None
        self.at = 0
        self.until = 0.0


def _run(system: System, places: list[tuple[int, FoundNamespace]], question: Question, line: Channel) -> None:
    from pickle import HIGHEST_PROTOCOL, dumps, loads

    def ask(what: Any) -> Any:
        return loads(line.ask(dumps(what, HIGHEST_PROTOCOL)))  # noqa: S301

    def begin(place: FoundNamespace) -> Iterator[Any]:
        path = _enter(system, place)
        return iter(question(Visit(system, place.namespace, ask, path)))

    def step(number: int, place: FoundNamespace, steps: Iterator[Any] | None) -> tuple[Iterator[Any], float] | None:
        """Continue until the next pause; return None if there is none."""
        line.emit(_AT, _POSITION.pack(number, 0.0))
        try:
            if steps is None:
                steps = begin(place)
            else:
                _enter(system, place)
            for item in steps:
                if isinstance(item, Pause):
                    return steps, item.until
                line.emit(_ITEM, _NUMBER.pack(number) + dumps(item, HIGHEST_PROTOCOL))
        except SourceError as error:
            line.emit(_MISSED, _NUMBER.pack(number) + packed(error))
        except Exception as error:  # no error may affect the other namespaces
            line.emit(_MISSED, _NUMBER.pack(number) + packed(unforeseen(error)))
        else:
            line.emit(_DONE, _NUMBER.pack(number))
        return None

    going: list[tuple[int, FoundNamespace, Iterator[Any] | None, float]] = [(n, p, None, 0.0) for n, p in places]
    while going:
        resting: list[tuple[int, FoundNamespace, Iterator[Any] | None, float]] = []
        for number, place, steps, until in going:
            if (seconds := until - monotonic()) > 0:
                line.emit(_AT, _POSITION.pack(number, seconds))
                line.rest(until)
            paused = step(number, place, steps)
            if paused is not None:
                resting.append((number, place, *paused))
        going = resting


def _enter(system: System, place: FoundNamespace) -> str:
    """Enter a namespace by the first of its files that still leads there, and return that file.

    Raises:
        SourceUnavailable: none does.
        SourceDenied: it may not be entered.
    """
    missing = SourceUnavailable(place.path, "the namespace no longer exists", ENOENT)
    for path in place.paths:
        try:
            netns.enter(path)
        except SourceUnavailable as error:
            missing = error  # such as: the process has ended
            continue
        # Its number may belong to another process by now, elsewhere.
        if netns.inode_of(system.files) == place.namespace.inode:
            return path
    raise missing
