"""Severity follows size: how much was lost, of how much, how fast, and how much of a limit is in use."""

from __future__ import annotations

from sockdiag.model.finding import CRITICAL, INFO, WARNING

# Fewer lost packets than this are never critical: a single burst, or a moment's pause of the reader.
FEW = 10
# Applications notice from about 1 % on; at 5 % TCP and every request protocol over UDP are unusable.
CRITICAL_SHARE = 0.05
# Below it a loss is within what networks and UDP protocols are built for.
NEGLIGIBLE_SHARE = 0.001
# So many a second are an outage for somebody even where the share is small or not known.
CRITICAL_PER_S = 100.0


def loss_severity(lost: float, seconds: float | None, offered: float | None = None) -> str:
    """Return how bad a loss is.

    Args:
        lost: how many packets, segments or bytes' worth of them were lost or refused.
        seconds: in which time; None where it is unknown, which leaves the share.
        offered: how many there were in all, the lost ones among them; None where it is unknown. A number for more than
            the one in question (the namespace for one of its sockets) makes the share a lower bound.
    """
    share = lost / offered if offered else None
    per_s = lost / seconds if seconds else 0.0
    if lost < FEW:
        return INFO if share is not None and share < NEGLIGIBLE_SHARE else WARNING
    if per_s >= CRITICAL_PER_S or (share is not None and share >= CRITICAL_SHARE):
        return CRITICAL
    return INFO if share is not None and share < NEGLIGIBLE_SHARE else WARNING


def stuck_severity(ratio: float | None) -> str:
    """Return how bad it is that something waits and nothing moves, by the share of the limit that it takes.

    Nothing is lost yet: it is never critical. Where the limit is unknown it is a warning.
    """
    return WARNING if ratio is None or ratio >= 0.5 else INFO
