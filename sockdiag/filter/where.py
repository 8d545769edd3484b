"""Filters of every command but ``ss``: the ss language, extended to every field of a socket.

* A comparison is ``FIELD OP VALUE``; OP is ``= != > < >= <= ~ !~`` or ss's word for it. ``~`` takes a shell pattern that
  must match the whole value: ``process ~ nginx*``. A field alone asks whether it is known and neither zero nor empty.
  ``FIELD = unknown`` asks whether its value is unknown; in quotes, ``'unknown'`` is a word like others.
* ss's own predicates are there with their operands: ``src dst sport dport dev fwmark cgroup autobound``, and ``state A
  state B exclude C``, which is one set of states as in ss; ``state = A`` compares.
* Numbers take the suffixes that fit the field's unit (``sockdiag.filter.quantity``).
* ``and`` (also by juxtaposition) and ``or`` do not mix without parentheses.
* A field of processes (``pid``, ``process``, ``container``) passes if it does for any process that holds the socket.

Answers are three-valued. A comparison with an unknown value is neither true nor false, nor is its negation; ``and`` and
``or`` decide where the other side does (Kleene). Sockets without an answer are not shown, but counted. A field
that a socket cannot have is not unknown: ``timer.name = persist`` is false of a UDP socket, and ``not timer.name = persist`` true.
"""

from __future__ import annotations

from itertools import compress

from sockdiag.errors import FilterError
from sockdiag.filter.bounds import EVERYTHING, Bounds
from sockdiag.filter.context import FilterContext
from sockdiag.filter.leaf import Leaf
from sockdiag.filter.tree import And, Compare, Not
from sockdiag.filter.where_grammar import parse_where
from sockdiag.model.batch import Batch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sockdiag.filter.leaf import Answer
    from sockdiag.filter.tree import Node
    from sockdiag.model.socket import Socket

__all__ = ["FilterContext", "Where", "compile_where"]


class Where:
    """A compiled filter.

    Attributes:
        text: the expression.
        tree: what it means; None for an empty one.
        needs: the costly parts to request in order to judge a socket (``sockdiag.model.query``).
        states: mask of the states that a socket may be in to pass, or to have no answer.
        tables: the tables that it may be of, in the order of TABLES.
        families: the families that it may be of if it is an IP socket, as ``Query.families``; empty is both.
        match: returns whether a socket passes; None if that is unknown.
    """

    __slots__ = ("_answers", "families", "match", "needs", "states", "tables", "text", "tree")

    def __init__(self, text: str, tree: Node | None) -> None:
        self.text = text
        self.tree = tree
        self.needs = frozenset[str]() if tree is None else _needs(tree)
        passing = _bounds_of(tree)
        self.states = passing.states
        self.tables = passing.table_names
        self.families = passing.family_names
        self.match: Callable[[Socket], Answer] = (lambda _socket: True) if tree is None else _judge(tree)
        self._answers = None if tree is None else _answers(tree)

    def sift(self, batch: Batch) -> tuple[Batch | None, int]:
        """Judge a batch; columns are used where it has them.

        Returns:
            The sockets that pass (None if none does), and how many have no answer.
        """
        if self._answers is None:
            return batch, 0
        if batch.columns is None:
            answers: Sequence[Answer] = list(map(self.match, batch.sockets()))
        else:
            answers = self._answers(batch)
        passed = answers.count(True)
        unknown = answers.count(None)
        if passed == batch.size:
            return batch, 0
        return (Batch.of(list(compress(batch.sockets(), answers))) if passed else None), unknown

    def bytecode(self, *, net_admin: bool = True) -> bytes | None:
        """Compile the part that the kernel can decide on sockets of the IP tables.

        The kernel then sends no socket that would not pass, but not only such that do: they are judged here again.

        Args:
            net_admin: the caller has CAP_NET_ADMIN, without which the kernel refuses bytecode that reads marks.

        Returns:
            The bytecode; None where there is nothing for the kernel to decide.
        """
        from sockdiag.filter.bytecode import compile_part

        return None if self.tree is None else compile_part(self.tree, net_admin=net_admin)


def compile_where(text: str | Sequence[str], context: FilterContext | None = None) -> Where:
    """Compile a --where expression, or several that must all hold.

    Args:
        text: the expression, or several; an empty one lets everything pass.
        context: the look-ups of their operands; None: this system's.

    Raises:
        FilterError: one of them does not parse; the place in it is pointed at.
    """
    # A caret under a line with tabs would be displaced.
    given = (text,) if isinstance(text, str) else text
    texts = ["".join([" " if c in "\t\r\n\v\f" else c for c in one]) for one in given]
    context = context or FilterContext()
    trees = [tree for tree in (_parsed(one, context) for one in texts) if tree is not None]
    whole = texts[0] if len(texts) == 1 else " and ".join(f"({one})" for one in texts)
    return Where(whole, And(*trees) if len(trees) > 1 else trees[0] if trees else None)


def _parsed(text: str, context: FilterContext) -> Node | None:
    try:
        return parse_where(text, context)
    except RecursionError:
        raise FilterError(text, 0, "the expression is nested too deeply", len(text)) from None


def _needs(node: Node) -> frozenset[str]:
    if isinstance(node, Not):
        return _needs(node.part)
    if isinstance(node, Compare):
        return node.detail.needs if isinstance(node.detail, Leaf) else _needs(node.detail)  # type: ignore[arg-type]
    return frozenset[str]().union(*map(_needs, node.parts))


def _judge(node: Node) -> Callable[[Socket], Answer]:
    if isinstance(node, Compare):
        return node.detail.judge if isinstance(node.detail, Leaf) else _judge(node.detail)  # type: ignore[arg-type]
    if isinstance(node, Not):
        part = _judge(node.part)

        def negated(socket: Socket) -> Answer:
            answer = part(socket)
            return None if answer is None else not answer

        return negated
    parts = [_judge(p) for p in node.parts]
    decisive = not isinstance(node, And)

    def combined(socket: Socket) -> Answer:
        result: Answer = not decisive
        for part in parts:
            answer = part(socket)
            if answer is decisive:
                return decisive
            if answer is None:
                result = None
        return result

    return combined


def _answers(node: Node) -> Callable[[Batch], Sequence[Answer]]:
    if isinstance(node, Compare):
        return node.detail.answers if isinstance(node.detail, Leaf) else _answers(node.detail)  # type: ignore[arg-type]
    if isinstance(node, Not):
        part = _answers(node.part)
        return lambda batch: [None if answer is None else not answer for answer in part(batch)]
    parts = [_answers(p) for p in node.parts]
    decisive = not isinstance(node, And)

    def combined(batch: Batch) -> Sequence[Answer]:
        return [
            decisive if decisive in row else None if None in row else not decisive
            for row in zip(*[p(batch) for p in parts], strict=True)
        ] or [not decisive] * batch.size

    return combined


def _bounds_of(tree: Node | None) -> Bounds:
    """Return a box around the sockets for which a filter is true or unknown."""
    return EVERYTHING if tree is None else _both_bounds(tree)[0]


def _both_bounds(node: Node) -> tuple[Bounds, Bounds]:
    # Boxes around the sockets for which a node can be other than false, and other than true.
    if isinstance(node, Compare):
        return node.bounds or EVERYTHING, node.bounds_not or EVERYTHING
    if isinstance(node, Not):
        passing, failing = _both_bounds(node.part)
        return failing, passing
    boxes = [_both_bounds(part) for part in node.parts]
    if isinstance(node, And):
        return _meet(p for p, _ in boxes), _join(f for _, f in boxes)
    return _join(p for p, _ in boxes), _meet(f for _, f in boxes)


def _meet(boxes: Iterable[Bounds]) -> Bounds:
    result = EVERYTHING
    for box in boxes:
        result &= box
    return result


def _join(boxes: Iterable[Bounds]) -> Bounds:
    result = Bounds(0, 0, 0)
    for box in boxes:
        result |= box
    return result
