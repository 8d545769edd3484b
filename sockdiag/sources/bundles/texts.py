"""The texts of a bundle that list sockets, parsed when the first table of them is read, and the owners that they name."""

from __future__ import annotations

from sockdiag.errors import SourceError
from sockdiag.model.provenance import Gap
from sockdiag.model.query import SKMEM, TCP_INFO
from sockdiag.sources.bundles.layouts import NETSTAT, SS
from sockdiag.sources.bundles.tree import ORIGINS, TEXT
from sockdiag.sources.reading import Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from sockdiag.model.query import Query
    from sockdiag.sources.bundles.text_table import TextTables
    from sockdiag.sources.process.fd import OwnerScan
    from sockdiag.sources.system.proc_root import ProcRoot

_MOST_ORIGINS = 64


class BundleTexts:
    """What programs printed about sockets, as a captured system holds it.

    Args:
        files: the system.
    """

    __slots__ = ("_files", "_hint", "_kind", "_listed", "_origins", "_parsed")

    def __init__(self, files: ProcRoot) -> None:
        self._files = files
        self._parsed: dict[str, TextTables | None] = {}
        self._origins: dict[str, str] = {}
        self._listed: dict[str, tuple[str, ...]] = {}
        self._kind = self._hint = ""
        for line in files.read(ORIGINS).decode("utf-8", "surrogateescape").split("\n")[:_MOST_ORIGINS]:
            place, _tab, rest = line.partition("\t")
            what, _tab, rest = rest.partition("\t")
            kind, _tab, tables = rest.partition("\t")
            if place == "-":
                self._hint, self._kind = what, kind
            else:
                self._origins[place] = what
                self._listed[place] = tuple(tables.split(","))

    def read(self, program: str, table: str, query: Query) -> Reading | None:
        """Return what the text of a program (SS, NETSTAT) says of a table; None if it does not list it."""
        tables = self._tables(program)
        if tables is None:
            return None
        reading = tables.reading(table, query.families, query.states)
        # Collectors ask for all sockets of these tables: one that has no row has no socket.
        if reading is None and not tables.others(table) and table in self._listed.get(f"{TEXT}/{program}", ()):
            return Reading([])
        return reading

    @property
    def alone(self) -> bool:
        """Whether there is nothing but one text, of options that nobody knows."""
        return not self._kind

    def lacks(self, program: str, table: str, query: Query) -> list[Gap]:
        """Return what a table lacks that was read of the text of a program."""
        tables = self._tables(program)
        if tables is None:
            return []
        sockets = tables.sockets.get(table, [])
        reasons = []
        if self.alone and not tables.has_all_states(table):
            reasons.append(f"{program} may have listed some {table} sockets only: its options are unknown")
        if program == SS and TCP_INFO in query.needs and table == "tcp" and not any(s.tcp_info for s in sockets):
            reasons.append("no TCP internals: ss was run without -i")
        if program == SS and SKMEM in query.needs and not any(s.skmem for s in sockets):
            reasons.append(f"no memory of {table} sockets: ss was run without -m")
        return [self._gap(program, reason) for reason in reasons if sockets or self.alone]

    def unlisted(self, table: str) -> Gap:
        """Return the gap of a table that neither a text nor a file lists."""
        program = next((one for one in (SS, NETSTAT) if self._tables(one) is not None), None)
        tables = None if program is None else self._tables(program)
        if tables is None or program is None:
            return Gap(f"{table} sockets", f"not in this {self._kind}", None, self._hint)
        if rows := tables.others(table):
            reason = f"its {rows} {table} sockets are not read from text"
            return Gap(self._path(program), reason, None, "`sockdiag capture` saves them so that they can be")
        return self._gap(program, f"lists no {table} sockets")

    def missing(self) -> Gap | None:
        """Return the gap of a bundle that has no text of ss, where a table was read elsewhere."""
        if self._tables(SS) is not None or self.alone:
            return None
        reason = f"not in this {self._kind}: no limits of accept queues, no memory of sockets, no TCP internals"
        return Gap("ss -peaonmi", reason, None, self._hint)

    def owners(self, inodes: Collection[int] | None, *, numeric: bool) -> OwnerScan | None:
        """Return the owners of sockets that the texts name; None if they name none."""
        for program in (SS, NETSTAT):
            tables = self._tables(program)
            if tables is None:
                continue
            sockets = [socket for listed in tables.sockets.values() for socket in listed]
            if any(socket.processes for socket in sockets):
                from sockdiag.sources.bundles.owners import owner_scan

                scan = owner_scan(self._files, self._path(program), sockets, inodes, numeric=numeric)
                # Collectors run as root: what they show no process of is the kernel's, or of another PID namespace.
                return scan if self.alone else scan._replace(gaps=())
        return None

    def _gap(self, program: str, reason: str) -> Gap:
        return Gap(self._path(program), reason, None, f"save `{_ADVISED[program]}`, run as root")

    def _path(self, program: str) -> str:
        return self._origins.get(f"{TEXT}/{program}", program)

    def _tables(self, program: str) -> TextTables | None:
        if program not in self._parsed:
            from sockdiag.sources.bundles.netstat_text import parse_netstat
            from sockdiag.sources.bundles.ss_text import parse_ss

            place = f"{TEXT}/{program}"
            try:
                body = self._files.read(place)
            except SourceError:
                self._parsed[program] = None
            else:
                parse = parse_ss if program == SS else parse_netstat
                self._parsed[program] = parse(body, self._path(program))
        return self._parsed[program]


_ADVISED = {SS: "ss -peaonmi", NETSTAT: "netstat -W -neopa"}


def texts_of(files: ProcRoot) -> BundleTexts | None:
    """Return the texts of a captured system; None if it has none."""
    try:
        return BundleTexts(files)
    except SourceError:
        return None
