"""Take a capture: read everything that commands read, in one pass, at several moments as a diagnosis does.

The last moment is the capture itself, and whole. The earlier ones hold what a diagnosis compares with: the first sample, and the probes
between the two. Everything goes through the readers of the commands, which are given recorders, so that a capture answers what they ask.
With several network namespaces, each is read as a diagnosis reads it, and what was read of it comes here when all have been read.
"""

from __future__ import annotations

import os
import platform

from sockdiag import progress
from sockdiag.errors import SourceError, SourceUnavailable
from sockdiag.model.record import BYTES, COUNT, LABEL, Record, field
from sockdiag.sources.capture.namespace_paths import ANSWERS_FILE, INDEX_FILE, folder_of, is_of_namespace
from sockdiag.sources.capture.namespaces import format_index
from sockdiag.sources.capture.spool import FILE, FOLDER, LINKS, of_bytes
from sockdiag.sources.process.fd import SOURCE as DESCRIPTORS
from sockdiag.sources.process.refusals import Refusals
from sockdiag.survey.capture_moment import RecordedMoment, read_process
from sockdiag.survey.pacing import probed
from sockdiag.survey.per_namespace import in_each
from sockdiag.survey.sample import judged_query, take_probe
from sockdiag.survey.single_sockets import MOST_QUEUES, receive_buffer
from sockdiag.survey.workers import Pause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from typing import Any, TypeAlias

    from sockdiag.model.provenance import Gap, Host
    from sockdiag.model.sample import Sample
    from sockdiag.model.socket import Owner
    from sockdiag.sources.capture.output import Output
    from sockdiag.sources.capture.packed_tree import Content
    from sockdiag.sources.capture.pour import Sink
    from sockdiag.sources.capture.spool import Part
    from sockdiag.sources.namespaces.search import FoundNamespace
    from sockdiag.sources.redaction.mapping_file import MappingFile
    from sockdiag.survey.reader import SystemReader

    # How parts come from the process that has read them: what it is, its path, a file's size; then the content, piece by piece.
    Item: TypeAlias = "tuple[str, str, int] | bytes | list[tuple[bytes, bytes]] | _Received"

_MOST_BUFFERS = 64
# Links that come at a time.
_LINKS = 1000


class CaptureSummary(Record):
    """A capture that was made."""

    path: str = field("The folder or archive.", kind=LABEL)
    size_bytes: int | None = field("Size of the archive; null for a folder.", unit=BYTES)
    moments: int = field("Moments that it holds: two samples and the probes between them, or one.", unit=COUNT)
    interval_s: float | None = field("Seconds between the two samples; null if there is one.", default=None)
    processes: int = field("Processes in it.", default=0, unit=COUNT)
    namespaces: int = field("Network namespaces in it.", default=1, unit=COUNT)
    mapping: str | None = field(
        "With --redact, the file with the key and the pseudonyms. Keep it, and give it to nobody.",
        default=None,
        kind=LABEL,
    )


class _Received:
    """What is told of a namespace when all of it has come.

    Attributes:
        netns: inode of the namespace; None of the one that the capture is of.
        notes: for its ``meta.toml``.
    """

    __slots__ = ("interval_s", "moments", "netns", "notes", "processes")

    def __init__(self, netns: int | None, capture: NamespaceCapture) -> None:
        self.netns = netns
        self.notes = capture.notes
        self.moments = capture.moments
        self.interval_s = capture.interval_s
        self.processes = capture.processes


class NamespaceCapture:
    """What is read of one network namespace, and with it of the host if it is this process's own.

    Args:
        survey: reads the system in that namespace; it notes the gaps.
        content: where what was read is kept until it is written.
    """

    def __init__(self, survey: SystemReader, content: Content) -> None:
        self._survey = survey
        self._content = content
        self._earlier: list[RecordedMoment] = []
        self._last: RecordedMoment | None = None
        self._standing: list[int] = []
        self._owners: Mapping[int, tuple[Owner, ...]] = {}
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

    @property
    def notes(self) -> dict[str, str | float]:
        """When it was read."""
        assert self._last is not None
        interval = {} if self.interval_s is None else {"interval_s": self.interval_s}
        return {**interval, **self._last.recording.notes}

    def read(self, interval: float | None) -> Iterator[Pause]:
        """Read everything; *interval* is the time between the two samples, None for a single one."""
        if interval is not None:
            self._find_holders()
            yield from probed(self._first().at, interval, self._probe, self._find_standing)
        self._take_last()

    def parts(self) -> Iterator[Part]:
        """Yield what was read."""
        from sockdiag.sources.capture.answers import format_answers
        from sockdiag.sources.capture.recording import toml
        from sockdiag.sources.capture.transport import MOMENTS

        assert self._last is not None
        own = self._survey.own
        prefix = "" if own else folder_of(self._survey.netns.inode or 0)
        for number, moment in enumerate(self._earlier, 1):
            folder = f"{prefix}{MOMENTS}/{number}"
            yield from moment.recording.parts(folder)
            yield of_bytes(f"{folder}/meta.toml", toml(moment.recording.notes))
        yield from self._last.recording.parts(prefix, None if own else is_of_namespace)
        if self._answers is not None:
            yield of_bytes(prefix + ANSWERS_FILE, format_answers(self._answers))
        if not own:
            yield of_bytes(f"{prefix}/meta.toml", toml(self.notes))

    def _find_holders(self) -> None:
        """Find who holds the sockets in which something waits; with many descriptors this takes longer than the interval."""
        from sockdiag.judging.service import standing_queues

        waiting = standing_queues([take_probe(self._survey, judged_query(self._survey))])
        if waiting:
            self._owners, _gaps = self._survey.host.owners(waiting)

    def _first(self) -> Sample:
        moment = self._moment()
        sample = moment.sample(last=False)
        moment.tables()
        self._earlier.append(moment)
        self._probes: list[Sample] = []
        return sample

    def _probe(self) -> None:
        moment = self._moment()
        self._probes.append(moment.probe())
        self._earlier.append(moment)

    def _find_standing(self) -> None:
        from sockdiag.judging.service import standing_queues

        self._standing = standing_queues(self._probes)
        self._earlier[-1].reader.host.turns(self._holders())

    def _take_last(self) -> None:
        from sockdiag.survey import host

        moment = self._last = self._moment()
        sample = moment.sample(last=True)
        if self._earlier:
            self.interval_s = round(sample.at - float(self._earlier[0].recording.notes["monotonic"]), 6)
        moment.tables()
        if self._survey.own:
            moment.reader.host.turns(self._holders())
        self._owners = {}
        moment.links()
        if self._survey.own:
            from sockdiag.sources.process.stat import read_states

            read_states(moment.files, self._processes(moment))
        self._ask(moment)
        apart = moment.reader.apart()
        host.sysctls(apart)
        apart.provenance()
        moment.more()

    def _moment(self) -> RecordedMoment:
        return RecordedMoment(self._survey, self._content)

    def _holders(self) -> set[int]:
        return {owner.pid for inode in self._standing for owner in self._owners.get(inode, ())}

    def _processes(self, moment: RecordedMoment) -> set[int]:
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
                    holds = read_process(pid, process, moment, refused, live=files.live)
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

    def _ask(self, moment: RecordedMoment) -> None:
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
                assert owner.fd is not None  # the running system shows it
                size = receive_buffer(owner.pid, owner.fd, socket.inode or 0)
                if size is not None:
                    answers[RECEIVE_BUFFER, socket.inode or 0] = size


def take_capture(
    survey: SystemReader,
    path: str,
    interval: float | None,
    *,
    force: bool = False,
    how: str = "",
    redacted: MappingFile | None = None,
) -> CaptureSummary:
    """Take a capture of a system, in the network namespaces of a survey, which notes what could not be read.

    Args:
        survey: covers one namespace or several.
        path: a new folder, or an archive if the name ends in ``.tar.gz``, ``.tgz`` or ``.tar.zst``.
        interval: seconds between the two samples; None for a single one.
        force: an archive may replace a file.
        how: what made it, for ``meta.toml``.
        redacted: write it with the pseudonyms of this mapping.

    Raises:
        UsageError: there is something of that name.
        SourceError: it cannot be written.
    """
    from sockdiag.sources.capture.output import Output
    from sockdiag.sources.capture.pour import SpooledParts
    from sockdiag.sources.system.proc_root import source_error

    output = Output(path, force=force, time=survey.system.clock())
    try:
        spooled = None if redacted is None else SpooledParts(output.place)
        sink = spooled or output
        taken = _write_namespaces(sink, in_each(survey, _reading(output, interval)))
        own = next(one for one in taken if one.netns is None)
        _write_index(sink, survey, {one.netns for one in taken})
        host = survey.provenance().host
        _write_part(sink, of_bytes("/meta.toml", meta_of(host, platform.machine(), how, own.notes, survey.gaps)))
        if spooled is None or redacted is None:
            output.close()
        else:
            from sockdiag.survey.redact import redact

            redact(spooled.pour, output, redacted)
    except OSError as error:
        raise source_error(path, error) from None
    finally:
        output.abandon()
    mapping = None if redacted is None else redacted.path
    return CaptureSummary(path, output.size, own.moments, own.interval_s, own.processes, len(taken), mapping)


def convert_capture(survey: SystemReader, path: str, *, force: bool = False, how: str = "") -> CaptureSummary:
    """Write a captured system, of whatever form, as a capture.

    Args:
        survey: reads it.
        path: as :func:`take_capture`, which also raises the same errors.
        force: an archive may replace a file.
        how: what made it, for ``meta.toml``.
    """
    from sockdiag.sources.capture.convert import write_tree
    from sockdiag.sources.capture.output import Output
    from sockdiag.sources.recordings.opening import open_files
    from sockdiag.sources.system.proc_root import source_error

    system = survey.system
    output = Output(path, force=force, time=system.clock())
    try:
        noted = write_tree(open_files(system.root), output)
        host = survey.provenance().host
        if not noted:
            _write_part(output, of_bytes("/meta.toml", meta_of(host, "", how, {}, [])))
        output.close()
    except OSError as error:
        raise source_error(path, error) from None
    finally:
        output.abandon()
    held = 1 if system.namespaces is None else len(system.namespaces.places)
    return CaptureSummary(path, output.size, len(system.moments) + 1, system.recorded_s, len(system.files.pids()), held)


def _reading(output: Output, interval: float | None) -> Any:
    from sockdiag.sources.capture.spool import new_content

    contents: dict[int, Content] = {}

    def steps(there: SystemReader) -> Iterator[Pause | Item]:
        # One for all namespaces that a worker visits.
        content = contents.setdefault(os.getpid(), new_content(output.place))
        capture = NamespaceCapture(there, content)
        yield from capture.read(interval)
        yield Pause()  # until all others have been read
        for kind, name, size, pieces in capture.parts():
            yield kind, name, size
            if kind == LINKS:
                links = iter(pieces)
                while some := [link for _number, link in zip(range(_LINKS), links, strict=False)]:
                    yield some
            else:
                yield from pieces
        yield _Received(None if there.own else there.netns.inode, capture)

    return steps


def _write_namespaces(output: Sink, items: Iterator[Item]) -> list[_Received]:
    """Write the parts as they come; if a worker ends within a part, the rest of that is missing, and a gap."""
    taken: list[_Received] = []
    ahead: list[Item] = []
    folder = ""

    def pieces(size: int) -> Iterator[bytes]:
        while size > 0:
            piece = next(items, None)
            if not isinstance(piece, bytes):
                ahead.extend(() if piece is None else (piece,))
                piece = bytes(min(size, 1 << 16))
            yield piece
            size -= len(piece)

    while (item := ahead.pop() if ahead else next(items, None)) is not None:
        if isinstance(item, _Received):
            taken.append(item)
        elif isinstance(item, tuple):
            kind, name, size = item
            _write_part(output, (kind, name, size, pieces(size) if kind == FILE else ()))
            folder = name
        elif isinstance(item, list):
            output.links(folder, item)
    return taken


def _write_part(output: Sink, part: Part) -> None:
    kind, path, size, content = part
    if kind == FOLDER:
        output.folder(path)
    elif kind == FILE:
        output.file(path, size, content)


def _write_index(output: Sink, survey: SystemReader, taken: Collection[int | None]) -> None:
    """Write which namespaces the capture holds."""
    from sockdiag.sources.namespaces.netns import OWN
    from sockdiag.sources.namespaces.search import FoundNamespace

    own = survey.netns if survey.namespaces is None or not survey.everywhere else None
    places: tuple[FoundNamespace, ...]
    if own is not None:
        places = (FoundNamespace(own, OWN, "self"),)
    else:
        assert survey.namespaces is not None
        places = tuple(p for p in survey.namespaces.places if p.held_by == "self" or p.namespace.inode in taken)
    gaps = [gap for gap in survey.gaps if gap.source == "setns"]
    _write_part(output, of_bytes(INDEX_FILE, format_index(places, gaps)))


def meta_of(host: Host, arch: str, how: str, notes: Mapping[str, str | float], gaps: Iterable[Gap]) -> bytes:
    """Return the ``meta.toml`` of a capture."""
    from sockdiag.sources.capture.recording import toml

    known = {"kernel": host.kernel, "boot_id": host.boot_id, "arch": arch, "how": how}
    head = {"format": 1, **{name: text for name, text in known.items() if text}, **notes}
    tables = "".join(
        "\n[[gap]]\n" + toml({"source": gap.source, "reason": gap.reason, "hint": gap.hint}).decode("utf-8", "replace")
        for gap in gaps
    )
    return toml(head) + tables.encode("utf-8", "replace")
