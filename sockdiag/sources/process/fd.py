"""/proc/PID/fd: which processes hold which sockets."""

from __future__ import annotations

from sockdiag import progress
from sockdiag.errors import ParseError, SourceError, SourceUnavailable
from sockdiag.model.cgroup import Cgroup
from sockdiag.model.provenance import Gap
from sockdiag.model.record import COUNT, Record, field
from sockdiag.model.socket import Owner
from sockdiag.sources.process.cgroup import parse_cgroup
from sockdiag.sources.process.passwd import Users
from sockdiag.sources.process.refusals import Refusals
from sockdiag.sources.process.sockets import LONGEST_LINK
from sockdiag.sources.process.visible import visible_processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sockdiag.sources.system.proc_root import ProcessFiles, ProcRoot

    _Process = tuple[int, bytes | None, str | None, str | None, str | None]

SOURCE = "/proc/PID/fd"
_SOCKET = b"socket:["

_INIT = 1

# A descriptor has up to ten digits.
_FD_DIGITS, _FD_BITS = 10, 34
_FD_MASK = (1 << _FD_BITS) - 1


class Owners:
    """Owners of sockets by inode, a read-only mapping. A host has them in hundreds of thousands: they are made on demand.

    Args:
        processes: pid, comm, user, container, unit of each process.
        held: by inode, place in *processes* << 34 | descriptor; a tuple of such where there are several, in order.
    """

    __slots__ = ("_held", "_holders", "_processes")

    def __init__(self, processes: list[_Process], held: dict[int, int | tuple[int, ...]]) -> None:
        self._processes = processes
        self._held = held
        self._holders: dict[int, Owner] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[int]:
        return iter(self._held)

    def __contains__(self, inode: object) -> bool:
        return inode in self._held

    def __getitem__(self, inode: int) -> tuple[Owner, ...]:
        held = self._held[inode]
        if isinstance(held, int):
            return (self._owner(held),)
        return tuple(map(self._owner, held))

    def get(self, inode: int, default: tuple[Owner, ...] = ()) -> tuple[Owner, ...]:
        """Return every open descriptor of a socket, by pid and number; *default* where none is known."""
        return self[inode] if inode in self._held else default

    def holder(self, inode: int) -> Owner | None:
        """Return the process that holds a socket, by its first known descriptor; the lowest pid if several do.

        It is one object for all sockets of a process, so that rows can be counted by it.
        """
        held = self._held.get(inode)
        if held is None:
            return None
        return self._shared(held if isinstance(held, int) else held[0])

    def _shared(self, place: int) -> Owner:
        found = self._holders.get(place >> _FD_BITS)
        if found is None:
            found = self._holders[place >> _FD_BITS] = self._owner(place)
        return found

    def service(self, inode: int) -> Owner | None:
        """Return the process that holds a socket, but not PID 1 if another one does too.

        systemd keeps the listeners that it passes to services (socket activation).
        """
        held = self._held.get(inode)
        if isinstance(held, tuple):
            for place in held:
                if self._processes[place >> _FD_BITS][0] != _INIT:
                    return self._shared(place)
        return self.holder(inode)

    def _owner(self, place: int) -> Owner:
        pid, comm, user, container, unit = self._processes[place >> _FD_BITS]
        return Owner._make((pid, comm, place & _FD_MASK, user, container, unit))


class OwnerScan(Record):
    """The owners of sockets, as far as they are visible."""

    owners: Owners = field("By socket inode, every open descriptor.")
    gaps: tuple[Gap, ...] = field("What could not be seen; bounded.", default=())
    processes: int = field("Processes that were there.", default=0, unit=COUNT)
    unseen: int = field("Those of them whose descriptors could not be read.", default=0, unit=COUNT)


def scan_owners(
    files: ProcRoot, inodes: Collection[int] | None = None, *, details: bool = True, numeric: bool = False
) -> OwnerScan:
    """Find the processes that hold sockets, in one pass over the descriptors of all.

    A process that ends meanwhile is left out, which is no gap. Threads share their process's descriptors; one that has
    made itself a table of its own (``unshare(CLONE_FILES)``) is not read.

    Source: ``proc_readfd()``, ``sockfs_dname()``: the links of ``/proc/PID/fd`` read ``socket:[INODE]``.

    Args:
        files: the system.
        inodes: those of the sockets in question (a set; 0 is none); None for all.
        details: add user, unit and container. The name of a user may come from a directory server.
        numeric: give users by number.
    """
    if inodes is not None and not inodes:
        return OwnerScan(Owners([], {}))
    scan = _Scan(files, inodes, details, numeric)
    scan.run()
    return OwnerScan(Owners(scan.known, scan.held), scan.gaps(), scan.processes, len(scan.refused))


class _Scan:
    """One pass, and its findings so far."""

    def __init__(self, files: ProcRoot, inodes: Collection[int] | None, details: bool, numeric: bool) -> None:
        self.files = files
        self.inodes = inodes
        self.details = details
        self.numeric = numeric
        self.users = Users(files)
        self.known: list[_Process] = []
        self.held: dict[int, int | tuple[int, ...]] = {}
        self.processes = 0
        self.refused = Refusals(SOURCE, "descriptors")
        self.damaged: list[ParseError] = []
        self.hidden: Gap | None = None
        # Processes of one service have one text.
        self._cgroups: dict[bytes, Cgroup] = {}

    def run(self) -> None:
        pids, self.hidden = visible_processes(self.files)
        for number, pid in enumerate(pids):
            progress.step("processes", number, len(pids))
            try:
                with self.files.process(pid) as process:
                    self._look(pid, process)
            except SourceError as error:
                if self.files.live and isinstance(error, SourceUnavailable):
                    continue  # it has ended
                self.refused.add(error)
            self.processes += 1

    def _look(self, pid: int, process: ProcessFiles) -> None:
        place = len(self.known) << _FD_BITS
        places: list[int] = []
        found: list[int] = []
        inodes = self.inodes
        links = process.descriptors()
        for number, target in links if self.files.live else filter(_is_regular, links):
            if target[:8] == _SOCKET:
                inode = int(target[8:-1])
                if inodes is None or inode in inodes:
                    places.append(place | int(number))
                    found.append(inode)
        if not found:
            return
        self.known.append(self._process(pid, process))
        held = self.held
        rows = zip(places, found, strict=True)
        # The kernel gives descriptors in order, a captured folder does not.
        for row, inode in rows if self.files.live else sorted(rows):
            others = held.setdefault(inode, row)
            if others != row:
                held[inode] = (*others, row) if isinstance(others, tuple) else (others, row)

    def _process(self, pid: int, process: ProcessFiles) -> _Process:
        if not self.details:
            return pid, self._comm(process), None, None, None
        user = self._user(process)
        cgroup = self._cgroup(process)
        return pid, self._comm(process), user, cgroup.container, cgroup.unit

    def _comm(self, process: ProcessFiles) -> bytes | None:
        """Return the name, as bytes; that it can be read also shows that the process has not ended."""
        try:
            return process.read("comm").removesuffix(b"\n")
        except SourceUnavailable:
            try:
                stat = process.read("stat")
            except SourceUnavailable:
                if self.files.live:
                    raise
                return None
        start, end = stat.find(b"("), stat.rfind(b")")
        return stat[start + 1 : end] if 0 <= start < end else None

    def _user(self, process: ProcessFiles) -> str | None:
        try:
            uid = process.uid()
        except SourceUnavailable:
            return None
        return str(uid) if self.numeric else self.users.label(uid)

    def _cgroup(self, process: ProcessFiles) -> Cgroup:
        try:
            text = process.read("cgroup")
        except SourceUnavailable:
            return Cgroup()  # a kernel without cgroups, or a capture without the file
        known = self._cgroups.get(text)
        if known is None:
            known, errors = parse_cgroup(text, f"{process.path}/cgroup")
            self._cgroups[text] = known
            if not self.damaged:
                self.damaged.extend(errors[:1])
        return known

    def gaps(self) -> tuple[Gap, ...]:
        gaps = [] if self.hidden is None else [self.hidden]
        gaps += self.refused.gaps(self.processes)
        gaps += map(Gap.from_error, self.damaged)
        return tuple(gaps)


def _is_regular(link: tuple[bytes, bytes]) -> bool:
    """Return whether a link is one that the kernel makes; a captured folder may hold any."""
    number, target = link
    if not number.isdigit() or len(number) > _FD_DIGITS:
        return False
    return target[:8] != _SOCKET or (target[8:-1].isdigit() and target[-1:] == b"]" and len(target) <= LONGEST_LINK)
