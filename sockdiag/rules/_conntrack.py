"""The packets that connection tracking dropped between two samples, by cause."""

from __future__ import annotations

from sockdiag.model.record import COUNT, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.judging.case import Case

_U32 = 1 << 32


class ConntrackLosses(Record):
    """Packets dropped by cause.

    A clash counts as drop and as insert_failed; a chain that is too long as insert_failed and chainlength; a full
    table as drop alone.
    """

    full: int = field("The table was full.", unit=COUNT)
    clashes: int = field("Another connection had the same addresses and ports.", unit=COUNT)
    chains: int = field("A chain of the hash table was too long.", unit=COUNT)


def losses_of(case: Case) -> ConntrackLosses | None:
    """Return what was dropped between the samples; None where that is unknown or there is no connection tracking."""
    now, past = case.now.conntrack, case.before.conntrack if case.before is not None else None
    if now is None or past is None:
        return None
    moved = {}
    for column in ("drop", "insert_failed", "chainlength"):
        later, earlier = now.total(column), past.total(column)
        moved[column] = 0 if later is None or earlier is None else (later - earlier) % _U32
    chains = min(moved["chainlength"], moved["insert_failed"])
    clashes = moved["insert_failed"] - chains
    return ConntrackLosses(max(0, moved["drop"] - clashes), clashes, chains)
