"""TCP connections on which data waits: at a reader of ours, or for a window of the peer."""

from __future__ import annotations

from sockdiag.model.batch import identities
from sockdiag.rules._base import nonzero

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockdiag.model.batch import Batch
    from sockdiag.rules._base import Case

# Data that arrived within this time tells of a reader.
STILL_MS = 1000


def stalled_receivers(case: Case, fill: float, fill_once: float) -> list[tuple[Batch, int]]:
    """Return the rows whose receive buffer is so full that its window is as good as closed, and that nobody reads.

    With two looks something must wait at both, and not less; with one the level decides alone.

    Args:
        case: the looks.
        fill: share of the buffer, with two looks.
        fill_once: the same with one look.
    """
    found: list[tuple[Batch, int]] = []
    still = _still(case)
    bound = fill_once if case.before is None else fill
    for batch, waiting, rmem, rcvbuf, units in case.scan(
        ("tcp",), "recv_q", "skmem.rmem_alloc", "skmem.rcvbuf", "recv_q_unit"
    ):
        rows = [
            row for row in nonzero(waiting)
            if rmem[row] and rcvbuf[row] and rmem[row] >= bound * rcvbuf[row] and units[row] == "bytes"
        ]  # fmt: skip
        if not rows:
            continue
        if case.before is not None:
            keys = identities(batch)
            past = case.earlier(("tcp",), [keys[row] for row in rows], "recv_q")
            rows = [row for row in rows if 0 < past.get(keys[row], (0,))[0] <= waiting[row]]
        # A slow reader's buffer is full at any moment, and data flows all the same.
        silences = [case.silence_ms(batch, row) for row in rows]
        found.extend((batch, row) for row, ms in zip(rows, silences, strict=True) if ms is None or ms >= still)
    return found


def ends(batch: Batch, row: int) -> tuple[Any, ...]:
    """Return local and peer address and port of a row."""
    socket = batch.at([row])[0]
    return socket.local.address, socket.local.port, socket.peer.address, socket.peer.port


def waiting_for_window(case: Case) -> list[tuple[Batch, int, Any]]:
    """Return the rows that probe a closed window of their peer, with their timer.

    With two looks, those that did so at both and got nothing away meanwhile; with one, those that have sent nothing for a second.
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
            rows = [row for row in rows if _long_silent(case, batch, row, (timers[row].retransmits or 0) > 0)]
        else:
            keys = identities(batch)
            past = case.earlier(("tcp",), [keys[row] for row in rows], "send_q", "timer")
            rows = [
                row for row in rows if _same(past.get(keys[row]), unsent[row]) and _long_silent(case, batch, row, True)
            ]
        found.extend((batch, row, timers[row]) for row in rows)
    return found


def _long_silent(case: Case, batch: Batch, row: int, otherwise: bool) -> bool:
    # A peer that reads slowly closes its window again and again, and data flows all the same.
    ms = case.silence_ms(batch, row, sent=True)
    return otherwise if ms is None else ms >= _still(case)


def _still(case: Case) -> float:
    # A closed window is probed, and may take a little more, several times a second at first.
    return STILL_MS if case.seconds is None else min(STILL_MS, case.seconds * 400)


def _same(past: tuple[Any, ...] | None, unsent: int) -> bool:
    return past is not None and past[0] == unsent and past[1] is not None and past[1].name == "persist"
