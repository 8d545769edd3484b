"""AF_VSOCK sockets, from vsock_diag."""

from __future__ import annotations

from sockdiag.errors import ParseError
from sockdiag.kernel.byte_order import low_first
from sockdiag.kernel.netlink import NLMSG_HDRLEN
from sockdiag.kernel.sock_diag import AF_VSOCK, TYPE_NAMES
from sockdiag.kernel.tcp_states import state_name
from sockdiag.kernel.vsock_diag import ANY, MSG, MSG_LEN, REQ
from sockdiag.model.address import NOWHERE, Endpoint
from sockdiag.model.socket import Socket
from sockdiag.sources.netlink.attributes import attributes
from sockdiag.sources.netlink.records import read_records
from sockdiag.sources.system.transport import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.model.query import Query
    from sockdiag.sources.reading import Reading
    from sockdiag.sources.system.machine import System

SOURCE = "netlink:vsock_diag"

_HEAD = NLMSG_HDRLEN + MSG_LEN


def requests(query: Query) -> tuple[Request, ...]:
    """Return the request for the vsock sockets that *query* wants."""
    payload = REQ.pack(AF_VSOCK, 0, 0, query.states & 0xFFFFFFFF, 0, 0, 0, 0)
    return (Request("vsock_diag", payload, states=query.states),)


def read(system: System, query: Query) -> Reading:
    """Read the vsock sockets of the current network namespace.

    Source: ``vsock_diag_dump()``, net/vmw_vsock/diag.c.

    Raises:
        SourceUnavailable: the kernel has no vsock_diag.
        SourceDenied: it may not be read.
    """
    (request,) = requests(query)
    return read_records(system.netlink, request, decode)


def decode(message: bytes) -> Socket:
    """Make a socket of one message; the address is the context id (CID), None where any will do.

    Source: ``sk_diag_fill()``, net/vmw_vsock/diag.c; it reports neither queues nor memory.

    Raises:
        ParseError: the message is shorter than its struct.
    """
    if len(message) < _HEAD:
        raise ParseError(SOURCE, 0, "nlmsg_len", f"at least {_HEAD}", str(len(message)))
    family, kind, state, shutdown, src_cid, src_port, dst_cid, dst_port, inode, cookie = MSG.unpack_from(
        message, NLMSG_HDRLEN
    )
    if family != AF_VSOCK:
        raise ParseError(SOURCE, NLMSG_HDRLEN, "vdiag_family", str(AF_VSOCK), str(family))
    return Socket(
        netid="vsock",
        family="AF_VSOCK",
        type=TYPE_NAMES.get(kind, f"SOCK_{kind}"),
        state=state_name(state),
        local=_endpoint(src_cid, src_port),
        peer=_endpoint(dst_cid, dst_port),
        inode=inode,
        cookie=low_first(cookie),
        shutdown=shutdown,
        unknown_attributes=tuple(attributes(message, _HEAD, SOURCE).items()),
    )


def _endpoint(cid: int, port: int) -> Endpoint:
    if cid == port == ANY:
        return NOWHERE
    return Endpoint(None if cid == ANY else str(cid), None if port == ANY else port)
