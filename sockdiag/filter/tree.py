"""What a filter means, as a tree; both readings and the kernel's bytecode share it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias


class And:
    """All parts hold."""

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
        field: ``src``, ``dst``, ``sport``, ``dport``, ``dev``, ``fwmark``, ``cgroup``, ``autobound``, ``state``, or the
            dotted name of a field.
        op: ``=``, ``>=``, ``<=``, ``>``, ``<``, ``~`` (a pattern), ``unknown``, or ``set`` (known, and neither zero nor empty).
        operand: what it is compared with; its type belongs to the field.
        detail: what else the reading needs to judge it.
    """

    __slots__ = ("detail", "field", "op", "operand")

    def __init__(self, field: str, op: str, operand: object, detail: object = None) -> None:
        self.field = field
        self.op = op
        self.operand = operand
        self.detail = detail

    def __repr__(self) -> str:
        return f"{self.field} {self.op} {self.operand!r}"


if TYPE_CHECKING:
    Node: TypeAlias = And | Or | Not | Compare
