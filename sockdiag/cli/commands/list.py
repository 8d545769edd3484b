"""`sockdiag list`: one row a socket."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.catalog import summary
from sockdiag.cli.spec import Command
from sockdiag.survey.session import Session, choose_columns, find_column, ordered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Given

DEFAULT = ("netid", "state", "recv_q", "send_q", "local", "peer")


def run(env: Env, given: Given) -> int:
    """List sockets."""
    from itertools import chain

    from sockdiag.model.batch import Batch, all_sockets
    from sockdiag.model.query import SKMEM
    from sockdiag.model.socket import Socket
    from sockdiag.render.document import Document, Table

    session = Session(env, given)
    columns, chosen = choose_columns(session, Socket, DEFAULT if session.everywhere is None else ("netns", *DEFAULT))
    where = session.where()
    needs = {need for entry in columns for need in entry.needs}
    if given.sort:
        needs |= find_column(Socket, given.sort.removeprefix("-")).needs
    if (given.json or given.ndjson) and not chosen:
        needs.add(SKMEM)
    query = session.query(needs, where)
    if given.limit is not None:
        # Of each namespace no more than that goes from process to process.
        parts = session.reduce(query, where, lambda batches: list(ordered(all_sockets(batches), session, Socket)))
        batches: Iterable[Batch] = [Batch.of(list(ordered(chain.from_iterable(parts), session, Socket)))]
    elif given.sort:
        batches = [Batch.of(list(ordered(all_sockets(session.sockets(query, where)), session, Socket)))]
    else:
        batches = session.sockets(query, where)
    table = Table(columns, batches=batches, chosen=chosen, header=not given.no_header)
    return session.show(Document("list", session.seen, table=table, table_key="sockets"))


def document() -> dict[str, Any]:
    """Name the document's own keys."""
    from sockdiag.model.socket import Socket

    return {"sockets*": [Socket]}


COMMAND = Command(
    run,
    name="list",
    summary=summary("list"),
    help=(
        "Into a pipe nothing is cut off. Scripts should name their columns (-o) or use --json: the default columns may "
        "change. Owners, TCP internals and cgroup paths are looked up only when a column or the filter needs them."
    ),
    options=(options.WHERE, options.NETID, *options.EVERYWHERE),
    examples=(
        ("list --where 'state = listening' -o +processes", "what listens, and who"),
        ("list --where 'recv_q > 0' --sort -recv_q --limit 10", "the fullest receive queues"),
    ),
    everywhere=True,
    document=document,
)
