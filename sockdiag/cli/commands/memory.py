"""`sockdiag memory`: who holds socket memory, and how near each limit is."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.catalog import summary
from sockdiag.cli.spec import CHOICE, Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from sockdiag.analysis.memory import ProtocolMemory
    from sockdiag.analysis.socket_memory import Holders, MemoryGroup, SocketMemory
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Given
    from sockdiag.model.finding import Finding
    from sockdiag.render.document import Style
    from sockdiag.survey.session import Session

BY = ("netid", "process", "user", "container", "port", "peer", "netns")
SHOWN = 20


def run(env: Env, given: Given) -> int:
    """Show socket memory."""
    from sockdiag.analysis.socket_memory import MemoryGroup, find_holders, merge_holders
    from sockdiag.model.query import SKMEM
    from sockdiag.render.document import Document, Table
    from sockdiag.survey.host import protocol_memory
    from sockdiag.survey.session import Session, choose_columns, ordered

    session = Session(env, given)
    where = session.where()
    by = given.by
    holder = session.holder() if by in ("process", "container") else None
    protocols = protocol_memory(session)
    limit = SHOWN if given.limit is None else given.limit
    parts = session.reduce(
        session.query([SKMEM], where),
        where,
        lambda batches: find_holders(batches, by, limit, session.user_name, holder),
    )
    holders = merge_holders(parts, limit)
    groups = _with_rss(session, holders.groups) if by == "process" else holders.groups
    if holder is not None:
        holders.largest = _with_owners(session, holders.largest)
    keys = {"protocols": protocols, "by": by, "sockets_unknown": holders.unknown, "sockets": holders.largest}
    if given.json:
        keys["findings"] = _findings(session)
    default = [
        "key",
        *(["pid", "rss_bytes"] if by == "process" else []),
        "sockets",
        "held_bytes",
        "rmem_alloc_bytes",
        "wmem_bytes",
        "fwd_alloc_bytes",
    ]
    columns, chosen = choose_columns(session, MemoryGroup, default)
    rows = list(ordered(groups, session, MemoryGroup))
    table = Table(columns, rows, chosen=chosen, header=not given.no_header)
    lines = None if chosen else _lines(protocols, table, holders, everywhere=session.everywhere is not None)
    answer = Document("memory", session.seen, table=table, table_key="groups", keys=keys, lines=lines)
    return session.show(answer, answered=any(row.pages is not None for row in protocols))


# Rules about memory that runs out, and the tables that they look at.
_CODES = (
    "UDP_RECEIVE_BUFFER_FULL",
    "UDP_MEMORY_LIMIT",
    "RAW_RECEIVE_BUFFER_FULL",
    "PACKET_RECEIVE_BUFFER_FULL",
    "NETLINK_RECEIVE_BUFFER_FULL",
    "TCP_MEMORY_PRESSURE",
    "CGROUP_MEMORY_LIMIT",
)
_JUDGED = ("udp", "udplite", "raw", "icmp", "packet", "netlink")


def _findings(session: Session) -> list[Finding]:
    from sockdiag.survey.diagnose import some

    query = session.query()
    return some(session, query._replace(tables=tuple(t for t in _JUDGED if t in query.tables)), _CODES).findings


def _with_owners(session: Session, largest: list[SocketMemory]) -> list[SocketMemory]:
    scan = session.owners()
    nobody = None if scan.gaps else ()

    def owned(row: SocketMemory) -> SocketMemory:
        inode = row.socket.inode
        found = (scan.owners.get(inode) or nobody) if inode else ()
        return row._replace(socket=row.socket._replace(processes=found))

    return list(map(owned, largest))


def _with_rss(session: Session, groups: list[MemoryGroup]) -> list[MemoryGroup]:
    # psutil knows the pid's own memory; a captured system has no processes to ask.
    if not session.system.files.live:
        return groups
    from psutil import Error, Process

    def rss(pid: int) -> int | None:
        try:
            return int(Process(pid).memory_info().rss)
        except Error:
            return None

    return [group if group.pid is None else group._replace(rss_bytes=rss(group.pid)) for group in groups]


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


def document() -> dict[str, Any]:
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
        "findings?": [Finding],
    }


COMMAND = Command(
    run,
    name="memory",
    summary=summary("memory"),
    help=(
        "Protocols against tcp_mem and udp_mem, sums of the sockets by what --by names, and the sockets that hold most "
        f"(--limit, {SHOWN} unless told). Amounts are what the kernel charges: payload plus its overhead."
    ),
    options=(
        Option("by", "What to sum by.", kind=CHOICE, choices=BY, default="netid"),
        options.WHERE,
        options.NETID,
        *options.EVERYWHERE,
    ),
    examples=(
        ("memory", "protocols, tables and the largest sockets"),
        ("memory --by process --limit 5", "which processes make the kernel hold memory"),
    ),
    everywhere=True,
    document=document,
)
