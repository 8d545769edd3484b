"""`sockdiag states`: how many sockets are in each state, and whose they are."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.catalog import summary
from sockdiag.cli.session import Session, choose_columns, ordered
from sockdiag.cli.spec import CHOICE, Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockdiag.analysis.states import StateCount
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Given

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
        rows = ordered(_counts(session, given), session, StateCount)
        table = Table(columns, rows, chosen=chosen, header=not given.no_header)
        return session.show(Document("states", session.seen, table=table, table_key="states"))
    holder = session.holder() if given.by in ("process", "container") else None
    parts = session.reduce(
        session.query((), where), where, lambda batches: group_states(batches, given.by, session.user_name, holder)
    )
    groups = merge_groups(parts)
    if given.json:
        columns, chosen = choose_columns(session, Group)
        table = Table(columns, ordered(groups, session, Group), chosen=chosen)
        keys = {"by": given.by, "states": sum_groups(groups)}
        return session.show(Document("states", session.seen, table=table, table_key="groups", keys=keys))
    default = [field.name for field in GroupRow.FIELDS if field.name != "pid" or given.by == "process"]
    columns, chosen = choose_columns(session, GroupRow, default)
    table = Table(columns, ordered(group_rows(groups), session, GroupRow), chosen=chosen, header=not given.no_header)
    return session.show(Document("states", session.seen, table=table, table_key="states"))


def _counts(session: Session, given: Given) -> list[StateCount]:
    from sockdiag.analysis.states import add_counts, count_states, state_counts
    from sockdiag.collect import tcp_counts

    where = session.where()
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

    return {"states*": [StateCount], "by?": "str", "groups?*": [Group]}


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
)
