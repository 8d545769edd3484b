"""Make the commands in advice about another network namespace act there."""

from __future__ import annotations

from shlex import quote

from sockdiag.model.record import NETNS
from sockdiag.model.sysctl_table import SYSCTLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.judging.case import Hit
    from sockdiag.model.finding import Advice

# Programs that act on the network namespace that they run in.
_PROGRAMS = ("ip", "ping", "tc", "ethtool", "nft", "nstat", "ss", "tcpdump")


def advise_there(hit: Hit, place: str) -> Hit:
    """Make the commands in the advice of a finding act in another network namespace.

    Args:
        hit: a finding about that namespace.
        place: the namespace as --netns takes it: a name, a process id, or a path.
    """
    advice = tuple(_there(one, place) for one in hit.finding.advice)
    return hit if advice == hit.finding.advice else hit.changed(hit.finding._replace(advice=advice))


def _there(advice: Advice, place: str) -> Advice:
    if advice.command is None:
        return advice
    return advice._replace(command="; ".join(_entered(part, place) for part in advice.command.split("; ")))


def _entered(command: str, place: str) -> str:
    program, _, rest = command.partition(" ")
    if program == "sockdiag":
        return f"{command} --netns {quote(place)}"
    if program == "sysctl":
        sysctl = SYSCTLS.get(rest.removeprefix("-w ").partition("=")[0])
        # A sysctl of the host cannot be written in another namespace.
        if sysctl is None or sysctl.scope != NETNS:
            return command
    elif program not in _PROGRAMS:
        return command
    if "/" in place:
        return f"nsenter --net={quote(place)} {command}"
    return f"nsenter -t {place} -n {command}" if place.isdecimal() else f"ip netns exec {quote(place)} {command}"
