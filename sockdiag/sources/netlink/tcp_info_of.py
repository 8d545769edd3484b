"""Read the tcp_info of some TCP sockets, again and again, and of no others."""

from __future__ import annotations

from sockdiag.errors import ParseError, SourceError
from sockdiag.kernel.inet_diag import EXT_INFO, MSG_LEN, SOCKID
from sockdiag.kernel.netlink import NLMSG_HDRLEN
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6, IPPROTO_TCP
from sockdiag.kernel.tcp_states import ALL_STATES, STATE_NUMBERS
from sockdiag.sources.netlink.inet_diag import decode
from sockdiag.sources.netlink.inet_identity import family_of, identity
from sockdiag.sources.netlink.inet_request import request
from sockdiag.sources.system.kernel_version import kernel_version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockdiag.model.socket import Socket
    from sockdiag.model.tcp_info import TcpInfo
    from sockdiag.sources.netlink.tcp_info_guard import GuardedTransport
    from sockdiag.sources.system.machine import System

_HEAD = 4


def read_tcp_infos(system: System, guard: GuardedTransport, sockets: Iterable[Socket]) -> dict[int, TcpInfo]:
    """Return the tcp_info of TCP sockets by cookie.

    Missing are those that are locked (:attr:`GuardedTransport.locked`), have closed, or have none (TIME_WAIT).
    """
    rows: dict[int, list[bytes]] = {AF_INET: [], AF_INET6: []}
    for socket in sockets:
        if socket.netid == "tcp" and socket.cookie is not None and socket.state in STATE_NUMBERS:
            rows[family_of(socket)].append(_row(socket))
    version = kernel_version(system.files)
    found: dict[int, TcpInfo] = {}
    for family, some in rows.items():
        if not some:
            continue
        asked = request(family, IPPROTO_TCP, ALL_STATES, EXT_INFO)
        for cookie, message in guard.ask(asked, some).items():
            try:
                read = decode(message, "tcp", lambda _index: None, asked.source, version).tcp_info
            except (SourceError, ParseError):
                continue
            if read is not None:
                found[cookie] = read
    return found


def _row(socket: Socket) -> bytes:
    # As the kernel lists it, without what only its answer has.
    head = bytes((family_of(socket), STATE_NUMBERS[socket.state or ""], 0, 0))
    return bytes(NLMSG_HDRLEN) + head + identity(socket) + bytes(MSG_LEN - _HEAD - SOCKID.size)
