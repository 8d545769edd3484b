"""Ask a question in many network namespaces: a few worker processes enter one after the other.

A question that takes two samples pauses in between. The workers take the first sample in every namespace and then come
back for the second, so that the same interval lies between the two everywhere, and passes only once. What a worker has
read stays with it; only what the question yields comes here. docs/processes.md draws this.

A worker visits many namespaces because starting a process for each costs more than most of them have to say, and 200
processes that wait for their second look would hold a gigabyte. (What /proc/net shows follows setns(2) in all kernels but
4.20 to 5.9 that lack the fixes c6c75deda813 and 1fde6f21d90f.)
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
from sockdiag.sources.system.machine import this_system

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

# Frames; each begins with the number of the place.
_AT, _ITEM, _DONE, _MISSED = 2, 3, 4, 5
_NUMBER = Struct("=I")
_POSITION = Struct("=Id")  # and how many seconds nothing more will be heard

# More workers than CPUs do not finish sooner.
_MOST_WORKERS = 8


class Pause:
    """Yielded by a question between two samples. What it yields as an answer must come after its last pause.

    Args:
        until: the question goes on at this time of the monotonic clock at the earliest, and not before all others pause too.
    """

    __slots__ = ("until",)

    def __init__(self, until: float = 0.0) -> None:
        self.until = until


class Visit:
    """A namespace that a question is asked in.

    Attributes:
        system: the system as it is seen there.
        namespace: which it is.
        place: its name, or a file to enter it by; None for this process's own.
        own: it is this process's own; elsewhere the question is asked in another process, so that what it yields must be
            picklable and what it does to variables is lost.
        ask: asks the process that began, for what is to be read once; question and answer must be picklable.
    """

    __slots__ = ("ask", "namespace", "own", "place", "system")

    def __init__(self, system: System, namespace: Namespace, ask: Answer, path: str | None = None) -> None:
        self.system = system
        self.namespace = namespace
        self.place = None if path is None else namespace.name or path
        self.ask = ask
        self.own = path is None


class WorkerPool:
    """The workers that ask a question in namespaces other than this process's own; they start at once.

    Args:
        places: the namespaces.
        question: is called with a visit of each.
        answer: answers what visits ask.
    """

    def __init__(self, places: list[FoundNamespace], question: Question, answer: Answer) -> None:
        import ctypes  # noqa: F401  # for setns(2) before Python 3.12: once, not in each worker
        import pickle  # noqa: F401

        self._question = question
        self._answer = answer
        self._queues: list[deque[tuple[int, bytes]]] = [deque() for _ in places]
        count = min(_MOST_WORKERS, (os.cpu_count() or 1) + 1, len(places))
        numbered = list(enumerate(places))
        self._workers = [_Worker(numbered[first::count]) for first in range(count)]
        for worker in self._workers:
            self._start(worker)

    def results(self, number: int) -> Iterator[Any]:
        """Yield what the question yields in a namespace; to be called for each in turn.

        Raises:
            SourceUnavailable: the namespace has gone.
            SourceDenied: it may not be entered.
            SourceTruncated: there may be more: no answer came in time, or the worker has died.
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

    def serve(self, until: float) -> None:
        """Answer what is asked until a time of the monotonic clock."""
        begin = monotonic()
        while (seconds := until - monotonic()) > 0:
            progress.step("seconds of the interval", int(until - begin - seconds), round(until - begin))
            listening = [w for w in self._workers if w.child is not None and not self._behind(w)]
            self._dispatch(listening, seconds)

    def close(self) -> None:
        """Let go of the workers."""
        for worker in self._workers:
            if worker.child is not None:
                worker.child.close()

    def _start(self, worker: _Worker) -> None:
        worker.at = worker.left[0][0]
        worker.until = monotonic() + netns.TIMEOUT_S
        places, question = list(worker.left), self._question
        try:
            worker.child = DetachedWorker(lambda line: _run(places, question, line), "network namespaces")
        except SourceError as error:
            worker.child = None
            for number, _place in worker.left:
                self._queues[number].append((_MISSED, packed(error)))
            worker.left.clear()

    def _behind(self, worker: _Worker) -> bool:
        # What is not wanted yet stays in the pipe.
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
                self._lost(worker, "the process that asked has died", None)
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
            if kind != _ITEM:
                worker.left = [one for one in worker.left if one[0] != number]

    def _lost(self, worker: _Worker, reason: str, number: int | None) -> None:
        """Give up the namespace that a worker was in, and let another go to those that are left."""
        assert worker.child is not None
        worker.child.close()
        place = next((p for n, p in worker.left if n == worker.at), None)
        if place is None:
            worker.at, place = worker.left[0]
        error = SourceTruncated(place.path, reason, number)
        self._queues[worker.at].append((_MISSED, packed(error)))
        worker.left = [one for one in worker.left if one[0] != worker.at]
        if worker.left:
            self._start(worker)


class _Worker:
    """A process and its places; which of them it was not done with, which it is at, and when it must have been heard of."""

    __slots__ = ("at", "child", "left", "places", "until")

    def __init__(self, places: list[tuple[int, FoundNamespace]]) -> None:
        self.places = places
        self.left = places
        self.child: DetachedWorker | None = None
        self.at = 0
        self.until = 0.0


def _run(places: list[tuple[int, FoundNamespace]], question: Question, line: Channel) -> None:
    from pickle import HIGHEST_PROTOCOL, dumps, loads

    def ask(what: Any) -> Any:
        return loads(line.ask(dumps(what, HIGHEST_PROTOCOL)))  # noqa: S301

    def begin(place: FoundNamespace) -> Iterator[Any]:
        netns.enter(place.path)
        visit = Visit(this_system(), place.namespace, ask, place.path)
        _is_there(place, visit.system)
        return iter(question(visit))

    def step(number: int, place: FoundNamespace, steps: Iterator[Any] | None) -> tuple[Iterator[Any], float] | None:
        """Go on until the next rest; None where there is none."""
        line.emit(_AT, _POSITION.pack(number, 0.0))
        try:
            if steps is None:
                steps = begin(place)
            else:
                netns.enter(place.path)
                _is_there(place, this_system())
            for item in steps:
                if isinstance(item, Pause):
                    return steps, item.until
                line.emit(_ITEM, _NUMBER.pack(number) + dumps(item, HIGHEST_PROTOCOL))
        except SourceError as error:
            line.emit(_MISSED, _NUMBER.pack(number) + packed(error))
        except Exception as error:  # whatever it is, the other namespaces are not to suffer from it
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


def _is_there(place: FoundNamespace, system: System) -> None:
    if netns.inode_of(system.files) != place.namespace.inode:
        raise SourceUnavailable(place.path, "it has gone", ENOENT)
