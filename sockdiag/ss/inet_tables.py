"""The inet_diag tables: from netlink, from a file of its messages, or from /proc."""

from __future__ import annotations

import os

from sockdiag.errors import SourceUnavailable
from sockdiag.kernel.inet_diag import (
    EXT_CONG,
    EXT_INFO,
    EXT_MEMINFO,
    EXT_SKMEMINFO,
    EXT_TCLASS,
    EXT_TOS,
    EXT_VEGASINFO,
    REQ_BYTECODE,
    REQ_PROTOCOL,
    REQ_V2,
)
from sockdiag.kernel.netlink import NLATTR, NLMSG_HDRLEN, align4
from sockdiag.kernel.sock_diag import (
    AF_INET,
    AF_INET6,
    IPPROTO_DCCP,
    IPPROTO_MPTCP,
    IPPROTO_RAW,
    IPPROTO_SCTP,
    IPPROTO_TCP,
    IPPROTO_UDP,
)
from sockdiag.ss.answers import dumped, split, tell
from sockdiag.ss.context import redirected
from sockdiag.ss.tables import DCCP, MPTCP, RAW, SCTP, TCP, UDP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.ss.bulk import Bulk
    from sockdiag.ss.context import Context
    from sockdiag.ss.options import Settings


class TableEnd(Exception):
    """A table ends before its last socket."""


INET_MESSAGE = 88  # nlmsghdr and inet_diag_msg

# Table, name, protocol, database of service names, whether /proc has it too; in the order of the output.
_INET = {
    RAW: ("raw", IPPROTO_RAW, "raw", True),
    UDP: ("udp", IPPROTO_UDP, "udp", True),
    TCP: ("tcp", IPPROTO_TCP, "tcp", True),
    DCCP: ("dccp", IPPROTO_DCCP, "", False),
    SCTP: ("sctp", IPPROTO_SCTP, "", False),
    MPTCP: ("mptcp", IPPROTO_MPTCP, "", False),
}


def show_table(context: Context, table: int) -> None:
    """Show one of the tables, from the first source that has it."""
    name, protocol, services, in_proc = _INET[table]
    settings = context.settings
    from sockdiag.ss.bulk import Bulk, possible

    if services:
        context.names.protocol = services
    if table == TCP and "TCPDIAG_FILE" in os.environ:
        from sockdiag.ss.diag_file import show_file

        show_file(context)
        return
    if redirected(f"PROC_NET_{name.upper()}"):
        if in_proc:
            _inet_proc(context, name, protocol)
        return
    bulk: Bulk | None = None
    if possible(context, protocol):
        bulk = Bulk(context, protocol)
    for number, family in enumerate(inet_families(settings)):
        payload = inet_payload(settings, family, protocol, context.bytecode)
        try:
            for datagram in dumped(context, f"inet_diag_{name}", payload, quiet=True):
                if bulk is None or not bulk.take(datagram):
                    show_inet(context, datagram, protocol, f"inet_diag_{name}")
        except TableEnd:
            return
        except SourceUnavailable as error:
            if not number and in_proc:
                _inet_proc(context, name, protocol)
            else:
                tell(error, context)
            return


def inet_payload(settings: Settings, family: int, protocol: int, bytecode: bytes | None) -> bytes:
    """Return the payload of a dump request: struct inet_diag_req_v2 and its attributes."""
    extensions = 0
    if settings.memory:
        extensions |= EXT_MEMINFO | EXT_SKMEMINFO
    if settings.info:
        extensions |= EXT_INFO | EXT_VEGASINFO | EXT_CONG
    if settings.tos:
        extensions |= EXT_TOS | EXT_TCLASS
    payload = REQ_V2.pack(family, protocol & 0xFF, extensions, 0, settings.selection.states, bytes(48))
    if bytecode:
        payload += NLATTR.pack(4 + len(bytecode), REQ_BYTECODE) + bytecode.ljust(align4(len(bytecode)), b"\0")
    if protocol > 0xFF:
        payload += NLATTR.pack(8, REQ_PROTOCOL) + protocol.to_bytes(4, "little")
    return payload


def inet_families(settings: Settings) -> tuple[int, ...]:
    """Return the families that are asked for, in order: the preferred one, or both."""
    preferred = settings.selection.preferred
    return (preferred,) if preferred in (AF_INET, AF_INET6) else (AF_INET, AF_INET6)


def _inet_proc(context: Context, name: str, protocol: int) -> None:
    from sockdiag.ss.proc_inet import table

    table(context, name, protocol if protocol != IPPROTO_RAW else 0)


def show_inet(context: Context, datagram: bytes, protocol: int, name: str) -> None:
    """Show the messages of an inet_diag datagram."""
    from sockdiag.ss.inet import decode, show

    families, accepts = context.settings.selection.families, context.accepts
    source = f"netlink:{name}"
    for message in split(datagram, name):
        if len(message) < INET_MESSAGE:
            continue
        if not families >> message[NLMSG_HDRLEN] & 1:
            continue
        row = decode(message, protocol, source)
        if accepts is not None and not accepts(row):
            continue
        if context.settings.kill:
            from sockdiag.ss.kill import destroy

            if not destroy(row, message, protocol):
                continue
        context.layout.row(show(row, context))
