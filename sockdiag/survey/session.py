"""What every reading command does alike: open the system, ask the query, show the document, choose the exit status."""

from __future__ import annotations

from sockdiag.cli import exit as status
from sockdiag.cli.writing import written
from sockdiag.errors import SourceError, UsageError, unknown
from sockdiag.model.provenance import Namespace
from sockdiag.model.query import TABLES, Query
from sockdiag.render.document import Document, Style
from sockdiag.survey.collection import Collection, describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, TypeVar

    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Given
    from sockdiag.filter.where import Where
    from sockdiag.model.batch import Batch
    from sockdiag.model.fields import Entry
    from sockdiag.model.provenance import Gap, Seen
    from sockdiag.model.socket import Owner
    from sockdiag.sources.process.fd import OwnerScan
    from sockdiag.survey.namespaces import Everywhere
    from sockdiag.survey.workers import Visit

    Part = TypeVar("Part")

_SCREEN_GAPS = 10

# What --netns takes for every namespace.
ALL = "all"


class Session:
    """One run of a command on one system.

    Args:
        env: the program's surroundings.
        given: the command line.
    """

    def __init__(self, env: Env, given: Given) -> None:
        if given.root == "":
            raise UsageError("--root needs a folder or an archive")
        if (getattr(given, "limit", None) or 0) < 0:
            raise UsageError("--limit takes 0 or more rows")
        self.env = env
        env.watch()
        self.given = given
        self.system = env.open_system(given.root or "")
        self.started = env.clock() if self.system.files.live else self.system.clock()
        self.gaps: list[Gap] = []
        self._told: list[Gap] = []
        self.sources: dict[str, str | None] = {}
        self.netns = self._namespace()
        # Set with --netns all: the same question is then asked in every namespace.
        self.everywhere: Everywhere | None = None
        if given.netns == ALL:
            from sockdiag.survey.namespaces import Everywhere

            self.everywhere = Everywhere(self.system, self.note)
        from sockdiag.sources.process.passwd import Users

        self._users = Users(self.system.files)
        self._owners: OwnerScan | None = None
        from sockdiag.survey.host_cache import Hostwide

        # Of --netns all, the namespace that the program was started in: what is the host's is read and judged there.
        self.own = True
        # The namespace as --netns takes it; None for the one that the program was started in.
        self.place: str | None = None if given.netns == ALL else given.netns
        self.hostwide = Hostwide(self)
        self.once: Callable[[tuple[str, Any]], Any] = self.hostwide

    def inside(self, visit: Visit) -> Session:
        """Return a session of the same run in one namespace of --netns all, with gaps and sources of its own."""
        there = object.__new__(type(self))
        there.__dict__.update(self.__dict__)
        there.system, there.netns, there.everywhere = visit.system, visit.namespace, None
        there.own, there.once, there.place = visit.own, visit.ask, visit.place
        there.gaps, there.sources = [], {}
        return there

    def user_name(self, uid: int) -> str:
        """Name a user, or give the number with --numeric or where it has no name."""
        return str(uid) if self.given.numeric else self._users.label(uid)

    def _namespace(self) -> Namespace:
        from sockdiag.sources.namespaces.netns import current

        try:
            here = current(self.system.files)
        except SourceError:
            return Namespace()
        name = self.given.netns
        named = name and name != ALL and "/" not in name and not name.isdecimal()
        return here._replace(name=name) if named else here

    def owners(self) -> OwnerScan:
        """Look into the descriptors of all processes, once a run."""
        if self._owners is None:
            from sockdiag.sources.process.fd import scan_owners

            self._owners = scan_owners(self.system.files, numeric=bool(self.given.numeric))
            for gap in self._owners.gaps:
                self.note(gap)
        return self._owners

    def holder(self) -> Callable[[int], Owner | None]:
        """Return what tells the process that holds an inode: of several, the one with the lowest pid."""
        return self.owners().owners.holder

    def note(self, gap: Gap) -> None:
        """Remember something that could not be seen."""
        if gap not in self.gaps:
            self.gaps.append(gap)

    def where(self) -> Where | None:
        """Compile --where.

        Raises:
            FilterError: it does not parse.
        """
        text = getattr(self.given, "where", None)
        if not text:
            return None
        from sockdiag.filter.where import Context, compile_where
        from sockdiag.sources.process.cgroup import CgroupPaths

        context = Context(
            user_name=self._users.label,
            cgroup_id=CgroupPaths(self.system.files).id_of,
            port_range=self._port_range,
        )
        if self.given.numeric:
            context.hosts = lambda _name, _family: []
        return compile_where(text, context)

    def _port_range(self) -> tuple[int, int]:
        from sockdiag.sources.proc.sys_net import read_sysctls

        name = "net.ipv4.ip_local_port_range"
        found = read_sysctls(self.system.files, (name,)).vector(name)
        return (found[0], found[1]) if found and len(found) == 2 else (32768, 60999)

    def query(self, needs: Iterable[str] = (), where: Where | None = None) -> Query:
        """Build the question: the tables that --netid names, what the columns need, what --where narrows."""
        tables = self._tables()
        wanted = frozenset(needs)
        query = Query(tables=tables, needs=wanted, source=self.given.source)
        if where is not None:
            query = query._replace(
                needs=wanted | where.needs,
                states=query.states & where.states,
                tables=tuple(table for table in tables if table in where.tables),
                families=where.families,
                bytecode=where.bytecode() or b"",
            )
        return query

    def _tables(self) -> tuple[str, ...]:
        text = getattr(self.given, "netid", None)
        if not text:
            return TABLES
        names = [name.strip() for name in text.split(",") if name.strip()]
        if not names:
            raise UsageError(f"--netid names no table: {', '.join(TABLES)}")
        for name in names:
            if name not in TABLES:
                raise UsageError(unknown("table", name, TABLES))
        return tuple(t for t in TABLES if t in names)

    def sockets(self, query: Query, where: Where | None = None) -> Iterable[Batch]:
        """Yield the sockets that a query and a filter select; gaps and sources are noted when all are read."""
        if self.everywhere is not None:
            return self._rows_everywhere(query, where)
        asked = bool(getattr(self.given, "netid", None))
        collection = Collection(self.system, query, asked=asked, netns=self.netns, owners=self.owners)
        collection.gaps = self.gaps
        collection.sources = self.sources
        batches = collection.batches()
        return batches if where is None else self._matching(batches, where)

    def _matching(self, batches: Iterable[Batch], where: Where) -> Iterable[Batch]:
        undecided = 0
        for batch in batches:
            passed, unknown = where.sift(batch)
            undecided += unknown
            if passed is not None:
                yield passed
        self._undecided(undecided)

    def reduce(self, query: Query, where: Where | None, function: Callable[[Iterable[Batch]], Part]) -> Iterator[Part]:
        """Yield what a function makes of the sockets that a query and a filter select, once for each namespace.

        With --netns all it runs where the sockets are, so that only its results, which must be picklable, come here.
        """
        if self.everywhere is None:
            yield function(self.sockets(query, where))
        else:
            yield from self._everywhere(query, where, lambda batches, _own: (function(batches),))

    def _rows_everywhere(self, query: Query, where: Where | None) -> Iterator[Batch]:
        from sockdiag.survey.namespaces import rows

        yield from self._everywhere(query, where, rows)

    def _everywhere(self, query: Query, where: Where | None, answer: Any) -> Iterator[Any]:
        assert self.everywhere is not None
        unknown: list[int] = []

        def learn(label: str | None, sources: dict[str, str | None], gaps: list[Gap], undecided: int) -> None:
            unknown.append(undecided)
            self.learn(label, sources, gaps)

        asked = bool(getattr(self.given, "netid", None))
        yield from self.everywhere.ask(query, where, answer, owners=self.owners, asked=asked, learn=learn)
        self._undecided(sum(unknown))

    def learn(self, label: str | None, sources: dict[str, str | None], gaps: Iterable[Gap]) -> None:
        """Note where tables were read and what could not be seen in a namespace; its label is None for this process's own."""
        for table, source in sources.items():
            if self.sources.get(table) is None:
                self.sources[table] = source
        for gap in gaps:
            # What is missing in all of them is told once.
            if gap not in self._told:
                self._told.append(gap)
                self.note(gap if label is None else gap._replace(source=f"{label}: {gap.source}"))

    def _undecided(self, undecided: int) -> None:
        from sockdiag.model.provenance import Gap

        if undecided:
            self.note(Gap("--where", f"{undecided} sockets could not be judged: a value it needs is unknown for them"))

    def seen(self) -> Seen:
        """Say when and where the result was seen, and what is missing from it by now."""
        netns = (self.netns,) if self.everywhere is None else self.everywhere.namespaces
        return describe(self.system, self.started, netns, self.sources, self.gaps)

    def show(self, document: Document, *, answered: bool | None = None, warn: bool = True) -> int:
        """Write a document in the format that was asked for, and what is missing to standard error.

        Args:
            document: the answer.
            answered: something could be read beside sockets; None: nothing else was tried.
            warn: tell on standard error what is missing; a repeated look has told it.

        Returns:
            The exit status.
        """
        given = self.given
        style = Style(self.env.width, self.env.color(given.color))
        for text in written(document, given, style):
            self.env.write(text)
        told = _told(self.gaps) if warn else []
        for gap in told[:_SCREEN_GAPS]:
            hint = f" ({gap.hint})" if gap.hint else ""
            self.env.warn(f"not seen: {_line(gap.source)}: {_line(gap.reason)}{hint}")
        if len(told) > _SCREEN_GAPS:
            self.env.warn(f"not seen: {len(told) - _SCREEN_GAPS} more; --json lists all")
        if not answered and (answered is False or self.sources) and not any(self.sources.values()):
            return status.FAILED
        return status.PARTIAL if self.gaps and given.strict else status.OK


def _told(gaps: list[Gap]) -> list[Gap]:
    # What another says too, and with it what follows, is not said twice.
    hinted = {(gap.source, gap.reason) for gap in gaps if gap.hint}
    return [gap for gap in gaps if gap.hint or (gap.source, gap.reason) not in hinted]


def _line(text: str) -> str:
    from sockdiag.render.escape import printable

    return printable(text)


def find_column(record: Any, name: str, session: Session | None = None) -> Entry:
    """Find a column of a record class by its name, an alias, or its heading.

    Raises:
        UsageError: there is none.
    """
    from sockdiag.model import fields
    from sockdiag.model.socket import Socket

    wanted = name.lower().replace("-", "_")
    entry = fields.resolve(wanted) if record is Socket else fields.resolve_in(record, wanted)
    if entry is None:
        names = [e.name for e in (fields.catalogue() if record is Socket else fields.entries(record))]
        near = fields.suggest(wanted) if record is Socket else None
        see = "'sockdiag fields' lists them" if record is Socket else ""
        raise UsageError(
            f"there is no column '{name}'; did you mean '{near}'?" if near else unknown("column", name, names, see)
        )
    if entry.name == "user" and session is not None:
        entry.get = lambda socket: None if socket.uid is None else session.user_name(socket.uid)
    return entry


def choose_columns(session: Session, record: Any, default: Sequence[str] = ()) -> tuple[list[Entry], bool]:
    """Find the columns that --output names.

    Args:
        session: the run, with its command line.
        record: class of the rows.
        default: names of those shown where nothing is chosen; empty is every field of the class.

    Returns:
        The columns, and whether they are the user's choice (``+COL`` only adds to the default ones).

    Raises:
        UsageError: there is no such column.
    """
    default = default or [field.name for field in record.FIELDS]
    text = session.given.output or "+"
    adds = text.startswith("+")
    names = [name.strip() for name in text.removeprefix("+").split(",") if name.strip()]
    found: dict[str, Entry] = {}
    for name in [*default, *names] if adds else names:
        entry = find_column(record, name, session)
        found.setdefault(entry.name, entry)
    if not found:
        raise UsageError("--output names no column: NAME,… are all, +NAME adds one to the default ones")
    return list(found.values()), not adds


def ordered(rows: Iterable[Any], session: Session, record: Any) -> Iterable[Any]:
    """Apply --sort and --limit to records. Unknown values come last either way."""
    given = session.given
    if given.sort:
        entry = find_column(record, given.sort.removeprefix("-"), session)
        known, missing = [], []
        for row in rows:
            value = entry.get(row)
            if value is None:
                missing.append(row)
            else:
                known.append((_comparable(value), row))
        known.sort(key=lambda pair: pair[0], reverse=given.sort.startswith("-"))
        rows = [row for _value, row in known] + missing
    if given.limit is not None:
        from itertools import islice
        from sys import maxsize

        rows = list(islice(rows, min(given.limit, maxsize)))
    return rows


def _comparable(value: Any) -> Any:
    # Values of one column are of one kind, but names are bytes or text, and a nested record compares by its members.
    if isinstance(value, (int, float)):
        return (0, value, b"")
    if isinstance(value, bytes):
        return (1, 0, value)
    if isinstance(value, str):
        return (1, 0, value.encode("utf-8", "surrogateescape"))
    if isinstance(value, tuple):
        return (2, 0, b"", tuple(_comparable(v) for v in value if v is not None))
    return (3, 0, b"")
