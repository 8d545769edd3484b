"""`sockdiag list`: one row per socket."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.columns import sort_column
from sockdiag.cli.invocation import Invocation
from sockdiag.cli.spec import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args, Keys

DEFAULT = ("netid", "state", "recv_q", "send_q", "local", "peer")


def run(env: Env, args: Args) -> int:
    """List sockets."""
    from itertools import chain

    from sockdiag.model.batch import Batch, all_sockets
    from sockdiag.model.query import SKMEM
    from sockdiag.model.socket import Socket
    from sockdiag.render.document import Document, Table

    this = Invocation(env, args)
    survey = this.survey
    columns, chosen = this.columns(Socket, ("netns", *DEFAULT) if survey.everywhere else DEFAULT)
    where = survey.where
    needs = {need for entry in columns for need in entry.needs}
    sort = sort_column(Socket, args)
    if sort is not None:
        needs |= sort.needs
    if this.renderer.records and not chosen:
        needs.add(SKMEM)
    query = survey.query(needs, where)
    if args[options.LIMIT] is not None:
        # Each namespace's worker sends no more rows than these.
        parts = survey.reduce(query, where, lambda batches: list(this.ordered(all_sockets(batches), Socket)))
        batches: Iterable[Batch] = [Batch.of(list(this.ordered(chain.from_iterable(parts), Socket)))]
    elif sort is not None:
        batches = [Batch.of(list(this.ordered(all_sockets(survey.batches(query, where)), Socket)))]
    else:
        batches = survey.batches(query, where)
    table = Table(columns, batches=batches, chosen=chosen, header=not args[options.NO_HEADER])
    return this.show(Document(COMMAND.name, survey.provenance, table=table, table_key="sockets"))


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.model.socket import Socket

    return {"sockets*": [Socket]}


COMMAND = Command(
    run,
    name="list",
    help=(
        "Nothing is cut off in a pipe. Scripts should name their columns (-o) or use --json: the default columns may "
        "change. Owners, TCP internals and cgroup paths are looked up only if a column or the filter needs them."
    ),
    options=(options.WHERE, options.NETID, *options.COMMON),
    examples=(
        ("list --where 'state = listening' -o +processes", "what listens, and who"),
        ("list --where 'recv_q > 0' --sort -recv_q --limit 10", "the fullest receive queues"),
    ),
    all_namespaces=True,
    document=document,
)
