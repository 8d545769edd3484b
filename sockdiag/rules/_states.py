"""Connections that only their owner can end, and that it keeps: how the rules about CLOSE_WAIT and FIN_WAIT2 judge them.

Every server has connections in these states for a moment. They are a leak if they become more, or take a large part of
the descriptors that the process may have, and the same ones are still there in the second sample.
"""

from __future__ import annotations

from sockdiag.judging.case import Compared, Hit, Threshold, looked_up
from sockdiag.judging.group import suspects_of
from sockdiag.judging.service import PATIENCE
from sockdiag.judging.subjects import at, process_name, process_subject
from sockdiag.model.batch import identities
from sockdiag.model.finding import CRITICAL, INFO, LEAKING, OK, WARNING, Evidence, Finding
from sockdiag.model.quantity import count, duration, share

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from sockdiag.judging.case import Case, Rule
    from sockdiag.model.address import Endpoint
    from sockdiag.model.batch import Batch
    from sockdiag.model.finding import Advice
    from sockdiag.model.socket import Owner

    Row = tuple[Batch, int]

TABLES = ("tcp", "mptcp")

THRESHOLDS = (
    Threshold(
        "least",
        3,
        "with two samples: sockets of one process that were in this state in both; one or two may be intended",
    ),
    Threshold("least_once", 10, "with a single sample, which includes sockets that are about to be closed"),
    Threshold("limit_share", 0.1, "share of the process's limit of open files, whether or not it grows"),
    Threshold("critical_share", 0.5, "the process soon needs the rest"),
    Threshold("many", 100, "whatever the limit of open files: pools of idle connections are smaller"),
    PATIENCE,
)

# How many connections of a process are asked for their tcp_info.
_ASKED = 8
# Connections that end within so short a time were ended together: an idle pool, for example.
_TOGETHER_S = 2.0


def in_state_before(state: str) -> Compared:
    """Return what :func:`judge_lasting` compares."""
    return Compared(TABLES, (), ("state",), state=state)


class Pile:
    """Sockets of one holder in one state.

    Attributes:
        owners: the processes that hold the first of them; empty where none is visible.
        rows: all of them; with two samples, those that were in the state in both.
        fresh: how many more are in the state now and were not before.
    """

    __slots__ = ("fresh", "owners", "rows")

    def __init__(self, owners: tuple[Owner, ...]) -> None:
        self.owners = owners
        self.rows: list[Row] = []
        self.fresh = 0


def judge_lasting(
    case: Case,
    rule: Rule,
    state: str,
    keep: Callable[[Batch], Sequence[Any]],
    said: str,
    evidence: str,
    advice: Advice,
    *,
    sent: bool,
) -> Iterator[Hit]:
    """Yield a finding for each process that keeps connections in a state.

    Args:
        case: the samples.
        rule: the rule that the findings belong to.
        state: the state.
        keep: returns for each row of a batch whether it counts, if it is in the state.
        said: the condition of the connections.
        evidence: name of the evidence.
        advice: what to do.
        sent: data that was sent shows that a connection is in use; else data that was received.
    """
    old, new, gone = _lasting(case, state, keep)
    least = case.threshold(rule, "least_once" if case.before is None else "least")
    if len(old) < least:
        return
    for pile in _by_process(case, old, new):
        if len(pile.rows) < least:
            continue
        n = min(_ASKED, len(pile.rows))
        asked = [pile.rows[i * (len(pile.rows) - 1) // max(1, n - 1)] for i in range(n)]
        infos = [info for batch, row in asked if (info := case.tcp_info(batch, row)) is not None]
        if 2 * sum(1 for batch, row in asked if case.has_ended(batch, row)) >= len(asked):
            continue  # closed since the sockets were read: the process closes them, if late
        if case.asks and not pile.owners and 2 * len(infos) < len(asked):
            continue  # held by nobody, and so probably closed
        moved = [info.last_data_sent_ms if sent else info.last_data_recv_ms for info in infos]
        recent = 1000 * (1.0 if case.seconds is None else case.seconds)
        if infos and 2 * sum(1 for ms in moved if ms is not None and ms < recent) >= len(infos):
            continue  # half-closed, and in use
        ages = sorted(info.last_ack_recv_ms / 1000 for info in infos if info.last_ack_recv_ms is not None)
        yield from _judge_pile(case, rule, state, pile, ages, gone, (said, evidence), advice)


def _judge_pile(
    case: Case,
    rule: Rule,
    state: str,
    pile: Pile,
    ages: Sequence[float],
    gone: int,
    words: tuple[str, str],
    advice: Advice,
) -> Iterator[Hit]:
    said, name = words
    owner = pile.owners[0] if pile.owners else None
    n, lasting = len(pile.rows) + pile.fresh, len(pile.rows)
    limit = None if owner is None else case.open_files_limit(owner.pid)
    part = None if not limit else lasting / limit
    patience = case.threshold(rule, "patience_s")
    few = lasting < case.threshold(rule, "least_once")
    young = bool(ages) and ages[-1] < patience
    critical = part is not None and part >= case.threshold(rule, "critical_share")
    # A process that closes them in batches, as the reaper of a pool does, had as many a moment ago.
    batched = young and _gathered_s(case, pile) < patience
    more = pile.fresh > 0 and gone == 0 and not (few and young) and not batched
    # None has been there for long: the process takes its time, or has yet to answer.
    passing = young and (few or gone > 0 or case.before is None)
    growing = more or _accumulates(ages, patience) or (case.before is None and not ages)
    many = case.threshold(rule, "many")
    large = lasting >= (many if not limit else min(many, case.threshold(rule, "limit_share") * limit))
    large = critical or (large and not young)
    if passing and not more:
        return
    if not (growing or large):
        verdict, severity = OK, INFO
    elif critical:
        verdict, severity = LEAKING, CRITICAL
    else:
        verdict, severity = LEAKING, WARNING
    who = process_name(None, None) if owner is None else process_name(owner.pid, owner.comm)
    where = _common_end(pile.rows)
    since = ""
    if ages:
        since = f", the oldest for {duration(ages[-1])}"
    elif case.seconds is not None:
        since = f", {count(lasting)} of them for more than {duration(case.seconds)}"
    trend = f", {count(pile.fresh)} new" if pile.fresh else ""
    of_limit = "" if part is None or part < 0.01 else f", {share(part)} of its limit of open files"
    figures = {name: Evidence(n, "sockets", limit, "idiag_state", "netns")}
    if part is not None:
        figures["share"] = Evidence(round(part, 4), "ratio", 1, "/proc/PID/limits", "process")
    if case.seconds is not None:
        figures["lasting"] = Evidence(lasting, "sockets", None, "idiag_cookie of both samples", "netns")
    if ages:
        figures["oldest_s"] = Evidence(round(ages[-1], 1), "s", None, "tcpi_last_ack_recv", "socket")
    eta = case.lasts_s(limit - n, pile.fresh) if more and limit else None
    yield Hit(
        Finding(
            rule.code,
            severity,
            process_subject(owner, n, netid="tcp", state=state, peer=where[1]),
            f"{who} holds {count(n)} connections{where[0]} {said} ({state}){since}{trend}{of_limit}",
            figures,
            None if part is None else max(0.0, round(1 - part, 4)),
            eta,
            (advice,),
            verdict,
            suspects=suspects_of(pile.owners),
        ),
        pile.rows,
    )


def _gathered_s(case: Case, pile: Pile) -> float:
    """Return how long a pile took to gather at the rate at which it grows now; inf if it does not grow."""
    if not pile.fresh or case.seconds is None:
        return float("inf")
    return len(pile.rows) * case.seconds / pile.fresh


def _accumulates(ages: Sequence[float], patience: float) -> bool:
    """Whether connections have come to this state one after another, and still do."""
    if len(ages) < 4:
        return False
    span = ages[-1] - ages[0]
    return span >= _TOGETHER_S and ages[-1] >= patience and ages[0] <= span / 2


def _common_end(rows: Sequence[Row]) -> tuple[str, Endpoint | None]:
    """Return the peer that most of the connections have in common, or their own port."""
    sockets = [socket for batch, row in rows[:100] for socket in batch.at([row])]
    for ends, write in (
        ([socket.peer for socket in sockets], lambda end: (f" to {at(end)}", end)),
        ([socket.local.port for socket in sockets], lambda port: (f" on port {port}", None)),
    ):
        counts: dict[Any, int] = {}
        for end in ends:
            counts[end] = counts.get(end, 0) + 1
        most, times = max(counts.items(), key=lambda item: item[1])
        if 2 * times > len(sockets) and times > 1:
            found: tuple[str, Endpoint | None] = write(most)
            return found
    return "", None


def _lasting(case: Case, state: str, keep: Callable[[Batch], Sequence[Any]]) -> tuple[list[Row], list[Row], int]:
    """Return the rows that were in a state in both samples, those that were not in it before, and how many left it.

    Of a single sample all rows in the state are among the first.
    """
    candidates = list(_in_state(case, state))
    kept = looked_up(candidates, keep)
    rows = [(batch, row) for batch, row in candidates if kept[id(batch), row]]
    if case.before is None:
        return rows, [], 0
    keys = looked_up(rows, identities)
    past = case.earlier(TABLES, set(keys.values()), "state")
    old: list[Row] = []
    new: list[Row] = []
    for batch, row in rows:
        (old if past.get(keys[id(batch), row]) == (state,) else new).append((batch, row))
    before = sum(
        sum(1 for one in states if one == state) for _batch, states in case.scan(TABLES, "state", earlier=True)
    )
    return old, new, max(0, before - len(old))


def _by_process(case: Case, old: list[Row], new: list[Row]) -> Iterable[Pile]:
    """Group rows by the process that holds them; those whose process is not visible are one group."""
    inodes = looked_up((*old, *new), lambda batch: batch.values("inode"))
    held_by = case.all_holders(inodes.values())
    piles: dict[int | None, Pile] = {}
    for rows, fresh in ((old, False), (new, True)):
        for batch, row in rows:
            owners = tuple(held_by.get(inodes[id(batch), row] or 0) or ())
            pile = piles.setdefault(owners[0].pid if owners else None, Pile(owners))
            if fresh:
                pile.fresh += 1
            else:
                pile.rows.append((batch, row))
    return piles.values()


def _in_state(case: Case, state: str) -> Iterator[Row]:
    for (batch,) in case.scan(TABLES):
        if batch.columns is not None and "state" in batch.constants and batch.constants["state"] != state:
            continue
        states = batch.values("state")
        if state in states:
            yield from ((batch, row) for row, s in enumerate(states) if s == state)
