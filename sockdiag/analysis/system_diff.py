"""Compare counters and sysctls of two systems, as far as they can be compared."""

from __future__ import annotations

from sockdiag.model.counter_table import class_of
from sockdiag.model.counters import Counters, mib_of
from sockdiag.model.difference import ComparedSide, CounterDifference, LimitDifference
from sockdiag.model.record import HOST
from sockdiag.model.sysctl_table import SYSCTLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sockdiag.model.sysctl import Sysctls

OTHER_HOST = "of another host"
UNKNOWN_HOST = "of another boot, or another host"
REBOOTED = "the host was booted in between"
UNKNOWN_BOOT = "whether the host was booted in between is not known: a boot id is missing"
OTHER_NAMESPACE = "of another network namespace"

# Levels that stand among the settings: they change all the time.
_LEVELS = ("fs.file-nr", "net.netfilter.nf_conntrack_count")
# Integers beyond this are not exact in JSON.
_EXACT = 1 << 53


def apart(before: ComparedSide, after: ComparedSide) -> str:
    """Return why counters, cookies and process ids of two sides cannot be compared; "" if they can."""
    if before.boot_id is not None and after.boot_id is not None:
        if before.boot_id == after.boot_id:
            return ""
        hosts = {before.hostname, after.hostname}
        return REBOOTED if len(hosts) == 1 and None not in hosts else OTHER_HOST if None not in hosts else UNKNOWN_HOST
    if None not in (before.hostname, after.hostname) and before.hostname != after.hostname:
        return OTHER_HOST
    return UNKNOWN_BOOT


def compare_counters(
    before: Counters, after: Counters, *, apart: str, netns_differ: bool, seconds: float | None
) -> Iterator[CounterDifference]:
    """Yield the counters whose values differ.

    Args:
        before: those of A.
        after: those of B.
        apart: why they cannot be subtracted, or "".
        netns_differ: they are of different network namespaces, so that only those of the host can be subtracted.
        seconds: time in between, if known. If it is negative, B was taken before A.
    """
    swapped = seconds is not None and seconds < 0
    first, second = (after, before) if swapped else (before, after)
    changes = {change.name: change for change in second.since(first)}
    for name in (*after, *(name for name in before if name not in after)):
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        scope = mib_of(name).scope
        reason = apart or (OTHER_NAMESPACE if netns_differ and scope != HOST else "")
        change = changes.get(name)
        delta = None
        if was is None or now is None:
            reason = "only in B" if was is None else "only in A"
        elif not reason and change is not None:
            delta, reason = change.value, change.reason
            if swapped and delta is not None:
                delta = -delta
        per_s = None if delta is None or not seconds else delta / seconds
        yield CounterDifference(name, was, now, delta, per_s, class_of(name), scope, reason)


def compare_limits(before: Sysctls, after: Sysctls) -> tuple[list[LimitDifference], list[str]]:
    """Return the sysctls that differ, and the names of those that only one side shows."""
    found, lacking = [], []
    for name in dict.fromkeys((*before.values, *after.values)):
        if name in _LEVELS:
            continue
        if name not in before or name not in after:
            lacking.append(name)
            continue
        was, now = before.get(name), after.get(name)
        if was != now:
            unit = SYSCTLS[name].unit if name in SYSCTLS else ""
            found.append(LimitDifference(name, unit, _exact(was), _exact(now)))
    return found, lacking


def _exact(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_exact, value))
    return str(value) if isinstance(value, int) and value > _EXACT else value
