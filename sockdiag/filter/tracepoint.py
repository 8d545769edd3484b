"""The part of a --where expression that the kernel can decide on an event of a tracepoint: ports, addresses of IPv4, IPv6 at all.

The kernel's filters compare numbers. An array of four bytes is compared as one number, in the machine's byte order; longer ones,
which hold addresses of IPv6, are taken and never match. An event names one end of a connection first, and the other end's events,
which tell about this one, name it last: so a comparison of one end is made with both.

Source: Documentation/trace/events.rst, "Event filtering"; ``select_comparison_fn()``, kernel/trace/trace_events_filter.c.
"""

from __future__ import annotations

from sockdiag.filter.tree import HOSTS, PORTS, And, Compare, Or
from sockdiag.kernel.byte_order import U32
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6, V4_MAPPED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from sockdiag.filter.operands import HostOperand
    from sockdiag.filter.tree import Node

# What the events of a tracepoint have: sport and dport; saddr and daddr of four bytes; family.
WITH_PORTS, WITH_ADDRESSES, WITH_FAMILY = "ports", "addresses", "family"

# The kernel takes filters of a page, and has a limit of their depth.
_LONGEST = 1024


def event_condition(tree: Node | None, having: Collection[str]) -> str:
    """Return a condition that is true for each event that can pass, or whose other end can; "" for all.

    Args:
        tree: the expression.
        having: what the events have, of the words above.
    """
    found = None if tree is None else _condition(tree, having)
    return found if found is not None and len(found) <= _LONGEST else ""


def _condition(node: Node, having: Collection[str]) -> str | None:
    if isinstance(node, Compare):
        return _comparison(node, having)
    if isinstance(node, And):
        parts = [one for part in node.parts if (one := _condition(part, having)) is not None]
        return f"({' && '.join(parts)})" if parts else None
    if isinstance(node, Or):
        return _any([_condition(part, having) for part in node.parts])
    # What does not hold of one end may hold of the other.
    return None


def _comparison(node: Compare, having: Collection[str]) -> str | None:
    if node.field == "family" and (node.op, node.operand) == ("=", "AF_INET6"):
        return _six(having)
    hosts = node.operand
    if not node.kernel or not isinstance(hosts, tuple):
        return None
    if node.field in PORTS:
        operator = "==" if node.op == "=" else node.op
        return _any([_port(operator, host, having) for host in hosts])
    if node.field in HOSTS and node.op == "=":
        return _any([_host(host, having) for host in hosts])
    return None


def _any(found: list[str | None]) -> str | None:
    known = [one for one in found if one is not None]
    return f"({' || '.join(known)})" if known and len(known) == len(found) else None


def _port(operator: str, host: HostOperand, having: Collection[str]) -> str | None:
    port = host.port
    if WITH_PORTS not in having or not 0 < port <= 0xFFFF:
        return None
    return f"(sport {operator} {port} || dport {operator} {port})"


def _host(host: HostOperand, having: Collection[str]) -> str | None:
    parts = [one for one in (_address(host, having), _port("==", host, having)) if one is not None]
    return " && ".join(parts) or None


def _address(host: HostOperand, having: Collection[str]) -> str | None:
    four = host.address
    if host.family == AF_INET6 and host.length == 128 and four[:12] == V4_MAPPED:
        four = four[12:]
    elif host.family == AF_INET6 and host.length and four[0]:
        return _six(having)  # no address of IPv4 in the form of IPv6 begins like this
    elif host.family != AF_INET or host.length != 32:
        return None
    if WITH_ADDRESSES not in having:
        return None
    (number,) = U32.unpack(four)
    return f"(saddr == {number} || daddr == {number})"


def _six(having: Collection[str]) -> str | None:
    return f"family == {AF_INET6}" if WITH_FAMILY in having else None
