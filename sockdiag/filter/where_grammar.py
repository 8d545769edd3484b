"""Parse a --where expression."""

from __future__ import annotations

from sockdiag.filter.grammar import Grammar, Joint
from sockdiag.filter.predicates import Predicates
from sockdiag.filter.states import STATE_WORDS
from sockdiag.filter.tree import END, HOSTS, OPERATORS, PORTS, And, Or
from sockdiag.filter.where_tokens import Lexer, Token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from sockdiag.errors import FilterError
    from sockdiag.filter.context import FilterContext
    from sockdiag.filter.tree import Node

_COMPARISONS = {*OPERATORS.values(), "~", "!~"}
# Words after which a value may stand without an operator.
_BEFORE_VALUES = (*HOSTS, *PORTS, "dev", "fwmark", "cgroup")


def parse_where(text: str, context: FilterContext) -> Node | None:
    """Parse an expression; None where it is empty.

    Args:
        text: the expression.
        context: the look-ups of its operands.

    Raises:
        FilterError: it does not parse.
    """
    return _WhereParser(text, context).parse()


class _WhereParser(Grammar):
    def __init__(self, text: str, context: FilterContext) -> None:
        super().__init__()
        self._text = text
        self._lexer = Lexer(text)
        self._predicates = Predicates(self._lexer, context)
        self._next: Token | None = None
        self._end = 0
        # Where each node of the list being read begins and ends.
        self._extents: dict[int, tuple[int, int]] = {}

    def _token(self) -> Token:
        if self._next is None:
            self._next = self._lexer.token()
        return self._next

    def _take(self) -> Token:
        token = self._token()
        self._end = token.position + token.length
        self._next = None
        return token

    def peek(self) -> str:
        return self._token().kind

    def advance(self) -> None:
        self._take()

    def item(self) -> Node:
        start = self._token().position
        node = super().item()
        self._extents[id(node)] = (start, self._end)
        return node

    def joint(self, kind: str) -> Joint:
        token = self._token()
        if kind in ("and", "or"):
            self.advance()
            return Joint(kind, token.position, token.length)
        return Joint("and", token.position, token.length)

    def combine(self, nodes: list[Node], joints: list[Joint]) -> Node:
        if not joints:
            return nodes[0]
        for joint in joints:
            if joint.word != joints[0].word:
                raise self._mixture(nodes, joints, joint)
        return Or(*nodes) if joints[0].word == "or" else And(*nodes)

    def _mixture(self, nodes: list[Node], joints: list[Joint], wrong: Joint) -> FilterError:
        texts = [self._text[slice(*self._extents[id(node)])] for node in nodes]
        words = [joint.word for joint in joints]
        readings = list(dict.fromkeys((_grouped(texts, words, "and"), _leftwards(texts, words))))
        if len(readings) == 1:
            readings.append(_grouped(texts, words, "or"))
        return self._lexer.error(
            Token(wrong.word, "", wrong.position, wrong.length),
            "'and' mixed with 'or' needs parentheses; write\n    " + "\n  or\n    ".join(readings),
        )

    def predicate(self) -> Node:
        field = self._take()
        if field.kind != "word":
            raise self._missing(field)
        word = field.text.lower()
        if word in STATE_WORDS:
            after = self._lexer.token()
            self._lexer.at = field.position + field.length
            if after.kind not in _COMPARISONS:
                return self._states(field)
        if word == "autobound":
            return self._predicates.autobound()
        after = self._lexer.token()
        if after.kind in _COMPARISONS:
            return self._predicates.compare(field, after.kind, self._value(after))
        self._lexer.at = field.position + field.length
        if word in _BEFORE_VALUES:
            value = self._lexer.value()
            if value.kind == "value":
                self._end = value.position + value.length
                return self._predicates.compare(field, "=", value)
            self._lexer.at = field.position + field.length
        node = self._predicates.compare(field, "set", None)
        if self._token().kind == "word" and not self._predicates.knows(self._token()):
            raise self._missing(self._token())
        return node

    def _value(self, after: Token) -> Token:
        value = self._lexer.value()
        if value.kind != "value":
            raise self._lexer.error(value, f"missing value after '{after.text}'")
        self._end = value.position + value.length
        return value

    def _states(self, first: Token) -> Node:
        # As ss: one set, to which "state" adds and from which "exclude" subtracts.
        field = first
        mask: int | None = None
        while True:
            word = field.text.lower()
            value = self._lexer.value()
            if value.kind != "value":
                if field is first and word == "state":
                    self._lexer.at = self._end
                    return self._predicates.compare(field, "set", None)
                raise self._lexer.error(value, f"missing state after '{field.text}', such as listening or close-wait")
            self._end = value.position + value.length
            mask = self._predicates.add_states(mask, value, exclude=word != "state")
            here = self._lexer.at
            field = self._lexer.token()
            goes_on = field.kind == "word" and field.text.lower() in STATE_WORDS
            if goes_on:
                behind = self._lexer.at
                goes_on = self._lexer.token().kind not in _COMPARISONS
                self._lexer.at = behind
            if not goes_on:
                self._lexer.at = here
                return self._predicates.states(mask)

    def fail(self) -> NoReturn:
        token = self._token()
        raise self._lexer.error(token, "')' is missing" if token.kind == END else "')' without '('")

    def _missing(self, token: Token) -> FilterError:
        if token.kind == END:
            return self._lexer.error(token, "missing comparison")
        if token.kind == "word":
            return self._lexer.error(token, f"missing operator before '{token.text}'")
        return self._lexer.error(token, f"missing comparison before '{token.text}'")


def _grouped(texts: list[str], words: list[str], tight: str) -> str:
    # One connective binds tighter than the other.
    groups = [[texts[0]]]
    for word, text in zip(words, texts[1:], strict=True):
        if word == tight:
            groups[-1].append(text)
        else:
            groups.append([text])
    loose = "or" if tight == "and" else "and"
    return f" {loose} ".join(f"({f' {tight} '.join(g)})" if len(g) > 1 else g[0] for g in groups)


def _leftwards(texts: list[str], words: list[str]) -> str:
    # As ss reads it: from left to right.
    result = texts[0]
    for i, (word, text) in enumerate(zip(words, texts[1:], strict=True)):
        if i and word != words[i - 1]:
            result = f"({result})"
        result = f"{result} {word} {text}"
    return result
