"""Ask in every network namespace of the host, each once.

This process never leaves its own namespace, in which it asks itself. The others are entered by children, a few at a time,
which send what they find piece by piece; one that does not answer is left behind (``sockdiag.sources._disposable``).
Results come in the order of the namespaces.
"""

from __future__ import annotations

import os
from errno import ENOENT, ETIMEDOUT
from itertools import islice

from sockdiag.collect import Collection
from sockdiag.errors import SourceError, SourceTruncated, SourceUnavailable
from sockdiag.model.batch import Batch, all_sockets
from sockdiag.model.counters import Counters
from sockdiag.model.gap import Gap
from sockdiag.model.query import OWNERS
from sockdiag.sources import netns
from sockdiag.sources._disposable import FAILED, Disposable, error_of, wait
from sockdiag.sources.system import this_system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from sockdiag.filter.where import Where
    from sockdiag.model.query import Query
    from sockdiag.model.snapshot import Namespace
    from sockdiag.model.socket import Socket
    from sockdiag.sources._disposable import Emit
    from sockdiag.sources.proc_pid_fd import OwnerScan
    from sockdiag.sources.system import System

    Question = Callable[[System, Namespace], Iterable[Any]]
    Answer = Callable[[Iterator[Batch], bool], Iterable[Any]]

_PIECE = 2  # frame: one pickled item of an answer
# Sockets in one piece: some 100 KB.
_ROWS = 256
# More children than CPUs do not finish sooner; each holds what a pipe holds.
_MOST_CHILDREN = 8


class Everywhere:
    """Every network namespace that can be found.

    Args:
        system: the running system, asked in this process's own namespace.
        note: is told what could not be seen.

    Attributes:
        namespaces: those that were found; what has gone meanwhile or could not be entered is taken out as it is met.
    """

    def __init__(self, system: System, note: Callable[[Gap], None]) -> None:
        self._system = system
        self._note = note
        found = netns.list_all(system.files)
        for gap in found.gaps:
            note(gap)
        self._places = list(found.places)
        self._refused: dict[tuple[str, int | None], list[str]] = {}

    @property
    def namespaces(self) -> tuple[Namespace, ...]:
        """Namespaces that were, or will be, looked at."""
        return tuple(place.namespace for place in self._places)

    def path_of(self, label: str) -> str | None:
        """Return a file to enter a namespace by, by its label; None for this process's own."""
        return next((p.path for p in self._places if p.namespace.label == label and p.held_by != "self"), None)

    def each(self, question: Question) -> Iterator[Any]:
        """Yield what a question yields in each namespace, this process's own first.

        Args:
            question: is called with a system and the namespace that it is in; elsewhere in a child, so that its items
                must be picklable and what it does to variables is lost.
        """
        others = []
        for place in self._places:
            if place.held_by == "self":
                yield from question(self._system, place.namespace)
            else:
                others.append(place)
        yield from self._in_children(others, question)
        self._tell_refused()

    def _in_children(self, places: list[netns.Place], question: Question) -> Iterator[Any]:
        import ctypes  # noqa: F401  # for setns(2) before Python 3.12: once, not in each child
        import pickle

        at_once = min(_MOST_CHILDREN, (os.cpu_count() or 1) + 1)
        running: list[tuple[netns.Place, Disposable]] = []
        waiting = iter(places)
        while True:
            while len(running) < at_once:
                place = next(waiting, None)
                if place is None:
                    break
                try:
                    running.append((place, Disposable(_task(place, question), place.path)))
                except SourceError as error:
                    self._failed(place, error)
            if not running:
                return
            place, child = running.pop(0)
            try:
                for payload in _pieces(child):
                    yield pickle.loads(payload)  # noqa: S301 - the child's own
            except SourceError as error:
                self._failed(place, error)
            finally:
                child.close()

    def _failed(self, place: netns.Place, error: SourceError) -> None:
        if isinstance(error, SourceTruncated):
            self._note(Gap(f"{place.namespace.label}: {error.source}", error.reason, error.errno, error.hint))
            return
        self._places.remove(place)
        if not (isinstance(error, SourceUnavailable) and error.errno == ENOENT):
            self._refused.setdefault((error.reason, error.errno), []).append(str(place.namespace.label))

    def _tell_refused(self) -> None:
        # A user who may not enter one may enter none of hundreds: that is one gap.
        for (reason, number), labels in self._refused.items():
            names = ", ".join(labels[:5]) + (", …" if len(labels) > 5 else "")
            count = f"{len(labels)} network namespaces" if len(labels) > 1 else "network namespace"
            hint = "needs CAP_SYS_ADMIN: run as root" if number in (1, 13) else ""
            self._note(Gap("setns", f"{count} could not be entered: {reason} ({names})", number, hint))
        self._refused.clear()

    def ask(
        self,
        query: Query,
        where: Where | None,
        answer: Answer,
        *,
        owners: Callable[[], OwnerScan],
        asked: bool,
        sources: dict[str, str | None],
        undecided: Callable[[int], None],
    ) -> Iterator[Any]:
        """Yield what *answer* yields of the sockets of each namespace; each socket carries its namespace.

        Args:
            query: what is wanted.
            where: filter, applied where the sockets are read.
            answer: is called with the batches of a namespace, and whether it is this process's own; elsewhere in a child.
            owners: looks into the descriptors of all processes, of whatever namespace.
            asked: the user named the tables.
            sources: is told where each table was read.
            undecided: is told how many sockets the filter could not judge.
        """
        if OWNERS in query.needs:
            owners()  # once, before the children are made

        def question(system: System, namespace: Namespace) -> Iterator[tuple[Any, ...]]:
            collection = Collection(system, query, owners=owners, asked=asked, netns=namespace)
            unknown: list[int] = []
            own = system is self._system
            batches = collection.batches()
            if where is not None:
                batches = _sifted(batches, where, unknown)
            for item in answer(batches, own):
                yield item, None
            yield None, (None if own else namespace.label, collection.gaps, collection.sources, sum(unknown))

        known: list[Gap] = []
        for item, end in self.each(question):
            if end is None:
                yield item
                continue
            label, gaps, read, unknown = end
            undecided(unknown)
            for table, source in read.items():
                if sources.get(table) is None:
                    sources[table] = source
            for gap in gaps:
                # What is missing in all of them is told once.
                if gap not in known:
                    known.append(gap)
                    self._note(gap if label is None else gap._replace(source=f"{label}: {gap.source}"))

    def counters(self) -> tuple[Counters, list[Gap]]:
        """Add up the counters of all namespaces; those of the host count once.

        Returns:
            The sums, and what could not be read.
        """
        from sockdiag.model.counters import mib_of
        from sockdiag.model.record import NETNS
        from sockdiag.sources.counters import read_counters

        sums: dict[str, int] = {}
        gaps: list[Gap] = []

        def question(system: System, namespace: Namespace) -> Iterator[tuple[bool, dict[str, int], list[Gap]]]:
            found, missing = read_counters(system.files)
            if namespace.label is not None and system is not self._system:
                missing = [gap._replace(source=f"{namespace.label}: {gap.source}") for gap in missing]
            yield system is self._system, dict(found.values), missing

        for own, values, missing in self.each(question):
            gaps += missing
            for name, value in values.items():
                if own or mib_of(name).scope == NETNS:
                    sums[name] = sums.get(name, 0) + value
        return Counters(sums), gaps


def rows(batches: Iterator[Batch], own: bool) -> Iterator[Batch | list[Socket]]:
    """Answer with the sockets themselves: in batches, where they do not go from process to process."""
    if own:
        yield from batches
        return
    sockets = all_sockets(batches)
    while some := list(islice(sockets, _ROWS)):
        yield some


def _sifted(batches: Iterator[Batch], where: Where, unknown: list[int]) -> Iterator[Batch]:
    for batch in batches:
        chosen, undecided = where.sift(batch)
        unknown.append(undecided)
        if chosen is not None:
            yield chosen


def _task(place: netns.Place, question: Question) -> Callable[[Emit], None]:
    def task(emit: Emit) -> None:
        import pickle

        netns.enter(place.path)
        system = this_system()
        if netns.inode_of(system.files) != place.namespace.inode:
            raise SourceUnavailable(place.path, "it has gone", ENOENT)
        for item in question(system, place.namespace):
            emit(_PIECE, pickle.dumps(item, pickle.HIGHEST_PROTOCOL))

    return task


def _pieces(child: Disposable) -> Iterator[bytes]:
    while not child.ended:
        if not wait((child,), netns.TIMEOUT_S):
            raise SourceTruncated(child.name, f"no answer within {netns.TIMEOUT_S:g} s", ETIMEDOUT)
        for kind, payload in child.frames():
            if kind == _PIECE:
                yield payload
            elif kind == FAILED:
                raise error_of(payload)
