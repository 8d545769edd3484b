"""Severity follows size: how much was lost, of how much, how fast, and how much of a limit is in use.

Every rule about losses asks :func:`severity_of`, and every rule about queues that nobody serves :func:`stuck_severity`, so
that the same is as bad wherever it is found.
"""

from __future__ import annotations

from sockdiag.judging.case import Threshold
from sockdiag.model.finding import CRITICAL, INFO, SEVERITIES, WARNING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.judging.case import Case, Rule

CRITICAL_SHARE = Threshold(
    "critical_share",
    0.05,
    "applications notice a loss of 1 %; at 5 % TCP and request protocols over UDP are unusable",
)
CRITICAL_LOST = Threshold("critical_lost", 10, "fewer may be a single burst, or a short pause of the reader")
CRITICAL_PER_S = Threshold(
    "critical_per_s",
    100,
    "so many losses are an outage for some clients, unless their share is below a tenth of critical_share",
)
WARNING_SHARE = Threshold("warning_share", 0.001, "healthy networks lose less than one packet in a thousand")
WARNING_PER_S = Threshold("warning_per_s", 10, "a steady loss, even if it is a small share of much traffic")
WARNING_LOST = Threshold("warning_lost", 5, "any host loses a packet or two")
# Declared by each rule that decides by severity_of().
THRESHOLDS = (CRITICAL_SHARE, CRITICAL_LOST, CRITICAL_PER_S, WARNING_SHARE, WARNING_PER_S, WARNING_LOST)

# From that share of a limit on it is more than a note that something waits and nothing moves; from the smaller one, if it
# has lasted longer than processes work in batches.
_HALF = 0.5
_QUARTER = 0.25


def severity_of(lost: int, passed: int | None, seconds: float | None, worst: str = CRITICAL) -> str:
    """Return how bad a loss is.

    Args:
        lost: how many packets, connections or requests were lost or refused.
        passed: how many got through in the same time; None if that is unknown. A number of more than the one in question
            (the namespace for one of its sockets) makes the share a lower bound.
        seconds: the time; None if it is unknown, which leaves the share.
        worst: the severity that is not exceeded.
    """
    share = share_of(lost, passed)
    per_s = lost / seconds if seconds else 0.0
    found = INFO
    if lost >= CRITICAL_LOST.value and (
        (share or 0.0) >= CRITICAL_SHARE.value
        or (per_s >= CRITICAL_PER_S.value and (share is None or share >= CRITICAL_SHARE.value / 10))
    ):
        found = CRITICAL
    elif lost >= WARNING_LOST.value and (share is None or share >= WARNING_SHARE.value or per_s >= WARNING_PER_S.value):
        found = WARNING
    elif lost > 1 and passed == 0:
        found = WARNING  # few packets, and none got through
    return max(found, worst, key=SEVERITIES.index)


def stuck_severity(ratio: float, *, lasting: bool) -> str:
    """Return how bad it is that something waits and nothing moves. Nothing is lost yet: it is never critical.

    Args:
        ratio: the share of the limit that it takes.
        lasting: it has waited for longer than processes that work in batches let anything wait.
    """
    return WARNING if ratio >= (_QUARTER if lasting else _HALF) else INFO


def share_of(lost: int, passed: int | None) -> float | None:
    """Return the share that was lost, None if it is unknown how much got through."""
    if passed is None or lost <= 0:
        return None
    return lost / (lost + max(0, passed))


def guard(least: float, per_s: float, share: float, healthy: str) -> tuple[Threshold, ...]:
    """Declare the volume below which a counter that moves on healthy hosts is not judged.

    Args:
        least: events between the samples.
        per_s: events per second.
        share: events among what passed and what did not.
        healthy: what makes the counter move on a healthy host.
    """
    return (
        Threshold("least", least, "with fewer events a share or a rate is chance"),
        Threshold("per_s", per_s, healthy),
        Threshold("share", share, healthy),
    )


def beyond_guard(case: Case, rule: Rule, lost: int, passed: int | None) -> bool:
    """Return whether a loss exceeds the volume that :func:`guard` declared; an unknown amount of traffic does not excuse it."""
    share = share_of(lost, passed)
    return (
        lost >= case.threshold(rule, "least")
        and (case.rate(lost) or 0.0) >= case.threshold(rule, "per_s")
        and (share is None or share >= case.threshold(rule, "share"))
    )
