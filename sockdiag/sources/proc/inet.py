"""The row grammar that the /proc/net tables of IP sockets share, from Linux 2.6.16 to 6.18.

Every row has the ten columns that the heading names, then a reference count and a pointer, which older headings do not
name. Rows of full TCP sockets go on with five columns that no heading names; those of TIME_WAIT and SYN_RECV do not. The
other tables have ``drops`` if the heading does. Further columns are kept as bytes.
"""

from __future__ import annotations

import gc

from sockdiag.kernel.byte_order import BYTE_ORDER
from sockdiag.kernel.sock_diag import IPPROTO_NAMES
from sockdiag.kernel.tcp_states import ALL_STATES
from sockdiag.model.record import LABEL, Record, field
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import IN_CONNECTIONS, Socket, Timer
from sockdiag.sources.proc.inet_cells import COLON, COMMON, HEADING, TCP_TAIL, Cells, ProcLayout
from sockdiag.sources.proc.table import Rejected, pointer, read_tables, table_lines
from sockdiag.sources.reading import Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Finish = Callable[[list[Any], list[bytes], int | None, int, int, int], None]
    from collections.abc import Iterable

    from sockdiag.sources.system.proc_root import ProcRoot


_FULL = COMMON + len(TCP_TAIL)
_NO_TAIL = (None,) * 7
# Rows that may end after the pointer, and within the columns that a vendor added.
_SHORT = ("TIME_WAIT", "SYN_RECV", "FIN_WAIT2")

_FIELD = {declared.name: index for index, declared in enumerate(Socket.FIELDS)}
_STATE, _LOCAL, _PEER, _PROTOCOL = _FIELD["state"], _FIELD["local"], _FIELD["peer"], _FIELD["protocol"]
_RECV_Q, _SEND_Q, _UNIT = _FIELD["recv_q"], _FIELD["send_q"], _FIELD["recv_q_unit"]
_UID, _INODE, _TIMER = _FIELD["uid"], _FIELD["inode"], _FIELD["timer"]
_SKMEM, _PROC = _FIELD["skmem"], _FIELD["proc"]


class InetTable(Record):
    """What the sockets of one table have in common."""

    netid: str = field("netid of the sockets.", kind=LABEL)
    family: str = field("AF_INET or AF_INET6; sets the width of addresses.", kind=LABEL)
    type: str = field("SOCK_….", kind=LABEL)
    protocol: str | None = field("IPPROTO_…; None where the local port is its number.", kind=LABEL)
    is_tcp: bool = field("There are listeners and the columns of TCP_TAIL.", default=False, kind=LABEL)
    rx_is_rmem: bool = field("rx_queue is sk_rmem_alloc.", default=False, kind=LABEL)


def parse_inet(
    body: bytes,
    path: str,
    table: InetTable,
    *,
    states: int = ALL_STATES,
    byteorder: str = BYTE_ORDER,
    user_hz: int = 100,
) -> Reading:
    """Parse a table of IP sockets.

    Args:
        body: the whole file.
        path: its name, for errors.
        table: which table it is.
        states: mask of ``1 << state``; other rows are left out.
        byteorder: ``little`` or ``big``, of the system that wrote the file; addresses are words in that order.
        user_hz: ticks per second of that system.

    Returns:
        Rows in file order, and a ParseError for each malformed one, bounded as ``Rejected`` does. An unknown heading
        is one error and no rows.
    """
    rejected = Rejected(path)
    lines = table_lines(body, rejected)
    layout = ProcLayout.of(lines[0]) if lines else None
    if layout is None:
        if lines or not body:
            rejected.add(1, "heading", HEADING, lines[0] if lines else b"")
        return Reading([], rejected.errors())
    if len(lines) == 1:
        return Reading([], rejected.errors())
    cells = Cells(table.family == "AF_INET6", states, byteorder, user_hz)
    tail = ("drops",) if layout.drops else TCP_TAIL if table.is_tcp else ()
    finish = _tcp_finish(cells) if tail is TCP_TAIL else _datagram_finish(table, cells, layout.drops)
    build = _builder(table, cells, finish)
    # One column more than is known takes all that follows, as it stands.
    limit = -1 if layout.order else COMMON + len(tail)
    lines[0] = b""
    sockets: list[Socket] = []
    with _CollectorPaused():
        for number, line in enumerate(lines, 1):
            tokens = line.split(None, limit)
            if layout.order:
                tokens = layout.arrange(tokens)
            try:
                socket = build(tokens)
            except (ValueError, IndexError):
                if tokens:
                    due = tail if layout.drops or len(tokens) > COMMON else ()
                    rejected.add(number, *cells.complain(tokens, line, due))
            else:
                if socket is not None:
                    sockets.append(socket)
    return Reading(sockets, rejected.errors())


class _CollectorPaused:
    # Rows are tuples without cycles. Looking for some in them, again and again while they grow, doubles the time.
    def __enter__(self) -> None:
        self._enabled = gc.isenabled()
        gc.disable()

    def __exit__(self, *_error: object) -> None:
        if self._enabled:
            gc.enable()


def _builder(table: InetTable, cells: Cells, finish: Finish) -> Callable[[list[bytes]], Socket | None]:
    # Make a socket of a row's tokens; ValueError or IndexError where one is wrong, None where its state is not wanted.
    socket = Socket(netid=table.netid, family=table.family, type=table.type, protocol=table.protocol, source="proc")
    template = list(socket._values())
    states, endpoints, queues, timers, uids = cells.state, cells.endpoint, cells.queues, cells.timer, cells.uid
    counts, decimals, is_tcp = cells.count, cells.decimal, table.is_tcp
    make, make_timer = Socket._make, Timer._make

    def build(tokens: list[bytes]) -> Socket | None:
        slot = tokens[0]
        if slot[-1] != COLON or not slot[:-1].isdigit():
            raise ValueError
        state = states[tokens[3]]
        if state is None:
            return None
        values = template.copy()
        values[_STATE] = state
        values[_LOCAL] = endpoints[tokens[1]]
        values[_PEER] = endpoints[tokens[2]]
        values[_SEND_Q], values[_RECV_Q] = queues[tokens[4]]
        if state == "LISTEN" and is_tcp:
            values[_SEND_Q] = None  # the kernel prints 0 for the limit
            values[_UNIT] = IN_CONNECTIONS
        timer = timers[tokens[5]]
        retransmits, probes = counts[tokens[6]], decimals[tokens[8]]
        if timer is not None:
            values[_TIMER] = make_timer((timer[1], timer[2], retransmits if timer[0] == 1 else probes))
        uid = uids[tokens[7]]
        inode = tokens[9]
        if not inode.isdigit() or len(inode) > 20:
            raise ValueError
        values[_INODE] = number = int(inode)
        # A socket without a file has no owner any more, and the kernel prints 0; for a request it prints the listener's.
        if number or (uid and state != "SYN_RECV"):
            values[_UID] = uid
        finish(values, tokens, pointer(tokens[11]), decimals[tokens[10]], retransmits, probes)
        return make(values)

    return build


def _tcp_finish(cells: Cells) -> Finish:
    from sockdiag.model.proc_attrs import ProcAttrs

    make = ProcAttrs._make
    ticks, decimals, signed = cells.ticks, cells.decimal, cells.signed

    def finish(
        values: list[Any], tokens: list[bytes], address: int | None, refs: int, retransmits: int, probes: int
    ) -> None:
        if len(tokens) < _FULL:
            if len(tokens) > COMMON and values[_STATE] not in _SHORT:
                raise IndexError
            values[_PROC] = make((address, refs, retransmits, probes, *_NO_TAIL, b" ".join(tokens[COMMON:]) or None))
            return
        rto, ato, quick, cwnd = ticks[tokens[12]], ticks[tokens[13]], decimals[tokens[14]], decimals[tokens[15]]
        ssthresh: int | None = signed[tokens[16]]
        fastopen = None
        if values[_STATE] == "LISTEN":
            # It is the fast open limit; kernels that have none (before 3.7) print -1.
            fastopen = None if ssthresh == -1 else ssthresh
            ssthresh = None
        extra = b" ".join(tokens[_FULL:]).rstrip() if len(tokens) > _FULL else None
        values[_PROC] = make(
            (address, refs, retransmits, probes, rto, ato, quick >> 1, quick & 1 == 1, cwnd, ssthresh, fastopen, extra)
        )

    return finish


def _datagram_finish(table: InetTable, cells: Cells, drops: bool) -> Finish:
    from sockdiag.model.proc_attrs import ProcAttrs

    make_proc, make_skmem = ProcAttrs._make, SkMem._make
    decimals = cells.decimal
    end = COMMON + drops
    is_tcp, rx_is_rmem, port_is_protocol = table.is_tcp, table.rx_is_rmem, table.protocol is None

    def finish(
        values: list[Any], tokens: list[bytes], address: int | None, refs: int, _retransmits: int, _probes: int
    ) -> None:
        dropped = decimals[tokens[COMMON]] if drops else None
        wmem = None if is_tcp else values[_SEND_Q]
        rmem = values[_RECV_Q] if rx_is_rmem else None
        values[_SKMEM] = make_skmem((rmem, None, wmem, None, None, None, None, None, dropped))
        extra = b" ".join(tokens[end:]).rstrip() or None
        values[_PROC] = make_proc((address, refs, None, None, *_NO_TAIL, extra))
        if port_is_protocol:
            port = values[_LOCAL].port
            values[_PROTOCOL] = IPPROTO_NAMES.get(port, str(port))

    return finish


_TABLES = {
    "tcp": InetTable("tcp", "AF_INET", "SOCK_STREAM", "TCP", is_tcp=True),
    "tcp6": InetTable("tcp", "AF_INET6", "SOCK_STREAM", "TCP", is_tcp=True),
    "udp": InetTable("udp", "AF_INET", "SOCK_DGRAM", "UDP"),
    "udp6": InetTable("udp", "AF_INET6", "SOCK_DGRAM", "UDP"),
    "udplite": InetTable("udplite", "AF_INET", "SOCK_DGRAM", "UDPLITE"),
    "udplite6": InetTable("udplite", "AF_INET6", "SOCK_DGRAM", "UDPLITE"),
    "raw": InetTable("raw", "AF_INET", "SOCK_RAW", None, rx_is_rmem=True),
    "raw6": InetTable("raw", "AF_INET6", "SOCK_RAW", None, rx_is_rmem=True),
    "icmp": InetTable("icmp", "AF_INET", "SOCK_DGRAM", "ICMP", rx_is_rmem=True),
    "icmp6": InetTable("icmp", "AF_INET6", "SOCK_DGRAM", "ICMPV6", rx_is_rmem=True),
}


def parse_tcp(
    body: bytes, name: str = "tcp", states: int = ALL_STATES, *, byteorder: str = BYTE_ORDER, user_hz: int = 100
) -> Reading:
    """Parse the text of ``/proc/net/tcp`` or ``/proc/net/tcp6``.

    Source: ``tcp4_seq_show()``, net/ipv4/tcp_ipv4.c; ``tcp6_seq_show()``, net/ipv6/tcp_ipv6.c.
    Units: queues in payload bytes, except on a listener, where ``rx_queue`` counts connections that wait in accept(2);
    its limit is not in /proc. Times in ticks of 1/USER_HZ s, given in ms.
    Shape: rows of TIME_WAIT, SYN_RECV and orphaned FIN_WAIT2 sockets end after the pointer. Their inode is 0, as that of
    sockets without a file, and the uid is then unknown.

    Args:
        body: the whole file.
        name: ``tcp`` or ``tcp6``.
        states: mask of ``1 << state``; other rows are left out.
        byteorder: ``little`` or ``big``, of the system that wrote the file.
        user_hz: ticks per second of that system.

    Returns:
        Sockets in file order; a ParseError for each malformed row (bounded), or one for an unknown heading.
    """
    return parse_inet(body, f"/proc/net/{name}", _TABLES[name], states=states, byteorder=byteorder, user_hz=user_hz)


def read_tcp(
    files: ProcRoot,
    names: Iterable[str] = ("tcp", "tcp6"),
    states: int = ALL_STATES,
    *,
    byteorder: str = BYTE_ORDER,
    user_hz: int = 100,
) -> Reading:
    """Read and parse the TCP tables *names* of /proc/net; a file that cannot be read is among the errors."""
    return read_tables(
        files, names, lambda body, name: parse_tcp(body, name, states, byteorder=byteorder, user_hz=user_hz)
    )


def parse_udp(body: bytes, name: str = "udp", states: int = ALL_STATES, *, byteorder: str = BYTE_ORDER) -> Reading:
    """Parse the text of ``/proc/net/udp``, ``udp6``, ``udplite`` or ``udplite6``.

    Source: ``udp4_seq_show()``, net/ipv4/udp.c; ``udp6_seq_show()``, net/ipv6/udp.c.
    Units: queues in bytes of memory, overhead included. ``rx_queue`` is sk_rmem_alloc less what the kernel has yet to
    give back (4.10 and later), so ``skmem`` has ``wmem_alloc`` and ``drops`` only; ``drops`` came in 2.6.27.

    Args:
        body: the whole file.
        name: the file's name.
        states: mask of ``1 << state``: ESTABLISHED is connected, CLOSE is not; other rows are left out.
        byteorder: ``little`` or ``big``, of the system that wrote the file.

    Returns:
        Sockets in file order; a ParseError for each malformed row (bounded), or one for an unknown heading.
    """
    return parse_inet(body, f"/proc/net/{name}", _TABLES[name], states=states, byteorder=byteorder)


def read_udp(
    files: ProcRoot,
    names: Iterable[str] = ("udp", "udp6"),
    states: int = ALL_STATES,
    *,
    byteorder: str = BYTE_ORDER,
) -> Reading:
    """Read and parse the UDP or UDP-Lite tables *names* of /proc/net; a file that cannot be read is among the errors."""
    return read_tables(files, names, lambda body, name: parse_udp(body, name, states, byteorder=byteorder))


def parse_raw(body: bytes, name: str = "raw", states: int = ALL_STATES, *, byteorder: str = BYTE_ORDER) -> Reading:
    """Parse the text of ``/proc/net/raw``, ``raw6``, ``icmp`` or ``icmp6``.

    The local port of a raw socket is its protocol number, which also gives ``protocol``; that of a ping socket is the
    ICMP id of its echo requests. The peer's port is 0.

    Source: ``raw_seq_show()``, net/ipv4/raw.c; ``ping_v4_seq_show()``, net/ipv4/ping.c;
    ``ip6_dgram_sock_seq_show()``, net/ipv6/datagram.c.
    Units: queues in bytes of memory, overhead included: sk_wmem_alloc and sk_rmem_alloc.

    Args:
        body: the whole file.
        name: the file's name.
        states: mask of ``1 << state``: ESTABLISHED is connected, CLOSE is not; other rows are left out.
        byteorder: ``little`` or ``big``, of the system that wrote the file.

    Returns:
        Sockets in file order; a ParseError for each malformed row (bounded), or one for an unknown heading.
    """
    return parse_inet(body, f"/proc/net/{name}", _TABLES[name], states=states, byteorder=byteorder)


def read_raw(
    files: ProcRoot,
    names: Iterable[str] = ("raw", "raw6"),
    states: int = ALL_STATES,
    *,
    byteorder: str = BYTE_ORDER,
) -> Reading:
    """Read and parse the raw or ping tables *names* of /proc/net; a file that cannot be read is among the errors."""
    return read_tables(files, names, lambda body, name: parse_raw(body, name, states, byteorder=byteorder))
