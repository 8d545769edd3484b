"""Open a moment of a recording as a capture: ``DIR@TIME``, or ``DIR`` for the last."""

from __future__ import annotations

import os

from sockdiag.sources.capture.transport import captured_system, open_capture, system_of
from sockdiag.sources.recordings.folder import is_recording
from sockdiag.sources.recordings.moments import before, choose
from sockdiag.sources.recordings.reader import RecordingReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.recordings.reader import MomentEntry
    from sockdiag.sources.system.captured_tree import Tree
    from sockdiag.sources.system.machine import System


def named_moment(root: str) -> tuple[str, str] | None:
    """Return the folder and the time that ``DIR@TIME`` names; None if it names no recording."""
    if os.path.exists(root):
        return (root, "last") if os.path.isdir(root) and is_recording(root) else None
    folder, at, text = root.rpartition("@")
    if at and not text.strip("0123456789.") and folder.endswith("@"):
        folder, text = folder[:-1], "@" + text
    return (folder, text) if at and os.path.isdir(folder) and is_recording(folder) else None


def open_captured(root: str) -> System:
    """Return a captured system, or the moment of a recording that ``DIR@TIME`` names.

    Raises:
        UsageError: the recording does not cover that time, or it is no time.
        SourceError: it cannot be read.
    """
    return recorded_system(root) or captured_system(root)


def recorded_system(root: str) -> System | None:
    """Return the recorded system that ``DIR@TIME`` names; None if it names no recording.

    Raises:
        UsageError: the recording does not cover that time, or it is no time.
        SourceError: it cannot be read.
    """
    found = _named(root)
    return None if found is None else system_at(*found, root)


def open_files(root: str) -> Tree:
    """Return the files of a capture, or those of the moment of a recording that ``DIR@TIME`` names, with the moment before it.

    Raises:
        UsageError: the recording does not cover that time, or it is no time.
        SourceError: it cannot be read.
    """
    found = _named(root)
    if found is None:
        return open_capture(root)
    recording, moment = found
    return recording.tree(moment, before(recording, moment, None))


def _named(root: str) -> tuple[RecordingReader, MomentEntry] | None:
    found = named_moment(root)
    if found is None:
        return None
    from sockdiag import progress

    folder, text = found
    recording = RecordingReader(folder)
    chosen = choose(recording, text)
    for remark in chosen.remarks:
        progress.tell(remark)
    return recording, chosen.moment


def system_at(
    recording: RecordingReader, moment: MomentEntry, root: str, interval: float | None = None, *, alone: bool = False
) -> System:
    """Return the system at a moment of a recording, with the moment before it to compare with.

    Args:
        recording: the recording.
        moment: the moment.
        root: names it in messages.
        interval: seconds between the two; None for the moment before.
        alone: take no earlier one.

    Raises:
        SourceError: it cannot be read.
    """

    def earlier(seconds: float | None) -> tuple[System, ...]:
        first = before(recording, moment, seconds)
        return () if first is None else (system_of(recording.tree(first), root),)

    # The earlier one first: what follows builds on it.
    moments = () if alone else earlier(interval)
    system = system_of(recording.tree(moment), root)
    system.earlier = earlier
    system.moments = moments
    return system
