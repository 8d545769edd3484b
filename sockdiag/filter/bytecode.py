"""Compile filters to INET_DIAG bytecode, which the kernel runs on each socket before it reports it.

Operations follow one another; each goes on to the next one or, on failure, jumps forward by its ``no``: to another
operation, or to four bytes behind the end, which refuses the socket. Arriving at the end accepts it.

Source: ``inet_diag_bc_audit()``, ``inet_diag_bc_run()``, net/ipv4/inet_diag.c; include/uapi/linux/inet_diag.h.
"""

from __future__ import annotations

from struct import Struct

from sockdiag.filter.tree import HOSTS, PORTS, And, Compare, Not, Or
from sockdiag.kernel.byte_order import ORDER
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6, AF_UNIX, AF_UNSPEC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.filter.operands import HostOperand
    from sockdiag.filter.tree import Node


# INET_DIAG_BC_…
JMP, S_GE, S_LE, D_GE, D_LE, AUTO, S_COND, D_COND, DEV_COND, MARK_COND = range(1, 11)
CGROUP_COND = 13

# struct inet_diag_bc_op: code, yes, no
OP = Struct(f"{ORDER}BBH")
# struct inet_diag_hostcond without the address: family, prefix_len, port
HOSTCOND = Struct(f"{ORDER}BBxxi")
# the second word of a port comparison, itself a struct inet_diag_bc_op: the port is its no
PORT_WORD = Struct(f"{ORDER}HH")
MARKCOND = Struct(f"{ORDER}II")  # struct inet_diag_markcond: mark, mask
DEVICE = Struct(f"{ORDER}I")
CGROUP = Struct(f"{ORDER}Q")

_OP_SIZE = 4
# "no" has 16 bits and reaches four bytes behind the end.
MAX_LENGTH = 0xFFFF - 3 - _OP_SIZE
_MAX_PORT = 0xFFFF
_ADDRESS_SIZES = {AF_INET: 4, AF_INET6: 16}


class _JumpLabel:
    # A place that operations jump to; it is behind all of them.
    __slots__ = ("offset",)

    def __init__(self, offset: int | None = None) -> None:
        self.offset = offset


class Assembler:
    """Put operations in a row and resolve their jumps."""

    __slots__ = ("_length", "_operations", "reject")

    def __init__(self) -> None:
        self._operations: list[tuple[int, bytes, _JumpLabel, int]] = []
        self._length = 0
        self.reject = _JumpLabel()

    def add(self, code: int, payload: bytes, fail: _JumpLabel) -> None:
        """Append an operation that jumps to *fail* if it does not hold."""
        self._operations.append((code, payload, fail, self._length))
        self._length += _OP_SIZE + len(payload)

    def place(self, label: _JumpLabel) -> None:
        """Put a label before the next operation."""
        label.offset = self._length

    def code(self) -> bytes | None:
        """Return the bytecode, None where it is too long."""
        if self._length > MAX_LENGTH:
            return None
        self.reject.offset = self._length + _OP_SIZE
        parts = []
        for code, payload, fail, at in self._operations:
            assert fail.offset is not None
            parts.append(OP.pack(code, _OP_SIZE + len(payload), fail.offset - at) + payload)
        return b"".join(parts)


def assemble(tree: Node) -> bytes | None:
    """Compile a tree all of whose comparisons the kernel can make; None where that is too long.

    The comparisons are ``src`` and ``dst`` (alternatives), ``sport`` and ``dport`` (alternatives with ``=``, else a port),
    ``dev`` (index), ``fwmark`` (mark, mask), ``cgroup`` (id) and ``autobound``.
    """
    assembler = Assembler()
    _emit(tree, assembler, assembler.reject)
    return assembler.code()


def _emit(tree: Node, assembler: Assembler, fail: _JumpLabel) -> None:
    if isinstance(tree, And):
        for part in tree.parts:
            _emit(part, assembler, fail)
    elif isinstance(tree, Or):
        _emit_any(tree.parts, assembler, fail)
    elif isinstance(tree, Not):
        holds_not = _JumpLabel()
        _emit(tree.part, assembler, holds_not)
        assembler.add(JMP, b"", fail)
        assembler.place(holds_not)
    elif tree.field in HOSTS or (tree.op == "=" and tree.field in PORTS):
        code = S_COND if tree.field in ("src", "sport") else D_COND
        hosts: tuple[HostOperand, ...] = tree.operand  # type: ignore[assignment]
        if len(hosts) == 1:
            assembler.add(code, _host(hosts[0]), fail)
        else:
            _emit_any(tuple(Compare(tree.field, "=", (host,)) for host in hosts), assembler, fail)
    else:
        _emit_leaf(tree, assembler, fail)


def _emit_any(parts: tuple[Node, ...], assembler: Assembler, fail: _JumpLabel) -> None:
    holds = _JumpLabel()
    for part in parts[:-1]:
        otherwise = _JumpLabel()
        _emit(part, assembler, otherwise)
        assembler.add(JMP, b"", holds)
        assembler.place(otherwise)
    _emit(parts[-1], assembler, fail)
    assembler.place(holds)


def _emit_leaf(leaf: Compare, assembler: Assembler, fail: _JumpLabel) -> None:
    field, operand = leaf.field, leaf.operand
    if field == "autobound":
        assembler.add(AUTO, b"", fail)
    elif field == "dev":
        assembler.add(DEV_COND, DEVICE.pack(operand), fail)
    elif field == "fwmark":
        assembler.add(MARK_COND, MARKCOND.pack(*operand), fail)  # type: ignore[misc]
    elif field == "cgroup":
        assembler.add(CGROUP_COND, CGROUP.pack(operand), fail)
    else:
        codes = {("sport", ">="): S_GE, ("sport", "<="): S_LE, ("dport", ">="): D_GE, ("dport", "<="): D_LE}
        hosts: tuple[HostOperand, ...] = operand  # type: ignore[assignment]
        assembler.add(codes[field, leaf.op], PORT_WORD.pack(0, hosts[0].port & _MAX_PORT), fail)


def _host(host: HostOperand) -> bytes:
    port = (host.port + (1 << 31)) % (1 << 32) - (1 << 31)
    # The kernel wants an address of the family's size, even if no bit of it counts.
    address = host.address.ljust(_ADDRESS_SIZES.get(host.family, 0), b"\0")
    return HOSTCOND.pack(host.family, host.length, port) + address


def is_sent(tree: Node) -> bool:
    """Return whether ss sends an expression to the kernel: not with a ``dev`` in it, nor with another family's operand."""
    return all(map(_is_sent, _leaves(tree)))


def _is_sent(leaf: Compare) -> bool:
    if leaf.field == "dev":
        return False
    if leaf.field in ("fwmark", "cgroup", "autobound"):
        return True
    hosts: tuple[HostOperand, ...] = leaf.operand  # type: ignore[assignment]
    return hosts[0].family in (AF_UNSPEC, AF_INET, AF_INET6)


def is_refused(tree: Node) -> bool:
    """Return whether the kernel refuses what ss sends: a host of another family, unless a ``dev`` keeps ss from sending it.

    Source: ``valid_hostcond()``, net/ipv4/inet_diag.c. (With a unix operand ss itself does not survive.)
    """
    leaves = list(_leaves(tree))
    return not any(leaf.field == "dev" for leaf in leaves) and any(map(_is_alien, leaves))


def _leaves(tree: Node) -> Iterator[Compare]:
    pending = [tree]
    while pending:
        one = pending.pop()
        if isinstance(one, Compare):
            yield one
        elif isinstance(one, Not):
            pending.append(one.part)
        else:
            pending.extend(one.parts)


def _is_alien(leaf: Compare) -> bool:
    if leaf.field not in HOSTS and not (leaf.field in PORTS and leaf.op == "="):
        return False
    hosts: tuple[HostOperand, ...] = leaf.operand  # type: ignore[assignment]
    return hosts[0].family not in (AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX)


def compile_ss(tree: Node) -> bytes | None:
    """Compile a filter of ss; None where ss sends nothing, or it is too long.

    ss sends only the first of several addresses of a host name; the result is the same.
    """
    return assemble(_first_addresses(tree)) if is_sent(tree) else None


def _first_addresses(tree: Node) -> Node:
    # Without map(): 3.12 and 3.13 bound how deep calls by way of C may go, whatever sys.setrecursionlimit() says.
    if isinstance(tree, Not):
        return Not(_first_addresses(tree.part))
    if isinstance(tree, And):
        return And(*[_first_addresses(part) for part in tree.parts])
    if isinstance(tree, Or):
        return Or(*[_first_addresses(part) for part in tree.parts])
    if tree.field in ("fwmark", "cgroup", "autobound"):
        return tree
    hosts: tuple[HostOperand, ...] = tree.operand  # type: ignore[assignment]
    return Compare(tree.field, tree.op, hosts[:1])


def compile_part(tree: Node, *, net_admin: bool) -> bytes | None:
    """Compile what the kernel can decide of an expression; None where that is nothing, or too long.

    Args:
        tree: the expression.
        net_admin: bytecode may read marks.
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
