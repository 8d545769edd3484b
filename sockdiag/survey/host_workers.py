"""Ask the same of many captures: a few worker processes read one capture after the other.

What a capture does to its worker, which may be damaged or hostile, costs its own answer only: an error is reported in its
place, and a worker that dies or falls silent is replaced for the captures that are left. Answers come in the order of the
captures, piece by piece, and a worker that is far ahead waits: memory grows neither with the captures nor with their size.
"""

from __future__ import annotations

import os
from collections import deque
from errno import ETIMEDOUT
from struct import Struct
from time import monotonic

from sockdiag import progress
from sockdiag.errors import SourceError, SourceTruncated
from sockdiag.sources.system.detached import END, FAILED, DetachedWorker, error_of, packed, unforeseen, wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from sockdiag.sources.system.detached import Channel

    Emit = Callable[[str, Any], None]
    Task = Callable[[str, Emit], None]

# Frames; each begins with the number of the capture.
_PART, _DONE, _MISSED, _AT = 2, 3, 4, 5
_NUMBER = Struct("=I")
_MOST_WORKERS = 8
# Longest silence of a worker.
_PATIENCE_S = 120.0
# What is kept of a worker that is ahead of the answer.
_MOST_AHEAD = 8 << 20


class HostWorkers:
    """The workers, which start at once.

    Args:
        roots: the captures.
        task: called in a worker with each of them and a function that sends a named part of its answer, which must be picklable.
    """

    def __init__(self, roots: Sequence[str], task: Task) -> None:
        import pickle  # noqa: F401  # once, not in each worker

        self._task = task
        self._roots = roots
        self._queues: list[deque[tuple[int, bytes]]] = [deque() for _ in roots]
        count = min(_MOST_WORKERS, os.cpu_count() or 1, len(roots))
        numbers = range(len(roots))
        self._workers = [_HostWorker(list(numbers[first::count])) for first in range(count)]
        for worker in self._workers:
            self._start(worker)

    def parts(self, number: int) -> Iterator[tuple[str, Any]]:
        """Yield name and value of each part of the answer about a capture; to be called for each in turn.

        Raises:
            SourceError: it cannot be read, or its worker was lost.
        """
        from pickle import loads

        worker = self._workers[number % len(self._workers)]
        queue = self._queues[number]
        while True:
            while queue:
                kind, payload = queue.popleft()
                worker.ahead -= len(payload)
                if kind == _DONE:
                    return
                if kind == _MISSED:
                    raise error_of(payload)
                yield loads(payload)  # noqa: S301 - the worker's own
            self._hear(worker)

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            if worker.child is not None:
                worker.child.close()

    def _start(self, worker: _HostWorker) -> None:
        worker.at = worker.left[0]
        worker.until = monotonic() + _PATIENCE_S
        roots, task, left = self._roots, self._task, list(worker.left)
        try:
            worker.child = DetachedWorker(lambda line: _run(roots, task, left, line), "captures")
        except SourceError as error:
            worker.child = None
            for number in worker.left:
                self._put(worker, number, _MISSED, packed(error))
            worker.left.clear()

    def _put(self, worker: _HostWorker, number: int, kind: int, payload: bytes) -> None:
        self._queues[number].append((kind, payload))
        worker.ahead += len(payload)

    def _hear(self, worker: _HostWorker) -> None:
        others = [w for w in self._workers if w is not worker and w.child is not None and w.ahead < _MOST_AHEAD]
        left = sum(len(w.left) for w in self._workers)
        progress.step("captures", len(self._roots) - left, len(self._roots))
        by_child = {w.child: w for w in (worker, *others) if w.child is not None}
        seconds = worker.until - monotonic()
        if progress.watched():
            seconds = min(seconds, progress.PIECE_S)
        for child in wait(by_child, max(0.0, seconds)):
            one = by_child[child]
            one.until = monotonic() + _PATIENCE_S
            for kind, payload in child.frames():
                self._frame(one, kind, payload)
            if child.ended and one.left:
                self._lost(one, "the process that read it died", None)
            elif child.ended:
                child.close()
                one.child = None
        if worker.left and monotonic() >= worker.until:
            self._lost(worker, f"no answer within {_PATIENCE_S:g} s", ETIMEDOUT)

    def _frame(self, worker: _HostWorker, kind: int, payload: bytes) -> None:
        if kind in (END, FAILED):
            return
        (number,) = _NUMBER.unpack_from(payload)
        if kind == _AT:
            worker.at = number
            return
        self._put(worker, number, kind, payload[_NUMBER.size :])
        if kind != _PART:
            worker.left.remove(number)

    def _lost(self, worker: _HostWorker, reason: str, number: int | None) -> None:
        assert worker.child is not None
        worker.child.close()
        worker.child = None
        at = worker.at if worker.at in worker.left else worker.left[0]
        self._put(worker, at, _MISSED, packed(SourceTruncated(self._roots[at], reason, number)))
        worker.left.remove(at)
        if worker.left:
            self._start(worker)


class _HostWorker:
    """A process, the captures it has not finished, the one that it reads, and how many bytes of its answers are kept."""

    __slots__ = ("ahead", "at", "child", "left", "until")

    def __init__(self, numbers: list[int]) -> None:
        self.left = numbers
        self.child: DetachedWorker | None = None
        self.at = 0
        self.until = 0.0
        self.ahead = 0


def _run(roots: Sequence[str], task: Task, numbers: Sequence[int], line: Channel) -> None:
    import gc
    from pickle import HIGHEST_PROTOCOL, dumps

    for number in numbers:
        head = _NUMBER.pack(number)

        def emit(name: str, value: Any, head: bytes = head) -> None:
            line.emit(_PART, head + dumps((name, value), HIGHEST_PROTOCOL))

        line.emit(_AT, head)
        try:
            task(roots[number], emit)
        except SourceError as error:
            line.emit(_MISSED, head + packed(error))
        except Exception as error:  # whatever one capture does, the others are read
            line.emit(_MISSED, head + packed(unforeseen(error)))
        else:
            line.emit(_DONE, head)
        # The collector is off in such a process, and one capture after the other leaves its cycles.
        gc.collect()
