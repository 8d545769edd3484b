"""Judge one comparison, on a socket or on a whole batch.

An answer is True, False, or None: unknown, because the value is. A field that a socket cannot have (the tcp_info of a UDP
socket, a timer if none is armed) is not unknown: a comparison with it is False.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeAlias

    from sockdiag.model.batch import Batch
    from sockdiag.model.fields import FieldEntry
    from sockdiag.model.socket import Socket

    Answer: TypeAlias = bool | None


class Leaf:
    """One comparison.

    Attributes:
        judge: the answer for a socket.
        answers: the answers for a batch, one per row.
        needs: the costly parts to request for them.
    """

    __slots__ = ("answers", "judge", "needs")

    def __init__(
        self,
        judge: Callable[[Socket], Answer],
        answers: Callable[[Batch], Sequence[Answer]],
        needs: frozenset[str] = frozenset(),
    ) -> None:
        self.judge = judge
        self.answers = answers
        self.needs = needs


def by_rows(judge: Callable[[Socket], Answer], needs: frozenset[str] = frozenset()) -> Leaf:
    """Make a leaf that judges each socket as a record."""
    return Leaf(judge, lambda batch: list(map(judge, batch.sockets())), needs)


def by_value(entry: FieldEntry, test: Callable[[Any], bool], tables: frozenset[str] | None = None) -> Leaf:
    """Make a leaf of a test of a field's value; below a tuple of records, of the value in any of them.

    Args:
        entry: the field.
        test: returns whether a known value passes.
        tables: tables whose sockets have what is compared; None: those that have the field.
    """
    get = entry.get
    passes = _any_of(test, absent=entry.elements_absent) if entry.many else test

    def missing(netid: str, state: str | None, source: str) -> Answer:
        if (tables is not None and netid not in tables) or entry.is_absent(netid, state, source):
            return False
        return None

    def judge(socket: Socket) -> Answer:
        value = get(socket)
        if value is None:
            return missing(socket.netid, socket.state, socket.source)
        return passes(value)

    def answers(batch: Batch) -> Sequence[Answer]:
        values = entry.values(batch)
        if None in values:
            rows = zip(values, batch.values("netid"), batch.values("state"), batch.values("source"), strict=True)
            return [missing(*where) if value is None else passes(value) for value, *where in rows]
        return list(map(passes, values))

    return Leaf(judge, answers, entry.needs)


def by_knowledge(entry: FieldEntry, answer_unknown: bool, test: Callable[[Any], bool]) -> Leaf:
    """Make a leaf whose answer is always known.

    Args:
        entry: the field.
        answer_unknown: the answer where the value is not known.
        test: the answer for a known value; below a tuple of records, for the tuple of the values.
    """

    def judge(socket: Socket) -> Answer:
        value = entry.get(socket)
        if value is None:
            return answer_unknown and not entry.is_absent(socket.netid, socket.state, socket.source)
        return test(value)

    def answers(batch: Batch) -> Sequence[Answer]:
        rows = zip(
            entry.values(batch), batch.values("netid"), batch.values("state"), batch.values("source"), strict=True
        )
        return [
            answer_unknown and not entry.is_absent(*where) if value is None else test(value) for value, *where in rows
        ]

    return Leaf(judge, answers, entry.needs)


def by_absence(entry: FieldEntry) -> Leaf:
    """Make a leaf that is true where a socket is known not to have a thing, and has no answer where that is unknown."""

    def judge(socket: Socket) -> Answer:
        if entry.get(socket) is not None:
            return False
        return entry.is_absent(socket.netid, socket.state, socket.source) or None

    return by_rows(judge, entry.needs)


def remembered(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Remember the answers of a costly test; values repeat."""
    known: dict[Any, bool] = {}

    def answer(value: Any) -> bool:
        found = known.get(value)
        if found is None:
            if len(known) > 1 << 16:
                known.clear()
            found = known[value] = test(value)
        return found

    return answer


def _any_of(test: Callable[[Any], bool], *, absent: bool) -> Callable[[Sequence[Any]], Answer]:
    def passes(values: Sequence[Any]) -> Answer:
        answer: Answer = False
        for value in values:
            if value is None:
                if not absent:
                    answer = None
            elif test(value):
                return True
        return answer

    return passes
