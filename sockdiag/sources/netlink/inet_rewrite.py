"""Filters by address and port for the kernel to apply in an inet_diag dump: these sockets only, or all but these.

Source: ``inet_diag_bc_run()``, ``inet_diag_bc_audit()``, net/ipv4/inet_diag.c. Each operation is followed by its operand
and holds two offsets, of the next operation where it is true and where it is false. The kernel accepts a socket
if the program runs exactly to its end, and leaves it out if it jumps one operation (4 bytes) beyond.
"""

from __future__ import annotations

from struct import unpack_from

from sockdiag.kernel.byte_order import U32
from sockdiag.kernel.inet_diag import (
    BC_D_COND,
    BC_HOSTCOND,
    BC_JMP,
    BC_OP,
    BC_S_COND,
    EXT_INFO,
    MSG_ATTRIBUTES,
    MSG_DST,
    MSG_FAMILY,
    MSG_SOCKID,
    MSG_SPORT,
    MSG_SRC,
    MSG_STATE,
    REQ_BYTECODE,
    REQ_COMPAT,
    REQ_PROTOCOL,
    REQ_V2,
    SHUTDOWN,
)
from sockdiag.kernel.netlink import NLA_HDRLEN, NLATTR
from sockdiag.kernel.sock_diag import (
    AF_INET,
    AF_INET6,
    DCCPDIAG_GETSOCK,
    IPPROTO_DCCP,
    IPPROTO_MPTCP,
    IPPROTO_SCTP,
    IPPROTO_TCP,
    SOCK_DIAG_BY_FAMILY,
    TCPDIAG_GETSOCK,
)
from sockdiag.kernel.tcp_states import ALL_STATES, CLOSE, LISTEN, SYN_RECV, TIME_WAIT
from sockdiag.model.record import ID, LABEL, Record, field
from sockdiag.sources.netlink.attributes import attribute, attributes
from sockdiag.sources.netlink.inet_request import NO_SOCKID, request
from sockdiag.sources.system.transport import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sockdiag.sources.system.transport import Request


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
    family = message[MSG_FAMILY]
    size = 4 if family == AF_INET else 16
    sport, dport = unpack_from("!HH", message, MSG_SPORT)
    src, dst = message[MSG_SRC:][:size], message[MSG_DST:][:size]
    return BC_HOSTCOND.pack(family, size * 8, sport) + src, BC_HOSTCOND.pack(family, size * 8, dport) + dst


# Offsets in struct inet_diag_req_v2 and, behind them, in the older struct inet_diag_req.
_EXT, _COMPAT_EXT = 2, 3
_STATES, _COMPAT_STATES = 4, 52

# The first attribute of every full socket, and of no mini-socket.
_SHUTDOWN = NLATTR.pack(NLA_HDRLEN + 1, SHUTDOWN)

# A filter is at most 64 KiB with its attribute header; this many sockets of IPv6 stay far below.
_MOST_LEFT_OUT = 512


class Question(Record):
    """One question to the kernel that is about few sockets."""

    request: Request = field("The request.", kind=ID)
    dump: bool = field("Whether the answer is a dump.", kind=LABEL)
    message: bytes = field("A row that it is about, as it was listed.", kind=ID)


def protocol_of(request: Request) -> int | None:
    """Return the protocol that a request is about; None where it is no inet_diag request."""
    if request.type in (TCPDIAG_GETSOCK, DCCPDIAG_GETSOCK):
        return IPPROTO_TCP if request.type == TCPDIAG_GETSOCK else IPPROTO_DCCP
    if request.type != SOCK_DIAG_BY_FAMILY or request.payload[:1] not in (bytes((AF_INET,)), bytes((AF_INET6,))):
        return None
    wide = _attributes(request).get(REQ_PROTOCOL)
    return int(U32.unpack_from(wide)[0]) if wide else request.payload[1]


def takes_lock(request: Request) -> bool:
    """Return whether the kernel takes socket locks to answer.

    It does for tcp_info and mptcp_info, and for every request for SCTP sockets (``sctp_sock_dump()``).
    """
    protocol = protocol_of(request)
    if protocol == IPPROTO_SCTP:
        return True
    return protocol in (IPPROTO_TCP, IPPROTO_MPTCP, IPPROTO_DCCP) and bool(request.payload[_ext(request)] & EXT_INFO)


def without_info(request: Request) -> Request:
    """Return the same request without INFO, which takes no lock."""
    at, payload = _ext(request), request.payload
    return request._replace(payload=payload[:at] + bytes((payload[at] & ~EXT_INFO,)) + payload[at + 1 :])


def without(request: Request, rows: Sequence[bytes]) -> Request | None:
    """Return the same request for all but the sockets of some rows; None if that cannot be expressed."""
    if not rows:
        return request
    if len(rows) > _MOST_LEFT_OUT or REQ_BYTECODE in _attributes(request):
        return None
    return request._replace(payload=request.payload + attribute(REQ_BYTECODE, none_of(rows)))


def has_info(request: Request, row: bytes) -> bool:
    """Return whether the kernel has tcp_info or mptcp_info of the socket of a row.

    It has none of mini-sockets (TIME_WAIT, most in SYN_RECV), nor of TCP sockets that are only bound.
    """
    state = row[MSG_STATE]
    if state == SYN_RECV:
        return row[MSG_ATTRIBUTES : MSG_ATTRIBUTES + NLA_HDRLEN] == _SHUTDOWN
    return state != TIME_WAIT and (state != CLOSE or protocol_of(request) == IPPROTO_MPTCP)


def questions(request: Request, rows: Iterable[bytes]) -> list[Question]:
    """Return the requests that read the sockets of some rows of a dump once more, each on its own.

    Listeners are asked for together: their tcp_info takes no lock.
    """
    asked = []
    listener = False
    for row in rows:
        if row[MSG_STATE] != LISTEN:
            asked.append(_single(request, row))
        elif not listener:
            listener = True
            asked.append(Question(_with_states(request, 1 << LISTEN), True, row))
    return asked


def _single(asked: Request, row: bytes) -> Question:
    protocol = protocol_of(asked) or 0
    ext = asked.payload[_ext(asked)]
    # The kernel finds connections by address and cookie, but MPTCP's only by token: these are filtered out of a dump.
    dump = protocol == IPPROTO_MPTCP
    one = request(
        row[MSG_FAMILY],
        protocol,
        ext=ext,
        states=ALL_STATES,
        bytecode=exactly(row) if dump else b"",
        identity=NO_SOCKID if dump else row[MSG_SOCKID],
    )
    return Question(one._replace(name=asked.name), dump, row)


def _with_states(request: Request, states: int) -> Request:
    states &= request.states
    at = _STATES if request.type == SOCK_DIAG_BY_FAMILY else _COMPAT_STATES
    payload = request.payload[:at] + U32.pack(states) + request.payload[at + 4 :]
    return request._replace(payload=payload, states=states)


def _ext(request: Request) -> int:
    return _EXT if request.type == SOCK_DIAG_BY_FAMILY else _COMPAT_EXT


def _attributes(request: Request) -> dict[int, bytes]:
    layout = REQ_V2 if request.type == SOCK_DIAG_BY_FAMILY else REQ_COMPAT
    return attributes(request.payload, layout.size, request.source)
