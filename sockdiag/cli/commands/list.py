"""`sockdiag list`: one row per socket."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.columns import sort_column
from sockdiag.cli.grouping import BY, GroupColumns, chosen_keys, unasked
from sockdiag.cli.invocation import Invocation
from sockdiag.cli.spec import Command, flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args, Keys
    from sockdiag.model.record import Record

DEFAULT = ("netid", "state", "recv_q", "send_q", "local", "peer")
# What a narrow terminal leaves out first; what was added with +COL stays.
SPARE = ("send_q", "recv_q", "netns")

# The short options of ss that choose sockets, each short for a --netid or a --where.
_OF_SS = "As in ss: "
_TABLES = tuple(
    flag(netid, f"{_OF_SS}only {shown} sockets, like --netid {netid}. -t, -u, -w and -x may be combined.", short=short)
    for netid, short, shown in (
        ("tcp", "-t", "TCP"),
        ("udp", "-u", "UDP"),
        ("raw", "-w", "raw"),
        ("unix", "-x", "unix"),
    )
)
_FAMILIES = (
    flag("ipv4", f"{_OF_SS}only IPv4 sockets.", short="-4"),
    flag("ipv6", f"{_OF_SS}only IPv6 sockets.", short="-6"),
)
LISTENING = flag("listening", f"{_OF_SS}only sockets that listen or are not connected.", short="-l")
ALL = flag("all", f"{_OF_SS}sockets in every state, the default here. Overrides -l.", short="-a")
PROCESSES = flag("processes", f"{_OF_SS}also show the processes that hold each socket, like -o +processes.", short="-p")
SS = (*_TABLES, *_FAMILIES, LISTENING, ALL, PROCESSES)


def run(env: Env, args: Args) -> int:
    """List sockets."""
    from itertools import chain

    from sockdiag.model.batch import Batch, all_sockets
    from sockdiag.model.fields import find
    from sockdiag.model.query import OWNERS, PARTS, SKMEM
    from sockdiag.model.socket import Socket
    from sockdiag.render.document import Document, Table

    this = Invocation(env, _spelled_out(args))
    survey = this.survey
    by = chosen_keys(args)
    if by:
        return _grouped(this, by)
    columns, chosen = this.columns(Socket, ("netns", *DEFAULT) if survey.everywhere else DEFAULT)
    if args[PROCESSES] and args[options.TEMPLATE] is None and all(column.name != "processes" for column in columns):
        columns.append(find(Socket, "processes"))
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
    if this.renderer.people and any(entry.name == "peer" for entry in columns):
        from sockdiag.survey.unix_peers import with_unix_peers

        batches = with_unix_peers(batches, survey.owners().owners.holder if OWNERS in query.needs else None)
    table = Table(columns, batches=batches, chosen=chosen, header=not args[options.NO_HEADER], spare=SPARE)
    answer = Document(COMMAND.name, survey.provenance, table=table, table_key="sockets", unasked=PARTS - query.needs)
    return this.show(answer)


def _spelled_out(args: Args) -> Args:
    """Add to --netid and --where what the short options of ss stand for."""
    netids = [option.name for option in _TABLES if args[option]]
    families = [option.name for option in _FAMILIES if args[option]]
    filters = []
    if families:
        filters.append(" or ".join(f"family = {'inet' if name == 'ipv4' else 'inet6'}" for name in families))
    if args[LISTENING] and not args[ALL]:
        # As in ss: TCP sockets that are bound and neither listen nor connect are not among them.
        filters.append("state listening or (state close and netid != tcp)")
    args = args.replaced(options.NETID, (*args[options.NETID], *netids))
    return args.replaced(options.WHERE, (*args[options.WHERE], *filters))


def _grouped(this: Invocation, by: tuple[str, ...]) -> int:
    from sockdiag.analysis.socket_groups import SocketGroup, merge_queues, sum_queues
    from sockdiag.model.query import SKMEM
    from sockdiag.render.document import Document

    survey = this.survey
    grouping, where = survey.grouping(by), survey.where
    parts = survey.reduce(survey.query([SKMEM], where), where, lambda batches: sum_queues(batches, grouping))
    columns = GroupColumns(this, SocketGroup, by, ("count", "recv_q", "send_q", "accept_queue", "drops"))
    rows, remarks = columns.first(columns.ordered(merge_queues(parts)))
    table = this.table(columns.entries, rows, chosen=columns.chosen, remarks=remarks)
    keys = {"by": ",".join(by)}
    answer = Document(COMMAND.name, survey.provenance, table=table, table_key="groups", keys=keys, unasked=unasked(by))
    return this.show(answer)


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.analysis.socket_groups import SocketGroup
    from sockdiag.model.socket import Socket

    return {"sockets?*": [Socket], "by?": "str", "groups?*": [SocketGroup]}


def rows() -> tuple[type[Record], ...]:
    """Name the records of the rows: the second with --by."""
    from sockdiag.analysis.socket_groups import SocketGroup
    from sockdiag.model.socket import Socket

    return Socket, SocketGroup


COMMAND = Command(
    run,
    name="list",
    help=(
        "Output to a pipe is never truncated. Scripts should name their columns (-o) or use --json: the default columns may "
        "change. Owners, TCP internals and cgroup paths are looked up only if a column or the filter needs them.\n\n"
        "The short options of ss that select sockets mean the same here and may be clustered: list -tlnp. Unlike ss, list "
        "shows sockets in every state by default, and -o names columns, as in every command.\n\n"
        "With --by, each row is a group: the number of sockets, the sums of their queues, and their drops. Screens show the first twenty groups "
        "unless --limit, -o or -H is given."
    ),
    options=(BY, *options.SELECTION, *SS, *options.COMMON),
    examples=(
        ("list --where 'state = listening' -o +processes", "listening sockets, and the processes that hold them"),
        ("list -tlnp", "the same for TCP, with the options of ss"),
        ("list --where 'recv_q > 0' --sort -recv_q --limit 10", "the ten fullest receive queues"),
        ("list --by unit --sort -recv_q", "which services do not read what they have received"),
    ),
    all_namespaces=True,
    many_hosts=True,
    document=document,
    rows=rows,
)
