"""Rows of the inet_diag tables: decode a message, print its columns and blocks.

**Source:** struct inet_diag_msg, include/uapi/linux/inet_diag.h.
"""

from __future__ import annotations

from sockdiag.errors import ParseError
from sockdiag.kernel.byte_order import integer, low_first
from sockdiag.kernel.inet_diag import (
    CGROUP_ID,
    CLASS_ID,
    MARK,
    MSG,
    MSG_ATTRIBUTES,
    PROTOCOL,
    SHUTDOWN,
    SK_BPF_STORAGES,
    SKV6ONLY,
    SOCKOPT,
    SOCKOPT_NAMES,
    TCLASS,
    TOS,
)
from sockdiag.kernel.netlink import NLMSG_HDRLEN
from sockdiag.kernel.sock_diag import (
    AF_INET,
    AF_INET6,
    IPPROTO_DCCP,
    IPPROTO_ICMPV6,
    IPPROTO_MPTCP,
    IPPROTO_SCTP,
    IPPROTO_TCP,
    IPPROTO_UDP,
)
from sockdiag.sources.netlink.attributes import attributes, sockopt_flags
from sockdiag.ss.details import arrows, sock_details, timer_text
from sockdiag.ss.row import SocketRow, queue, state_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from sockdiag.ss.listing import Listing

NETIDS = {
    0: "raw",
    IPPROTO_TCP: "tcp",
    IPPROTO_UDP: "udp",
    IPPROTO_SCTP: "sctp",
    IPPROTO_DCCP: "dccp",
    IPPROTO_ICMPV6: "icmp6",
    IPPROTO_MPTCP: "mptcp",
}
# The kernel's names, but for one.
_SOCKOPTS = tuple(["bind_addr_no_port" if name == "bind_address_no_port" else name for name in SOCKOPT_NAMES])


def decode(message: bytes, protocol: int, source: str) -> SocketRow:
    """Decode one message of an inet_diag answer; a malformed attribute costs the attributes.

    Args:
        message: the message with its header, at least 88 bytes.
        protocol: what was asked for.
        source: ``netlink:NAME``, for errors.
    """
    (
        family,
        state,
        timer,
        retrans,
        sport,
        dport,
        src,
        dst,
        iface,
        cookie,
        expires,
        rqueue,
        wqueue,
        uid,
        inode,
    ) = MSG.unpack_from(message, NLMSG_HDRLEN)
    row = SocketRow(family, protocol, state)
    row.timer, row.retrans, row.expires = timer, retrans, expires
    row.lport = int.from_bytes(sport, "big")
    row.rport = int.from_bytes(dport, "big")
    if family == AF_INET:
        row.local, row.remote = src[:4], dst[:4]
    else:
        row.local, row.remote = src, dst
    row.iface, row.sk, row.rq, row.wq, row.uid, row.ino = iface, low_first(cookie), rqueue, wqueue, uid, inode
    if len(message) > MSG_ATTRIBUTES:
        try:
            found = attributes(message, MSG_ATTRIBUTES, source)
        except ParseError:
            return row
        row.attributes = found
        if MARK in found:
            row.mark = integer(found[MARK])
        if CGROUP_ID in found:
            row.cgroup_id = integer(found[CGROUP_ID])
        if SKV6ONLY in found:
            row.v6only = bool(integer(found[SKV6ONLY]))
    return row


def cells(row: SocketRow, listing: Listing, protocol: int) -> list[str]:
    """Return the fixed columns of an IP socket, the extended one empty."""
    names = listing.names
    netid = NETIDS.get(protocol, "???")
    state = state_word(row.state, old=listing.settings.old)
    if protocol == IPPROTO_SCTP and row.ino == listing.sctp_inode:
        from sockdiag.ss.inet_extras import sctp_state

        netid, state = "", f"`- {sctp_state(row.state)}"
    local, remote = row.local or b"", row.remote or b""
    if row.family in (AF_INET, AF_INET6):
        here = names.address(local, v6only=row.v6only)
        there = names.address(remote, v6only=row.v6only)
    else:
        here = there = "???"
    device = f"%{names.device(row.iface)}" if row.iface else ""
    return [
        netid,
        state,
        queue(row.rq),
        queue(row.wq),
        f"{here}{device}:",
        names.port(row.lport),
        f"{there}:",
        names.port(row.rport),
        listing.owners_text(row),
        "",
    ]


def show(row: SocketRow, listing: Listing) -> list[str]:
    """Return all columns of a message of an inet_diag answer."""
    settings = listing.settings
    found = row.attributes
    protocol = integer(found[PROTOCOL][:1]) if PROTOCOL in found else row.type
    columns = cells(row, listing, protocol)
    ext = ""
    if settings.timers:
        if protocol != IPPROTO_SCTP:
            ext += timer_text(row.timer, row.expires, row.retrans, old=settings.old)
        elif row.timer:
            from sockdiag.ss.details import expiry

            ext += f" timer:(T3_RTX,{expiry(row.expires, old=settings.old)},{row.retrans})"
    if settings.details:
        ext += sock_details(row, listing.names)
        if row.family == AF_INET6 and SKV6ONLY in found:
            ext += f" v6only:{integer(found[SKV6ONLY][:1])}"
        if SHUTDOWN in found:
            ext += arrows(integer(found[SHUTDOWN][:1]))
    if settings.tos:
        ext += tos_text(found)
    if settings.cgroup and CGROUP_ID in found:
        ext += f" cgroup:{listing.names.cgroup(integer(found[CGROUP_ID]))}"
    if settings.sockopt:
        ext += sockopt_text(found, listing)
    if settings.memory or (settings.info and protocol != IPPROTO_UDP):
        if not settings.oneline:
            ext += "\n\t"
        ext += _internals(row, listing, protocol)
    if settings.storages is not None and SK_BPF_STORAGES in found:
        ext += settings.storages.text(found[SK_BPF_STORAGES], oneline=settings.oneline)
    listing.sctp_inode = row.ino
    columns[-1] = ext
    return columns


def tos_text(found: Mapping[int, bytes]) -> str:
    """Print the type of service, the traffic class and the class id."""
    text = ""
    for number, name in ((TOS, "tos"), (TCLASS, "tclass"), (CLASS_ID, "class_id")):
        if number in found:
            value = integer(found[number])
            text += f" {name}:{f'{value:#x}' if value else '0'}"
    return text


def sockopt_text(found: Mapping[int, bytes], listing: Listing) -> str:
    """Print the socket options that are set."""
    if len(found.get(SOCKOPT, b"")) < 2:
        return ""
    flags = sockopt_flags(found[SOCKOPT][:2])
    words = "".join([f" {word}" for bit, word in enumerate(_SOCKOPTS) if flags >> bit & 1])
    return f"{listing.item}inet-sockopt: ({words})"


def _internals(row: SocketRow, listing: Listing, protocol: int) -> str:
    if protocol == IPPROTO_SCTP:
        from sockdiag.ss.inet_extras import sctp_internals as internals
    elif protocol == IPPROTO_MPTCP:
        from sockdiag.ss.inet_extras import mptcp_internals as internals
    else:
        from sockdiag.ss.tcp import internals
    return internals(row, listing)
