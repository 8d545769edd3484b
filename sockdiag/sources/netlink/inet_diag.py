"""IP sockets (TCP, MPTCP, UDP, UDP-Lite, SCTP, DCCP, raw) from inet_diag: the requests, and the decoder of one message.

The decoder is the clear path: one message in, one :class:`~sockdiag.model.socket.Socket` out, nothing lost.
``sockdiag.sources.netlink.inet_columns`` cuts columns out of many messages at once and is tested equal to it.
"""

from __future__ import annotations

from _socket import AF_INET6 as _PYTHON_AF_INET6  # start-up: docs/rejected.md
from _socket import inet_ntoa, inet_ntop  # start-up: docs/rejected.md

from sockdiag.errors import ParseError, SourceDenied, SourceError, SourceUnavailable
from sockdiag.kernel.byte_order import integer, low_first
from sockdiag.kernel.families import IP_PROTOCOLS
from sockdiag.kernel.inet_diag import (
    CGROUP_ID,
    EXT_CONG,
    EXT_INFO,
    EXT_MEMINFO,
    EXT_SKMEMINFO,
    EXT_TCLASS,
    EXT_TOS,
    EXT_VEGASINFO,
    MARK,
    MSG,
    MSG_ATTRIBUTES,
    PAD,
    PEERS,
    PROTOCOL,
    SHUTDOWN,
    SKMEMINFO,
    TIMER_NAMES,
)
from sockdiag.kernel.netlink import NLMSG_HDRLEN
from sockdiag.kernel.sock_diag import (
    AF_INET,
    AF_INET6,
    IPPROTO_NAMES,
    SK_MEMINFO,
)
from sockdiag.kernel.tcp_states import ALL_STATES, BOUND_INACTIVE, DCCP_PARTOPEN, LISTEN, dccp_state_name, state_name
from sockdiag.model.address import Endpoint
from sockdiag.model.query import INET, SKMEM, TCP_INFO
from sockdiag.model.socket import IN_BYTES, IN_CONNECTIONS, INET_FAMILIES, Socket, Timer
from sockdiag.sources.netlink.attributes import attributes, skmem
from sockdiag.sources.netlink.inet_request import request
from sockdiag.sources.netlink.records import read_records
from sockdiag.sources.reading import Reading
from sockdiag.sources.system.kernel_version import kernel_version, unknown_version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from sockdiag.model.skmem import SkMem
    from sockdiag.sources.netlink.tcp_info_guard import GuardedTransport
    from sockdiag.sources.system.kernel_version import Version
    from sockdiag.sources.system.machine import System
    from sockdiag.sources.system.transport import Request

# table -> protocol number that is asked for
PROTOCOLS = {protocol.netid: protocol.numbers[0] for protocol in IP_PROTOCOLS if protocol.in_diag}

# table -> type and protocol of its sockets. SCTP has two styles, and only sctp_info shows which.
TABLES: dict[str, tuple[str | None, str]] = {
    protocol.netid: (protocol.types[0] if len(protocol.types) == 1 else None, IPPROTO_NAMES[protocol.numbers[0]])
    for protocol in IP_PROTOCOLS
    if protocol.in_diag
}
_TABLE_OF = {number: table for table, number in PROTOCOLS.items() if table != "raw"}


def extensions(needs: Iterable[str], *, meminfo: bool = False) -> int:
    """Return the idiag_ext bits that ask for the costly parts of a socket.

    Args:
        needs: of ``sockdiag.model.query``: SKMEM, INET, TCP_INFO; others do not concern inet_diag.
        meminfo: ask for MEMINFO too, as kernels before 3.4 have no SKMEMINFO.
    """
    wanted = EXT_MEMINFO if meminfo else 0
    for need in needs:
        if need == SKMEM:
            wanted |= EXT_SKMEMINFO
        elif need == INET:
            wanted |= EXT_CONG | EXT_TOS | EXT_TCLASS | EXT_VEGASINFO
        elif need == TCP_INFO:
            wanted |= EXT_INFO
    return wanted


def inet_requests(
    table: str,
    families: Iterable[str] = (),
    states: int = ALL_STATES,
    needs: Iterable[str] = (),
    bytecode: bytes = b"",
) -> list[Request]:
    """Return the requests for one table, one per address family.

    TCP_INFO among the *needs* takes socket locks: send such a request through ``sockdiag.sources.netlink.tcp_info_guard``.

    Args:
        table: netid, one of TABLES.
        families: AF_INET, AF_INET6; empty is both.
        states: mask of 1 << state.
        needs: of ``sockdiag.model.query``.
        bytecode: filter for the kernel to apply.
    """
    ext = extensions(needs)
    wanted = set(families)
    if table == "dccp" and states >> BOUND_INACTIVE & 1:
        states |= 1 << DCCP_PARTOPEN
    return [
        request(number, PROTOCOLS[table], states, ext, bytecode)
        for number, name in INET_FAMILIES.items()
        if not wanted or name in wanted
    ]


def timer_name(number: int, table: str) -> str:
    """Name idiag_timer; a number of a newer kernel becomes ``unknown(n)``. SCTP reports one timer only."""
    if table == "sctp":
        return "t3_rtx"
    return TIMER_NAMES[number] if number < len(TIMER_NAMES) else f"unknown({number})"


def state_namer(table: str) -> Callable[[int], str]:
    """Return what names the states of a table's sockets."""
    return dccp_state_name if table == "dccp" else state_name


def interface_label(index: int, interfaces: Callable[[int], str | None]) -> str | None:
    """Name the interface of an idiag_if: None for 0, ``ifN`` where the interface is gone."""
    return (interfaces(index) or f"if{index}") if index else None


def decode(
    message: bytes,
    table: str,
    interfaces: Callable[[int], str | None],
    source: str = "netlink:inet_diag",
    version: Version = unknown_version,
) -> Socket:
    """Make a socket of one message of an inet_diag answer, of a dump, of a query or of a destroy group.

    Source: ``inet_sk_diag_fill()``, ``inet_twsk_diag_fill()``, ``inet_req_diag_fill()``, net/ipv4/inet_diag.c.
    Units: queues in bytes, except LISTEN, where they count connections.

    An attribute that is unknown, or too short for its struct, is kept as bytes; so is the rest of one that is longer than
    the known struct. ``uid`` is None if the kernel reports 0 for a socket without a file (inode 0): it does so for
    mini-sockets, and before 6.18 for every orphan.

    Args:
        message: with its header.
        table: netid that was asked for; INET_DIAG_PROTOCOL overrides it, but for raw sockets, which are of any protocol.
        interfaces: name of an interface by index.
        source: ``netlink:NAME``, for errors.
        version: of the kernel that sent it; what depends on it is None where it is not known.

    Raises:
        ParseError: the message is shorter than its struct, of no IP family, or its attributes overlap.
    """
    if len(message) < MSG_ATTRIBUTES:
        raise ParseError(source, 0, "nlmsg_len", f"at least {MSG_ATTRIBUTES}", str(len(message)))
    (
        family,
        state,
        timer,
        retrans,
        sport,
        dport,
        src,
        dst,
        index,
        cookie,
        expires,
        recv_q,
        send_q,
        uid,
        inode,
    ) = MSG.unpack_from(message, NLMSG_HDRLEN)
    if family == AF_INET:
        local, peer = inet_ntoa(src[:4]), inet_ntoa(dst[:4])
    elif family == AF_INET6:
        local, peer = inet_ntop(_PYTHON_AF_INET6, src), inet_ntop(_PYTHON_AF_INET6, dst)
    else:
        raise ParseError(source, NLMSG_HDRLEN, "idiag_family", f"{AF_INET} or {AF_INET6}", str(family))
    found = attributes(message, MSG_ATTRIBUTES, source)
    unknown: list[tuple[int, bytes]] = []
    local_port = sport[0] << 8 | sport[1]
    number = _integer(found, PROTOCOL, 1, unknown)
    kind, protocol = TABLES[table]
    if table == "raw":
        number = local_port if number is None else number
        protocol = IPPROTO_NAMES.get(number, str(number))
    elif number is not None:
        table = _TABLE_OF.get(number, table)
        kind = TABLES[table][0]
        protocol = IPPROTO_NAMES.get(number, str(number))
    association = table == "sctp" and PEERS in found
    shutdown, mark = _integer(found, SHUTDOWN, 1, unknown), _integer(found, MARK, 4, unknown)
    cgroup_id = _integer(found, CGROUP_ID, 8, unknown)
    memory = _skmem(found, unknown, source)
    found.pop(PAD, None)
    tcp_info = inet = mptcp_info = sctp_info = None
    if found:
        tcp_info, inet, mptcp_info, sctp_info = _rest(found, table, unknown, version)
    if sctp_info is not None and sctp_info.s_type is not None:
        kind = "SOCK_STREAM" if sctp_info.s_type == _SCTP_SOCKET_TCP else "SOCK_SEQPACKET"
    socket = Socket._make(
        (
            table,
            INET_FAMILIES[family],
            kind,
            protocol,
            _association_state(state) if association else state_namer(table)(state),
            Endpoint._make((local, local_port, interface_label(index, interfaces))),
            Endpoint._make((peer, dport[0] << 8 | dport[1], None)),
            recv_q,
            send_q,
            IN_CONNECTIONS if state == LISTEN and not association else IN_BYTES,
            uid if inode or uid else None,
            inode,
            low_first(cookie),
            mark,
            cgroup_id,
            None,
            shutdown,
            Timer._make((timer_name(timer, table), expires, retrans)) if timer else None,
            memory,
            tcp_info,
            inet,
            mptcp_info,
            sctp_info,
            *_OTHER_FIELDS,
        )
    )
    return socket._replace(unknown_attributes=tuple(unknown)) if unknown else socket


# What follows sctp_info in the record does not come from inet_diag.
_OTHER_FIELDS = tuple(f.default for f in Socket.FIELDS)[[f.name for f in Socket.FIELDS].index("sctp_info") + 1 :]
_SCTP_SOCKET_TCP = 2


def read(
    system: System,
    table: str,
    families: Iterable[str] = (),
    states: int = ALL_STATES,
    *,
    needs: Iterable[str] = (),
    interfaces: Callable[[int], str | None] | None = None,
) -> Reading:
    """Read one table in clear; the requests are those of :func:`inet_requests`.

    On the running system a request with TCP_INFO goes through the guard, so that a locked socket does not hang the
    program: such a socket comes without tcp_info, and an error of the reading names it.

    Raises:
        SourceUnavailable: the kernel has no handler for the table.
        SourceDenied: it may not be read.
    """
    if interfaces is None:
        from sockdiag.sources.system.interfaces import interface_names

        interfaces = interface_names(system.files)
    needs = frozenset(needs)
    guard: GuardedTransport | None = None
    if system.files.live and (TCP_INFO in needs or table == "sctp"):
        from sockdiag.sources.netlink import tcp_info_guard

        guard = system.guard or tcp_info_guard.GuardedTransport(system.netlink)
    name, version = interfaces, kernel_version(system.files)
    sockets: list[Socket] = []
    errors: list[ParseError | SourceError] = []
    for index, asked in enumerate(inet_requests(table, families, states, needs)):
        try:
            reading = read_records(
                guard or system.netlink,
                asked,
                lambda message, source=asked.source: decode(message, table, name, source, version),  # type: ignore[misc]
                # A socket that moves while the table is walked is met twice. SCTP's rows are associations of a socket.
                _cookie if table != "sctp" else None,
            )
        except (SourceUnavailable, SourceDenied) as error:
            if index == 0:
                raise
            errors.append(error)
            continue
        sockets += reading.sockets
        errors += reading.errors
    if guard is not None:
        errors += guard.take_errors()
    return Reading(sockets, tuple(errors))


def _cookie(socket: Socket) -> int | None:
    return socket.cookie


def _association_state(state: int) -> str:
    from sockdiag.model.sctp_info import STATES

    return STATES[state] if state < len(STATES) else f"UNKNOWN({state})"


def _integer(found: dict[int, bytes], number: int, size: int, unknown: list[tuple[int, bytes]]) -> int | None:
    payload = found.pop(number, None)
    if payload is None:
        return None
    if len(payload) != size:
        unknown.append((number, payload))
        return None
    return integer(payload)


def _skmem(found: dict[int, bytes], unknown: list[tuple[int, bytes]], source: str) -> SkMem | None:
    payload = found.pop(SKMEMINFO, None)
    if payload is None:
        return None
    if len(payload) & 3:
        unknown.append((SKMEMINFO, payload))
        return None
    if len(payload) > _SKMEM_SIZE:
        unknown.append((SKMEMINFO, payload[_SKMEM_SIZE:]))
    return skmem(payload, "INET_DIAG_SKMEMINFO", source)


_SKMEM_SIZE = 4 * len(SK_MEMINFO)


_decode_attributes: Any = None


def _rest(found: dict[int, bytes], table: str, unknown: list[tuple[int, bytes]], version: Version) -> Any:
    # Listings in bulk never come here: import on first use, so that they do not import it for nothing.
    global _decode_attributes
    if _decode_attributes is None:
        from sockdiag.sources.netlink.inet_attributes import decode_attributes

        _decode_attributes = decode_attributes
    return _decode_attributes(found, table, unknown, version)
