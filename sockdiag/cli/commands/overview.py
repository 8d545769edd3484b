"""`sockdiag` without a command: the health of the socket layer on one screen."""

from __future__ import annotations

import time

from sockdiag import progress
from sockdiag.cli import options
from sockdiag.cli.spec import Command, seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from sockdiag.analysis.hotspots import BusiestState, HotspotSearch
    from sockdiag.analysis.states import StateCount
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args, Keys
    from sockdiag.model.batch import Batch
    from sockdiag.model.counters import Counters
    from sockdiag.model.provenance import Gap
    from sockdiag.model.query import Query
    from sockdiag.survey.reader import SystemReader

# Reading more connections than this would make the screen slow; `memory` and `list` read them all.
WALKED = 20_000
INTERVAL = seconds("interval", "Seconds between the two samples of the counters.", default=0.25)


def run(env: Env, args: Args) -> int:
    """Show the overview."""
    from sockdiag.analysis.hotspots import HotspotSearch
    from sockdiag.analysis.losses import Loss, losses
    from sockdiag.analysis.overview import Overview
    from sockdiag.cli.invocation import Invocation
    from sockdiag.errors import UsageError
    from sockdiag.render.document import Document
    from sockdiag.render.overview_text import overview_lines
    from sockdiag.survey.host import protocol_memory

    interval = args[INTERVAL]
    if not 0 <= interval <= 3600:
        raise UsageError("--interval takes 0 to 3600 seconds")
    this = Invocation(env, args)
    survey = this.survey
    files = survey.system.files
    started = time.monotonic()
    before, _gaps = _counters(survey)
    search = HotspotSearch()
    states = _states(survey, search)
    memory = protocol_memory(survey)
    busiest = _busiest_state(survey, states)
    seconds = 0.0
    if files.live:
        progress.pause(interval - (time.monotonic() - started))
        seconds = time.monotonic() - started
    after, gaps = _counters(survey)
    for gap in gaps:
        survey.note(gap)
    lost = losses(before if seconds else None, after, seconds)
    view = Overview(round(seconds, 3), tuple(states), tuple(memory), tuple(lost), search.worst(busiest))
    keys = {name: value for name, value in view._asdict().items() if name != "losses"}
    columns, chosen = this.columns(Loss)
    table = this.table(columns, lost, chosen=chosen)
    lines = None if chosen else lambda style: overview_lines(view, survey.provenance(), style)
    answer = Document("overview", survey.provenance, table=table, table_key="losses", keys=keys, lines=lines)
    return this.show(answer, answered=any(row.pages is not None for row in memory))


def _counters(survey: SystemReader) -> tuple[Counters, list[Gap]]:
    if survey.namespaces is not None:
        return survey.namespaces.counters()
    from sockdiag.sources.proc.mib import read_counters

    return read_counters(survey.system.files)


def _states(survey: SystemReader, search: HotspotSearch) -> list[StateCount]:
    from sockdiag.analysis.states import count_states, state_counts
    from sockdiag.kernel.tcp_states import LISTEN
    from sockdiag.model.query import PROC, SKMEM
    from sockdiag.survey.collection import tcp_counts

    query = survey.query([SKMEM])
    if survey.namespaces is not None:
        return _states_everywhere(survey, search, query)
    counts = {}
    if query.source != PROC:
        tcp = tcp_counts(survey.system, exact=False, gap=survey.note)
        if tcp is not None:
            many = sum(tcp.values()) > WALKED
            one = query._replace(tables=("tcp",), states=1 << LISTEN if many else query.states)
            for _batch in search.watch(survey.batches(one)):
                pass
            counts.update(tcp)
            query = query._replace(tables=tuple(t for t in query.tables if t != "tcp"))
    counts.update(count_states(search.watch(survey.batches(query))))
    return state_counts(counts)


def _states_everywhere(survey: SystemReader, search: HotspotSearch, query: Query) -> list[StateCount]:
    from sockdiag.analysis.hotspots import HotspotSearch
    from sockdiag.analysis.states import add_counts, count_states, state_counts

    def search_batches(batches: Iterable[Batch]) -> tuple[dict[Any, int], HotspotSearch]:
        mine = HotspotSearch()
        return count_states(mine.watch(batches)), mine

    parts = []
    for counts, found in survey.reduce(query, None, search_batches):
        search.join(found)
        parts.append(counts)
    return state_counts(add_counts(parts))


def _inodes(batches: Iterable[Batch]) -> list[int]:
    return [inode for batch in batches for inode in batch.values("inode") if inode]


def _busiest_state(survey: SystemReader, states: list[StateCount]) -> BusiestState | None:
    # Owners are looked up for these sockets alone, to name the process that holds most of them.
    from sockdiag.analysis.hotspots import busiest_state
    from sockdiag.kernel.tcp_states import STATE_NUMBERS

    found = busiest_state(states)
    if found is None:
        return None
    query = survey.query()._replace(tables=("tcp", "mptcp"), states=1 << STATE_NUMBERS[found.state])
    inodes = [inode for part in survey.reduce(query, None, _inodes) for inode in part]
    if not inodes:
        return found
    scan = survey.host.owner_scan_of(inodes)
    held: dict[tuple[int, bytes | None], int] = {}
    for inode in inodes:
        for owner in scan.owners.get(inode)[:1]:
            key = (owner.pid, owner.comm)
            held[key] = held.get(key, 0) + 1
    if sum(held.values()) < len(inodes):
        for gap in scan.gaps:
            survey.note(gap)
    if not held:
        return found
    (pid, comm), n = max(held.items(), key=lambda item: item[1])
    name = None if comm is None else comm.decode("utf-8", "surrogateescape")
    return found._replace(held_by=name, pid=pid, held=n)


def document() -> Keys:
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
    help=(
        "States, memory against its limits, losses within the interval, and the fullest buffer, queue and state. "
        "Numbers since boot are history, and marked as such."
    ),
    options=(
        INTERVAL,
        *(o for o in options.COMMON if o.name not in ("sort", "limit")),
    ),
    examples=(
        ("", "this host"),
        ("--netns web", "the network namespace of that name"),
        ("--json", "the same for a program"),
    ),
    all_namespaces=True,
    document=document,
)
