"""Locked sockets: one guard as long as the program runs, and no question that would hang behind them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.netlink.tcp_info_guard import GuardedTransport
    from sockdiag.sources.system.machine import System
    from sockdiag.survey.reader import SystemReader


def guard_of(system: System) -> GuardedTransport:
    """Return what asks for tcp_info as long as the program runs: what was found locked is not waited for again."""
    if system.guard is None:
        from sockdiag.sources.netlink.tcp_info_guard import GuardedTransport

        system.guard = GuardedTransport(system.netlink)
    return system.guard


def unblocked(survey: SystemReader) -> None:
    """Make certain that the kernel answers while a process waits for a locked socket.

    Raises:
        SourceUnavailable: it does not, and a question would hang until the socket is unlocked.
    """
    guard = survey.system.guard
    if guard is not None:
        guard.check()
