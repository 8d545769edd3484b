"""Read facts about the host or the namespace rather than a socket. A fact that cannot be read becomes a gap."""

from __future__ import annotations

from sockdiag.errors import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockdiag.analysis.memory import ProtocolMemory
    from sockdiag.model.provenance import Gap
    from sockdiag.model.sample import Sample
    from sockdiag.model.sysctl import Sysctls
    from sockdiag.survey.reader import SystemReader

# PROC_PID_INIT_INO, include/linux/proc_ns.h: the initial PID namespace.
_FIRST_PIDNS = 0xEFFFFFFC

_SCTP_LIMITS = ("net.sctp.sctp_mem",)
_MEMORY_LIMITS = ("net.ipv4.tcp_mem", "net.ipv4.udp_mem", *_SCTP_LIMITS, "net.core.mem_pcpu_rsv")


def sysctls(survey: SystemReader, names: tuple[str, ...] | None = None) -> Sysctls:
    """Read sysctls; all known ones if *names* is None."""
    from sockdiag.sources.proc.sys_net import read_sysctls

    files = survey.system.files
    found = read_sysctls(files) if names is None else read_sysctls(files, names)
    for gap in found.gaps():
        survey.note(gap)
    return found


def outer_sysctls(survey: SystemReader, names: tuple[str, ...]) -> Sysctls:
    """Read sysctls, those that only the host's own namespace shows from there, if it can be found and entered."""
    from sockdiag.model.sysctl import Sysctls
    from sockdiag.sources.proc.sys_net import read_sysctls

    files = survey.system.files
    found = read_sysctls(files, names)
    there = survey.host.limits(tuple(found.hidden)) if found.hidden else {}
    if there:
        missing = {name: why for name, why in found.missing.items() if name not in there}
        still = [name for name in found.hidden if name not in there]
        found = Sysctls({**found.values, **there}, missing, still, found.errors)
    for gap in found.gaps():
        survey.note(gap)
    return found


def kernel_version(survey: SystemReader) -> tuple[int, int] | None:
    """Return major and minor version of the system's kernel."""
    from sockdiag.model.sysctl import release_version

    return release_version(survey.provenance().host.kernel)


def protocol_memory(survey: SystemReader, sample: Sample | None = None) -> list[ProtocolMemory]:
    """Compare the memory of each protocol with its limits.

    Args:
        survey: reads the system.
        sample: a sample that was just taken; only what it lacks is read.
    """
    from sockdiag.analysis.memory import protocol_memory as compare
    from sockdiag.model.sysctl import Sysctls
    from sockdiag.sources.proc.net_protocols import read_protocols
    from sockdiag.sources.proc.net_sockstat import read_sockstat
    from sockdiag.sources.proc.sys_net import read_page_size

    files = survey.system.files
    if sample is None:
        return compare(
            survey.attempt(lambda: read_sockstat(files)),
            survey.attempt(lambda: read_protocols(files)),
            outer_sysctls(survey, _MEMORY_LIMITS),
            read_page_size(files),
            _cpus(survey),
        )
    limits = sample.limits
    if any(row.name.startswith("SCTP") for row in sample.protocols or ()):
        more = outer_sysctls(survey, _SCTP_LIMITS)
        limits = Sysctls({**limits.values, **more.values}, {**limits.missing, **more.missing})
    cpus = len(sample.softnet) if sample.softnet else None
    return compare(sample.sockstat, sample.protocols, limits, sample.page_size, cpus)


def _cpus(survey: SystemReader) -> int | None:
    # One line per online CPU.
    from sockdiag.sources.proc.net_softnet_stat import read_softnet_stat

    rows = survey.attempt(lambda: read_softnet_stat(survey.system.files))
    return len(rows) if rows else None


def unseen_processes(survey: SystemReader, gaps: Iterable[Gap]) -> str:
    """Return why the process that holds a socket may not be found; "" if every process can be looked into."""
    for gap in gaps:
        return f"{gap.reason}{f' ({gap.hint})' if gap.hint else ''}"
    try:
        if survey.system.files.live and survey.system.files.inode("/proc/self/ns/pid") != _FIRST_PIDNS:
            return "processes outside this PID namespace are not visible (run on the host)"
    except SourceError:
        pass
    return ""
