"""Requests made out of an inet_diag dump request: without tcp_info, without some sockets, for one socket alone."""

from __future__ import annotations

from struct import pack, unpack_from

from sockdiag.kernel.inet_diag import (
    EXT_INFO,
    MSG_LEN,
    REQ_BYTECODE,
    REQ_COMPAT,
    REQ_PROTOCOL,
    REQ_V2,
    SHUTDOWN,
    SOCKID,
)
from sockdiag.kernel.netlink import NLA_HDRLEN, NLATTR, NLMSG_HDRLEN
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
from sockdiag.sources._attributes import attributes
from sockdiag.sources._inet_bytecode import exactly, none_of
from sockdiag.sources._transport import Request
from sockdiag.sources.inet_diag import attribute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Offsets in struct inet_diag_req_v2 and, behind them, in the older struct inet_diag_req.
_EXT, _COMPAT_EXT = 2, 3
_STATES, _COMPAT_STATES = 4, 52

_STATE = NLMSG_HDRLEN + 1
_SOCKID = slice(NLMSG_HDRLEN + 4, NLMSG_HDRLEN + 4 + SOCKID.size)

_ATTRIBUTES = NLMSG_HDRLEN + MSG_LEN
# The first attribute of every full socket, and of no mini-socket.
_SHUTDOWN = NLATTR.pack(NLA_HDRLEN + 1, SHUTDOWN)

# A filter is at most 64 KiB with its attribute header; this many sockets of IPv6 stay far below.
_MOST_LEFT_OUT = 512


class Question(Record):
    """One question to the kernel that is about few sockets."""

    request: Request = field("What is asked.", kind=ID)
    dump: bool = field("Whether the answer is a dump.", kind=LABEL)
    message: bytes = field("A row that it is about, as it was listed.", kind=ID)


def protocol_of(request: Request) -> int | None:
    """Return the protocol that a request is about; None where it is no inet_diag request."""
    if request.type in (TCPDIAG_GETSOCK, DCCPDIAG_GETSOCK):
        return IPPROTO_TCP if request.type == TCPDIAG_GETSOCK else IPPROTO_DCCP
    if request.type != SOCK_DIAG_BY_FAMILY or request.payload[:1] not in (bytes((AF_INET,)), bytes((AF_INET6,))):
        return None
    wide = _attributes(request).get(REQ_PROTOCOL)
    return int(unpack_from("=I", wide)[0]) if wide else request.payload[1]


def takes_lock(request: Request) -> bool:
    """Tell whether the kernel takes socket locks to answer.

    It does for tcp_info and mptcp_info, and of SCTP sockets whatever is asked (``sctp_sock_dump()``).
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
    """Return the same request for all but the sockets of some rows; None where that cannot be said."""
    if not rows:
        return request
    if len(rows) > _MOST_LEFT_OUT or REQ_BYTECODE in _attributes(request):
        return None
    return request._replace(payload=request.payload + attribute(REQ_BYTECODE, none_of(rows)))


def has_info(request: Request, row: bytes) -> bool:
    """Tell whether the kernel has tcp_info or mptcp_info of the socket of a row.

    It has none of mini-sockets (TIME_WAIT, most in SYN_RECV), nor of TCP sockets that are only bound.
    """
    state = row[_STATE]
    if state == SYN_RECV:
        return row[_ATTRIBUTES : _ATTRIBUTES + NLA_HDRLEN] == _SHUTDOWN
    return state != TIME_WAIT and (state != CLOSE or protocol_of(request) == IPPROTO_MPTCP)


def questions(request: Request, rows: Iterable[bytes]) -> list[Question]:
    """Return what to ask to get the sockets of some rows of a dump once more, each on its own.

    Listeners are asked for together: their tcp_info takes no lock.
    """
    asked = []
    listener = False
    for row in rows:
        if row[_STATE] != LISTEN:
            asked.append(_single(request, row))
        elif not listener:
            listener = True
            asked.append(Question(_with_states(request, 1 << LISTEN), True, row))
    return asked


def _single(request: Request, row: bytes) -> Question:
    protocol = protocol_of(request)
    compat = request.type != SOCK_DIAG_BY_FAMILY
    ext = request.payload[_ext(request)]
    low = protocol if compat else request.payload[1]
    wide = b"" if low == protocol else attribute(REQ_PROTOCOL, pack("=I", protocol))
    # The kernel finds connections by address and cookie, but MPTCP's only by token: these are filtered out of a dump.
    dump = protocol == IPPROTO_MPTCP
    identity = bytes(SOCKID.size) if dump else row[_SOCKID]
    payload = REQ_V2.pack(row[NLMSG_HDRLEN], low, ext, 0, ALL_STATES, identity) + wide
    if dump:
        payload += attribute(REQ_BYTECODE, exactly(row))
    return Question(Request(request.name, payload, states=ALL_STATES), dump, row)


def _with_states(request: Request, states: int) -> Request:
    states &= request.states
    at = _STATES if request.type == SOCK_DIAG_BY_FAMILY else _COMPAT_STATES
    payload = request.payload[:at] + pack("=I", states) + request.payload[at + 4 :]
    return request._replace(payload=payload, states=states)


def _ext(request: Request) -> int:
    return _EXT if request.type == SOCK_DIAG_BY_FAMILY else _COMPAT_EXT


def _attributes(request: Request) -> dict[int, bytes]:
    layout = REQ_V2 if request.type == SOCK_DIAG_BY_FAMILY else REQ_COMPAT
    return attributes(request.payload, layout.size, request.source)
