"""A socket of the model as a filter of ss compares it: everything is a number, and unknown is 0."""

from __future__ import annotations

from _socket import inet_pton  # start-up: docs/rejected.md

from sockdiag.filter.operands import device_index
from sockdiag.kernel.byte_order import U32
from sockdiag.kernel.families import FAMILY_NAMES
from sockdiag.kernel.netlink import NETLINK_PROTOCOLS
from sockdiag.kernel.sock_diag import (
    AF_INET,
    AF_INET6,
    AF_NETLINK,
    AF_PACKET,
    AF_UNIX,
    AF_UNSPEC,
    AF_VSOCK,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.filter.context import FilterContext
    from sockdiag.model.address import Endpoint
    from sockdiag.model.socket import Socket


_NUMBERS = {name: number for number, name in FAMILY_NAMES.items()}


class SsView:
    """An :class:`~sockdiag.filter.ss_match.SsSocket` made of a socket of the model."""

    __slots__ = ("cgroup_id", "family", "iface", "local", "lport", "mark", "number", "remote", "rport")

    def __init__(self, socket: Socket, context: FilterContext) -> None:
        self.family = family = _NUMBERS.get(socket.family, AF_UNSPEC)
        self.local: bytes | None = None
        self.remote: bytes | None = None
        self.lport = socket.local.port or 0
        self.rport = socket.peer.port or 0
        self.iface = 0
        self.mark = socket.mark or 0
        self.cgroup_id = socket.cgroup_id or 0
        self.number = 0
        if family in (AF_INET, AF_INET6):
            self.local = inet_pton(family, str(socket.local.address))
            self.remote = inet_pton(family, str(socket.peer.address))
            if socket.local.interface is not None:
                self.iface = device_index(socket.local.interface, context)
        elif family == AF_UNIX:
            self.local = _shown(socket.local)
            self.remote = _shown(socket.peer)
            self.lport = socket.inode or 0
            self.rport = (socket.unix.peer_inode or 0) if socket.unix is not None else 0
        elif family == AF_NETLINK:
            self.number = _netlink_number(socket.protocol)
            self.lport = _signed(self.lport)
            self.rport = -1
        elif family == AF_PACKET:
            self.number = int(socket.protocol or "0", 0)
            self.iface = self.lport = (socket.packet.ifindex or 0) if socket.packet is not None else 0
        elif family == AF_VSOCK:
            self.local = _cid(socket.local)
            self.remote = _cid(socket.peer)


def _shown(end: Endpoint) -> bytes | None:
    name = end.address
    if not name:
        return None
    raw = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
    return raw.replace(b"\0", b"@") if raw[:1] == b"\0" else raw.partition(b"\0")[0]


def _netlink_number(protocol: str | None) -> int:
    for number, name in NETLINK_PROTOCOLS.items():
        if name == protocol:
            return number
    return int(protocol) if protocol and protocol.isdecimal() else 0


def _signed(number: int) -> int:
    return number - (1 << 32) if number & 1 << 31 else number


def _cid(end: Endpoint) -> bytes:
    cid = 0xFFFFFFFF if end.address is None else int(end.address)
    return U32.pack(cid)
