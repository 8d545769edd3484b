"""Progress of long work: the code that does it reports steps to a watcher. Without one, a report costs one call."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Watcher = Callable[[str, int, int], None]

# With a watcher, waiting is divided into periods of this many seconds.
PIECE_S = 0.2

_watcher: Watcher | None = None
_listener: Callable[[str], None] | None = None


def watch(watcher: Watcher | None) -> None:
    """Call a function at every step, with what is counted, how many are done, and the total (0: unknown)."""
    global _watcher
    _watcher = watcher


def watched() -> bool:
    """Return whether there is a watcher, so that waiting should be divided into periods."""
    return _watcher is not None


def step(what: str, done: int, total: int = 0) -> None:
    """Report that *done* of *total* are done; the total is 0 if it is unknown."""
    if _watcher is not None:
        _watcher(what, done, total)


def listen(listener: Callable[[str], None] | None) -> None:
    """Call a function with each remark on the work, which the answer does not depend on."""
    global _listener
    _listener = listener


def tell(remark: str) -> None:
    """Make a remark on the work."""
    if _listener is not None:
        _listener(remark)


def pause(
    seconds: float, within: tuple[float, float] | None = None, *, clock: Callable[[], float] = time.monotonic
) -> None:
    """Sleep, and report progress.

    Args:
        seconds: how long.
        within: begin and end, on the clock, of the interval that this pause is a part of; by default the pause itself.
        clock: tells the time.
    """
    if _watcher is None:
        time.sleep(max(0.0, seconds))
        return
    end = clock() + seconds
    first, last = within or (end - seconds, end)
    while (left := end - clock()) > 0:
        _watcher("seconds of the interval", int(end - left - first), round(last - first))
        time.sleep(min(left, PIECE_S))
