"""The tabs of ``top``: which rows and columns each shows of a look."""

from __future__ import annotations

from sockdiag.model.query import OWNERS, TCP_INFO
from sockdiag.top.grid import Grid, GridColumn, grid_of
from sockdiag.top.row_order import first_by_amount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from typing import Any

    from sockdiag.analysis.listeners import Listener
    from sockdiag.analysis.path import PathStage
    from sockdiag.analysis.socket_groups import SocketGroup
    from sockdiag.model.fields import FieldEntry
    from sockdiag.model.finding import Finding
    from sockdiag.model.socket import Owner, Socket
    from sockdiag.model.tcp_info import TcpInfo
    from sockdiag.render.suspects import Whereabouts
    from sockdiag.top.look import Look, SocketTable

PROBLEMS, SOCKETS, LISTENERS, PROCESSES, MEMORY, PATH = (
    "problems",
    "sockets",
    "listeners",
    "processes",
    "memory",
    "path",
)
TABS = (PROBLEMS, SOCKETS, LISTENERS, PROCESSES, MEMORY, PATH)
# What the tab of processes can be grouped by instead.
GROUPINGS = ("process", "command", "unit", "container", "user", "remote", "port", "state", "netns")

_RANK = {"critical": 3, "warning": 2, "info": 1, "": 0}


class TabFacts:
    """What the tabs need besides the look.

    Attributes:
        whereabouts: how namespaces are named.
        columns: columns of sockets that the user chose; empty for the default ones.
        owners: processes that hold sockets, by inode, as far as they have been looked up.
        lacking: inodes of sockets that were shown and whose owners have not been looked up.
        infos: tcp_info of the sockets that are shown, by identity, as far as it has been read.
        locked: cookies of sockets that another process has locked, whose tcp_info the kernel does not tell.
        unread: sockets that were shown and whose tcp_info has not been read.
        groups: of the tab of processes, and what they are grouped by.
        closed: sockets that were there in an earlier look, the last one to close first.
    """

    def __init__(self, whereabouts: Whereabouts, columns: Sequence[FieldEntry] = ()) -> None:
        self.whereabouts = whereabouts
        self.columns = tuple(columns)
        self.owners: dict[int, tuple[Owner, ...] | None] = {}
        self.lacking: set[int] = set()
        self.infos: dict[Hashable, TcpInfo | None] = {}
        self.locked: frozenset[int] = frozenset()
        self.unread: dict[Hashable, Socket] = {}
        self.groups: Sequence[SocketGroup] = ()
        self.by = GROUPINGS[0]
        self.closed: list[tuple[Hashable, Socket]] = []


def grid(tab: str, look: Look, facts: TabFacts) -> Grid:
    """Return the rows of a tab."""
    return _MAKERS[tab](look, facts)


def _problems(look: Look, facts: TabFacts) -> Grid:
    from sockdiag.render.escape import printable
    from sockdiag.render.suspects import sentence

    def what(finding: Finding) -> str:
        return sentence(finding, facts.whereabouts)

    return grid_of(
        look.findings,
        (
            ("severity", "SEVERITY", lambda one: one.severity, lambda one: _RANK[one.severity], False, 0),
            ("verdict", "VERDICT", lambda one: one.verdict, lambda one: one.verdict, False, 2),
            ("code", "CODE", lambda one: printable(one.code), lambda one: one.code, False, 1),
            ("what", "WHAT", what, None, False, 0),
        ),
        lambda one: (
            one.code,
            one.subject.kind,
            one.subject.name,
            one.subject.local,
            one.subject.peer,
            one.subject.pid,
        ),
        lambda one: one.severity,
        "no findings",
    )


def _sockets(look: Look, facts: TabFacts) -> Grid:
    table = look.sockets
    lost = table.lost()
    troubled = table.troubled()
    seconds = look.found.seconds or 1.0

    def order() -> Sequence[int]:
        # Losing ones first, then what findings are about, then the fullest queues.
        amounts: dict[int, float] = dict(table.waiting())
        for row, severity in troubled.items():
            amounts[row] = amounts.get(row, 0) + _RANK[severity] * 1e15
        for row, n in lost.items():
            amounts[row] = amounts.get(row, 0) + n * 1e18
        return first_by_amount(amounts, table.size)

    def rates() -> list[Any]:
        return [lost.get(row, 0) for row in range(size)] + [None] * len(closed)

    closed = facts.closed
    size = table.size

    def socket(row: int) -> Socket:
        return table.socket(row) if row < size else closed[row - size][1]

    def identity(row: int) -> Hashable:
        return table.identity(row) if row < size else closed[row - size][0]

    columns = [
        GridColumn(
            "lost",
            "LOST/S",
            lambda row: "closed" if row >= size else _rate(lost.get(row, 0) / seconds) if look.found.seconds else "-",
            rates,
            right=True,
            widest=8,
            toned=True,
        ),
        *(
            _socket_column(entry, look, _filled(entry, socket, identity, facts), closed, facts)
            for entry in facts.columns or default_columns(look)
        ),
        _process_column(socket, look, facts),
    ]

    def find(wanted: Hashable) -> int | None:
        row = table.find(wanted)
        if row is not None:
            return row
        return next((size + place for place, (key, _socket) in enumerate(closed) if key == wanted), None)

    return Grid(
        size + len(closed),
        columns,
        identity,
        severity=lambda row: troubled.get(row, "") if row < size else "dim",
        find=find,
        order=lambda: [*order(), *range(size, size + len(closed))] if closed else order(),
        empty="no sockets match",
    )


_SOCKET_COLUMNS = ("netid", "state", "recv_q", "send_q", "local", "peer")
_SPARE = {"send_q": 4, "netid": 3, "recv_q": 2, "netns": 1}


def socket_columns(*, everywhere: bool) -> tuple[str, ...]:
    """Return the names of the fields of sockets that are shown by default."""
    return (*(("netns",) if everywhere else ()), *_SOCKET_COLUMNS)


def default_columns(look: Look) -> list[FieldEntry]:
    """Return the fields of sockets that are shown by default."""
    from sockdiag.model.fields import find
    from sockdiag.model.socket import Socket

    return [find(Socket, name) for name in socket_columns(everywhere=len(look.parts) > 1)]


def _socket_column(
    entry: FieldEntry,
    look: Look,
    socket: Callable[[int], Socket],
    closed: Sequence[tuple[Hashable, Socket]],
    facts: TabFacts,
) -> GridColumn:
    from sockdiag.render.cells import cell
    from sockdiag.render.table import is_number

    table = look.sockets

    def values() -> Sequence[Any]:
        from sockdiag.model.address import Endpoint

        found = [*_column_of(table, entry, facts), *(entry.get(one) for _key, one in closed)]
        kinds = set(map(type, found)) - {type(None)}
        if kinds <= {int, float} or kinds <= {str} or kinds <= {bytes}:
            return found
        if kinds <= {Endpoint}:
            return [None if one is None else (str(one.address), one.port or 0) for one in found]
        return [None if one is None else cell(one, entry.field) for one in found]

    def text(row: int) -> str:
        one = socket(row)
        if TCP_INFO in entry.needs and one.tcp_info is None and one.cookie in facts.locked:
            return "locked"
        return cell(entry.get(one), entry.field)

    return GridColumn(
        entry.name,
        entry.field.header,
        text,
        values,
        right=is_number(entry),
        spare=_SPARE.get(entry.name, 0),
        widest=46,
        needs=entry.needs & {TCP_INFO, OWNERS},
        toned=entry.name == "state",
    )


def _column_of(table: SocketTable, entry: FieldEntry, facts: TabFacts) -> list[Any]:
    """Return the values of a field in all rows; of what has been read of some rows only, those."""
    if TCP_INFO in entry.needs and not table.has("tcp_info"):
        found: list[Any] = [None] * table.size
        for key, info in facts.infos.items():
            row = table.find(key) if info is not None else None
            if row is not None:
                found[row] = entry.get(table.socket(row)._replace(tcp_info=info))
        return found
    # A field of the catalogue that names users, say, makes its values of the records.
    return table.column(entry.name)


def _filled(
    entry: FieldEntry, socket: Callable[[int], Socket], identity: Callable[[int], Hashable], facts: TabFacts
) -> Callable[[int], Socket]:
    """Return who gives the sockets of rows with what a column needs besides, as far as it has been read."""
    if TCP_INFO in entry.needs:

        def with_info(row: int) -> Socket:
            one, key = socket(row), identity(row)
            if one.tcp_info is not None:
                return one
            if key not in facts.infos:
                facts.unread[key] = one
            return one._replace(tcp_info=facts.infos.get(key))

        return with_info
    if OWNERS in entry.needs:

        def with_owners(row: int) -> Socket:
            one = socket(row)
            if one.processes is not None:
                return one
            if one.inode and one.inode not in facts.owners:
                facts.lacking.add(one.inode)
            return one._replace(processes=facts.owners.get(one.inode) if one.inode else ())

        return with_owners
    return socket


def _process_column(socket: Callable[[int], Socket], look: Look, facts: TabFacts) -> GridColumn:
    table = look.sockets

    def values() -> Sequence[Any]:
        if table.has("processes"):
            owners: Sequence[Any] = table.column("processes")
        else:
            owners = [facts.owners.get(inode) if inode else None for inode in table.column("inode")]
        found = [(some[0].comm or b"", some[0].pid) if some else None for some in owners]
        return found + [None] * len(facts.closed)

    return GridColumn(
        "process",
        "PROCESS",
        lambda row: _owner_of(socket(row), facts),
        values,
        widest=28,
        needs=frozenset((OWNERS,)),
    )


def _owner_of(socket: Socket, facts: TabFacts) -> str:
    if socket.processes is not None:
        return _owners_text(socket.processes)
    # What has not been looked up yet is, as soon as it has been drawn.
    if not socket.inode:
        return "-"
    if socket.inode not in facts.owners:
        facts.lacking.add(socket.inode)
        return "…"
    return _owners_text(facts.owners[socket.inode])


def _owners_text(owners: Sequence[Owner] | None) -> str:
    from sockdiag.render.cells import process_cell

    if not owners:
        return "?" if owners is None else "-"
    more = f" +{len(owners) - 1}" if len(owners) > 1 else ""
    return process_cell(owners[0].comm, owners[0].pid) + more


def listener_rows(look: Look) -> list[Listener]:
    """Return the listeners in the order that they have on the tab."""
    rows = [listener for part in look.parts for listener in part.listeners]
    rows.sort(key=lambda one: (-(one.drops_in_interval or 0), -(one.accept_queue_ratio or 0), -(one.drops or 0)))
    return rows


def _listeners(look: Look, facts: TabFacts) -> Grid:
    from sockdiag.model.quantity import share
    from sockdiag.render.cells import cell, endpoint

    rows = listener_rows(look)

    def severity(one: Any) -> str:
        if one.drops_in_interval:
            return "critical"
        return "warning" if (one.accept_queue_ratio or 0) >= 0.5 else ""

    def number(name: str) -> Callable[[Any], str]:
        return lambda one: cell(getattr(one, name))

    def value(name: str) -> Callable[[Any], Any]:
        return lambda one: getattr(one, name)

    netns = ("netns", "NETNS", lambda one: cell(one.socket.netns), lambda one: one.socket.netns, False, 1)
    return grid_of(
        rows,
        (
            *([netns] if len(look.parts) > 1 else []),
            ("netid", "NETID", lambda one: one.socket.netid, lambda one: one.socket.netid, False, 3),
            (
                "local",
                "LOCAL",
                lambda one: endpoint(one.socket.local),
                lambda one: endpoint(one.socket.local),
                False,
                0,
            ),
            ("waiting", "WAITING", number("accept_queue"), value("accept_queue"), True, 0),
            ("limit", "LIMIT", number("accept_queue_limit"), value("accept_queue_limit"), True, 2),
            ("used", "USED", lambda one: share(one.accept_queue_ratio), value("accept_queue_ratio"), True, 0),
            ("syn", "SYN", number("syn_queue"), value("syn_queue"), True, 4),
            ("lost", "LOST/S", lambda one: _rate(one.per_s), value("per_s"), True, 0),
            ("drops", "DROPS-EVER", number("drops"), value("drops"), True, 5),
            ("process", "PROCESS", lambda one: _owner_of(one.socket, facts), None, False, 0),
        ),
        lambda one: (one.socket.netns, one.socket.cookie or one.socket.inode or one.socket.local),
        severity,
        "nothing listens",
    )


def _processes(_look: Look, facts: TabFacts) -> Grid:
    from sockdiag.model.quantity import size
    from sockdiag.render.cells import cell

    def key(one: Any) -> str:
        return cell(one.key)

    def bytes_of(name: str) -> Callable[[Any], str]:
        return lambda one: size(getattr(one, name))

    def value(name: str) -> Callable[[Any], Any]:
        return lambda one: getattr(one, name)

    columns: list[Any] = [("key", facts.by.upper(), key, lambda one: str(one.key), False, 0)]
    if facts.by == "process":
        columns.append(("pid", "PID", lambda one: cell(one.pid), value("pid"), True, 0))
    columns += [
        ("count", "SOCKETS", lambda one: str(one.count), value("count"), True, 0),
        ("recv_q", "RECV-Q", bytes_of("recv_q"), value("recv_q"), True, 1),
        ("send_q", "SEND-Q", bytes_of("send_q"), value("send_q"), True, 2),
        ("accept_queue", "ACCEPT-QUEUE", lambda one: cell(one.accept_queue), value("accept_queue"), True, 3),
        ("drops", "DROPS-EVER", lambda one: cell(one.drops), value("drops"), True, 0),
    ]
    return grid_of(facts.groups, columns, lambda one: (one.key, one.pid), empty="no sockets match")


def _memory(look: Look, _facts: TabFacts) -> Grid:
    from sockdiag.analysis.measures import MEASURES
    from sockdiag.model.quantity import count, share, size
    from sockdiag.render.escape import printable

    # Name, in use, limit, share, remark; memory in bytes, the others in numbers.
    rows: list[tuple[str, float | None, float | None, float | None, str, Callable[[float | None], str]]] = []
    for account in look.memory:
        if account.limit_source or account.pages:
            pressure = "under pressure" if account.pressure else ""
            remark = ", ".join(filter(None, (pressure, account.limit_source or account.note)))
            rows.append((f"{account.protocol} memory", account.bytes, account.limit_bytes, account.ratio, remark, size))
    for part in look.parts:
        for level in part.limits:
            if level.used is not None or level.limit is not None:
                name = level.name.replace("_", " ")
                origin = MEASURES[f"{level.name}.limit"].help.rpartition(": ")[2].removesuffix(".")
                rows.append((name, level.used, level.limit, level.ratio, origin, count))

    def severity(row: Any) -> str:
        ratio = row[3] or 0
        return "critical" if ratio >= 0.9 else "warning" if ratio >= 0.5 or row[4].startswith("under") else ""

    return grid_of(
        rows,
        (
            ("name", "LIMITED", lambda row: printable(row[0]), lambda row: row[0], False, 0),
            ("used", "IN USE", lambda row: row[5](row[1]), lambda row: row[1], True, 0),
            ("limit", "LIMIT", lambda row: row[5](row[2]), lambda row: row[2], True, 0),
            ("ratio", "USED", lambda row: share(row[3]), lambda row: row[3], True, 0),
            ("remark", "LIMIT FROM", lambda row: printable(row[4]), None, False, 1),
        ),
        lambda row: row[0],
        severity,
        "unknown",
    )


def _path(look: Look, _facts: TabFacts) -> Grid:
    from sockdiag.model.quantity import UNKNOWN, count

    many = len(look.parts) > 1
    rows: list[PathStage] = [stage for part in look.parts for stage in part.stages]

    def where(stage: PathStage) -> str:
        names = [f"{c.name} {count(c.loss)}" for c in stage.counters if c.loss]
        return ", ".join(names)

    def number(value: int | None) -> str:
        return UNKNOWN if value is None else count(value)

    return grid_of(
        rows,
        (
            *([("netns", "NETNS", lambda one: one.netns or "-", lambda one: one.netns, False, 1)] if many else []),
            ("direction", "DIR", lambda one: one.direction, None, False, 3),
            ("stage", "STAGE", lambda one: one.stage, lambda one: one.stage, False, 0),
            ("scope", "SCOPE", lambda one: one.scope, None, False, 2),
            ("packets", "PACKETS", lambda one: number(one.packets), lambda one: one.packets, True, 0),
            ("lost", "LOST", lambda one: number(one.loss), lambda one: one.loss, True, 0),
            ("per_s", "LOST/S", lambda one: _rate(one.loss_per_s), lambda one: one.loss_per_s, True, 0),
            ("ever", "LOST-EVER", lambda one: number(one.loss_total), lambda one: one.loss_total, True, 4),
            ("where", "WHERE", where, None, False, 5),
        ),
        lambda one: (one.netns, one.direction, one.stage, one.scope),
        lambda one: "critical" if one.loss else "",
        "unknown",
    )


def _rate(per_s: float | None) -> str:
    if per_s is None:
        return "-"
    if not per_s or per_s >= 10:
        return f"{per_s:.0f}"
    # What is lost once an hour is not 0.0.
    return f"{per_s:.1f}" if per_s >= 0.1 else f"{per_s:.1g}"


_MAKERS: Mapping[str, Callable[[Look, TabFacts], Grid]] = {
    PROBLEMS: _problems,
    SOCKETS: _sockets,
    LISTENERS: _listeners,
    PROCESSES: _processes,
    MEMORY: _memory,
    PATH: _path,
}
