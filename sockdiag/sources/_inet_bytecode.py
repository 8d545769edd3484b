"""Filters by address and port for the kernel to apply in an inet_diag dump: these sockets only, or all but these.

Source: ``inet_diag_bc_run()``, ``inet_diag_bc_audit()``, net/ipv4/inet_diag.c. Each operation is followed by its operand
and holds two offsets, of the next operation where it is true and where it is false. A socket is taken where the
program runs to its end exactly, and left out where it jumps one operation (4 bytes) beyond.
"""

from __future__ import annotations

from struct import unpack_from

from sockdiag.kernel.inet_diag import BC_D_COND, BC_HOSTCOND, BC_JMP, BC_OP, BC_S_COND
from sockdiag.kernel.netlink import NLMSG_HDRLEN
from sockdiag.kernel.sock_diag import AF_INET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_REJECT = BC_OP.size


def exactly(message: bytes) -> bytes:
    """Return a filter that takes the socket of a message, by its addresses and ports."""
    source, destination = _operands(message)
    after = BC_OP.size + len(destination)
    return (
        BC_OP.pack(BC_S_COND, BC_OP.size + len(source), BC_OP.size + len(source) + after + _REJECT)
        + source
        + BC_OP.pack(BC_D_COND, after, after + _REJECT)
        + destination
    )


def none_of(message_list: Sequence[bytes]) -> bytes:
    """Return a filter that takes all but the sockets of some messages."""
    operands = [_operands(message) for message in message_list]
    left = sum(3 * BC_OP.size + len(source) + len(destination) for source, destination in operands)
    code = b""
    for source, destination in operands:
        left -= 3 * BC_OP.size + len(source) + len(destination)
        first, second = BC_OP.size + len(source), BC_OP.size + len(destination)
        code += BC_OP.pack(BC_S_COND, first, first + second + BC_OP.size) + source
        code += BC_OP.pack(BC_D_COND, second, second + BC_OP.size) + destination
        code += BC_OP.pack(BC_JMP, BC_OP.size, BC_OP.size + left + _REJECT)
    return code


def _operands(message: bytes) -> tuple[bytes, bytes]:
    # struct inet_diag_hostcond of the local and of the remote end.
    family = message[NLMSG_HDRLEN]
    size = 4 if family == AF_INET else 16
    sport, dport = unpack_from("!HH", message, NLMSG_HDRLEN + 4)
    src, dst = message[NLMSG_HDRLEN + 8 :][:size], message[NLMSG_HDRLEN + 24 :][:size]
    return BC_HOSTCOND.pack(family, size * 8, sport) + src, BC_HOSTCOND.pack(family, size * 8, dport) + dst
