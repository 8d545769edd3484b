"""TCP connections that make no progress: unanswered by the peer, unread here, or without a window there.

What each section compares with the earlier sample stands on top, for the declarations of the rules.
"""

from __future__ import annotations

from sockdiag.judging.case import Compared, Hit, nonzero
from sockdiag.judging.group import suspects_of
from sockdiag.judging.service import PATIENCE
from sockdiag.judging.subjects import at, process_name
from sockdiag.model.address import is_loopback, plain_address
from sockdiag.model.batch import identities
from sockdiag.model.finding import NAMESPACE, STALLED, Evidence, Finding, Subject
from sockdiag.model.quantity import counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from typing import Any

    from sockdiag.judging.case import Case, Rule
    from sockdiag.model.address import Endpoint
    from sockdiag.model.batch import Batch
    from sockdiag.model.finding import Advice

    # Condition, cause and advice.
    Explanation = tuple[str, str, tuple[Advice, ...]]
    Row = tuple[Batch, int]

TABLES = ("tcp", "mptcp")

UNREAD = Compared(("tcp",), ("recv_q",))
UNSENT = Compared(("tcp",), ("send_q",), ("timer",), timer="persist")

# A connection that received data within this time has a reader; one that sent within it has a window. It does not depend on
# the interval: a player that fetches the next part of a film every few seconds is no less alive in a shorter one.
STILL_MS = 1000 * PATIENCE.value


# Peers that do not answer

# Explains that a peer answers: there is nothing to report.
ANSWERING: Explanation = ("", "", ())


def unanswered(
    case: Case,
    rule: Rule,
    states: tuple[str, ...],
    what: str,
    advice: Callable[[Endpoint], tuple[Advice, ...]],
    *,
    port: bool,
    explain: Callable[[Case, Endpoint, list[Row]], Explanation | None] = lambda _case, _end, _rows: None,
) -> Iterator[Hit]:
    """Yield one finding per peer that leaves retransmissions unanswered.

    Args:
        case: the samples.
        rule: the rule; its thresholds ``retransmits`` and ``least`` decide.
        states: states of the connections.
        what: what they are, in the singular.
        advice: returns what to do about a peer.
        port: a peer is an address and port, else an address.
        explain: finds another condition than that the peer does not answer; ANSWERING where it does answer.
    """
    least = case.threshold(rule, "least")
    peers = {end: rows for end, rows in _retransmitting(case, rule, states, port=port).items() if len(rows) >= least}
    # One scan for all peers.
    case.all_holders(batch.values("inode")[row] for rows in peers.values() for batch, row, _n in rows)
    for end, rows in peers.items():
        most = max(n for _batch, _row, n in rows)
        places = [(batch, row) for batch, row, _n in rows]
        found = explain(case, end, places)
        if found is ANSWERING:
            continue
        condition, cause, orders = found or ("is not answering", "", advice(end))
        ports = {batch.at([row])[0].peer.port for batch, row in places[:_LISTED]}
        shown = end._replace(port=ports.pop()) if len(ports) == 1 else end
        owners = case.holders_by_share([batch.values("inode")[row] for batch, row in places])
        who = f"{process_name(owners[0].pid, owners[0].comm)}: " if owners else ""
        said = (
            f"{who}{at(shown)} {condition}: {counted(len(rows), what)} stalled, up to {counted(most, 'retransmission')}"
        )
        evidence = {
            "sockets": Evidence(len(rows), "sockets", None, "idiag_state", "netns"),
            "retransmits": Evidence(most, "count", None, "idiag_retrans", "socket"),
        }
        first = owners[0] if owners else None
        subject = Subject(
            NAMESPACE,
            at(end),
            "tcp",
            "/".join(states),
            None,
            end,
            pid=None if first is None else first.pid,
            comm=None if first is None else first.comm,
            sockets=len(rows),
        )
        yield Hit(
            Finding(
                rule.code,
                rule.severity,
                subject,
                said,
                evidence,
                None,
                None,
                orders,
                STALLED,
                cause,
                suspects=suspects_of(owners),
            ),
            places,
        )


def asking(end: Endpoint, advice: Advice) -> Advice:
    """Add to advice the command that asks whether a peer can be reached, and by which way."""
    address = plain_address(end.address)
    if not isinstance(address, str):
        return advice
    if is_loopback(address):
        return advice._replace(command="sockdiag listeners" if end.port is None else f"sockdiag port {end.port}")
    device = end.interface or str(end.address).partition("%")[2]
    # A link-local address is one only together with its device.
    there, way = (f"{address}%{device}", f"{address} dev {device}") if device else (address, address)
    return advice._replace(command=f"ip route get {way}; ping -c 3 {there}")


# So many connections are read to find the port that they have in common.
_LISTED = 100


def _retransmitting(
    case: Case, rule: Rule, states: tuple[str, ...], *, port: bool
) -> dict[Endpoint, list[tuple[Batch, int, int]]]:
    """Return the connections whose retransmissions are not answered, with how many there were, by peer."""
    peers: dict[Endpoint, list[tuple[Batch, int, int]]] = {}
    least = case.threshold(rule, "retransmits")
    for (batch,) in case.scan(TABLES):
        if batch.columns is not None and "timer" not in batch.columns:
            continue
        rows = [
            (row, timer)
            for row, timer in enumerate(batch.values("timer"))
            if timer is not None and timer.name == "retransmit" and (timer.retransmits or 0) >= least
        ]
        here = batch.values("state") if rows else ()
        for row, timer in rows:
            if here[row] not in states:
                continue
            socket = batch.at([row])[0]
            end = socket.peer if port else socket.peer._replace(port=None)
            peers.setdefault(end, []).append((batch, row, timer.retransmits))
    return peers


# Readers that do not read


def stalled_receivers(case: Case, fill: float, fill_once: float) -> list[Row]:
    """Return the rows whose receive buffer is so full that the window is as good as closed, and that nobody reads.

    In two samples something must wait in both, and no less in the later one; in a single sample the level alone decides.

    Args:
        case: the samples.
        fill: share of the buffer in use, with two samples.
        fill_once: the same with one sample.
    """
    found: list[Row] = []
    bound = fill_once if case.before is None else fill
    for batch, waiting, rmem, rcvbuf, units in case.scan(
        ("tcp",), "recv_q", "skmem.rmem_alloc", "skmem.rcvbuf", "recv_q_unit"
    ):
        rows = [
            row
            for row in nonzero(waiting)
            if rmem[row] and rcvbuf[row] and rmem[row] >= bound * rcvbuf[row] and units[row] == "bytes"
        ]
        if not rows:
            continue
        if case.before is not None:
            keys = identities(batch)
            past = {key: n for key, (n,) in case.earlier(("tcp",), [keys[row] for row in rows], "recv_q").items()}
            rows = [row for row in rows if 0 < past.get(keys[row], 0) <= waiting[row]]
            same = {row for row in rows if past[keys[row]] == waiting[row]}
        else:
            same = set(rows)
        # The buffer of a slow reader is full at any moment, and data flows all the same.
        silences = [case.silence_ms(batch, row) for row in rows]
        found.extend((batch, row) for row in _long_still(rows, silences, same))
    return found


def _long_still(rows: list[int], silences: list[int | None], otherwise: Collection[int]) -> Iterator[int]:
    """Yield the rows that have been silent for long.

    Where only some connections could be asked, they speak for the others: if data flows on all of them, nothing is known of
    the rest.
    """
    asked = [ms for ms in silences if ms is not None]
    trusted = not asked or max(asked) >= STILL_MS
    for row, ms in zip(rows, silences, strict=True):
        if (trusted and row in otherwise) if ms is None else ms >= STILL_MS:
            yield row


def halted_receivers(case: Case) -> list[Row]:
    """Return the rows at which as much waits as in the earlier sample, and whose process is stopped, traced or frozen."""
    if case.before is None:
        return []
    waiting: list[tuple[int, Row]] = []
    for batch, unread, units, inodes in case.scan(("tcp",), "recv_q", "recv_q_unit", "inode"):
        rows = [row for row in nonzero(unread) if units[row] == "bytes" and inodes[row]]
        if not rows:
            continue
        keys = identities(batch)
        past = case.earlier(("tcp",), [keys[row] for row in rows], "recv_q")
        waiting.extend((inodes[row], (batch, row)) for row in rows if past.get(keys[row]) == (unread[row],))
    halted = case.halted(inode for inode, _row in waiting)
    return [row for inode, row in waiting if inode in halted]


# Windows that stay closed


def waiting_for_window(case: Case) -> list[tuple[Batch, int, Any]]:
    """Return the rows that probe a closed window of their peer, with their timer.

    In two samples, those that probed in both and sent nothing in between. Data has not been sent for longer than readers
    that work in batches take; where that is unknown, a single sample trusts probes that were not answered.
    """
    found: list[tuple[Batch, int, Any]] = []
    for batch, unsent in case.scan(("tcp",), "send_q"):
        if batch.columns is not None and "timer" not in batch.columns:
            continue
        timers = batch.values("timer")
        rows = [row for row in nonzero(unsent) if timers[row] is not None and timers[row].name == "persist"]
        if not rows:
            continue
        if case.before is None:
            otherwise = {row for row in rows if (timers[row].retransmits or 0) > 0}
        else:
            keys = identities(batch)
            past = case.earlier(("tcp",), [keys[row] for row in rows], "send_q", "timer")
            rows = [row for row in rows if _same(past.get(keys[row]), unsent[row])]
            otherwise = set(rows)
        # A peer that reads slowly closes its window again and again, and data flows all the same.
        silences = [case.silence_ms(batch, row, sent=True) for row in rows]
        found.extend((batch, row, timers[row]) for row in _long_still(rows, silences, otherwise))
    return found


def ends(batch: Batch, row: int) -> tuple[Any, ...]:
    """Return local and peer address and port of a row."""
    socket = batch.at([row])[0]
    return socket.local.address, socket.local.port, socket.peer.address, socket.peer.port


def _same(past: tuple[Any, ...] | None, unsent: int) -> bool:
    return past is not None and past[0] == unsent and past[1] is not None and past[1].name == "persist"
