"""`sockdiag` without a command: the health of the socket layer on one screen."""

from __future__ import annotations

import time

from sockdiag import progress
from sockdiag.cli import options
from sockdiag.cli.catalog import summary
from sockdiag.cli.spec import FLOAT, Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from sockdiag.analysis.hotspots import Crowded, Search
    from sockdiag.analysis.states import StateCount
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Given
    from sockdiag.model.batch import Batch
    from sockdiag.model.counters import Counters
    from sockdiag.model.provenance import Gap
    from sockdiag.model.query import Query
    from sockdiag.survey.session import Session

# Walking more connections than this would make the screen slow; `memory` and `list` walk them all.
WALKED = 20_000
_INTERVAL = 0.25


def run(env: Env, given: Given) -> int:
    """Show the overview."""
    from sockdiag.analysis.hotspots import Search
    from sockdiag.analysis.losses import Loss, losses
    from sockdiag.analysis.overview import Overview
    from sockdiag.errors import UsageError
    from sockdiag.render.document import Document, Table
    from sockdiag.render.overview_text import overview_lines
    from sockdiag.survey.host import protocol_memory
    from sockdiag.survey.session import Session, choose_columns

    if not 0 <= given.interval <= 3600:
        raise UsageError("--interval takes 0 to 3600 seconds")
    session = Session(env, given)
    files = session.system.files
    started = time.monotonic()
    before, _gaps = _counters(session)
    search = Search()
    states = _states(session, search)
    memory = protocol_memory(session)
    crowded = _crowded(session, states)
    seconds = 0.0
    if files.live:
        progress.pause(given.interval - (time.monotonic() - started))
        seconds = time.monotonic() - started
    after, gaps = _counters(session)
    for gap in gaps:
        session.note(gap)
    lost = losses(before if seconds else None, after, seconds)
    view = Overview(round(seconds, 3), tuple(states), tuple(memory), tuple(lost), search.worst(crowded))
    keys = {name: value for name, value in view._asdict().items() if name != "losses"}
    columns, chosen = choose_columns(session, Loss)
    table = Table(columns, lost, chosen=chosen, header=not given.no_header)
    lines = None if chosen else lambda style: overview_lines(view, session.seen(), style)
    answer = Document("overview", session.seen, table=table, table_key="losses", keys=keys, lines=lines)
    return session.show(answer, answered=any(row.pages is not None for row in memory))


def _counters(session: Session) -> tuple[Counters, list[Gap]]:
    if session.everywhere is not None:
        return session.everywhere.counters()
    from sockdiag.sources.proc.mib import read_counters

    return read_counters(session.system.files)


def _states(session: Session, search: Search) -> list[StateCount]:
    from sockdiag.analysis.states import count_states, state_counts
    from sockdiag.kernel.tcp_states import LISTEN
    from sockdiag.model.query import PROC, SKMEM
    from sockdiag.survey.collection import tcp_counts

    query = session.query([SKMEM])
    if session.everywhere is not None:
        return _states_everywhere(session, search, query)
    counts = {}
    if query.source != PROC:
        tcp = tcp_counts(session.system, exact=False, gap=session.note)
        if tcp is not None:
            many = sum(tcp.values()) > WALKED
            one = query._replace(tables=("tcp",), states=1 << LISTEN if many else query.states)
            for _batch in search.watch(session.sockets(one)):
                pass
            counts.update(tcp)
            query = query._replace(tables=tuple(t for t in query.tables if t != "tcp"))
    counts.update(count_states(search.watch(session.sockets(query))))
    return state_counts(counts)


def _states_everywhere(session: Session, search: Search, query: Query) -> list[StateCount]:
    from sockdiag.analysis.hotspots import Search
    from sockdiag.analysis.states import add_counts, count_states, state_counts

    def look(batches: Iterable[Batch]) -> tuple[dict[Any, int], Search]:
        mine = Search()
        return count_states(mine.watch(batches)), mine

    parts = []
    for counts, found in session.reduce(query, None, look):
        search.join(found)
        parts.append(counts)
    return state_counts(add_counts(parts))


def _inodes(batches: Iterable[Batch]) -> list[int]:
    return [inode for batch in batches for inode in batch.values("inode") if inode]


def _crowded(session: Session, states: list[StateCount]) -> Crowded | None:
    # Who holds most of them: owners are looked up for these sockets alone.
    from sockdiag.analysis.hotspots import most_crowded
    from sockdiag.kernel.tcp_states import STATE_NUMBERS
    from sockdiag.sources.process.fd import scan_owners

    found = most_crowded(states)
    if found is None:
        return None
    query = session.query()._replace(tables=("tcp", "mptcp"), states=1 << STATE_NUMBERS[found.state])
    inodes = [inode for part in session.reduce(query, None, _inodes) for inode in part]
    if not inodes:
        return found
    scan = scan_owners(session.system.files, set(inodes))
    held: dict[tuple[int, bytes | None], int] = {}
    for inode in inodes:
        for owner in scan.owners.get(inode)[:1]:
            key = (owner.pid, owner.comm)
            held[key] = held.get(key, 0) + 1
    if sum(held.values()) < len(inodes):
        for gap in scan.gaps:
            session.note(gap)
    if not held:
        return found
    (pid, comm), n = max(held.items(), key=lambda item: item[1])
    name = None if comm is None else comm.decode("utf-8", "surrogateescape")
    return found._replace(held_by=name, pid=pid, held=n)


def document() -> dict[str, Any]:
    """Name the document's own keys."""
    from sockdiag.analysis.hotspots import Worst
    from sockdiag.analysis.losses import Loss
    from sockdiag.analysis.memory import ProtocolMemory
    from sockdiag.analysis.states import StateCount

    return {
        "interval_s": "float",
        "memory": [ProtocolMemory],
        "losses*": [Loss],
        "worst": Worst,
        "states": [StateCount],
    }


COMMAND = Command(
    run,
    name="",
    summary=summary(""),
    help=(
        "States, memory against its limits, what was lost while looking, and the fullest buffer, queue and state. "
        "Numbers since boot are history and said to be."
    ),
    options=(
        Option(
            "interval", "Seconds between the two looks at the counters.", kind=FLOAT, metavar="S", default=_INTERVAL
        ),
        *(o for o in options.EVERYWHERE if o.name not in ("sort", "limit")),
    ),
    examples=(
        ("", "this host"),
        ("--netns web", "the network namespace of that name"),
        ("--json", "the same for a program"),
    ),
    everywhere=True,
    document=document,
)
