"""`sockdiag memory`: who holds socket memory, and how near each limit is."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.grouping import BY, GroupColumns, chosen_keys, unasked
from sockdiag.cli.spec import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from sockdiag.analysis.memory import ProtocolMemory
    from sockdiag.analysis.socket_memory import Holders, MemoryGroup, SocketMemory
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args, Keys
    from sockdiag.filter.where import Where
    from sockdiag.render.document import Style
    from sockdiag.survey.reader import SystemReader

SHOWN = 20


def run(env: Env, args: Args) -> int:
    """Show socket memory."""
    from sockdiag.analysis.socket_memory import MemoryGroup, find_holders, merge_holders
    from sockdiag.cli.invocation import Invocation
    from sockdiag.judging.declared import RULES_OF
    from sockdiag.model.query import OWNERS, PARTS, SKMEM
    from sockdiag.render.document import Document
    from sockdiag.survey.host import protocol_memory

    this = Invocation(env, args)
    survey = this.survey
    where = survey.where
    codes = this.rules_of_findings(RULES_OF["memory"])
    by = chosen_keys(args, default="netid")
    grouping = survey.grouping(by)
    protocols = protocol_memory(survey)
    limit = args[options.LIMIT]
    shown = SHOWN if limit is None else limit
    parts = survey.reduce(
        survey.query([SKMEM], where),
        where,
        lambda batches: find_holders(batches, grouping, shown),
    )
    holders = merge_holders(parts, shown)
    groups = _with_rss(survey, holders.groups) if "process" in by else holders.groups
    if grouping.owned:
        holders.largest = _with_owners(survey, holders.largest)
    keys = {"protocols": protocols, "by": ",".join(by), "sockets_unknown": holders.unknown, "sockets": holders.largest}
    judged = _judged(survey, where, codes) if codes else {}
    keys.update(judged)
    default = [
        *(["rss_bytes"] if "process" in by else []),
        "sockets",
        "held_bytes",
        "rmem_alloc_bytes",
        "wmem_bytes",
        "fwd_alloc_bytes",
    ]
    columns = GroupColumns(this, MemoryGroup, by, default)
    rows, remarks = columns.first(columns.ordered(groups))
    table = this.table(columns.entries, rows, chosen=columns.chosen, remarks=remarks)
    lines = None if columns.chosen else _lines(protocols, table, holders, everywhere=survey.everywhere)
    answer = Document(
        COMMAND.name,
        survey.provenance,
        table=table,
        table_key="groups",
        keys=keys,
        lines=lines,
        below=this.below(judged.get("findings", ())),
        unasked=unasked(by) | PARTS - ({SKMEM, OWNERS} if grouping.owned else {SKMEM}),
    )
    answered = any(row.pages is not None for row in protocols)
    return this.finish(answer, judged.get("findings", ()), answered=answered)


def _judged(survey: SystemReader, where: Where | None, codes: tuple[str, ...]) -> dict[str, Any]:
    from sockdiag.judging.declared import TABLES_OF
    from sockdiag.survey.diagnose import diagnose_query

    query = survey.query((), where)
    tables = tuple(table for table in TABLES_OF["memory"] if table in query.tables)
    found = diagnose_query(survey, query._replace(tables=tables), codes, where)
    return {"verdict": found.verdict, "findings": found.findings}


def _with_owners(survey: SystemReader, largest: list[SocketMemory]) -> list[SocketMemory]:
    scan = survey.owners()
    nobody = None if scan.gaps else ()

    def owned(row: SocketMemory) -> SocketMemory:
        inode = row.socket.inode
        found = (scan.owners.get(inode) or nobody) if inode else ()
        return row._replace(socket=row.socket._replace(processes=found))

    return list(map(owned, largest))


def _with_rss(survey: SystemReader, groups: list[MemoryGroup]) -> list[MemoryGroup]:
    # A capture has no live processes.
    if not survey.system.files.live:
        return groups
    from sockdiag.sources.process.details import resident_bytes

    return [group if group.pid is None else group._replace(rss_bytes=resident_bytes(group.pid)) for group in groups]


def _lines(
    protocols: list[ProtocolMemory], table: Any, holders: Holders, *, everywhere: bool
) -> Callable[[Style], Iterable[str]]:
    def lines(style: Style) -> Iterator[str]:
        from sockdiag.render.memory_text import group_lines, protocol_lines, socket_lines

        yield style.paint("PROTOCOLS", "1") + " (of the whole host)\n"
        yield from protocol_lines(protocols, style)
        yield (
            "\n"
            + style.paint("SOCKETS", "1")
            + f" (of {'all network namespaces' if everywhere else 'this network namespace'})\n"
        )
        yield from group_lines(table, style)
        if holders.largest:
            yield "\n" + style.paint("LARGEST", "1") + "\n"
            yield from socket_lines(holders.largest, style)

    return lines


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.analysis.memory import ProtocolMemory
    from sockdiag.analysis.socket_memory import MemoryGroup, SocketMemory
    from sockdiag.model.finding import Finding

    return {
        "protocols": [ProtocolMemory],
        "by": "str",
        "groups*": [MemoryGroup],
        "sockets_unknown": "int",
        "sockets": [SocketMemory],
        "verdict?": "str",
        "findings?": [Finding],
    }


COMMAND = Command(
    run,
    name="memory",
    help=(
        "Shows the memory of each protocol against tcp_mem and udp_mem, that of the sockets by the keys of --by, and the "
        f"sockets that hold most (--limit, {SHOWN} by default). Amounts are what the kernel charges: payload plus overhead. "
        "Findings about memory follow."
    ),
    options=(
        BY,
        *options.SELECTION,
        *options.JUDGING_LEVELS,
        *options.COMMON,
    ),
    examples=(
        ("memory", "protocols, tables and the largest sockets"),
        ("memory --by process --limit 5", "which processes make the kernel hold memory"),
    ),
    all_namespaces=True,
    many_hosts=True,
    document=document,
)
