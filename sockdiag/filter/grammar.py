"""The part of the grammar that both readings share: how predicates are combined.

::

    filter := nothing | list
    list   := item { [and | or] item }        juxtaposition is "and"
    item   := ( list ) | not item | predicate

The readings define the meaning of a list of "and" and "or", and the predicates.
"""

from __future__ import annotations

from sockdiag.filter.tree import END, Not

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from sockdiag.filter.tree import Node


class Joint:
    """What joins an item to those before it.

    Attributes:
        word: ``and`` or ``or``.
        position, length: where it stands; of a juxtaposition, where the item does.
    """

    __slots__ = ("length", "position", "word")

    def __init__(self, word: str, position: int = 0, length: int = 0) -> None:
        self.word = word
        self.position = position
        self.length = length


class Grammar:
    """A recursive descent over tokens that are read only when they are needed.

    It counts the symbols of rules that are not complete yet, which is what a table-driven parser has on its stack.
    """

    def __init__(self) -> None:
        self.open = 0

    def parse(self) -> Node | None:
        """Parse a whole filter; None where it is empty."""
        if self.peek() == END:
            return None
        node = self._list()
        if self.peek() != END:
            self.fail()
        return node

    def _list(self) -> Node:
        nodes = [self.item()]
        joints: list[Joint] = []
        self.open += 1  # the list so far
        while True:
            kind = self.peek()
            if kind in (END, ")"):
                self.open -= 1
                return self.combine(nodes, joints)
            word = kind in ("and", "or")
            joints.append(self.joint(kind))
            self.open += word
            nodes.append(self.item())
            self.open -= word

    def item(self) -> Node:
        """Parse one item of a list."""
        kind = self.peek()
        if kind == "(":
            self._begin(2)  # and the list in it
            node = self._list()
            if self.peek() != ")":
                self.fail()
            self.advance()
            self.open -= 1
            return node
        if kind == "not":
            self._begin(1)
            node = Not(self.item())
            self.open -= 1
            return node
        return self.predicate()

    def _begin(self, least: int) -> None:
        self.check_open(self.open + 1 + least)
        self.advance()
        self.open += 1

    def check_open(self, count: int) -> None:
        """Refuse a filter whose open symbols become too many."""

    if TYPE_CHECKING:
        # Each reading has its own.
        def peek(self) -> str:
            """Return the kind of the next token: ``and or not ( ) end``, or another."""
            ...

        def advance(self) -> None:
            """Step over the next token."""
            ...

        def joint(self, kind: str) -> Joint:
            """Step over ``and`` or ``or``; another token is the next item's, and joins it by ``and``."""
            ...

        def predicate(self) -> Node:
            """Parse a predicate."""
            ...

        def combine(self, nodes: list[Node], joints: list[Joint]) -> Node:
            """Give a list its meaning; *joints* has what joins each but the first node."""
            ...

        def fail(self) -> NoReturn:
            """Refuse the next token."""
            ...
