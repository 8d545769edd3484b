"""When two samples and the probes between them are taken."""

from __future__ import annotations

import time

from sockdiag.survey.workers import Pause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# When probes are taken, in parts of the interval. The gaps differ, so that a queue that fills and empties regularly does
# not show the same phase each time and look like a trend.
_PROBES = (0.11, 0.29, 0.52, 0.71)
# After so many probes queues that have not changed seem to stand.
STANDING_AFTER = 2
# A probe that would be later than its time by more than this part of the interval is left out: many namespaces take turns.
_LATE = 0.08
# What is left of the interval after a probe that only had to be taken because there were none.
_AFTER_PROBE = 0.3


def probed(at: float, interval: float, probe: Callable[[], None], standing: Callable[[], None]) -> Iterator[Pause]:
    """Pause from one sample until the next is due, and take probes in between.

    Args:
        at: time of the first sample.
        interval: seconds until the second.
        probe: takes a probe.
        standing: called when enough probes have been taken to show which queues stand.
    """
    end = at + interval
    whole = (at, end)
    taken = 0
    for part in _PROBES:
        due = at + part * interval
        if time.monotonic() <= due:
            yield Pause(due, whole)
        now = time.monotonic()
        # On a busy host a late probe is better than none.
        if now <= due + _LATE * interval or (taken < STANDING_AFTER and now <= end - _AFTER_PROBE * interval):
            probe()
            taken += 1
            if taken == STANDING_AFTER:
                standing()
    if taken < STANDING_AFTER:
        probe()
        standing()
        end = max(end, time.monotonic() + _AFTER_PROBE * interval)
    yield Pause(end, whole)
