"""Make recordings of captured systems, for tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sockdiag.sources.recordings.sample import StoredMoment
from sockdiag.sources.recordings.writer import RecordingWriter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

BOOT = bytes(range(16))
# When the first moment of a recording was taken: 2026-05-04T12:00:00Z.
BEGIN = 1_777_896_000.0


def moment_of(folder: Path, wall: float = BEGIN, monotonic: float = 1000.0) -> StoredMoment:
    """Return a captured system as a moment of a recording."""
    moment = StoredMoment()
    for place, folders, files in os.walk(folder):
        below = place.removeprefix(str(folder)) or "/"
        if below == "/moments":
            folders.clear()
            continue
        if below != "/":
            moment.folder(below)
        entries = [(name, os.path.join(place, name)) for name in (*folders, *files)]
        links = [(os.fsencode(name), os.fsencode(os.readlink(path))) for name, path in entries if os.path.islink(path)]
        if links:
            moment.links(below, links)
        for name, path in entries:
            if not os.path.islink(path) and not os.path.isdir(path):
                with open(path, "rb") as file:
                    moment.file(f"{below.rstrip('/')}/{name}", 0, (file.read(),))
    notes = b"captured_at = %f\nmonotonic = %f\n" % (wall, monotonic)
    moment.file("/meta.toml", 0, (notes,))
    return moment


def record(path: Path, moments: Iterable[tuple[StoredMoment, float, float, bytes]]) -> None:
    """Write a recording: moments with their wall clock, monotonic clock and boot."""
    writer = RecordingWriter(str(path))
    try:
        for moment, wall, monotonic, boot in moments:
            writer.append(moment, wall, monotonic, boot)
    finally:
        writer.close()


def small(number: int) -> StoredMoment:
    """Return a moment of a few files that tell its number."""
    moment = StoredMoment()
    moment.folder("/proc/net")
    moment.file("/proc/net/snmp", 0, (b"Tcp: A B\nTcp: %d 7\n" % number,))
    moment.file("/meta.toml", 0, (b"monotonic = %d\n" % (100 + 5 * number),))
    moment.links("/proc/1/fd", [(b"%d" % fd, b"socket:[%d]" % (fd + number)) for fd in range(20)])
    return moment
