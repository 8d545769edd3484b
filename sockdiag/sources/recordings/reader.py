"""Read a recording: list its moments, find one by its time, and open it as a captured system. Nothing in it is trusted."""

from __future__ import annotations

import errno
import os
from itertools import pairwise

from sockdiag.errors import SourceError, SourceTruncated, SourceUnavailable
from sockdiag.sources.capture.packed_tree import PackedTree
from sockdiag.sources.recordings.folder import (
    MAX_ENTRIES,
    not_a_recording,
    open_segment,
    read_entries,
    segment_name,
    segments,
)
from sockdiag.sources.recordings.packing import Damaged
from sockdiag.sources.recordings.sample import FILE, LINKS, StoredMoment, decode, links_of
from sockdiag.sources.recordings.segment import HEADER, WHOLE, Entry, entry_of, payload
from sockdiag.sources.system.proc_root import close_fd, source_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.system.captured_tree import Tree

# Of two moments, how far wall clock and monotonic clock may differ in how far they are apart before the clock was set.
_STEP_S = 1.0
_MOST_DEPTH = 32
# Where a capture has the moment that it is compared with.
_EARLIER = ["moments", "1"]


class MomentEntry:
    """One moment of a recording.

    Attributes:
        number: its place in the recording, from 0.
        segment: the segment that holds it.
        entry: its record there.
    """

    __slots__ = ("entry", "number", "segment")

    def __init__(self, number: int, segment: int, entry: Entry) -> None:
        self.number = number
        self.segment = segment
        self.entry = entry

    @property
    def wall(self) -> float:
        """The wall clock then."""
        return self.entry.wall

    @property
    def monotonic(self) -> float:
        """The monotonic clock then."""
        return self.entry.monotonic

    def same_boot(self, other: MomentEntry) -> bool:
        """Return whether the system was not started anew between the two, of which the other is later."""
        return self.entry.boot == other.entry.boot and self.monotonic <= other.monotonic

    def stepped(self, later: MomentEntry) -> bool:
        """Return whether the wall clock was set between the two."""
        return self.same_boot(later) and abs((later.wall - self.wall) - (later.monotonic - self.monotonic)) > _STEP_S


class RecordingReader:
    """A recording that is being read.

    Args:
        path: its folder.

    Attributes:
        moments: those that it holds, in the order in which they were recorded.
        size: bytes of its segments.

    Raises:
        SourceError: there is none, or it cannot be read.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.moments: list[MomentEntry] = []
        self.size = 0
        self._last: tuple[int, StoredMoment] | None = None
        try:
            numbers = segments(path)
        except OSError as error:
            raise source_error(path, error) from None
        if not numbers:
            raise not_a_recording(path)
        for number in numbers:
            for entry in read_entries(path, number):
                self.moments.append(MomentEntry(len(self.moments), number, entry))
                self.size += HEADER + entry.size
            if len(self.moments) > MAX_ENTRIES:
                raise SourceTruncated(path, f"more than {MAX_ENTRIES} moments")
        if not self.moments:
            raise SourceUnavailable(path, "it holds no whole moment yet", errno.ENODATA)

    @property
    def spacing_s(self) -> float:
        """Seconds between two moments, usually; 0 if there is one."""
        recent = self.moments[-200:]
        steps = sorted(later.monotonic - one.monotonic for one, later in pairwise(recent) if one.same_boot(later))
        return steps[len(steps) // 2] if steps else 0.0

    def newest_readable(self) -> MomentEntry:
        """Return the last moment that is not damaged.

        Raises:
            SourceError: none can be read; the error is that of the last.
        """
        failed: SourceError | None = None
        for moment in reversed(self.moments):
            try:
                self.parts(moment)
            except SourceError as error:
                failed = failed or error
            else:
                return moment
        assert failed is not None
        raise failed

    def tree(self, moment: MomentEntry, earlier: MomentEntry | None = None) -> Tree:
        """Return the files of a moment, with those of an earlier one where a capture has them.

        Raises:
            SourceTruncated: its record, or one that it builds on, is damaged.
            SourceUnavailable: it has been deleted meanwhile.
        """
        # The earlier one first: what follows builds on it.
        before = None if earlier is None else self.parts(earlier)
        return tree_of(self.parts(moment), f"{self.path}@{moment.number}", before)

    def parts(self, moment: MomentEntry) -> StoredMoment:
        """Return everything of a moment; errors as :meth:`tree`."""
        where = f"{self.path}/{segment_name(moment.segment)}"
        try:
            fd = open_segment(self.path, moment.segment)
        except OSError as error:
            raise source_error(where, error) from None
        try:
            return self._decoded(fd, moment)
        except Damaged as error:
            raise SourceTruncated(where, f"moment {moment.number} cannot be read: {error}") from None
        except MemoryError:
            raise SourceTruncated(where, os.strerror(errno.ENOMEM), errno.ENOMEM) from None
        except OSError as error:
            raise source_error(where, error) from None
        finally:
            close_fd(fd)

    def _decoded(self, fd: int, moment: MomentEntry) -> StoredMoment:
        chain = [moment]
        start = StoredMoment()
        while True:
            first = chain[-1]
            if first.entry.kind == WHOLE:
                break
            before = self.moments[first.number - 1] if first.number else None
            if before is None or before.segment != moment.segment or before.entry.number + 1 != first.entry.number:
                raise Damaged("one that it builds on is missing")
            if self._last is not None and self._last[0] == before.number:
                start = self._last[1]
                break
            chain.append(before)
        for one in reversed(chain):
            if entry_of(os.pread(fd, HEADER, one.entry.offset), one.entry.offset) != one.entry:
                raise Damaged("the index is of another segment")
            start = decode(start, payload(fd, one.entry))
            self._last = one.number, start
        return start


def tree_of(moment: StoredMoment, path: str, earlier: StoredMoment | None = None) -> Tree:
    """Return the files of a moment, and of an earlier one, as those of a captured system.

    Raises:
        Damaged: its paths lead outside, or contradict each other.
    """
    tree = PackedTree(path)
    try:
        _put(tree, path, moment, [])
        if earlier is not None:
            _put(tree, path, earlier, _EARLIER)
    except (NotADirectoryError, IsADirectoryError) as error:
        raise SourceTruncated(path, f"damaged: a file and a folder with the same name: {str(error)[:60]!r}") from None
    except OSError as error:
        raise source_error(path, error) from None
    return tree


def _put(tree: PackedTree, path: str, moment: StoredMoment, above: list[str]) -> None:
    for key, body in moment.parts.items():
        parts = [part for part in key[1:].decode("utf-8", "surrogateescape").split("/") if part not in ("", ".")]
        if ".." in parts or not parts or len(parts) > _MOST_DEPTH:
            raise SourceTruncated(path, f"damaged: a path {key[1:60]!r}")
        parts = above + parts
        if key[:1] == FILE:
            tree.add(parts, tree.store(iter((body,))))
            continue
        tree.add_folder(parts)
        if key[:1] == LINKS:
            for name, text in links_of(body):
                one = name.decode("utf-8", "surrogateescape")
                if one in ("", ".", "..") or "/" in one:
                    raise SourceTruncated(path, f"damaged: a link named {name[:40]!r}")
                tree.add([*parts, one], text.decode("utf-8", "surrogateescape"))
