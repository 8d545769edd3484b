"""`sockdiag states`: how many sockets are in each state, and whose they are."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.grouping import BY, GroupColumns, chosen_keys, unasked
from sockdiag.cli.invocation import Invocation
from sockdiag.cli.spec import Command, flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockdiag.analysis.states import StateCount
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args, Keys
    from sockdiag.filter.where import Where
    from sockdiag.model.record import Record
    from sockdiag.survey.reader import SystemReader

EXACT = flag("exact", "Count by reading all sockets, not from the kernel's counter of ESTABLISHED connections.")


def run(env: Env, args: Args) -> int:
    """Count sockets by state."""
    from sockdiag.analysis.states import (
        Group,
        GroupRow,
        StateCount,
        group_rows,
        group_states,
        merge_groups,
        sum_groups,
    )
    from sockdiag.judging.declared import RULES_OF
    from sockdiag.render.document import Document, Table

    this = Invocation(env, args)
    survey = this.survey
    where = survey.where
    whole = this.renderer.document
    # It starts fast in pipes and scripts, which look for rows.
    codes = this.rules_of_findings(RULES_OF["states"], terminal=True)
    by = chosen_keys(args)
    if not by:
        columns, chosen = this.columns(StateCount)
        rows = this.ordered(_counts(survey, where, exact=args[EXACT]), StateCount)
        table = this.table(columns, rows, chosen=chosen)
        judged = _judged(survey, where, codes)
        findings = judged.get("findings", ())
        answer = Document(
            COMMAND.name,
            survey.provenance,
            table=table,
            table_key="states",
            keys=judged,
            below=this.below(findings),
        )
        return this.finish(answer, findings)
    grouping = survey.grouping(by)
    parts = survey.reduce(survey.query((), where), where, lambda batches: group_states(batches, grouping))
    groups = merge_groups(parts)
    if whole:
        columns, chosen = this.columns(Group)
        table = Table(columns, this.ordered(groups, Group), chosen=chosen)
        judged = _judged(survey, where, codes)
        keys: dict[str, Any] = {"by": ",".join(by), "states": sum_groups(groups), **judged}
        answer = Document(
            COMMAND.name, survey.provenance, table=table, table_key="groups", keys=keys, unasked=unasked(by)
        )
        return this.finish(answer, judged.get("findings", ()))
    shown = GroupColumns(this, GroupRow, by, [name for name in _COLUMNS if name not in by])
    lines, remarks = shown.first(shown.ordered(group_rows(groups)))
    table = this.table(shown.entries, lines, chosen=shown.chosen, remarks=remarks, spare=("family", "netid"))
    findings = _judged(survey, where, codes).get("findings", ())
    answer = Document(
        COMMAND.name,
        survey.provenance,
        table=table,
        table_key="states",
        unasked=unasked(by),
        below=this.below(findings),
    )
    return this.finish(answer, findings)


_COLUMNS = ("netid", "family", "state", "count")

# Transient states in which sockets may stay for long, and LISTEN: the rules judge no others.
_JUDGED = ("SYN_SENT", "SYN_RECV", "FIN_WAIT2", "CLOSE_WAIT", "LAST_ACK", "LISTEN")


def _judged(survey: SystemReader, where: Where | None, codes: tuple[str, ...]) -> dict[str, Any]:
    if not codes:
        return {}
    from sockdiag.judging.declared import TABLES_OF
    from sockdiag.kernel.tcp_states import STATE_NUMBERS
    from sockdiag.survey.diagnose import diagnose_query

    states = sum(1 << STATE_NUMBERS[state] for state in _JUDGED)
    query = survey.query((), where)
    tables = tuple(table for table in TABLES_OF["states"] if table in query.tables)
    query = query._replace(tables=tables, states=states & query.states)
    found = diagnose_query(survey, query, codes, where)
    return {"verdict": found.verdict, "findings": found.findings}


def _counts(survey: SystemReader, where: Where | None, *, exact: bool) -> list[StateCount]:
    from sockdiag.analysis.states import add_counts, count_states, state_counts
    from sockdiag.survey.collection import tcp_counts

    query = survey.query((), where)
    if where is not None or survey.namespaces is not None:
        return state_counts(add_counts(survey.reduce(query, where, count_states)))
    counts = {}
    if "tcp" in query.tables and query.source != "proc":
        found = tcp_counts(survey.system, exact, survey.note)
        if found is not None:
            survey.sources["tcp"] = "netlink"
            counts.update(found)
            query = query._replace(tables=tuple(t for t in query.tables if t != "tcp"))
    counts.update(count_states(survey.batches(query)))
    return state_counts(counts)


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.analysis.states import Group, StateCount
    from sockdiag.model.finding import Finding

    return {"states*": [StateCount], "by?": "str", "groups?*": [Group], "verdict?": "str", "findings?": [Finding]}


def rows() -> tuple[type[Record], ...]:
    """Name the records of the rows: the second with --by."""
    from sockdiag.analysis.states import GroupRow, StateCount

    return StateCount, GroupRow


COMMAND = Command(
    run,
    name="states",
    help=(
        "The number of ESTABLISHED connections comes from the kernel's counters, which is many times faster than reading "
        "them all; --exact, --where and --by read them all. If several processes hold a socket, --by process counts it for "
        "the one with the lowest PID. On a terminal, findings about these states follow. Screens show the first twenty groups unless --limit, -o or -H is given."
    ),
    options=(
        BY,
        EXACT,
        *options.SELECTION,
        *options.JUDGING_LEVELS,
        *options.COMMON,
    ),
    examples=(
        ("states", "all tables by state"),
        ("states --by process --where 'state = close-wait'", "which processes do not close their connections"),
        ("states --by process,remote", "which services each process is connected to"),
    ),
    all_namespaces=True,
    many_hosts=True,
    document=document,
    rows=rows,
)
