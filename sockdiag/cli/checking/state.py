"""The state file of ``check``: where it is, what of it may be compared with, and what is left for the next run."""

from __future__ import annotations

import os
import time

from sockdiag.errors import SourceError
from sockdiag.model.baseline import NotOurs, Place, read_entries, stored, write_entries
from sockdiag.sources.state_file import StateFile, private_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from sockdiag.cli.session import Session
    from sockdiag.model.baseline import Entry, Stored

# Two looks that are nearer together tell of nothing but chance.
YOUNGEST_S = 1.0
# A look that is younger is not replaced: whoever runs the check by hand in between does not take the next run's baseline.
KEPT_S = 10.0
# What was lost within more than a day is no news.
OLDEST_S = 86400.0

_PATIENCE_S = 2.0
# No run takes longer; what is from later still is from another clock.
_OVERLAP_S = 300.0
_NAME = "check.state"


def state_path(environ: Mapping[str, str], uid: int | None = None) -> str:
    """Return the path of the state file where ``--state`` names none.

    A service's own folder, $XDG_STATE_HOME, root's place, the home folder; users without one share /var/tmp, each in a folder
    of its own.
    """
    uid = os.geteuid() if uid is None else uid
    # systemd names the folders of StateDirectory=, with colons between several.
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
    """What the run before has left, and the place for what this one leaves.

    Args:
        session: the run.
        path: the state file; "" for the one of this user.
        question: digest of what is asked.

    Attributes:
        entry: what may be compared with, or None.
        note: why there is nothing, as a text for people.
        problem: why the file cannot be used, or "".
    """

    def __init__(self, session: Session, path: str, question: str) -> None:
        self.path = path or state_path(session.env.environ)
        self.question = question
        self.place = place_of(session)
        self.entry: Entry | None = None
        self.note = ""
        self.problem = ""
        self._clock = session.env.clock
        # From a monotonic clock to the one that goes on while the host is suspended.
        self._offset = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
        self._usable = True
        self._file = StateFile(self.path)
        if not path:
            try:
                private_folder(self._file.folder)
            except SourceError as error:
                self._refuse(str(error))

    def _refuse(self, problem: str) -> None:
        self.problem, self.note, self._usable = problem, "no baseline", False

    def load(self) -> None:
        """Read the entry of the run before."""
        if not self._usable:
            return
        try:
            entries, damaged = read_entries(self._file.read() or b"")
        except (SourceError, NotOurs) as error:
            self._refuse(str(error) if isinstance(error, SourceError) else f"{self.path}: {error}")
            return
        mine = next((e for e in entries if e.question == self.question and _same_place(e.place, self.place)), None)
        if mine is not None:
            try:
                self.entry = mine.decode()
            except ValueError:
                damaged = True
        if self.entry is not None:
            return
        if damaged:
            self.note = "no baseline, the state file was damaged"
        elif any(e.question == self.question and _rebooted(e.place, self.place) for e in entries):
            self.note = "no baseline, the host was booted since"
        else:
            self.note = "no baseline yet"

    def age(self, at: float) -> float | None:
        """Return how old the entry's look is, None where it cannot be compared with; ``note`` says why.

        Args:
            at: time of the present look on the monotonic clock.
        """
        if self.entry is None:
            return None
        age = at + self._offset - self.entry.looked_at
        if age < 0:
            # Another time namespace, or a run that has looked after this one did.
            self.note = "no baseline, it is from later than this look"
        elif age < YOUNGEST_S:
            self.note = f"baseline only {age:.1f} s old"
        elif age > OLDEST_S:
            self.note = f"no baseline, the last look was {age / 3600:.0f} h ago"
        else:
            return age
        return None

    def save(self, entry: Entry) -> None:
        """Leave an entry for the next run; what goes wrong is in ``problem``."""
        if not self._usable:
            return
        mine = stored(entry)
        try:
            self._file.update(lambda data: self._merged(data, mine), _PATIENCE_S)
        except (SourceError, NotOurs) as error:
            self.problem = str(error)

    def boottime(self, at: float) -> float:
        """Return a time of the monotonic clock on the clock that entries have."""
        return at + self._offset

    def _merged(self, data: bytes | None, mine: Stored) -> bytes | None:
        entries, _damaged = read_entries(data or b"")
        now = self._clock()
        kept = []
        for one in entries:
            if one.question == mine.question and _same_place(one.place, mine.place):
                # A run that began later has finished earlier: what it left is the newer one.
                if 0 < one.judged_at - mine.judged_at < _OVERLAP_S:
                    return None
            elif abs(now - one.wall) <= OLDEST_S:
                kept.append(one)
        return write_entries([mine, *kept])


def place_of(session: Session) -> Place:
    """Say where the counters that are read belong."""
    from sockdiag.sources._transport import netns_cookie

    host = session.seen().host
    cookie = netns_cookie()
    inode = session.netns.inode
    machine = ""
    try:
        machine = session.system.files.read("/etc/machine-id").decode("ascii", "replace").strip()
    except SourceError:
        machine = host.hostname or ""
    return Place(host.boot_id or "", f"{'-' if inode is None else inode}.{'-' if cookie is None else cookie}", machine)


def _same_place(one: Place, other: Place) -> bool:
    return bool(one.boot_id) and one.boot_id == other.boot_id and one.netns == other.netns


def _rebooted(one: Place, now: Place) -> bool:
    return one.boot_id != now.boot_id and one.machine == now.machine
