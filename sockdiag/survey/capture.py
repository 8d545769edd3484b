"""Take a capture: read everything that commands read, in one pass, at several moments as a diagnosis does.

The last moment is the capture itself, and whole. The earlier ones hold what a diagnosis compares with: the first sample, and the probes
between the two. Everything goes through the readers of the commands, which are given recorders, so that a capture answers what they ask.
"""

from __future__ import annotations

import platform
import time

from sockdiag import progress
from sockdiag.errors import ParseError, SourceDenied, SourceError, SourceUnavailable
from sockdiag.kernel.families import IP_TABLES, OTHER_TABLES
from sockdiag.model.provenance import Gap
from sockdiag.model.query import CGROUP, DETAILS, INET, SKMEM, TCP_INFO, Query
from sockdiag.model.record import BYTES, COUNT, LABEL, Record, field
from sockdiag.model.sysctl_table import SYSCTLS
from sockdiag.sources.process.fd import SOURCE as DESCRIPTORS
from sockdiag.sources.process.fd import scan_owners
from sockdiag.sources.process.refusals import Refusals
from sockdiag.survey.diagnose import AFTER_PROBE, PROBES, STANDING_AFTER
from sockdiag.survey.host_facts import OUTER, HostFacts
from sockdiag.survey.reader import Standpoint, SystemReader
from sockdiag.survey.sample import judged_query, take_probe, take_sample
from sockdiag.survey.single_sockets import MOST_QUEUES, receive_buffer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from typing import TypeVar

    from sockdiag.model.fdinfo import Descriptors
    from sockdiag.model.sample import Sample
    from sockdiag.model.socket import Socket
    from sockdiag.model.sysctl import Value
    from sockdiag.sources.capture.output import Output
    from sockdiag.sources.capture.packed_tree import Content
    from sockdiag.sources.capture.spool import MomentRecording
    from sockdiag.sources.process.fd import Owners
    from sockdiag.sources.system.machine import System
    from sockdiag.sources.system.proc_root import ProcessFiles
    from sockdiag.sources.system.transport import Request, Transport

    T = TypeVar("T")

_EVERYTHING = frozenset((SKMEM, TCP_INFO, INET, CGROUP, DETAILS))
# Files of a process; its environment is nobody's business.
_PROCESS_FILES = ("comm", "stat", "status", "cmdline", "cgroup", "limits", "wchan")
_SOCKET = b"socket:["
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
_MOST_BUFFERS = 64


class CaptureSummary(Record):
    """A capture that was made."""

    path: str = field("The folder or archive.", kind=LABEL)
    size_bytes: int | None = field("Size of the archive; null for a folder.", unit=BYTES)
    moments: int = field("Moments that it holds: two samples and the probes between them, or one.", unit=COUNT)
    interval_s: float | None = field("Seconds between the two samples; null if there is one.", default=None)
    processes: int = field("Processes in it.", default=0, unit=COUNT)


class Capture:
    """One capture that is being taken.

    Args:
        survey: reads the system, in the network namespace that the capture is of; it notes the gaps.
        content: where what was read is kept until it is written.
    """

    def __init__(self, survey: SystemReader, content: Content) -> None:
        self._survey = survey
        self._content = content
        self._earlier: list[_RecordedMoment] = []
        self._last: _RecordedMoment | None = None
        self._standing: list[int] = []
        self._owners: Owners | None = None
        # None: of a capture that holds none.
        self._answers: dict[tuple[str, int], int] | None = None
        self.interval_s: float | None = None

    @property
    def processes(self) -> int:
        """Number of processes in it."""
        return len(self._last.recording.processes or ()) if self._last is not None else 0

    @property
    def moments(self) -> int:
        """Number of moments."""
        return len(self._earlier) + 1

    def read(self, interval: float | None) -> None:
        """Read everything; *interval* is the time between the two samples, None for a single one."""
        if interval is not None:
            self._find_holders()
            before = self._first()
            self._probe(before, interval)
        self._take_last()

    def write(self, output: Output, notes: dict[str, str | float]) -> None:
        """Write what was read.

        Args:
            output: where to.
            notes: for ``meta.toml``, with what is noted here.

        Raises:
            OSError: it cannot be written.
        """
        from sockdiag.sources.capture.answers import ANSWERS_FILE, format_answers
        from sockdiag.sources.capture.recording import toml
        from sockdiag.sources.capture.transport import MOMENTS

        assert self._last is not None
        for number, moment in enumerate(self._earlier, 1):
            moment.recording.write(output, f"{MOMENTS}/{number}")
            _write(output, f"{MOMENTS}/{number}/meta.toml", toml(moment.recording.notes))
        self._last.recording.write(output)
        if self._answers is not None:
            _write(output, ANSWERS_FILE, format_answers(self._answers))
        if self.interval_s is not None:
            notes = {**notes, "interval_s": self.interval_s}
        gaps = "".join(
            "\n[[gap]]\n"
            + toml({"source": gap.source, "reason": gap.reason, "hint": gap.hint}).decode("utf-8", "replace")
            for gap in self._survey.gaps
        )
        _write(output, "/meta.toml", toml({**notes, **self._last.recording.notes}) + gaps.encode("utf-8", "replace"))

    def _find_holders(self) -> None:
        """Find who holds the sockets in which something waits; with many descriptors this takes longer than the interval."""
        from sockdiag.judging.service import standing_queues

        waiting = standing_queues([take_probe(self._survey, judged_query(self._survey))])
        self._owners = scan_owners(self._survey.system.files, set(waiting), details=False).owners

    def _first(self) -> Sample:
        moment = self._moment()
        sample = moment.sample(last=False)
        moment.tables()
        self._earlier.append(moment)
        return sample

    def _probe(self, before: Sample, interval: float) -> None:
        from sockdiag.judging.service import standing_queues

        end = before.at + interval
        whole = (before.at, end)
        probes: list[Sample] = []
        for part in PROBES:
            due = before.at + part * interval
            _wait(due, whole)
            # One at least, however late, shows which queues stand.
            if probes and len(probes) >= STANDING_AFTER and time.monotonic() > end:
                break
            moment = self._moment()
            probes.append(moment.probe())
            self._earlier.append(moment)
            if len(probes) == STANDING_AFTER:
                self._standing = standing_queues(probes)
                moment.reader.host.turns(self._holders(self._standing))
        _wait(max(end, time.monotonic() + AFTER_PROBE * interval if len(probes) < len(PROBES) else end), whole)

    def _take_last(self) -> None:
        from sockdiag.sources.process.stat import read_states
        from sockdiag.survey import host

        moment = self._last = self._moment()
        sample = moment.sample(last=True)
        if self._earlier:
            self.interval_s = round(sample.at - float(self._earlier[0].recording.notes["monotonic"]), 6)
        moment.tables()
        moment.reader.host.turns(self._holders(self._standing))
        self._owners = None
        moment.links()
        holders = self._processes(moment)
        read_states(moment.files, holders)
        self._ask(moment)
        apart = moment.reader.apart()
        host.sysctls(apart)
        apart.provenance()
        moment.more()

    def _moment(self) -> _RecordedMoment:
        return _RecordedMoment(self._survey, self._content)

    def _holders(self, inodes: Collection[int]) -> set[int]:
        if self._owners is None:
            return set()
        return {owner.pid for inode in inodes for owner in self._owners.get(inode)}

    def _processes(self, moment: _RecordedMoment) -> set[int]:
        """Read the processes; return those that hold sockets."""
        from sockdiag.sources.process.visible import visible_processes

        files, recording = self._survey.system.files, moment.recording
        pids, hidden = visible_processes(files)
        if hidden is not None:
            self._survey.note(hidden)
        refused = Refusals(DESCRIPTORS, "descriptors")
        kept: set[int] = set()
        holders: set[int] = set()
        for number, pid in enumerate(pids):
            progress.step("processes", number, len(pids))
            try:
                with files.process(pid) as process:
                    holds = _read_process(pid, process, moment, refused, live=files.live)
            except SourceUnavailable:
                continue  # it has ended
            except SourceError as error:
                refused.add(error)
                continue
            kept.add(pid)
            recording.folders.add(f"/proc/{pid}")
            if holds:
                holders.add(pid)
        for gap in refused.gaps(len(pids)):
            self._survey.note(gap)
        recording.processes = kept
        return holders

    def _ask(self, moment: _RecordedMoment) -> None:
        """Ask single sockets what no table tells, if the system can be asked."""
        from sockdiag.sources.netlink.unix_queue import queue_is_full
        from sockdiag.sources.system.machine import QUEUE_FULL, RECEIVE_BUFFER

        system = self._survey.system
        if not system.files.live:
            self._answers = None if system.answers is None else dict(system.answers)
            return
        answers = self._answers = {}
        waiting = moment.waiting_unix
        asked = [inode for inode in self._standing if inode in waiting]
        asked += sorted(waiting.difference(asked))
        for inode in asked[:MOST_QUEUES]:
            try:
                answers[QUEUE_FULL, inode] = int(queue_is_full(system, inode))
            except SourceError:
                continue
        hidden = [s for s in moment.unsized if s.inode][:_MOST_BUFFERS]
        owners, _gaps = self._survey.host.owners({s.inode for s in hidden if s.inode})
        for socket in hidden:
            for owner in (owners.get(socket.inode or 0) or ())[:1]:
                size = receive_buffer(owner.pid, owner.fd, socket.inode or 0)
                if size is not None:
                    answers[RECEIVE_BUFFER, socket.inode or 0] = size


class _RecordedFacts(HostFacts):
    """Facts about the host, without what is read of all processes: those are read once, at the end."""

    def __init__(self, system: System, real: HostFacts, recording: MomentRecording) -> None:
        super().__init__(system)
        self._real = real
        self._recording = recording

    def processes_near_limit(self) -> tuple[Mapping[int, Descriptors] | None, dict[str, str], tuple[Gap, ...]]:
        """Read nothing."""
        return {}, {}, ()

    def limits(self, names: tuple[str, ...]) -> dict[str, Value]:
        """Return the host's limits as the survey finds them, and keep them."""
        found = self._real.limits(names)
        for name, value in found.items():
            numbers = value if isinstance(value, tuple) else (value,)
            path = OUTER + SYSCTLS[name].path
            self._recording.files[path] = "\t".join(map(str, numbers)).encode() + b"\n"
        return found


class _RecordedMoment:
    """One moment: the system seen through recorders."""

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
            host=_RecordedFacts(self.system, survey.host, self.recording),
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
        self.recording.notes = {"captured_at": self._survey.system.clock(), "monotonic": sample.at}

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
                self.unsized += (s for s in batch.sockets() if s.skmem is None and (s.recv_q or 0) > _HARMLESS)
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
        CgroupPaths(files).path(-1)
        self.reader.host.user_label(0)


# Tables whose sockets may hide the size of their buffers, and the level below which it does not matter.
_UNSIZED = ("raw", "icmp", "packet")
_HARMLESS = 1024
_DGRAM = b"\x02"


def _read_process(pid: int, process: ProcessFiles, moment: _RecordedMoment, refused: Refusals, *, live: bool) -> bool:
    """Read a process; return whether it holds sockets. SourceUnavailable: it has ended."""
    bodies: dict[str, bytes] = {}
    denied: list[SourceError] = []
    for name in _PROCESS_FILES:
        try:
            bodies[name] = process.read(name)
        except SourceUnavailable:
            continue  # of a kernel without it, or it has ended
        except SourceError as error:
            denied.append(error)
    links: list[tuple[bytes, bytes]] = []
    holds = listed = False
    try:
        for number, target in process.descriptors():
            if target[:8] == _SOCKET:
                holds = True
                links.append((number, target))
            else:
                links.append((number, b"-"))  # names of files are private
        listed = True
    except SourceDenied as error:
        refused.add(error)
        denied.append(error)
    except SourceUnavailable:
        if live:
            raise
    if live:
        process.read("comm")  # that it can be read shows that the process has not ended
    recording = moment.recording
    for name, body in bodies.items():
        recording.files[f"/proc/{pid}/{name}"] = body
    for one in denied:
        recording.refused(one)
    if listed:
        recording.descriptors(pid, links)
    return holds


def take_capture(
    survey: SystemReader, path: str, interval: float | None, *, force: bool = False, how: str = ""
) -> CaptureSummary:
    """Take a capture of a system, in the network namespace of a survey, which notes what could not be read.

    Args:
        survey: covers one namespace.
        path: a new folder, or an archive if the name ends in ``.tar.gz`` or ``.tgz``.
        interval: seconds between the two samples; None for a single one.
        force: an archive may replace a file.
        how: what made it, for ``meta.toml``.

    Raises:
        UsageError: there is something of that name.
        SourceError: it cannot be written.
    """
    from sockdiag.sources.capture.output import Output
    from sockdiag.sources.capture.spool import new_content
    from sockdiag.sources.system.proc_root import source_error

    output = Output(path, force=force, time=survey.system.clock())
    try:
        capture = Capture(survey, new_content(output.place))
        capture.read(interval)
        host = survey.provenance().host
        known = {"kernel": host.kernel, "boot_id": host.boot_id, "arch": platform.machine(), "how": how}
        capture.write(output, {"format": 1, **{name: text for name, text in known.items() if text}})
        output.close()
    except OSError as error:
        raise source_error(path, error) from None
    finally:
        output.abandon()
    return CaptureSummary(path, output.size, capture.moments, capture.interval_s, capture.processes)


def _write(output: Output, path: str, body: bytes) -> None:
    output.file(path, len(body), (body,))


def _wait(until: float, whole: tuple[float, float]) -> None:
    seconds = until - time.monotonic()
    if seconds > 0:
        progress.pause(seconds, whole)


def _nothing(_datagram: bytes) -> None:
    """Let it pass: the recorder has it."""


def _quietly(read: Callable[[T], object], what: T) -> None:
    # The recorder has noted what it found, and what it did not.
    try:
        read(what)
    except (SourceError, ParseError):
        return
