"""How bad a loss is: one answer from how much was lost, how much passed and how long it took, for every rule about losses."""

from __future__ import annotations

from sockdiag.judging.case import Threshold
from sockdiag.model.finding import CRITICAL, INFO, SEVERITIES, WARNING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.judging.case import Case, Rule

CRITICAL_SHARE = Threshold(
    "critical_share",
    0.1,
    "TCP gets little through at a loss of a tenth, and most other protocols give up or repeat themselves",
)
CRITICAL_LOST = Threshold(
    "critical_lost", 20, "of fewer events a share is chance: 2 of 10 may be 1 of 20 the next time"
)
CRITICAL_PER_S = Threshold(
    "critical_per_s",
    1000,
    "so many losses are felt by somebody, whatever the share; a tenth of critical_share is required too",
)
WARNING_SHARE = Threshold("warning_share", 0.001, "networks in good order lose less than one packet in a thousand")
WARNING_PER_S = Threshold("warning_per_s", 10, "a loss that goes on, even if it is little of a large amount of traffic")
WARNING_LOST = Threshold("warning_lost", 5, "a single lost packet or two happen on any host")
# Declared by each rule that decides by severity_of().
THRESHOLDS = (CRITICAL_SHARE, CRITICAL_LOST, CRITICAL_PER_S, WARNING_SHARE, WARNING_PER_S, WARNING_LOST)


def severity_of(lost: int, passed: int | None, seconds: float | None, worst: str = CRITICAL) -> str:
    """Return the severity of a loss.

    Args:
        lost: how much was lost or refused.
        passed: how much got through in the same time; None if that is unknown.
        seconds: the time; None if it is unknown.
        worst: the severity that is not exceeded.
    """
    share = share_of(lost, passed)
    per_s = lost / seconds if seconds else 0.0
    found = INFO
    if ((share or 0.0) >= CRITICAL_SHARE.value and lost >= CRITICAL_LOST.value) or (
        per_s >= CRITICAL_PER_S.value and (share is None or share >= CRITICAL_SHARE.value / 10)
    ):
        found = CRITICAL
    elif lost >= WARNING_LOST.value and (share is None or share >= WARNING_SHARE.value or per_s >= WARNING_PER_S.value):
        found = WARNING
    elif lost > 1 and passed == 0:
        found = WARNING  # few packets, and none got through
    return max(found, worst, key=SEVERITIES.index)


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
        Threshold("least", least, "of fewer events a share and a rate are chance"),
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
