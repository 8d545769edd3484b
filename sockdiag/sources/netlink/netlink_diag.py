"""AF_NETLINK sockets, from netlink_diag."""

from __future__ import annotations

from sockdiag.errors import ParseError
from sockdiag.kernel.byte_order import LITTLE, integer, low_first
from sockdiag.kernel.netlink import NETLINK_PROTOCOLS, NLMSG_HDRLEN
from sockdiag.kernel.netlink_diag import (
    FLAG_CB_RUNNING,
    FLAGS,
    GROUPS,
    MEMINFO,
    MSG,
    MSG_LEN,
    NETLINK_CONNECTED,
    PROTO_ALL,
    REQ,
    SHOW_FLAGS,
    SHOW_GROUPS,
    SHOW_MEMINFO,
)
from sockdiag.kernel.sock_diag import AF_NETLINK, TYPE_NAMES
from sockdiag.kernel.tcp_states import STATE_NUMBERS
from sockdiag.model.address import NOWHERE, Endpoint
from sockdiag.model.local_attrs import NetlinkAttrs
from sockdiag.model.socket import Socket
from sockdiag.sources.netlink.attributes import attributes, number, skmem
from sockdiag.sources.netlink.records import read_records
from sockdiag.sources.system.transport import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.model.query import Query
    from sockdiag.sources.reading import Reading
    from sockdiag.sources.system.machine import System

SOURCE = "netlink:netlink_diag"

_HEAD = NLMSG_HDRLEN + MSG_LEN
# sizeof(unsigned long) of a 64-bit kernel
_LONG = 8


def requests(query: Query) -> tuple[Request, ...]:  # noqa: ARG001  # the request has no place for states
    """Return the request for the netlink sockets of all protocols."""
    show = SHOW_MEMINFO | SHOW_GROUPS | SHOW_FLAGS
    return (Request("netlink_diag", REQ.pack(AF_NETLINK, PROTO_ALL, 0, 0, show, 0xFFFFFFFF, 0xFFFFFFFF)),)


def read(system: System, query: Query) -> Reading:
    """Read the netlink sockets of the current network namespace.

    A dump of all protocols sends sockets with multicast groups twice, once from the hash and once from the list of
    groups; one of each stays. The asking socket itself is among them.

    Source: ``netlink_diag_dump()``, net/netlink/diag.c.

    Raises:
        SourceUnavailable: the kernel has no netlink_diag.
        SourceDenied: it may not be read.
    """
    (request,) = requests(query)
    reading = read_records(system.netlink, request, decode, _identity)
    wanted = query.states
    return reading._replace(sockets=[s for s in reading.sockets if wanted >> STATE_NUMBERS[s.state or ""] & 1])


def decode(message: bytes) -> Socket:
    """Make a socket of one message.

    Source: ``sk_diag_fill()``, net/netlink/diag.c.
    Units: queues in bytes of memory, overhead included.

    Raises:
        ParseError: the message or an attribute is shorter than its struct.
    """
    if len(message) < _HEAD:
        raise ParseError(SOURCE, 0, "nlmsg_len", f"at least {_HEAD}", str(len(message)))
    family, kind, protocol, state, portid, dst_portid, dst_group, inode, cookie = MSG.unpack_from(message, NLMSG_HDRLEN)
    if family != AF_NETLINK:
        raise ParseError(SOURCE, NLMSG_HDRLEN, "ndiag_family", str(AF_NETLINK), str(family))
    found = attributes(message, _HEAD, SOURCE)
    memory, groups, flags = found.pop(MEMINFO, None), found.pop(GROUPS, b""), found.pop(FLAGS, None)
    mem = skmem(memory, "NETLINK_DIAG_MEMINFO", SOURCE) if memory is not None else None
    options = number(flags, 4, "NETLINK_DIAG_FLAGS", SOURCE) if flags is not None else None
    mask = integer(groups if LITTLE else _low_long_first(groups))
    name = NETLINK_PROTOCOLS.get(protocol, str(protocol))
    connected = state == NETLINK_CONNECTED
    return Socket(
        netid="netlink",
        family="AF_NETLINK",
        type=TYPE_NAMES.get(kind, f"SOCK_{kind}"),
        protocol=name,
        state="ESTABLISHED" if connected else "CLOSE",
        local=Endpoint(name, portid),
        peer=Endpoint(name, dst_portid) if connected else NOWHERE,
        recv_q=mem.rmem_alloc if mem else None,
        send_q=mem.wmem_alloc if mem else None,
        inode=inode,
        cookie=low_first(cookie),
        skmem=mem,
        netlink=NetlinkAttrs(
            groups=mask & 0xFFFFFFFF,
            memberships=_bits(mask),
            dst_portid=dst_portid,
            dst_group=dst_group,
            cb_running=bool(options & FLAG_CB_RUNNING) if options is not None else None,
            flags=options,
        ),
        unknown_attributes=tuple(found.items()),
    )


def _identity(socket: Socket) -> tuple[str | None, int | None]:
    return socket.protocol, socket.cookie


def _low_long_first(groups: bytes) -> bytes:
    # The mask is an array of unsigned longs, each in the machine's order, the one of the first groups first.
    return b"".join([groups[at : at + _LONG] for at in range(0, len(groups), _LONG)][::-1])


def _bits(mask: int) -> tuple[int, ...]:
    # Groups are numbered from 1, and a family may have thousands: visit the set bits only.
    numbers = []
    while mask:
        low = mask & -mask
        numbers.append(low.bit_length())
        mask ^= low
    return tuple(numbers)
