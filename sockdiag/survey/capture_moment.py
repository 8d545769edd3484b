"""Read one moment of a system through recorders: everything that the commands read of it."""

from __future__ import annotations

import os

from sockdiag.errors import ParseError, SourceDenied, SourceError, SourceUnavailable
from sockdiag.kernel.families import IP_TABLES, OTHER_TABLES
from sockdiag.model.provenance import Gap
from sockdiag.model.query import CGROUP, DETAILS, INET, SKMEM, TCP_INFO, Query
from sockdiag.model.sysctl_table import SYSCTLS
from sockdiag.survey.host_facts import OUTER, HostFacts
from sockdiag.survey.reader import Standpoint, SystemReader
from sockdiag.survey.sample import judged_query, take_probe, take_sample

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import TypeVar

    from sockdiag.model.cgroup_memory import CgroupMemory
    from sockdiag.model.fdinfo import Descriptors
    from sockdiag.model.sample import Sample
    from sockdiag.model.socket import Socket
    from sockdiag.model.sysctl import Value
    from sockdiag.sources.capture.packed_tree import Content
    from sockdiag.sources.capture.spool import MomentRecording
    from sockdiag.sources.process.refusals import Refusals
    from sockdiag.sources.system.machine import System
    from sockdiag.sources.system.proc_root import ProcessFiles
    from sockdiag.sources.system.transport import Request, Transport

    T = TypeVar("T")

_EVERYTHING = frozenset((SKMEM, TCP_INFO, INET, CGROUP, DETAILS))
# Files of a process; its environment is nobody's business.
_PROCESS_FILES = ("comm", "stat", "status", "cmdline", "cgroup", "limits", "wchan")
_NETNS = "ns/net"
_SOCKET = b"socket:["
_FILE = b"-"
# Of the whole system, and read by commands that no sample needs.
_MORE_FILES = (
    "/proc/modules",
    "/proc/net/dev",
    "/proc/self/mountinfo",
    "/proc/stat",
    "/proc/sys/kernel/arch",
    "/proc/sys/net/ipv4/ip_nonlocal_bind",
    "/proc/sys/net/ipv6/bindv6only",
    "/proc/sys/net/ipv6/ip_nonlocal_bind",
)
# Tables with files in /proc/net; TCP's is as long as its dump, and saved only where there is no dump.
_PROC_TABLES = ("udp", "udplite", "raw", "icmp", "unix", "netlink", "packet")

# Tables whose sockets may hide the size of their buffers, and the level below which it does not matter.
_UNSIZED = ("raw", "icmp", "packet")
_HARMLESS = 1024
_DGRAM = b"\x02"


class _RecordedFacts(HostFacts):
    """Facts about the host, without what is read of all processes: those are read once, at the end."""

    def __init__(self, system: System, survey: SystemReader, recording: MomentRecording) -> None:
        super().__init__(system)
        self._real = survey.host
        self._own = survey.own
        self._recording = recording

    def processes_near_limit(self) -> tuple[Mapping[int, Descriptors] | None, dict[str, str], tuple[Gap, ...]]:
        """Read nothing."""
        return {}, {}, ()

    def cgroups(self, *, last: bool) -> tuple[tuple[CgroupMemory, ...] | None, dict[str, str], tuple[Gap, ...]]:
        """Read the memory of cgroups where facts about the host are read."""
        return super().cgroups(last=last) if self._own else ((), {}, ())

    def limits(self, names: tuple[str, ...]) -> dict[str, Value]:
        """Return the host's limits as the survey finds them, and keep them."""
        found = self._real.limits(names)
        for name, value in found.items():
            numbers = value if isinstance(value, tuple) else (value,)
            path = OUTER + SYSCTLS[name].path
            self._recording.files[path] = "\t".join(map(str, numbers)).encode() + b"\n"
        return found


class RecordedMoment:
    """One moment: the system seen through recorders.

    Args:
        survey: reads the system in one network namespace; it notes the gaps.
        content: where what was read is kept.
    """

    def __init__(self, survey: SystemReader, content: Content) -> None:
        from sockdiag.sources.capture.recorders import RecordingProcRoot
        from sockdiag.sources.capture.spool import MomentRecording, SpoolingTransport
        from sockdiag.sources.netlink.tcp_info_guard import GuardedTransport
        from sockdiag.sources.system.machine import System

        self._survey = survey
        real = survey.system
        self.recording = MomentRecording(content)
        self.files = RecordingProcRoot(real.files, self.recording)
        self.system = System(self.files, SpoolingTransport(real.netlink, self.recording), monotonic=real.monotonic)
        self.reader = SystemReader(
            self.system,
            survey.options,
            host=_RecordedFacts(self.system, survey, self.recording),
            standpoint=Standpoint(survey.netns, survey.own, survey.place),
            started=survey.started,
        )
        self.reader.gaps, self.reader.sources = survey.gaps, survey.sources
        # tcp_info is filled under the socket lock, which a sleeping owner may hold for ever.
        self._guard = GuardedTransport(real.netlink) if real.files.live else None
        self._guarded: Transport = (
            self.system.netlink if self._guard is None else SpoolingTransport(self._guard, self.recording)
        )
        self.waiting_unix: set[int] = set()
        self.unsized: list[Socket] = []

    def sample(self, *, last: bool) -> Sample:
        """Read what a sample holds besides sockets."""
        query = judged_query(self.reader)._replace(tables=())
        sample = take_sample(self.reader, query, last=last)
        self._note(sample)
        self._interfaces()
        return sample

    def probe(self) -> Sample:
        """Read what a probe reads."""
        sample = take_probe(self.reader, judged_query(self.reader))
        self._note(sample)
        self._interfaces()
        return sample

    def _note(self, sample: Sample) -> None:
        # Who reads has sockets, too: its netlink sockets have the number of its process.
        self.recording.notes = {"captured_at": self._survey.system.clock(), "monotonic": sample.at, "pid": os.getpid()}

    def _interfaces(self) -> None:
        # A captured system names interfaces by these files.
        from sockdiag.sources.system.interfaces import interface_names

        interface_names(self.files)(1)

    def tables(self) -> None:
        """Dump every table, with everything that can be had of its sockets."""
        for table in (*IP_TABLES, *OTHER_TABLES):
            protocol = IP_TABLES.get(table)
            dumped = (protocol is None or protocol.in_diag) and self._dumped(table)
            if not dumped or table in _PROC_TABLES:
                self._from_proc(table, dumped=dumped)
        if self._guard is not None:
            for stuck in self._guard.take_errors():
                self._survey.note(Gap.from_error(stuck))
            self._guard.close()

    def _dumped(self, table: str) -> bool:
        from sockdiag.sources.netlink.inet_diag import inet_requests

        query = Query(tables=(table,), needs=_EVERYTHING)
        if table in IP_TABLES:
            if table == "sctp" and not self._there("/proc/net/sctp"):
                return False
            requests: Iterable[Request] = inet_requests(table, (), query.states, query.needs)
        else:
            requests = __import__(f"sockdiag.sources.netlink.{table}_diag", fromlist=["requests"]).requests(query)
        take: Callable[[bytes], None] = _nothing
        if table == "unix":
            take = self._find_waiting
        answered = False
        for request in requests:
            answered = self._dump(request, take) or answered
        return answered

    def _there(self, path: str) -> bool:
        try:
            self.files.inode(path)
        except SourceError:
            return False
        return True

    def _dump(self, request: Request, take: Callable[[bytes], None]) -> bool:
        from sockdiag.sources.system.transport import feed

        try:
            failure = feed(self._guarded, request, lambda: None, take)
        except (SourceUnavailable, SourceDenied):
            return False
        if failure is not None:
            self._survey.note(Gap.from_error(failure))
        return True

    def _from_proc(self, table: str, *, dumped: bool) -> None:
        from sockdiag.survey.collection import Collection

        query = Query(tables=(table,), source="proc" if dumped or table not in OTHER_TABLES else "auto")
        # What is missing is noted where netlink did not answer either.
        apart: list[Gap] = []
        collection = Collection(
            self.system, query, owners=self.reader.owners, gaps=apart if dumped else self._survey.gaps
        )
        for batch in collection.batches():
            if table in _UNSIZED and not dumped:
                self.unsized += filter(_hides_size, batch.sockets())
        if not dumped:
            self._survey.sources.setdefault(table, collection.sources.get(table))

    def _find_waiting(self, datagram: bytes) -> None:
        from sockdiag.kernel.netlink import NLMSG_HDRLEN
        from sockdiag.sources.netlink.unix_diag import decode
        from sockdiag.sources.system.transport import Request, messages

        for message in messages(Request("unix_diag", b""), datagram):
            if message[NLMSG_HDRLEN + 1 : NLMSG_HDRLEN + 2] == _DGRAM:
                try:
                    socket = decode(message)
                except ParseError:
                    continue
                if socket.recv_q and socket.inode:
                    self.waiting_unix.add(socket.inode)

    def links(self) -> None:
        """Dump interfaces, addresses, routes and rules."""
        from sockdiag.kernel.netlink import NETLINK_ROUTE
        from sockdiag.kernel.rtnetlink import IFINFOMSG, RTM_GETLINK
        from sockdiag.sources.system.transport import Request

        empty = IFINFOMSG.pack(0, 0, 0, 0, 0)
        # Whatever of them a kernel lacks is noted in the answer's place.
        for name, kind in (
            ("RTM_GETLINK", RTM_GETLINK),
            ("RTM_GETADDR", 22),
            ("RTM_GETROUTE", 26),
            ("RTM_GETRULE", 34),
        ):
            self._dump(Request(name, empty, kind, protocol=NETLINK_ROUTE), _nothing)

    def more(self) -> None:
        """Read files that no sample reads."""
        from sockdiag.sources.namespaces.netns import current
        from sockdiag.sources.proc.net_addresses import read_local_addresses
        from sockdiag.sources.proc.net_route import read_ways
        from sockdiag.sources.process.cgroup import CgroupPaths

        files = self.files
        for path in _MORE_FILES:
            _quietly(files.read, path)
        for read in (current, read_local_addresses, read_ways):
            _quietly(read, files)
        if self._survey.own:
            CgroupPaths(files).path(-1)
            self.reader.host.user_label(0)


def _hides_size(socket: Socket) -> bool:
    memory = socket.skmem
    if memory is None:
        return (socket.recv_q or 0) > _HARMLESS
    return memory.rcvbuf is None and (memory.rmem_alloc or 0) > _HARMLESS


def read_process(pid: int, process: ProcessFiles, moment: RecordedMoment, refused: Refusals, *, live: bool) -> bool:
    """Read a process; return whether it holds sockets. SourceUnavailable: it has ended."""
    bodies: dict[str, bytes] = {}
    denied: list[SourceError] = []

    def unless_denied(read: Callable[[str], T], name: str) -> T | None:
        try:
            return read(name)
        except SourceUnavailable:
            return None  # of a kernel without it, or it has ended
        except SourceError as error:
            denied.append(error)
            return None

    for name in _PROCESS_FILES:
        if (body := unless_denied(process.read, name)) is not None:
            bodies[name] = body
    space = unless_denied(process.link, _NETNS)
    recording = moment.recording
    seen = _ProcessSockets()
    try:
        recording.descriptors(pid, seen.of(process))
    except SourceDenied as error:
        refused.add(error)
        denied.append(error)
        # How many there are, everybody may see (Linux 6.2).
        if count := unless_denied(process.size, "fd"):
            recording.size(f"/proc/{pid}/fd", count)
    except SourceUnavailable:
        if live:
            raise
    if live:
        process.read("comm")  # that it can be read shows that the process has not ended
    for name, body in bodies.items():
        recording.files[f"/proc/{pid}/{name}"] = body
    if space is not None:
        recording.links[f"/proc/{pid}/{_NETNS}"] = space
    for one in denied:
        recording.refused(one)
    return seen.sockets


class _ProcessSockets:
    """The descriptors of a process, without the names of files, which are private.

    Attributes:
        sockets: one of them was a socket.
    """

    def __init__(self) -> None:
        self.sockets = False

    def of(self, process: ProcessFiles) -> Iterator[tuple[bytes, bytes]]:
        """Yield number and target of each."""
        for number, target in process.descriptors():
            if target[:8] == _SOCKET:
                self.sockets = True
                yield number, target
            else:
                yield number, _FILE


def _nothing(_datagram: bytes) -> None:
    """Let it pass: the recorder has it."""


def _quietly(read: Callable[[T], object], what: T) -> None:
    # The recorder has noted what it found, and what it did not.
    try:
        read(what)
    except (SourceError, ParseError):
        return
