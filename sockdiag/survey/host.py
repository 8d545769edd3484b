"""Read what belongs to the host or namespace rather than to a socket, each part with its gaps."""

from __future__ import annotations

from sockdiag.errors import ParseError, SourceError, SourceUnavailable
from sockdiag.model.provenance import Gap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from sockdiag.analysis.memory import ProtocolMemory
    from sockdiag.model.sysctl import Sysctls
    from sockdiag.survey.session import Session

    Part = TypeVar("Part")

_MEMORY_LIMITS = ("net.ipv4.tcp_mem", "net.ipv4.udp_mem", "net.sctp.sctp_mem", "net.core.mem_pcpu_rsv")


def part(
    session: Session, read: Callable[[], Part], absent: dict[str, str] | None = None, *, optional: bool = False
) -> Part | None:
    """Read one part of what is to be known.

    Args:
        session: the run; what cannot be read is noted as a gap.
        read: reads it.
        absent: takes the reason too, by source.
        optional: that it is not there is no gap.
    """
    try:
        found = read()
    except (SourceError, ParseError) as error:
        if not (optional and isinstance(error, SourceUnavailable)):
            gap = Gap.from_error(error)
            session.note(gap)
            if absent is not None:
                absent[gap.source] = gap.reason
        return None
    for problem in getattr(found, "errors", ()):
        session.note(problem if isinstance(problem, Gap) else Gap.from_error(problem))
    return found


def sysctls(session: Session, names: tuple[str, ...] | None = None) -> Sysctls:
    """Read sysctls, all that are known where *names* is None."""
    from sockdiag.sources.proc.sys_net import read_sysctls

    files = session.system.files
    found = read_sysctls(files) if names is None else read_sysctls(files, names)
    for gap in found.gaps():
        session.note(gap)
    return found


def outer_sysctls(session: Session, names: tuple[str, ...]) -> Sysctls:
    """Read sysctls; those that only the host's own namespace shows are read there, where it can be found and entered."""
    from sockdiag.model.sysctl import Sysctls
    from sockdiag.sources.proc.sys_net import read_sysctls
    from sockdiag.survey.host_cache import LIMITS

    files = session.system.files
    found = read_sysctls(files, names)
    there = session.once((LIMITS, tuple(found.hidden))) if found.hidden and files.live else {}
    if there:
        missing = {name: why for name, why in found.missing.items() if name not in there}
        still = [name for name in found.hidden if name not in there]
        found = Sysctls({**found.values, **there}, missing, still, found.errors)
    for gap in found.gaps():
        session.note(gap)
    return found


def kernel_version(session: Session) -> tuple[int, int] | None:
    """Return major and minor version of the system's kernel."""
    from sockdiag.model.sysctl import release_version

    return release_version(session.seen().host.kernel)


def protocol_memory(session: Session) -> list[ProtocolMemory]:
    """Compare the memory of each protocol with its limits."""
    from sockdiag.analysis.memory import protocol_memory as compare
    from sockdiag.sources.proc.net_protocols import read_protocols
    from sockdiag.sources.proc.net_sockstat import read_sockstat
    from sockdiag.sources.proc.sys_net import read_page_size

    files = session.system.files
    return compare(
        part(session, lambda: read_sockstat(files)),
        part(session, lambda: read_protocols(files)),
        outer_sysctls(session, _MEMORY_LIMITS),
        read_page_size(files),
        _cpus(session),
    )


def _cpus(session: Session) -> int | None:
    # One line a CPU that is online.
    from sockdiag.sources.proc.net_softnet_stat import read_softnet_stat

    rows = part(session, lambda: read_softnet_stat(session.system.files))
    return len(rows) if rows else None
