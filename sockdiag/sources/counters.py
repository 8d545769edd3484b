"""All counters of a system at one moment, from every file that has some."""

from __future__ import annotations

from sockdiag.errors import ParseError, SourceError, SourceUnavailable
from sockdiag.model.counters import Counters, counters_of
from sockdiag.model.gap import Gap
from sockdiag.sources.proc_net_dev import read_dev
from sockdiag.sources.proc_net_netstat import read_netstat
from sockdiag.sources.proc_net_snmp import read_snmp
from sockdiag.sources.proc_net_snmp6 import read_snmp6
from sockdiag.sources.proc_net_softnet_stat import read_softnet_stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.sources._procroot import ProcRoot

# Without IPv6 there is no snmp6, and nothing is missing.
_OPTIONAL = ("/proc/net/snmp6",)


def read_counters(files: ProcRoot) -> tuple[Counters, list[Gap]]:
    """Read the MIBs, the devices' and the CPUs' counters.

    Source: ``/proc/net/{snmp,snmp6,netstat,dev,softnet_stat}``.

    Returns:
        The counters, and what could not be read.
    """
    found = Counters({})
    gaps: list[Gap] = []
    readers: tuple[Callable[[], Counters], ...] = (
        lambda: read_snmp(files),
        lambda: read_netstat(files),
        lambda: read_snmp6(files),
        lambda: counters_of("dev", read_dev(files)),
        lambda: counters_of("softnet_stat", read_softnet_stat(files)),
    )
    for read in readers:
        try:
            found = found.joined(read())
        except (SourceError, ParseError) as error:
            gap = Gap.from_error(error)
            if not (isinstance(error, SourceUnavailable) and gap.source in _OPTIONAL):
                gaps.append(gap)
    gaps += [Gap.from_error(error) for error in found.errors]
    return found, gaps
