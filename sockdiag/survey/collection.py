"""Answer a query from the sources, table by table: netlink first, /proc where netlink has no answer.

An error of one source becomes a gap of the result; the other sources are read all the same.
"""

from __future__ import annotations

from errno import EISDIR, ELOOP, ENOENT, ENOTDIR

from sockdiag.errors import ModuleMissing, ParseError, SourceDenied, SourceError, SourceUnavailable
from sockdiag.model.batch import Batch
from sockdiag.model.provenance import Gap, Host, Namespace, Provenance, Scope
from sockdiag.model.query import AUTO, CGROUP, NETLINK, OWNERS, PROC, TABLES, Query
from sockdiag.sources.netlink import socket_tables as netlink_tables
from sockdiag.sources.proc import socket_tables as proc_tables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from sockdiag.sources.bundles.texts import BundleTexts
    from sockdiag.sources.process.fd import OwnerScan
    from sockdiag.sources.system.machine import System

# Programs whose text a bundle has: sockdiag.sources.bundles.layouts, which a running system does not need.
SS, NETSTAT = "ss", "netstat"

# The path exists, but is not a file that can be read.
_THERE = (EISDIR, ENOTDIR, ELOOP)


class Collection:
    """The sockets that answer a query, read when :meth:`batches` is iterated.

    Attributes:
        owners: scans the descriptors of all processes; called only if the query needs owners.
        sources: where each table was read. Like ``gaps``, complete only when the iteration has ended.
        gaps: what could not be read.
        tables_named: the user named the tables; only then is a table that this kernel lacks a gap.

    Args:
        system: the system.
        query: the sockets to read.
        owners: see above.
        tables_named: see above.
        netns: the namespace that the sockets carry; none by default.
        sources: dictionary that takes where each table was read; by default a new one.
        gaps: list that takes what could not be read; by default a new one.
    """

    def __init__(
        self,
        system: System,
        query: Query,
        *,
        owners: Callable[[], OwnerScan],
        tables_named: bool = False,
        netns: Namespace | None = None,
        sources: dict[str, str | None] | None = None,
        gaps: list[Gap] | None = None,
    ) -> None:
        self.system = system
        self.query = query
        self.owners = owners
        self.tables_named = tables_named
        self.netns = netns or Namespace()
        self.sources: dict[str, str | None] = {} if sources is None else sources
        self.gaps: list[Gap] = [] if gaps is None else gaps
        self._protocols: frozenset[str] | None = None

    def batches(self) -> Iterator[Batch]:
        """Yield all sockets, table by table."""
        enrich = _Enrichment(self)
        for table in TABLES:
            if table in self.query.tables:
                for batch in self._table(table):
                    if batch.size:
                        yield enrich(batch)

    def gap(self, error: SourceError | ParseError) -> None:
        """Note what could not be read."""
        self._add(Gap.from_error(error))

    def _add(self, gap: Gap | None) -> None:
        if gap is not None and gap not in self.gaps:
            self.gaps.append(gap)

    def _table(self, table: str) -> Iterator[Batch]:
        failure: SourceError | None = None
        if self.query.source != PROC:
            first = True
            try:
                for batch in netlink_tables.read(self.system, table, self.query, self.gap):
                    first = False
                    # Note it now: a caller that has enough rows does not read on.
                    self.sources[table] = NETLINK
                    yield batch
            except (SourceUnavailable, SourceDenied) as error:
                failure = error
                if not first or self.query.source == NETLINK:
                    self.sources.setdefault(table, None)
                    if not first or not self._absent(table, error) or self._hidden(table, error):
                        self.gap(error)
                    return
            else:
                self.sources[table] = NETLINK
                return
        texts = self.system.texts if self.query.source == AUTO else None
        if texts is None:
            yield from self._from_proc(table, failure)
        elif self._lists(texts, SS, table):
            yield from self._from_text(texts, SS, table)
        elif self._lists(texts, NETSTAT, table) and not self._has_proc(table):
            yield from self._from_text(texts, NETSTAT, table)
        elif texts.alone or self._lacks_proc(table):
            self.sources[table] = None
            if not self._absent(table, SourceUnavailable(table, "")):
                self._add(texts.unlisted(table))
        else:
            yield from self._from_proc(table, failure)
            if self.sources[table] is not None:
                self._add(texts.missing())

    def _lists(self, texts: BundleTexts, program: str, table: str) -> bool:
        return texts.read(program, table, self.query) is not None

    def _has_proc(self, table: str) -> bool:
        try:
            proc_tables.read(self.system, table, self.query)
        except (SourceError, ParseError):
            return False
        return True

    def _lacks_proc(self, table: str) -> bool:
        try:
            proc_tables.read(self.system, table, self.query)
        except SourceUnavailable:
            return True
        except (SourceError, ParseError):
            return False
        return False

    def _from_text(self, texts: BundleTexts, program: str, table: str) -> Iterator[Batch]:
        reading = texts.read(program, table, self.query)
        assert reading is not None
        self.sources[table] = program
        for problem in reading.errors:
            self.gap(problem)
        for gap in texts.lacks(program, table, self.query):
            self._add(gap)
        yield Batch.of(reading.sockets)

    def _from_proc(self, table: str, failure: SourceError | None) -> Iterator[Batch]:
        try:
            reading = proc_tables.read(self.system, table, self.query)
        except SourceError as error:
            self.sources[table] = None
            if not self._absent(table, error) or self._hidden(table, failure):
                # Where /proc has no such file, netlink's error is more useful.
                self.gap(error if failure is None or error.errno not in (None, ENOENT) else failure)
            return
        except ParseError as error:
            self.sources[table] = None
            self.gap(error)
            return
        self.sources[table] = PROC
        # A table without sockets lacks nothing of them, and a kernel without the module has no more to tell. What was not
        # asked for is a gap in any case.
        if isinstance(failure, ModuleMissing) and (failure.unasked or (reading.sockets and failure.hint)):
            self.gap(failure)
        for problem in reading.errors:
            self.gap(problem)
        yield Batch.of(reading.sockets)

    def _absent(self, table: str, error: SourceError) -> bool:
        # A protocol that the kernel does not register has no sockets, so nothing is missing. Some families register but
        # do not count their sockets: "sources" shows that they could not be read, and a gap too if the user named them.
        if self.tables_named or not isinstance(error, SourceUnavailable) or error.errno in _THERE:
            return False
        if self._protocols is None:
            self._protocols = proc_tables.protocols_in_use(self.system)
        return table not in self._protocols

    def _hidden(self, table: str, failure: SourceError | None) -> bool:
        # Nothing but its module shows whether the table has sockets, and that was not to be loaded.
        return isinstance(failure, ModuleMissing) and failure.unasked and proc_tables.uncounted(self.system, table)


class _Enrichment:
    """Add to batches what socket tables do not hold: owners, cgroup paths, tcp_info, the namespace."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        needs = collection.query.needs
        self._owners: Any = None
        self._cgroups: Any = None
        system = collection.system
        if OWNERS in needs:
            scan = collection.owners()
            self._owners = scan.owners
            self._nobody: tuple[()] | None = None if scan.gaps else ()
        if CGROUP in needs:
            from sockdiag.sources.process.cgroup import CgroupPaths

            self._cgroups = CgroupPaths(system.files)

    def __call__(self, batch: Batch) -> Batch:
        label = self._collection.netns.label
        if label is not None:
            batch.put_constant("netns", label)
        if self._owners is not None:
            # A socket with a file and no visible owner has no owner only if every process could be scanned.
            inodes = batch.values("inode")
            if self._collection.system.texts is not None:
                inodes = [inode or 0 for inode in inodes]
            column = self._owners.column(inodes, self._nobody)
            if batch.columns is not None:
                batch.put_column("processes", column, column.item)
            else:
                batch.put("processes", self._possible(batch, self._named(batch, column.values())))
        if self._cgroups is not None:
            path = self._cgroups.path
            cgroups = [None if i is None else path(i) for i in batch.values("cgroup_id")]
            if self._collection.system.texts is not None:
                cgroups = [known or found for known, found in zip(batch.values("cgroup"), cgroups, strict=True)]
            batch.put("cgroup", cgroups)
        return batch

    def _named(self, batch: Batch, held: Sequence[Any]) -> Sequence[Any]:
        if self._collection.system.texts is None:
            return held
        # Text without inodes names the owners itself.
        rows = zip(batch.values("processes"), batch.values("inode"), held, strict=True)
        return [own if inode is None else found for own, inode, found in rows]

    def _possible(self, batch: Batch, held: Sequence[Any]) -> Sequence[Any]:
        if None in held and batch.values("netid")[0] == "netlink":
            # Port 0 is the kernel's end of a protocol (netlink_kernel_create()), which no process can hold.
            return [() if port == 0 else found for found, port in zip(held, batch.values("local.port"), strict=True)]
        return held


def describe(
    system: System, at: float, netns: tuple[Namespace, ...], sources: dict[str, str | None], gaps: list[Gap]
) -> Provenance:
    """Return when and where a result was read, and what is missing from it."""
    return Provenance(at, _host(system), Scope(system.root or None, netns, sources), tuple(gaps))


def _host(system: System) -> Host:
    def line(path: str) -> str | None:
        try:
            return system.files.read(path).decode("utf-8", "replace").strip() or None
        except SourceError:
            return None

    return Host(
        line("/proc/sys/kernel/hostname"), line("/proc/sys/kernel/osrelease"), line("/proc/sys/kernel/random/boot_id")
    )


def tcp_counts(
    system: System, exact: bool, gap: Callable[[Gap], None]
) -> dict[tuple[str, str, str | None], int] | None:
    """Count TCP sockets by (netid, family, state) without decoding them; return None where netlink has no answer."""
    from sockdiag.kernel.families import FAMILY_NAMES
    from sockdiag.kernel.tcp_states import state_name
    from sockdiag.sources.netlink.inet_count import count_tcp

    try:
        counts, failure = count_tcp(system, exact)
    except SourceError:
        return None
    if failure is not None:
        gap(Gap.from_error(failure))
    return {("tcp", FAMILY_NAMES.get(f, str(f)), state_name(s)): n for (f, s), n in counts.items()}
