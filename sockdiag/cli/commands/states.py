"""`sockdiag states`: how many sockets are in each state, and whose they are."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.catalog import summary
from sockdiag.cli.spec import CHOICE, Command, Option
from sockdiag.survey.session import Session, choose_columns, ordered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockdiag.analysis.states import StateCount
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Given
    from sockdiag.filter.where import Where
    from sockdiag.model.finding import Finding

BY = ("process", "user", "container", "port", "peer", "netns")


def run(env: Env, given: Given) -> int:
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
    from sockdiag.render.document import Document, Table

    session = Session(env, given)
    where = session.where()
    if given.by is None:
        columns, chosen = choose_columns(session, StateCount)
        rows = ordered(_counts(session, given, where), session, StateCount)
        table = Table(columns, rows, chosen=chosen, header=not given.no_header)
        keys: dict[str, Any] = {"findings": _findings(session)} if given.json else {}
        return session.show(Document("states", session.seen, table=table, table_key="states", keys=keys))
    holder = session.holder() if given.by in ("process", "container") else None
    parts = session.reduce(
        session.query((), where), where, lambda batches: group_states(batches, given.by, session.user_name, holder)
    )
    groups = merge_groups(parts)
    if given.json:
        columns, chosen = choose_columns(session, Group)
        table = Table(columns, ordered(groups, session, Group), chosen=chosen)
        keys = {"by": given.by, "states": sum_groups(groups)}
        keys["findings"] = _findings(session)
        return session.show(Document("states", session.seen, table=table, table_key="groups", keys=keys))
    default = [field.name for field in GroupRow.FIELDS if field.name != "pid" or given.by == "process"]
    columns, chosen = choose_columns(session, GroupRow, default)
    table = Table(columns, ordered(group_rows(groups), session, GroupRow), chosen=chosen, header=not given.no_header)
    return session.show(Document("states", session.seen, table=table, table_key="states"))


# Rules about sockets that stay where they should only pass through, and the states of those.
_CODES = ("SYN_QUEUE_FULL", "SYN_SENT_UNANSWERED", "LAST_ACK_STUCK", "CLOSE_WAIT_LEAK", "FIN_WAIT2_LEAK")
_JUDGED = ("SYN_SENT", "SYN_RECV", "FIN_WAIT2", "CLOSE_WAIT", "LAST_ACK", "LISTEN")


def _findings(session: Session) -> list[Finding]:
    from sockdiag.kernel.tcp_states import STATE_NUMBERS
    from sockdiag.survey.diagnose import some

    states = sum(1 << STATE_NUMBERS[state] for state in _JUDGED)
    query = session.query()
    tables = tuple(table for table in ("tcp", "mptcp") if table in query.tables)
    return some(session, query._replace(tables=tables, states=states), _CODES).findings


def _counts(session: Session, given: Given, where: Where | None) -> list[StateCount]:
    from sockdiag.analysis.states import add_counts, count_states, state_counts
    from sockdiag.survey.collection import tcp_counts

    query = session.query((), where)
    if where is not None or session.everywhere is not None:
        return state_counts(add_counts(session.reduce(query, where, count_states)))
    counts = {}
    if "tcp" in query.tables and query.source != "proc":
        found = tcp_counts(session.system, given.exact, session.note)
        if found is not None:
            session.sources["tcp"] = "netlink"
            counts.update(found)
            query = query._replace(tables=tuple(t for t in query.tables if t != "tcp"))
    counts.update(count_states(session.sockets(query)))
    return state_counts(counts)


def document() -> dict[str, Any]:
    """Name the document's own keys."""
    from sockdiag.analysis.states import Group, StateCount
    from sockdiag.model.finding import Finding

    return {"states*": [StateCount], "by?": "str", "groups?*": [Group], "findings?": [Finding]}


def rows() -> tuple[Any, ...]:
    """Name the records of the rows: the second with --by."""
    from sockdiag.analysis.states import GroupRow, StateCount

    return StateCount, GroupRow


COMMAND = Command(
    run,
    name="states",
    summary=summary("states"),
    help=(
        "The number of ESTABLISHED connections is taken from the kernel's counters, which is many times faster than "
        "walking them; --exact, --where and --by walk them all. Of a socket that several processes hold, --by process "
        "counts the one with the lowest pid."
    ),
    options=(
        Option("by", "Group the sockets.", kind=CHOICE, choices=BY),
        Option("exact", "Walk all sockets, instead of taking the number of ESTABLISHED ones from counters."),
        options.WHERE,
        options.NETID,
        *options.EVERYWHERE,
    ),
    examples=(
        ("states", "all tables by state"),
        ("states --by process --where 'state = close-wait'", "who does not close its connections"),
    ),
    everywhere=True,
    document=document,
    rows=rows,
)
