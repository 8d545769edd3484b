"""Play a recording: which of its moments is shown, and when the next one is due."""

from __future__ import annotations

from sockdiag.sources.recordings.moments import before, choose
from sockdiag.sources.recordings.opening import named_moment, system_at
from sockdiag.sources.recordings.reader import RecordingReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.recordings.reader import MomentEntry
    from sockdiag.sources.system.machine import System

SPEEDS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0)
# Where nothing was recorded, the next moment comes after so many usual distances.
_HOLE = 3


class Playback:
    """A recording and the place in it.

    Moments are compared with the one that was shown before, or, after a jump, with the one recorded before.

    Args:
        recording: the recording.
        number: the moment to begin with.
        playing: go on by itself.

    Attributes:
        number: the moment that the next look shows.
        playing: it goes on by itself.
        speed: recorded seconds per second.
    """

    def __init__(self, recording: RecordingReader, number: int = 0, *, playing: bool = True) -> None:
        self.recording = recording
        self.number = number
        self.playing = playing
        self.speed = 1.0
        self._spacing_s = recording.spacing_s or 1.0
        # What has been shown last, and whether the next look is to be compared with it.
        self._shown: tuple[MomentEntry, System] | None = None
        self._goes_on = False

    @property
    def count(self) -> int:
        """Number of moments."""
        return len(self.recording.moments)

    @property
    def at_end(self) -> bool:
        """Whether there is no later moment."""
        return self.number >= self.count - 1

    def system(self) -> System:
        """Return the system at the moment to show, with the one to compare with.

        Raises:
            SourceError: it cannot be read.
        """
        moments = self.recording.moments
        moment, shown = moments[self.number], self._shown
        basis = before(self.recording, moment, None)
        if self._goes_on and shown is not None and shown[0].same_boot(moment) and shown[0].number < moment.number:
            basis = shown[0]
        earlier: tuple[System, ...] = ()
        if basis is not None:
            if shown is not None and shown[0] is basis:
                earlier = (shown[1],)
                earlier[0].moments = ()
            else:
                earlier = (system_at(self.recording, basis, self._name(basis), alone=True),)
        system = system_at(self.recording, moment, self._name(moment), alone=True)
        system.moments = earlier
        self._shown = moment, system
        return system

    def _name(self, moment: MomentEntry) -> str:
        return f"{self.recording.path}@{moment.number}"

    def wait_s(self) -> float | None:
        """Return the seconds until the next moment is due; None while it is paused or at the end."""
        if not self.playing or self.at_end:
            return None
        return self._gap_s(self.number) / self.speed

    def _gap_s(self, number: int) -> float:
        one, later = self.recording.moments[number : number + 2]
        longest = _HOLE * self._spacing_s
        return min(later.monotonic - one.monotonic, longest) if one.same_boot(later) else self._spacing_s

    def advance(self, passed_s: float) -> None:
        """Go on by the time that has passed: by one moment at least, and by several if they follow each other faster than looks."""
        left = passed_s * self.speed
        first = place = self.number
        while place < self.count - 1:
            left -= self._gap_s(place)
            if left < 0 and place > first:
                break
            place += 1
        self.number, self._goes_on = place, True

    def toggle(self) -> None:
        """Play or pause; at the end, play from the beginning."""
        if self.at_end:
            self.jump(0)
            self.playing = True
        else:
            self.playing = not self.playing

    def step(self, moments: int) -> None:
        """Pause, and go by a number of moments, backwards if it is negative."""
        self.playing = False
        number = min(max(0, self.number + moments), self.count - 1)
        if number == self.number + 1:
            self.number, self._goes_on = number, True
        else:
            self.jump(number)

    def find(self, text: str) -> tuple[int, tuple[str, ...]]:
        """Return the moment of a time as ``replay --at`` takes it, or the ``first``, and what a user should know of the choice.

        Raises:
            UsageError: it is no time, or none that the recording covers.
        """
        if text.strip() == "first":
            return 0, ()
        chosen = choose(self.recording, text.strip())
        return chosen.moment.number, chosen.remarks

    def jump(self, number: int) -> None:
        """Go to a moment."""
        self.number, self._goes_on = number, False

    def change_speed(self, steps: int) -> None:
        """Play faster, or slower with a negative number."""
        place = SPEEDS.index(self.speed) + steps
        self.speed = SPEEDS[min(max(0, place), len(SPEEDS) - 1)]


def playback_of(root: str) -> Playback | None:
    """Return the recording that a root names, to be played from its beginning, or from the time behind ``@``; None if it is none.

    Raises:
        UsageError: the recording does not cover that time, or it is no time.
        SourceError: it cannot be read.
    """
    found = named_moment(root) if root else None
    if found is None:
        return None
    folder, text = found
    recording = RecordingReader(folder)
    if folder.rstrip("/") == root.rstrip("/"):
        return Playback(recording)
    return Playback(recording, choose(recording, text).moment.number, playing=False)
