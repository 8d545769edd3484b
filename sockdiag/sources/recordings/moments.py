"""Choose a moment of a recording by a time, also where the clock was set or the system was started anew."""

from __future__ import annotations

import time

from sockdiag.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.recordings.reader import MomentEntry, RecordingReader

# So many times the usual distance of two moments, and so many seconds at least, are a hole in the recording.
_HOLE, _LEAST_HOLE_S = 3, 10.0
_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_FORMATS = "-10m (before the end), 2026-05-04T13:07:00, '2026-05-04 13:07', 13:07:30, @1777900000, or last"


class Chosen:
    """The moment that a time stands for.

    Attributes:
        moment: the moment.
        remarks: what a user should know of the choice.
    """

    __slots__ = ("moment", "remarks")

    def __init__(self, moment: MomentEntry, remarks: tuple[str, ...] = ()) -> None:
        self.moment = moment
        self.remarks = remarks


def choose(recording: RecordingReader, text: str) -> Chosen:
    """Return the last moment that is not later than a time.

    Args:
        recording: the recording.
        text: seconds before the end with a minus sign and a unit, which the monotonic clock counts within the last boot; a local
            time or one with an offset, without its day that of the end; seconds since the epoch behind ``@``; or ``last``.

    Raises:
        UsageError: it is no time, or none that the recording covers.
    """
    moments = recording.moments
    if text in ("", "last", "now"):
        return Chosen(moments[-1])
    if text.startswith("-"):
        return _before_end(recording, _seconds(text))
    at = _wall(text, moments[-1].wall)
    hole = max(_HOLE * recording.spacing_s, _LEAST_HOLE_S)
    found = [
        number
        for number, one in enumerate(moments)
        if one.wall <= at and (number + 1 == len(moments) or at < moments[number + 1].wall)
    ]
    # Only the last moment has none behind it: it stands for its own time, not for all that follows.
    if found and found[-1] == len(moments) - 1 and at - moments[-1].wall > hole:
        found.pop()
    if not found:
        raise UsageError(f"the recording holds {span(recording)}, and not {shown(at)}")
    chosen = moments[found[-1]]
    remarks = []
    if len(found) > 1:
        remarks.append(
            f"the clock was set back: it showed {shown(at)} {len(found)} times, and this is the last of them"
        )
    if at - chosen.wall > hole:
        remarks.append(f"nothing was recorded then: this is {shown(chosen.wall)}, {at - chosen.wall:.0f} s earlier")
    return Chosen(chosen, tuple(remarks))


def before(recording: RecordingReader, moment: MomentEntry, seconds: float | None) -> MomentEntry | None:
    """Return an earlier moment of the same boot to compare with; None if there is none.

    Args:
        recording: the recording.
        moment: the later one.
        seconds: how far they shall be apart; None for the moment before. If there is none that far, the farthest is taken.
    """
    best = None
    for number in range(moment.number - 1, -1, -1):
        one = recording.moments[number]
        if not one.same_boot(moment) or one.monotonic >= moment.monotonic:
            break
        best = one
        if seconds is None or moment.monotonic - one.monotonic >= seconds - recording.spacing_s / 2:
            break
    return best


def span(recording: RecordingReader) -> str:
    """Return from when to when a recording goes."""
    walls = [one.wall for one in recording.moments]
    return f"{shown(min(walls))} to {shown(max(walls))}"


def shown(at: float) -> str:
    """Return a time as a person writes it, in the local time zone."""
    local = time.localtime(at)
    return time.strftime("%Y-%m-%dT%H:%M:%S", local)


def _before_end(recording: RecordingReader, seconds: float) -> Chosen:
    moments = recording.moments
    end = moments[-1]
    for one in reversed(moments):
        # The monotonic clock of another boot has another beginning.
        passed = end.monotonic - one.monotonic if one.same_boot(end) else end.wall - one.wall
        if passed >= seconds:
            hole = max(_HOLE * recording.spacing_s, _LEAST_HOLE_S)
            late = passed - seconds > hole
            remark = f"nothing was recorded {seconds:g} s before the end: this is {passed:.0f} s before it"
            return Chosen(one, (remark,) if late else ())
    raise UsageError(f"the recording holds {span(recording)}: it begins later than {seconds:g} s before its end")


def _seconds(text: str) -> float:
    digits = text[1:].rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text[1 + len(digits) :]
    try:
        number = float(digits)
    except ValueError:
        number = -1.0
    if unit not in _UNITS or not 0 <= number < 1e9:
        raise UsageError(f"'{text}' is no time: {_FORMATS}")
    return number * _UNITS[unit]


def _wall(text: str, end: float) -> float:
    from datetime import datetime, timedelta

    try:
        if text.startswith("@"):
            at = float(text[1:])
        elif text.count(":") in (1, 2) and "-" not in text and "T" not in text:
            last = datetime.fromtimestamp(end)
            day = datetime.fromisoformat(f"{last.date()}T{text.zfill(5) if text.count(':') == 1 else text.zfill(8)}")
            at = (day - timedelta(days=day > last)).timestamp()
        else:
            at = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        at = -1.0
    if not 0 <= at < 253402300800:
        raise UsageError(f"'{text}' is no time: {_FORMATS}")
    return at
