"""How far long work is, told by those who do it to whoever watches; to nobody, at the cost of a call, by default."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Watcher = Callable[[str, int, int], None]

# Where somebody watches, waiting is cut into pieces of so many seconds.
PIECE_S = 0.2

_watcher: Watcher | None = None


def watch(watcher: Watcher | None) -> None:
    """Let a function be told of every step: what is counted, how many are done, and of how many (0: unknown)."""
    global _watcher
    _watcher = watcher


def watched() -> bool:
    """Tell whether somebody watches, so that waiting may be cut into pieces."""
    return _watcher is not None


def step(what: str, done: int, total: int = 0) -> None:
    """Tell that *done* of *total* are done; 0 where the total is not known."""
    if _watcher is not None:
        _watcher(what, done, total)


def pause(seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
    """Sleep, and tell of it."""
    if _watcher is None:
        time.sleep(max(0.0, seconds))
        return
    begin = clock()
    while (left := begin + seconds - clock()) > 0:
        _watcher("seconds of the interval", int(seconds - left), round(seconds))
        time.sleep(min(left, PIECE_S))
