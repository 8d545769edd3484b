"""Netlink sockets.

**Source:** struct netlink_diag_msg, include/uapi/linux/netlink_diag.h.
"""

from __future__ import annotations

from sockdiag.kernel.byte_order import integer
from sockdiag.kernel.netlink import NLMSG_HDRLEN
from sockdiag.kernel.netlink_diag import (
    GROUPS,
    MEMINFO,
    MSG,
    NETLINK_CONNECTED,
    PROTO_ALL,
    REQ,
    SHOW_GROUPS,
    SHOW_MEMINFO,
)
from sockdiag.kernel.sock_diag import AF_NETLINK
from sockdiag.kernel.tcp_states import CLOSE
from sockdiag.sources.system.transport import Request
from sockdiag.ss.details import memory
from sockdiag.ss.layout import PROCESS
from sockdiag.ss.listing import proc_path
from sockdiag.ss.row import SocketRow, queue, state_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.ss.listing import Listing

NO_PEER = ("*", "")


def request() -> Request:
    """Return what to ask."""
    return Request("netlink_diag", REQ.pack(AF_NETLINK, PROTO_ALL, 0, 0, SHOW_GROUPS | SHOW_MEMINFO, 0, 0))


def decode(message: bytes, found: dict[int, bytes]) -> tuple[SocketRow, tuple[str, str], str]:
    """Decode one message of a netlink_diag answer: the row, its peer's two columns and its details."""
    _family, _type, protocol, state, portid, dst_portid, dst_group, _ino, _cookie = MSG.unpack_from(
        message, NLMSG_HDRLEN
    )
    row = new_row(protocol, portid)
    row.attributes = found
    memory_words = found.get(MEMINFO, b"")
    if len(memory_words) >= 12:
        row.rq, row.wq = integer(memory_words[:4]), integer(memory_words[8:12])
    peer = (f"{_signed(dst_group)}:", str(_signed(dst_portid))) if state == NETLINK_CONNECTED else NO_PEER
    groups = integer(found.get(GROUPS, b"")[:8]) & 0xFFFFFFFF
    return row, peer, f" sk=0 cb=0 groups=0x{groups:08x}"


def new_row(protocol: int, portid: int) -> SocketRow:
    """Make the row of a netlink socket; the port id is signed."""
    row = SocketRow(AF_NETLINK, 0, CLOSE)
    row.number, row.lport, row.rport = protocol, _signed(portid), -1
    return row


def _signed(number: int) -> int:
    return number - (1 << 32) if number & 1 << 31 else number


def cells(row: SocketRow, peer: tuple[str, str], listing: Listing) -> list[str]:
    """Return the fixed columns, the last two empty."""
    return [
        "nl",
        state_word(row.state),
        queue(row.rq),
        queue(row.wq),
        f"{listing.names.netlink_protocol(row.number)}:",
        _port_name(row.lport, listing),
        *peer,
        "",
        "",
    ]


def _port_name(portid: int, listing: Listing) -> str:
    if portid == -1:
        return "*"
    if not listing.settings.numeric:
        if not portid:
            return "kernel"
        if portid > 0:
            from sockdiag.sources.process.sockets import comm
            from sockdiag.sources.system.proc_root import ProcRoot
            from sockdiag.ss.output import safe_text

            # Kernel threads have names longer than a task's.
            name = comm(ProcRoot(), proc_path("", str(portid)), 63)
            if name:
                return f"{safe_text(name)}/{portid}"
    return str(portid)


def put(row: SocketRow, peer: tuple[str, str], details: str, listing: Listing) -> None:
    """Store the row. Its details are written to the column that is current, which 7.1 hides without -p."""
    settings = listing.settings
    columns = cells(row, peer, listing)
    text = ""
    if settings.proc_context:
        from sockdiag.ss.selinux import netlink_context

        text = f" proc_ctx={netlink_context(row.lport)}"
    if settings.details:
        text += details
    if settings.memory and row.attributes:
        text += f"\t{memory(row.attributes, MEMINFO)}"
    columns[PROCESS] = text
    listing.layout.row(columns, PROCESS)
