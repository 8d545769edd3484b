"""Words of the filter language that both readings share.

Source: ss(8).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from sockdiag.filter.bounds import Bounds
    from sockdiag.filter.leaf import Leaf

    Node: TypeAlias = "And | Or | Not | Compare"


CONNECTIVES = {
    "!": "not",
    "not": "not",
    "&": "and",
    "&&": "and",
    "and": "and",
    "|": "or",
    "||": "or",
    "or": "or",
    "(": "(",
    ")": ")",
}

OPERATORS = {
    "=": "=",
    "==": "=",
    "eq": "=",
    "!=": "!=",
    "ne": "!=",
    "neq": "!=",
    ">": ">",
    "gt": ">",
    "<": "<",
    "lt": "<",
    ">=": ">=",
    "ge": ">=",
    "geq": ">=",
    "<=": "<=",
    "le": "<=",
    "leq": "<=",
}

HOSTS = ("src", "dst")
PORTS = ("sport", "dport")
PREDICATES = (*HOSTS, *PORTS, "dev", "fwmark", "cgroup", "autobound")
END = "end"


class And:
    """All parts hold; without any, it always does."""

    __slots__ = ("parts",)

    def __init__(self, *parts: Node) -> None:
        self.parts = parts

    def __repr__(self) -> str:
        return "(" + " and ".join(map(repr, self.parts)) + ")"


class Or:
    """One of the parts holds."""

    __slots__ = ("parts",)

    def __init__(self, *parts: Node) -> None:
        self.parts = parts

    def __repr__(self) -> str:
        return "(" + " or ".join(map(repr, self.parts)) + ")"


class Not:
    """The part does not hold."""

    __slots__ = ("part",)

    def __init__(self, part: Node) -> None:
        self.part = part

    def __repr__(self) -> str:
        return f"not {self.part!r}"


class Compare:
    """One comparison.

    Attributes:
        field: ``src dst sport dport dev fwmark cgroup autobound``, or the dotted name of a field.
        op: ``=``, ``>=``, ``<=``; of a field also ``>``, ``<``, ``~``, ``unknown`` and ``set``.
        operand: what it is compared with: alternatives of hosts or ports, an index, mark and mask, an id, a value.
        detail: how --where judges it: a leaf, or other comparisons that it comes to.
        kernel: inet_diag bytecode can make it, and decides exactly as here.
        bounds, bounds_not: which sockets it can be other than false of, and other than true; None is all.
    """

    __slots__ = ("bounds", "bounds_not", "detail", "field", "kernel", "op", "operand")

    def __init__(
        self,
        field: str,
        op: str,
        operand: object,
        detail: Leaf | Node | None = None,
        *,
        kernel: bool = False,
        bounds: Bounds | None = None,
        bounds_not: Bounds | None = None,
    ) -> None:
        self.field = field
        self.op = op
        self.operand = operand
        self.detail = detail
        self.kernel = kernel
        self.bounds = bounds
        self.bounds_not = bounds_not

    def __repr__(self) -> str:
        return f"{self.field} {self.op} {self.operand!r}"
