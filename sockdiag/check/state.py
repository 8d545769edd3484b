"""The state file of ``check``: its path, the entries that may be compared with, and the entries for the next run."""

from __future__ import annotations

import os
import time

from sockdiag.check.entries import BaselinePlace, NotOurs, read_entries, stored, write_entries
from sockdiag.check.state_file import StateFile, private_folder
from sockdiag.errors import SourceError
from sockdiag.model.quantity import duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sockdiag.check.entries import BaselineEntry, Stored
    from sockdiag.survey.reader import SystemReader

# Samples that are closer together show only chance.
YOUNGEST_S = 0.2
# A younger sample is not replaced, so that a check run by hand does not take the baseline of the next scheduled run.
KEPT_S = 10.0
# Losses over more than a day are no news.
OLDEST_S = 86400.0

_PATIENCE_S = 3.0
# No run takes longer; an entry from further in the future is from another clock.
_OVERLAP_S = 300.0
_NAME = "check.state"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def state_path(environ: Mapping[str, str], uid: int | None = None) -> str:
    """Return the path of the state file if ``--state`` does not name one.

    The first of: a service's own folder, $XDG_STATE_HOME, root's /var/lib, the home folder. Users without a home get a
    folder of their own in /var/tmp.
    """
    uid = os.geteuid() if uid is None else uid
    # systemd passes the folders of StateDirectory=, separated by colons.
    of_service = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if of_service.startswith("/"):
        return f"{of_service}/{_NAME}"
    of_user = environ.get("XDG_STATE_HOME", "")
    if of_user.startswith("/"):
        return f"{of_user.rstrip('/')}/sockdiag/{_NAME}"
    if uid == 0:
        return f"/var/lib/sockdiag/{_NAME}"
    home = environ.get("HOME", "") or _home(uid)
    if home.startswith("/") and os.path.isdir(home) and os.access(home, os.W_OK):
        return f"{home.rstrip('/')}/.local/state/sockdiag/{_NAME}"
    return f"/var/tmp/sockdiag-{uid}/{_NAME}"  # noqa: S108 - a folder that others may write to is refused


def _home(uid: int) -> str:
    from pwd import getpwuid

    try:
        return getpwuid(uid).pw_dir
    except KeyError:
        return ""


class State:
    """Entries of earlier runs, and the place to save those of this run.

    Args:
        path: the state file.
        question: digest of what the run checks.
        clock: seconds since the epoch.
        private: it is in this user's own folder, which is created if it does not exist.

    Attributes:
        problem: why the file cannot be used, or "".
    """

    def __init__(self, path: str, question: str, clock: Callable[[], float], *, private: bool) -> None:
        self.path = path
        self.question = question
        self.problem = ""
        self.clock = clock
        # From the monotonic clock to the one that also runs while the host is suspended.
        self._offset = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
        self._entries: list[Stored] = []
        self._mine: list[Stored] = []
        self._damaged = False
        self._usable = True
        self._file = StateFile(self.path)
        try:
            if private:
                private_folder(self._file.folder)
            self._entries, self._damaged = read_entries(self._file.read() or b"")
        except SourceError as error:
            self.problem, self._usable = str(error), False
        except NotOurs as error:
            self.problem, self._usable = f"{self.path}: {error}", False

    def entry(self, place: BaselinePlace) -> tuple[BaselineEntry | None, str]:
        """Return the last run's entry for a place, or None and the reason why there is none."""
        if not place.boot_id:
            # Counters of another boot could be mistaken for this one's.
            self.problem, self._usable = self.problem or f"{_BOOT_ID}: cannot be read", False
        if not self._usable:
            return None, "no baseline"
        damaged = self._damaged
        same_question = [e for e in self._entries if e.question == self.question]
        mine = next((e for e in same_question if _same(e.place, place)), None)
        if mine is not None:
            try:
                return mine.decode(), ""
            except ValueError:
                damaged = True
        if damaged:
            return None, "no baseline: the state file was damaged"
        if any(e.place.boot_id != place.boot_id and e.place.machine == place.machine for e in same_question):
            return None, "no baseline: the host was rebooted"
        return None, "no baseline yet"

    def age(self, entry: BaselineEntry, at: float) -> tuple[float | None, str]:
        """Return the age of an entry's sample, or None and the reason why it cannot be compared with.

        Args:
            entry: the entry.
            at: time of the present sample on the monotonic clock.
        """
        age = self.boottime(at) - entry.looked_at
        if age < 0:
            # Another time namespace, or a run that took its sample after this one.
            return None, "no baseline: it is newer than this sample"
        if age < YOUNGEST_S:
            return None, f"baseline only {duration(age)} old"
        if age > OLDEST_S:
            return None, f"no baseline: the last sample is {duration(age)} old"
        return age, ""

    def boottime(self, at: float) -> float:
        """Convert a time of the monotonic clock to the clock that entries use."""
        return at + self._offset

    def prepare(self, entries: Iterable[BaselineEntry]) -> None:
        """Take entries for the next run, and try whether they can be saved; an error is left in ``problem``."""
        self._mine = [stored(entry) for entry in entries]
        there = {(e.question, e.place, e.looked_at, e.body) for e in self._entries}
        if not self._damaged and all((e.question, e.place, e.looked_at, e.body) in there for e in self._mine):
            self._mine = []  # the same sample, and the same alerts
        self._update(rehearse=True)

    def commit(self) -> None:
        """Save the entries, unless that could not be done when it was tried."""
        self._update()

    def _update(self, *, rehearse: bool = False) -> None:
        if not self._usable or not self._mine or self.problem:
            return
        try:
            self._file.update(lambda data: self._merged(data, self._mine), _PATIENCE_S, rehearse=rehearse)
        except (SourceError, NotOurs) as error:
            self.problem = str(error)

    def _merged(self, data: bytes | None, mine: list[Stored]) -> bytes:
        entries, _damaged = read_entries(data or b"")
        now = self.clock()
        left = {(e.question, e.place.boot_id, e.place.netns): e for e in mine}
        boots = {e.place.boot_id: e.judged_at for e in mine}
        kept = []
        for one in entries:
            other = left.get((one.question, one.place.boot_id, one.place.netns))
            if other is None:
                # The age of another boot is known only by the clock, which may have been set since.
                at = boots.get(one.place.boot_id)
                if abs(now - one.wall if at is None else at - one.judged_at) <= OLDEST_S:
                    kept.append(one)
            elif 0 < one.judged_at - other.judged_at < _OVERLAP_S:
                # A run that started later has finished earlier: its entry is newer.
                kept.append(one)
                del left[one.question, one.place.boot_id, one.place.netns]
        return write_entries([*left.values(), *kept])


def place_of(survey: SystemReader) -> BaselinePlace:
    """Return the boot and namespace that counters read in this process belong to."""
    from sockdiag.sources.system.transport import netns_cookie

    cookie = netns_cookie()
    inode = survey.netns.inode
    return BaselinePlace(
        _line(survey, _BOOT_ID),
        f"{'-' if inode is None else inode}.{'-' if cookie is None else cookie}",
        _line(survey, "/etc/machine-id") or _line(survey, "/proc/sys/kernel/hostname"),
    )


def _line(survey: SystemReader, path: str) -> str:
    try:
        return survey.system.files.read(path).decode("utf-8", "replace").strip()
    except SourceError:
        return ""


def _same(one: BaselinePlace, other: BaselinePlace) -> bool:
    return one.boot_id == other.boot_id and one.netns == other.netns
