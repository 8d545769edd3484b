"""`sockdiag` without a command: the health of the socket layer on one screen."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.spec import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockdiag.analysis.hotspots import BusiestState
    from sockdiag.analysis.memory import ProtocolMemory
    from sockdiag.analysis.overview import NamespaceExtract
    from sockdiag.analysis.states import StateCount
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args, Keys
    from sockdiag.model.batch import Batch
    from sockdiag.model.sample import Sample
    from sockdiag.survey.diagnose import Examination
    from sockdiag.survey.reader import SystemReader


def run(env: Env, args: Args) -> int:
    """Judge the system, and show the worst findings, then sockets, memory, queues and losses."""
    from sockdiag.analysis.hotspots import HotspotSearch
    from sockdiag.analysis.losses import Loss, added_up
    from sockdiag.analysis.overview import Overview
    from sockdiag.analysis.states import add_counts, state_counts
    from sockdiag.cli.invocation import Invocation
    from sockdiag.model.query import PARTS, SKMEM, TABLES
    from sockdiag.render.document import Document
    from sockdiag.render.overview_text import overview_lines
    from sockdiag.survey.diagnose import diagnose

    this = Invocation(env, args)
    survey = this.survey
    found = diagnose(survey, this.judging(), survey.where, TABLES, _extracts)
    search = HotspotSearch()
    memory: tuple[ProtocolMemory, ...] = ()
    for extract, protocols in found.rows:
        search.join(extract.search)
        memory = memory or protocols
    states = state_counts(add_counts(extract.counts for extract, _protocols in found.rows))
    lost = added_up(loss for extract, _protocols in found.rows for loss in extract.losses)
    findings = found.by_cause()
    busiest = _busiest_state(survey, states, [extract for extract, _protocols in found.rows])
    view = Overview(
        found.verdict, found.interval_s, tuple(findings), tuple(states), memory, tuple(lost), search.worst(busiest)
    )
    keys = {name: value for name, value in view._asdict().items() if name != "losses"} | {"unknown": found.unknown}
    columns, _chosen = this.columns(Loss)
    table = this.table(columns, lost, chosen=False)
    verdict, whereabouts = this.verdict(found, findings), this.whereabouts()
    answer = Document(
        "overview",
        survey.provenance,
        table=table,
        table_key="losses",
        keys=keys,
        unasked=PARTS - {SKMEM},
        lines=lambda style: overview_lines(view, verdict, survey.provenance(), style, whereabouts),
    )
    return this.finish(answer, findings, answered=any(row.pages is not None for row in memory))


def _extracts(
    there: SystemReader, now: Sample, before: Sample | None
) -> Examination[tuple[NamespaceExtract, tuple[ProtocolMemory, ...]]]:
    from sockdiag.analysis.overview import NamespaceExtract
    from sockdiag.survey.diagnose import Examination
    from sockdiag.survey.host import protocol_memory

    memory = tuple(protocol_memory(there, now)) if there.own else ()
    return Examination(before, lambda _case, _judgement: [(NamespaceExtract(now, before, _bound(there)), memory)])


def _bound(there: SystemReader) -> list[Batch]:
    # TCP sockets that are bound and nothing else: rules do not judge them, so samples leave them out.
    from sockdiag.kernel.tcp_states import BOUND_INACTIVE
    from sockdiag.model.query import PROC

    query = there.query()
    if query.source == PROC or "tcp" not in query.tables:
        return []
    return list(there.apart().batches(query._replace(tables=("tcp",), states=query.states & 1 << BOUND_INACTIVE)))


def _busiest_state(
    survey: SystemReader, states: Iterable[StateCount], extracts: Iterable[NamespaceExtract]
) -> BusiestState | None:
    from sockdiag.analysis.hotspots import busiest_state

    found = busiest_state(states)
    if found is None:
        return None
    inodes = [inode for extract in extracts for inode in extract.inodes.get(found.state, ())]
    if not inodes:
        return found
    owners, gaps = survey.host.owners(inodes)
    held: dict[tuple[int, bytes | None], int] = {}
    for inode in inodes:
        for owner in (owners.get(inode) or ())[:1]:
            key = (owner.pid, owner.comm)
            held[key] = held.get(key, 0) + 1
    if sum(held.values()) < len(inodes):
        for gap in gaps:
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
    from sockdiag.judging.judge import NotJudged
    from sockdiag.model.finding import Finding

    return {
        "verdict": "str",
        "interval_s": "float | None",
        "findings": [Finding],
        "unknown": [NotJudged],
        "memory": [ProtocolMemory],
        "losses": [Loss],
        "worst": Worst,
        "states": [StateCount],
    }


COMMAND = Command(
    run,
    name="",
    help=(
        "The verdict and the three worst findings, each with the command to run next; then sockets by state, memory against "
        "its limits, the fullest buffers and queues, and the losses of the last second. The rules are those of 'sockdiag "
        "doctor', which shows every finding with its evidence and what to do."
    ),
    options=(
        *options.SELECTION,
        *options.JUDGING,
        # It is several tables, which no other format holds.
        options.JSON,
        *options.INPUT,
        *options.APPEARANCE,
    ),
    examples=(
        ("", "this host"),
        ("--netns all", "every network namespace of this host"),
    ),
    all_namespaces=True,
    document=document,
)
