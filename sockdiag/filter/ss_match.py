"""Evaluate a filter of ss on a row, in its own reading and in the kernel's."""

from __future__ import annotations

from sockdiag.filter.cnumbers import INT_MAX
from sockdiag.filter.glob import compile_glob
from sockdiag.filter.operands import ANY_PORT, HostOperand, word
from sockdiag.filter.tree import And, Compare, Not, Or
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX, AF_UNSPEC, AF_VSOCK, V4_MAPPED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol, TypeAlias

    from sockdiag.filter.context import FilterContext
    from sockdiag.filter.tree import Node

    Test: TypeAlias = Callable[["SsSocket"], bool]

    class SsSocket(Protocol):
        """A socket as a filter of ss compares it.

        Attributes:
            family: AF_….
            local, remote: address bytes of an IP socket; the name of a unix socket as it is shown (``@`` for NUL), None
                where it has none.
            lport, rport: ports; inode and peer inode of a unix socket, port id and -1 of a netlink one, interface index
                and 0 of a packet one.
            iface: index of the bound interface, 0 for none.
            mark, cgroup_id: 0 where unknown.
            number: protocol of a netlink or packet socket.
        """

        family: int
        local: bytes | None
        remote: bytes | None
        lport: int
        rport: int
        iface: int
        mark: int
        cgroup_id: int
        number: int


_AUTOBOUND_NAME = "@[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]"


class Matcher:
    """Make functions of filter trees.

    Args:
        context: the look-ups.
    """

    __slots__ = ("_context",)

    def __init__(self, context: FilterContext) -> None:
        self._context = context

    def own(self, tree: Node | None) -> Test:
        """Return ss's own reading."""
        return _build(tree, self._own_leaf)

    def kernel(self, tree: Node | None) -> Test:
        """Return the kernel's reading of the bytecode that ss sends for an IP table.

        Source: ``inet_diag_bc_run()``, net/ipv4/inet_diag.c.
        """
        from sockdiag.filter.bytecode import is_sent

        return _build(tree if tree is not None and is_sent(tree) else None, _kernel_leaf)

    def is_settled(self, tree: Node | None) -> bool:
        """Return whether a row of an IP table that passes the kernel's reading passes ss's too."""
        from sockdiag.filter.bytecode import is_sent

        return tree is None or (is_sent(tree) and _implies(tree, positive=True))

    def _own_leaf(self, leaf: Compare) -> Test:
        field, operand = leaf.field, leaf.operand
        if field == "autobound":
            return self._autobound()
        if field == "dev":
            return lambda row: row.iface == operand
        if field == "fwmark":
            return _marked(operand)
        if field == "cgroup":
            return lambda row: row.cgroup_id == operand
        hosts: tuple[HostOperand, ...] = operand  # type: ignore[assignment]
        local = field in ("src", "sport")
        port = hosts[0].port
        if leaf.op == ">=":
            return (lambda row: row.lport >= port) if local else (lambda row: row.rport >= port)
        if leaf.op == "<=":
            return (lambda row: row.lport <= port) if local else (lambda row: row.rport <= port)
        if hosts[0].family == AF_UNIX:
            return _named(hosts[0].pattern, local=local)
        return _placed(hosts, local=local)

    def _autobound(self) -> Test:
        name = compile_glob(_AUTOBOUND_NAME)
        limits: list[int] = []

        def test(row: SsSocket) -> bool:
            family = row.family
            if family == AF_UNIX:
                return not row.local or name(row.local.decode("latin-1"))
            if family == AF_PACKET:
                return row.lport == 0 and row.number == 0
            if family == AF_NETLINK:
                return row.lport < 0
            if family == AF_VSOCK:
                return row.lport > 1023
            if not limits:
                limits.extend(self._context.port_range())
            return limits[0] <= row.lport <= limits[1]

        return test


def _build(tree: Node | None, leaf: Callable[[Compare], Test]) -> Test:
    if tree is None:
        return lambda _row: True
    if isinstance(tree, Compare):
        return leaf(tree)
    if isinstance(tree, Not):
        part = _build(tree.part, leaf)
        return lambda row: not part(row)
    parts = [_build(part, leaf) for part in tree.parts]
    first, *rest = parts
    if isinstance(tree, And):
        if len(rest) == 1:
            second = rest[0]
            return lambda row: first(row) and second(row)

        def every(row: SsSocket) -> bool:
            for part in parts:  # noqa: SIM110 - a generator costs twice as much
                if not part(row):
                    return False
            return True

        return every

    def some(row: SsSocket) -> bool:
        for part in parts:  # noqa: SIM110
            if part(row):
                return True
        return False

    return some


def _marked(operand: object) -> Test:
    mark: int
    mask: int
    mark, mask = operand  # type: ignore[misc]
    return lambda row: row.mark & mask == mark


def _named(pattern: str, *, local: bool) -> Test:
    accepts = compile_glob(pattern, fold=True)
    known: dict[bytes, bool] = {}

    def test(row: SsSocket) -> bool:
        if row.family != AF_UNIX:
            return False
        name = (row.local if local else row.remote) or b""
        answer = known.get(name)
        if answer is None:
            answer = known[name] = accepts(name.decode("latin-1"))
        return answer

    return test


def _placed(hosts: tuple[HostOperand, ...], *, local: bool) -> Test:
    port = hosts[0].port
    if not hosts[0].length:
        if port == ANY_PORT:
            return lambda _row: True
        return (lambda row: row.lport == port) if local else (lambda row: row.rport == port)

    known: dict[tuple[int, bytes | None, int], bool] = {}

    def test(row: SsSocket) -> bool:
        if port not in (ANY_PORT, row.lport if local else row.rport):
            return False
        address = row.local if local else row.remote
        key = (row.family, address, row.number)
        answer = known.get(key)
        if answer is None:
            there = _words(row, local=local)
            answer = known[key] = there is not None and any(_own_address(host, row, there) for host in hosts)
        return answer

    return test


def _words(view: SsSocket, *, local: bool) -> bytes | None:
    """Return the 16 bytes of an address that ss compares; None where they cannot be known (the name of a unix socket)."""
    address = view.local if local else view.remote
    if view.family == AF_UNIX:
        return None if address else bytes(16)
    if address is None:
        address = word(view.number) if local else b""
    return address.ljust(16, b"\0")


def _own_address(host: HostOperand, row: SsSocket, there: bytes) -> bool:
    # The bits are compared first, also between families; then an IPv4 rule with a mapped address.
    if same_bits(host, there):
        return True
    return host.family == AF_INET and row.family == AF_INET6 and there[:12] == V4_MAPPED and same_bits(host, there[12:])


def same_bits(host: HostOperand, there: bytes) -> bool:
    """Return whether the bits that count of a host's address are those of an address at least as long."""
    size = len(host.address)
    shift = 8 * size - host.length
    return int.from_bytes(there[:size], "big") >> shift == int.from_bytes(host.address, "big") >> shift


def _kernel_leaf(leaf: Compare) -> Test:
    field, operand = leaf.field, leaf.operand
    if field == "autobound":
        return lambda _row: True
    if field == "fwmark":
        return _marked(operand)
    if field == "cgroup":
        return lambda row: row.cgroup_id == operand
    hosts: tuple[HostOperand, ...] = operand  # type: ignore[assignment]
    local = field in ("src", "sport")
    # The port of a range has 16 bits there.
    port = hosts[0].port & 0xFFFF
    if leaf.op == ">=":
        return (lambda row: row.lport >= port) if local else (lambda row: row.rport >= port)
    if leaf.op == "<=":
        return (lambda row: row.lport <= port) if local else (lambda row: row.rport <= port)
    return _kernel_host(hosts[0], local=local)


def _kernel_host(host: HostOperand, *, local: bool) -> Test:
    # ss sends the first address of a name, as often as the name has addresses.
    port = host.port if host.port == ANY_PORT else (host.port + (1 << 31)) % (1 << 32) - (1 << 31)

    def test(row: SsSocket) -> bool:
        if port not in (ANY_PORT, row.lport if local else row.rport):
            return False
        if host.family == AF_UNSPEC:
            return True
        there = (row.local if local else row.remote) or b""
        if host.family != row.family:
            return host.family == AF_INET and there[:12] == V4_MAPPED and same_bits(host, there[12:])
        return not host.length or same_bits(host, there)

    return test


def _implies(tree: Node, *, positive: bool) -> bool:
    if isinstance(tree, Not):
        return _implies(tree.part, positive=not positive)
    if isinstance(tree, (And, Or)):
        # No generator: 3.12 and 3.13 bound how deep calls by way of C may go.
        return False not in [_implies(part, positive=positive) for part in tree.parts]
    if tree.field in ("fwmark", "cgroup"):
        return True
    if tree.field == "autobound":
        return False
    hosts: tuple[HostOperand, ...] = tree.operand  # type: ignore[assignment]
    first = hosts[0]
    if not (-INT_MAX <= first.port <= INT_MAX if tree.op == "=" else 0 <= first.port <= 0xFFFF):
        return False
    # An address that the kernel accepts, ss accepts; what the kernel refuses for its family, ss may accept.
    return positive or first.family == AF_UNSPEC
