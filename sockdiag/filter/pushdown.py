"""The part of a --where expression that the kernel can decide, as bytecode.

What is sent must let every socket pass that the expression may pass. A comparison that the kernel cannot make counts as
true there: it drops out of an ``and``, and takes a whole ``or`` with it. Below ``not`` the same holds the other way round.
"""

from __future__ import annotations

from sockdiag.filter.bytecode import assemble
from sockdiag.filter.tree import And, Compare, Not, Or

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.filter.tree import Node


def compile_part(tree: Node, *, net_admin: bool) -> bytes | None:
    """Compile what the kernel can decide of an expression; None where that is nothing, or too long.

    Args:
        tree: the expression.
        net_admin: marks may be looked at.
    """
    part = _part(tree, net_admin=net_admin, positive=True)
    return None if part is None else assemble(part)


def _part(node: Node, *, net_admin: bool, positive: bool) -> Node | None:
    # The strongest node made of the kernel's comparisons that is implied by this one (positive) or implies it (not);
    # None where that is no more than true, or false.
    if isinstance(node, Compare):
        return node if node.kernel and (net_admin or node.field != "fwmark") else None
    if isinstance(node, Not):
        part = _part(node.part, net_admin=net_admin, positive=not positive)
        return None if part is None else Not(part)
    parts = [_part(p, net_admin=net_admin, positive=positive) for p in node.parts]
    found = [p for p in parts if p is not None]
    # An "and" implies each of its parts; an "or" is implied by each.
    if not found or (len(found) < len(parts) and isinstance(node, And) != positive):
        return None
    if len(found) == 1:
        return found[0]
    return And(*found) if isinstance(node, And) else Or(*found)
