"""Requests for IP sockets to inet_diag, as the tables, the tcp_info guard and ``sockdiag ss`` all send them."""

from __future__ import annotations

from sockdiag.kernel.byte_order import U32
from sockdiag.kernel.inet_diag import REQ_BYTECODE, REQ_COMPAT, REQ_PROTOCOL, REQ_V2, SOCKID
from sockdiag.kernel.sock_diag import (
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    DCCPDIAG_GETSOCK,
    IPPROTO_NAMES,
    IPPROTO_TCP,
    TCPDIAG_GETSOCK,
)
from sockdiag.kernel.tcp_states import ALL_STATES
from sockdiag.sources.netlink.attributes import attribute
from sockdiag.sources.system.transport import Request

# Any socket.
NO_SOCKID = bytes(SOCKID.size)


def request(
    family: int,
    protocol: int,
    states: int,
    ext: int = 0,
    bytecode: bytes = b"",
    identity: bytes = NO_SOCKID,
) -> Request:
    """Return one request as ``struct inet_diag_req_v2`` and its attributes.

    Args:
        family: AF_INET or AF_INET6.
        protocol: IPPROTO_…, also above 255.
        states: mask of 1 << state.
        ext: EXT_… bits.
        bytecode: filter for the kernel to apply, INET_DIAG_REQ_BYTECODE.
        identity: ``struct inet_diag_sockid`` of the one socket that is meant, as a message of it has it.
    """
    extra = attribute(REQ_BYTECODE, bytecode) if bytecode else b""
    low = protocol
    if protocol > 0xFF:
        # The kernel then ignores the 8-bit field. A kernel without the attribute (before 5.9) finds no
        # handler for 0 there, where the low byte of MPTCP would have made it answer with TCP sockets.
        extra += attribute(REQ_PROTOCOL, U32.pack(protocol))
        low = 0
    payload = REQ_V2.pack(family, low, ext, 0, states, identity) + extra
    return Request(_name(family, protocol), payload, states=states)


def compat_request(
    states: int = ALL_STATES, ext: int = 0, protocol: int = IPPROTO_TCP, bytecode: bytes = b""
) -> Request:
    """Return the old form of a dump request, ``struct inet_diag_req``, which has no family.

    The kernel answers with IPv4 and IPv6 sockets from one walk of the hash, where two requests of the newer form walk
    it twice. Source: ``inet_diag_dump_compat()``, net/ipv4/inet_diag.c.

    Args:
        states: mask of 1 << state.
        ext: EXT_… bits.
        protocol: IPPROTO_TCP or IPPROTO_DCCP.
        bytecode: filter for the kernel to apply, INET_DIAG_REQ_BYTECODE.
    """
    extra = attribute(REQ_BYTECODE, bytecode) if bytecode else b""
    kind = TCPDIAG_GETSOCK if protocol == IPPROTO_TCP else DCCPDIAG_GETSOCK
    name = f"{_name(AF_INET, protocol)}+{IPPROTO_NAMES[protocol].lower()}6"
    return Request(name, REQ_COMPAT.pack(AF_UNSPEC, 0, 0, ext, NO_SOCKID, states, 0) + extra, kind, states)


def _name(family: int, protocol: int) -> str:
    table = IPPROTO_NAMES.get(protocol, str(protocol)).lower()
    return f"inet_diag_{table}{'6' if family == AF_INET6 else ''}"
