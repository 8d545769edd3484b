"""Record a system: take one moment after the other, as a capture does, and keep what has changed.

The tables, counters and limits of every moment are read anew. Processes are read as often as their share of the CPU time allows: a host with
hundreds of thousands of descriptors has as many links to read. Where a moment holds those of an earlier one, its ``meta.toml`` tells of when.
"""

from __future__ import annotations

import errno
import os
import platform
import time

from sockdiag.errors import SourceError
from sockdiag.model.record import BYTES, COUNT, LABEL, Record, field
from sockdiag.sources.capture.packed_tree import Content
from sockdiag.sources.capture.spool import FILE
from sockdiag.sources.recordings.sample import StoredMoment
from sockdiag.sources.recordings.writer import RecordingWriter, boot_bytes
from sockdiag.survey.capture import NamespaceCapture, meta_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.survey.capture_moment import RecordedMoment
    from sockdiag.survey.survey import Survey

# The part of the time between two moments that reading processes may take; they are read at least every so many seconds.
_SHARE, _STALE_S = 0.004, 60.0
# A full disk may have room again. Source: write(2).
_FULL = (errno.ENOSPC, errno.EDQUOT)


class RecordingSummary(Record):
    """A recording that was made."""

    path: str = field("The folder.", kind=LABEL)
    moments: int = field("Moments that were recorded.", unit=COUNT)
    lost: int = field("Moments that there was no room for.", unit=COUNT)
    size_bytes: int = field("Bytes that the recording takes, with what earlier recorders wrote.", unit=BYTES)
    segments: int = field("Segments that it has.", unit=COUNT)


class Recorder:
    """Records one network namespace.

    Args:
        survey: reads it.
        writer: keeps the moments.
        every: seconds between two of them.
        say: takes a line for the user.
        how: what records, for ``meta.toml``.
    """

    def __init__(
        self, survey: Survey, writer: RecordingWriter, every: float, say: Callable[[str], None], how: str = ""
    ) -> None:
        self._survey = survey
        self._writer = writer
        self._every = every
        self._say = say
        self._how = how
        self._processes = _Processes()
        self._full = 0
        self.moments = 0
        self.lost = 0

    def run(self, count: int | None = None) -> None:
        """Take one moment after the other.

        Args:
            count: of how many; None for no end.

        Raises:
            SourceError: the recording cannot be written, for another reason than that the disk is full.
        """
        due = time.monotonic()
        taken = 0
        while count is None or taken < count:
            self.take()
            taken += 1
            # A moment that would be late is left out: a machine that cannot follow is not to be kept busy.
            due = max(due + self._every, time.monotonic())
            if count is None or taken < count:
                time.sleep(max(0.0, due - time.monotonic()))

    def take(self) -> None:
        """Record one moment, or report that there was no room for it."""
        survey = self._survey
        survey.renew()
        capture = _MomentOfMany(survey, self._processes)
        for _pause in capture.read(None):
            pass  # a single sample has none
        moment = StoredMoment()
        for kind, path, _size, content in capture.parts():
            moment.add(kind, path, content)
        host = survey.provenance().host
        moment.add(FILE, "/meta.toml", (meta_of(host, platform.machine(), self._how, capture.notes, survey.gaps),))
        self._processes.complete(moment)
        wall, monotonic = capture.clocks()
        try:
            self._writer.append(moment, wall, monotonic, boot_bytes(host.boot_id))
        except OSError as error:
            if error.errno not in _FULL:
                raise SourceError(self._writer.path, os.strerror(error.errno or errno.EIO), error.errno) from None
            self.lost += 1
            if not self._full:
                self._say(f"{self._writer.path}: {os.strerror(error.errno or 0)}; moments are lost until there is room")
            self._full += 1
            return
        self.moments += 1
        if self._full:
            self._say(f"{self._writer.path}: there is room again; {self._full} moments were lost")
            self._full = 0

    def summary(self) -> RecordingSummary:
        """Return what was recorded."""
        writer = self._writer
        return RecordingSummary(writer.path, self.moments, self.lost, writer.size, writer.segments)


class _MomentOfMany(NamespaceCapture):
    """A capture of a single moment, whose processes may be those of an earlier one."""

    def __init__(self, survey: Survey, processes: _Processes) -> None:
        super().__init__(survey, Content(in_memory=1 << 30))
        self._known = processes

    def clocks(self) -> tuple[float, float]:
        """Return what the clocks showed."""
        notes = self.notes
        return float(notes["captured_at"]), float(notes["monotonic"])

    def _processes(self, moment: RecordedMoment) -> set[int]:
        now = float(moment.recording.notes["monotonic"])
        if not self._known.due(now):
            moment.recording.processes = self._known.pids
            moment.recording.notes["processes_monotonic"] = self._known.at
            return set()
        began = time.process_time()
        holders = super()._processes(moment)
        self._known.read(now, time.process_time() - began, set(moment.recording.processes or ()))
        return holders


class _Processes:
    """The processes as they were read last, and when they are to be read again."""

    def __init__(self) -> None:
        self.at = 0.0
        self.pids: set[int] = set()
        self._parts: dict[bytes, bytes] = {}
        self._next = 0.0
        self._fresh = False

    def due(self, now: float) -> bool:
        """Return whether they are to be read at a time of the monotonic clock."""
        return now >= self._next or not self.pids

    def read(self, now: float, cost: float, pids: set[int]) -> None:
        """Note that they were read, and what it cost in seconds of CPU time."""
        self.at, self.pids, self._fresh = now, pids, True
        self._next = now + min(_STALE_S, cost / _SHARE - cost)

    def complete(self, moment: StoredMoment) -> None:
        """Add to a moment the processes that it took over, or keep those that it has read."""
        if self._fresh:
            self._fresh = False
            self._parts = {key: body for key, body in moment.parts.items() if _of_process(key)}
        else:
            moment.parts.update(self._parts)


def _of_process(key: bytes) -> bool:
    return key[1:7] == b"/proc/" and key[7:8].isdigit()
