"""The row grammar that the /proc/net tables of IP sockets share, from Linux 2.6.16 to 6.18.

Every row has the ten columns that the heading names, then a reference count and a pointer, which older headings do not
name. Rows of full TCP sockets go on with five columns that no heading names; those of TIME_WAIT and SYN_RECV do not. The
other tables have ``drops`` where the heading says so. What follows is kept as it stands.
"""

from __future__ import annotations

import gc
from sys import byteorder as native_byteorder

from sockdiag.kernel.sock_diag import IPPROTO_NAMES
from sockdiag.kernel.tcp_states import ALL_STATES
from sockdiag.model.proc_attrs import ProcAttrs
from sockdiag.model.record import LABEL, Record, field
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import IN_CONNECTIONS, Socket, Timer
from sockdiag.sources._proc_inet_cells import COLON, COMMON, HEADING, TCP_TAIL, Cells, Layout
from sockdiag.sources._proc_table import Rejected, pointer, table_lines
from sockdiag.sources.reading import Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    # Fills in what a table has of its own: the values so far, the tokens, and pointer, ref, retrnsmt and timeout.
    Finish = Callable[[list[Any], list[bytes], int | None, int, int, int], None]

_FULL = COMMON + len(TCP_TAIL)
_NO_TAIL = (None,) * 7
# Rows that may end after the pointer, and before the end of what a vendor added.
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
    byteorder: str = native_byteorder,
    user_hz: int = 100,
) -> Reading:
    """Parse a table of IP sockets.

    Args:
        body: the whole file.
        path: its name, for errors.
        table: which table it is.
        states: mask of ``1 << state``; other rows are left out.
        byteorder: ``little`` or ``big``, of the system that wrote the file; addresses are words in that order.
        user_hz: ticks a second of that system.

    Returns:
        Rows in file order, and a ParseError for each malformed one, bounded as ``Rejected`` does. An unknown heading
        is one error and no rows.
    """
    rejected = Rejected(path)
    lines = table_lines(body, rejected)
    layout = Layout.of(lines[0]) if lines else None
    if layout is None:
        if lines or not body:
            rejected.add(1, "heading", HEADING, lines[0] if lines else b"")
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
        # A socket without a file has no owner any more, and the kernel says 0; of a request it says the listener's.
        if number or (uid and state != "SYN_RECV"):
            values[_UID] = uid
        finish(values, tokens, pointer(tokens[11]), decimals[tokens[10]], retransmits, probes)
        return make(values)

    return build


def _tcp_finish(cells: Cells) -> Finish:
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
