"""The part of a --where expression that the kernel can decide on an event of a tracepoint: its ports.

The kernel's filters compare numbers; an address is an array of bytes there. An event names one end of a connection first, and
the other end's events, which tell about this one, name it last: so a comparison of one port is made with both.

Source: Documentation/trace/events.rst, "Event filtering".
"""

from __future__ import annotations

from sockdiag.filter.tree import PORTS, And, Compare, Or

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.filter.operands import HostOperand
    from sockdiag.filter.tree import Node

# The kernel takes filters of a page, and has a limit of their depth.
_LONGEST = 1024


def ports_condition(tree: Node | None) -> str:
    """Return a condition that is true for each event that can pass, or whose other end can; "" for all.

    Args:
        tree: the expression.
    """
    found = None if tree is None else _condition(tree)
    return found if found is not None and len(found) <= _LONGEST else ""


def _condition(node: Node) -> str | None:
    if isinstance(node, Compare):
        return _comparison(node)
    if isinstance(node, And):
        parts = [one for part in node.parts if (one := _condition(part)) is not None]
        return f"({' && '.join(parts)})" if parts else None
    if isinstance(node, Or):
        found = [_condition(part) for part in node.parts]
        known = [one for one in found if one is not None]
        return f"({' || '.join(known)})" if known and len(known) == len(found) else None
    # What does not hold of one end may hold of the other.
    return None


def _comparison(node: Compare) -> str | None:
    hosts = node.operand
    if not node.kernel or not isinstance(hosts, tuple):
        return None
    if node.field in PORTS:
        operator = "==" if node.op == "=" else node.op
        return _either(operator, hosts)
    if node.field in ("src", "dst"):
        return _either("==", hosts)
    return None


def _either(operator: str, hosts: tuple[HostOperand, ...]) -> str | None:
    ports = [host.port for host in hosts]
    if any(not 0 < port <= 0xFFFF for port in ports):
        return None
    return f"({' || '.join(f'sport {operator} {port} || dport {operator} {port}' for port in ports)})"
