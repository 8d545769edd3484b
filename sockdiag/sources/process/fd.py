"""/proc/PID/fd: which processes hold which sockets."""

from __future__ import annotations

import os
from array import array

from sockdiag import progress
from sockdiag.errors import ParseError, SourceError, SourceUnavailable
from sockdiag.model.cgroup import Cgroup
from sockdiag.model.held import UNKNOWN_FD, Owners
from sockdiag.model.provenance import Gap
from sockdiag.model.record import COUNT, Record, field
from sockdiag.sources.process.cgroup import parse_cgroup
from sockdiag.sources.process.passwd import Users
from sockdiag.sources.process.refusals import Refusals
from sockdiag.sources.process.sockets import LONGEST_LINK
from sockdiag.sources.process.visible import visible_processes
from sockdiag.sources.system.proc_root import ProcRoot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from typing import Any

    from sockdiag.model.held import Process
    from sockdiag.sources.system.forked import Helper
    from sockdiag.sources.system.proc_root import ProcessFiles

    # A process, and number and inode of each of its sockets, as the bytes of arrays: a tenth of the memory of lists.
    _Row = tuple[Process, bytes, bytes]

SOURCE = "/proc/PID/fd"
_SOCKET = b"socket:["

_FD_DIGITS = 10

# Processes that read descriptors at the same time, as many as there are CPUs; each has enough to do that a fork pays (1 ms,
# as much as 400 descriptors).
_MOST_HELPERS, _ENOUGH = 4, 8192
_PATIENCE_S = 120.0
# What a helper may answer: a host has fewer descriptors than 64 bytes times that.
_MOST_BYTES = 1 << 30


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
        return OwnerScan(Owners())
    scan = _Scan(files, inodes, details, numeric)
    scan.run()
    return OwnerScan(scan.owners, scan.gaps(), scan.processes, len(scan.refused))


def named_owners(
    files: ProcRoot, named: Iterable[tuple[int, int, bytes | None, int | None]], *, numeric: bool = False
) -> Owners:
    """Return the owners that a text names, with what the files of a captured system tell of those processes.

    Args:
        files: the system.
        named: inode, pid, name of the process and descriptor, as far as the text has them.
        numeric: give users by number.
    """
    scan = _Scan(files, None, True, numeric)
    names: dict[int, bytes | None] = {}
    held: dict[int, dict[tuple[int, int], None]] = {}
    for inode, pid, comm, fd in named:
        names[pid] = names.get(pid) or comm
        held.setdefault(pid, {})[UNKNOWN_FD if fd is None else min(fd, UNKNOWN_FD), inode] = None
    for pid in sorted(held):
        try:
            with files.process(pid) as process:
                found = scan._process(pid, process)
        except SourceError:
            found = pid, None, None, None, None
        scan.owners.add((pid, found[1] or names[pid], *found[2:]), held[pid])
    return scan.owners


class _Scan:
    """One pass, and its findings so far."""

    def __init__(self, files: ProcRoot, inodes: Collection[int] | None, details: bool, numeric: bool) -> None:
        self.files = files
        self.inodes = inodes
        self.details = details
        self.numeric = numeric
        self.users = Users(files)
        self.owners = Owners()
        self.processes = 0
        self.refused = Refusals(SOURCE, "descriptors")
        self.damaged: list[ParseError] = []
        self.hidden: Gap | None = None
        # Processes of one service have one text.
        self._cgroups: dict[bytes, Cgroup] = {}

    def run(self) -> None:
        pids, self.hidden = visible_processes(self.files)
        mine, *others = shares(self.files, pids)
        helpers = [(share, self._helper(share)) for share in others]
        if not helpers:
            for row in self._rows(mine):
                self._take(*row)
            return
        rows = list(self._rows(mine))
        for share, helper in helpers:
            try:
                assert helper is not None
                theirs: Any = helper.result(_PATIENCE_S)
            except (SourceError, AssertionError):
                rows += self._rows(share)  # it was killed, or never began: nothing is lost
                continue
            more, processes, refused, damaged = theirs
            rows += more
            self.processes += processes
            self.refused.join(refused)
            self.damaged += damaged[: not self.damaged]
        rows.sort(key=_pid)
        for row in rows:
            self._take(*row)

    def _helper(self, share: list[int]) -> Helper | None:
        from sockdiag.sources.system.forked import Helper

        def read() -> tuple[Any, ...]:
            return list(self._rows(share)), self.processes, self.refused.counts, self.damaged

        try:
            return Helper(lambda: progress.watch(None), read, SOURCE, _MOST_BYTES)
        except SourceError:
            return None

    def _rows(self, pids: list[int]) -> Iterator[_Row]:
        for number, pid in enumerate(pids):
            progress.step("processes", number, len(pids))
            try:
                with self.files.process(pid) as process:
                    row = self._look(pid, process)
            except SourceError as error:
                if self.files.live and isinstance(error, SourceUnavailable):
                    continue  # it has ended
                self.refused.add(error)
            else:
                if row is not None:
                    yield row
            self.processes += 1

    def _look(self, pid: int, process: ProcessFiles) -> _Row | None:
        numbers, found = array("Q"), array("Q")
        inodes = self.inodes
        links = process.descriptors()
        for number, target in links if self.files.live else filter(_is_regular, links):
            if target[:8] == _SOCKET:
                inode = int(target[8:-1])
                if inodes is None or inode in inodes:
                    numbers.append(int(number))
                    found.append(inode)
        return (self._process(pid, process), numbers.tobytes(), found.tobytes()) if found else None

    def _take(self, process: Process, numbers: bytes, found: bytes) -> None:
        rows = zip(memoryview(numbers).cast("Q"), memoryview(found).cast("Q"), strict=True)
        # The kernel gives descriptors in order, a captured folder does not.
        self.owners.add(process, rows if self.files.live else sorted(rows))

    def _process(self, pid: int, process: ProcessFiles) -> Process:
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


def _pid(row: _Row) -> int:
    return row[0][0]


def shares(files: ProcRoot, pids: list[int]) -> list[list[int]]:
    """Divide processes among the CPUs by the number of their descriptors; one share where a single process reads as fast.

    The kernel takes 2 us for each link, in whichever process asks: on two CPUs 220,000 descriptors take 0.44 s, on one 0.83 s.

    Source: the size of ``/proc/PID/fd`` is the number of descriptors since 6.2; before, there is one share.
    """
    # What a capture records is read in this process.
    most = min(len(os.sched_getaffinity(0)), _MOST_HELPERS) if type(files) is ProcRoot else 1
    if most < 2:
        return [pids]
    sizes = []
    for pid in pids:
        try:
            with files.process(pid) as process:
                sizes.append((process.size("fd"), pid))
        except SourceError:
            sizes.append((0, pid))
    most = min(most, sum(size for size, _pid in sizes) // _ENOUGH)
    if most < 2:
        return [pids]
    loads = [0] * most
    divided: list[list[int]] = [[] for _ in loads]
    for size, pid in sorted(sizes, reverse=True):
        least = loads.index(min(loads))
        loads[least] += size + 1
        divided[least].append(pid)
    return [sorted(share) for share in divided]


def _is_regular(link: tuple[bytes, bytes]) -> bool:
    """Return whether a link is one that the kernel makes; a captured folder may hold any."""
    number, target = link
    if not number.isdigit() or len(number) > _FD_DIGITS:
        return False
    return target[:8] != _SOCKET or (target[8:-1].isdigit() and target[-1:] == b"]" and len(target) <= LONGEST_LINK)
