"""The filter language as ss has it.

``and``, ``or`` and juxtaposition have the same precedence, although ss(8) differs; each operand is read by the
predicate word before it, when it is met; a family prefix changes which families are listed. The kernel and
ss itself evaluate some expressions differently, and rows of netlink pass both.

Source: ss(8) of iproute2 6.1 and 7.1, and the behaviour of the program.
"""

from __future__ import annotations

from sockdiag.filter.grammar import Grammar, Joint
from sockdiag.filter.operands import HostParser, OperandError, parse_device, parse_mark, split_family
from sockdiag.filter.ss_match import Matcher
from sockdiag.filter.tree import CONNECTIVES, END, HOSTS, OPERATORS, PORTS, PREDICATES, And, Compare, Not, Or
from sockdiag.kernel.sock_diag import AF_UNSPEC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import NoReturn

    from sockdiag.filter.context import FilterContext
    from sockdiag.filter.ss_match import SsSocket
    from sockdiag.filter.tree import Node

# A line of a filter file fills a buffer of this size, with its end of line and a NUL.
_LINE = 1024
# Symbols on the stack of ss's parser, but for the one that it begins with.
_MOST_OPEN = 9998
_BELLOW = 'ss: bison bellows (while parsing filter): "{}!" Sorry.'


class SsFilterError(Exception):
    """A filter that ss refuses.

    Attributes:
        message: the lines that ss prints on standard error, without the last newline.
        exit_code: 1 for an operand, 255 for the syntax.
        usage: whether the usage text follows.
    """

    def __init__(self, message: str, exit_code: int, *, usage: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
        self.usage = usage


class SsFilter:
    """A parsed filter.

    Attributes:
        tree: what it means, None for an empty one.
        preferred: family of the last operand that had one, or what was preferred before.
        families: mask of ``1 << AF_…`` that operands reduced the listed families to, None where none did.
        match: returns whether ss itself shows a row.
        kernel_match: returns whether the kernel would send a row of an IP table, as far as the row shows (it does not show
            whether a port was bound explicitly). If no bytecode has sifted the rows, ss shows those that pass both.
        settled: the kernel's answer is also ss's: rows that pass its bytecode need not be matched again.
    """

    __slots__ = ("families", "kernel_match", "match", "preferred", "settled", "tree")

    def __init__(self, tree: Node | None, preferred: int, families: int | None, context: FilterContext) -> None:
        self.tree = tree
        self.preferred = preferred
        self.families = families
        matcher = Matcher(context)
        self.match: Callable[[SsSocket], bool] = matcher.own(tree)
        self.kernel_match: Callable[[SsSocket], bool] = matcher.kernel(tree)
        self.settled = matcher.is_settled(tree)

    def is_refused(self) -> bool:
        """Return whether the kernel refuses what ss sends of it: ss then reads /proc."""
        from sockdiag.filter.bytecode import is_refused

        return self.tree is not None and is_refused(self.tree)

    def bytecode(self) -> bytes | None:
        """Compile it for the kernel as ss does; None where ss sends nothing (a ``dev`` anywhere) or it is too long."""
        from sockdiag.filter.bytecode import compile_ss

        return None if self.tree is None else compile_ss(self.tree)


def parse_ss(
    words: Sequence[str],
    context: FilterContext,
    *,
    file_text: bytes | None = None,
    preferred: int = AF_UNSPEC,
    services: tuple[str, ...] = ("udp", "tcp"),
    version: tuple[int, int] = (7, 1),
) -> SsFilter:
    """Parse the words of a command line, after state words, and a filter file.

    Args:
        words: the words; each is split at blanks and tabs again.
        context: the look-ups.
        file_text: content of the -F file, read after the words.
        preferred: the preferred family, AF_UNSPEC for none.
        services: protocols to look service names up in: ``udp`` if the udp table is selected, ``tcp`` if tcp is.
        version: the version of ss to imitate.

    Raises:
        SsFilterError: ss refuses it.
    """
    parser = _SsParser(_texts(words, file_text), context, preferred, services, version)
    return SsFilter(parser.parse(), parser.preferred, parser.families, context)


def _texts(words: Sequence[str], file_text: bytes | None) -> Iterator[str]:
    for text in words:
        yield from _split(text)
    at = 0
    while file_text is not None and at < len(file_text):
        end = file_text.find(b"\n", at, at + _LINE - 1) + 1
        line = file_text[at : end or at + _LINE - 1]
        at += len(line)
        line = line.partition(b"\0")[0]
        if not line:
            raise SsFilterError("Invalid line", 255)
        if len(line) >= _LINE - 1:
            raise SsFilterError("Too long line in filter", 255)
        line = line.removesuffix(b"\n")
        if line[:1] not in (b"#", b"0"):
            yield from _split(line.decode("utf-8", "surrogateescape"))


def _split(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        if text[at] in " \t":
            at += 1
            continue
        found = ""
        while at < len(text) and text[at] not in " \t":
            if text[at] == "\\":
                at += 1
            found += text[at : at + 1]
            at += 1
        yield found


class _SsParser(Grammar):
    def __init__(
        self,
        texts: Iterator[str],
        context: FilterContext,
        preferred: int,
        services: tuple[str, ...],
        version: tuple[int, int],
    ) -> None:
        super().__init__()
        self._texts = texts
        self._context = context
        self._hosts = HostParser(context, services, wide=version >= (7, 0))
        self.preferred = preferred
        self.families: int | None = None
        self._predicate = ""
        self._kind: str | None = None
        self._operand: object = None

    def peek(self) -> str:
        if self._kind is None:
            self._kind = self._read()
        return self._kind

    def _read(self) -> str:
        text = next(self._texts, None)
        if text is None:
            return END
        if text in CONNECTIVES:
            return CONNECTIVES[text]
        if text in OPERATORS:
            return OPERATORS[text]
        if text in PREDICATES:
            self._predicate = text
            return text
        self._operand = self._convert(text)
        return "operand"

    def _convert(self, text: str) -> object:
        if self._predicate == "dev":
            try:
                return parse_device(text, self._context)
            except OperandError:
                raise SsFilterError("Cannot parse device.", 1) from None
        if self._predicate == "fwmark":
            try:
                return parse_mark(text)
            except OperandError:
                raise SsFilterError(f"Cannot parse mark {text}.", 1) from None
        if self._predicate == "cgroup":
            try:
                return self._context.cgroup_id(text)
            except LookupError as error:
                raise SsFilterError(_lines(str(error.args[0]), f"Cannot parse cgroup {text}."), 1) from None
        bare, family = split_family(text, self.preferred)
        try:
            hosts = self._hosts.parse(bare, family, is_port=self._predicate in PORTS)
        except OperandError as error:
            raise SsFilterError(_lines(str(error), "Cannot parse dst/src address."), 1) from None
        if family != AF_UNSPEC:
            self.preferred = family
            self.families = 1 << family
        return hosts

    def advance(self) -> None:
        self._kind = None

    def check_open(self, count: int) -> None:
        if count > _MOST_OPEN:
            raise SsFilterError(_BELLOW.format("memory exhausted"), 255, usage=True)

    def joint(self, kind: str) -> Joint:
        if kind in ("and", "or"):
            self.advance()
            return Joint(kind)
        return Joint("and")

    def combine(self, nodes: list[Node], joints: list[Joint]) -> Node:
        result = nodes[0]
        for joint, node in zip(joints, nodes[1:], strict=True):
            wanted = Or if joint.word == "or" else And
            result = wanted(*result.parts, node) if isinstance(result, wanted) else wanted(result, node)
        return result

    def predicate(self) -> Node:
        field = self.peek()
        if field not in PREDICATES:
            self.fail()
        self.check_open(self.open + (1 if field == "autobound" else 3))
        self.advance()
        if field == "autobound":
            return Compare(field, "=", None)
        op = self.peek()
        if op in OPERATORS.values():
            if field not in PORTS and op != "=" and (op != "!=" or field in HOSTS):
                self.fail()
            self.advance()
        else:
            op = "="
        if self.peek() != "operand":
            self.fail()
        operand = self._operand
        self.advance()
        negated = {"!=": "=", ">": "<=", "<": ">="}.get(op)
        return Compare(field, op, operand) if negated is None else Not(Compare(field, negated, operand))

    def fail(self) -> NoReturn:
        raise SsFilterError(_BELLOW.format("syntax error"), 255, usage=True)


def _lines(first: str, second: str) -> str:
    return f"{first}\n{second}" if first else second
