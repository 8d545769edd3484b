"""Which file of /proc/net lists which table."""

from __future__ import annotations

from errno import ENOENT

from sockdiag.errors import ParseError, SourceError, SourceTruncated, SourceUnavailable
from sockdiag.kernel.proto_ops import PROTO_NAMES
from sockdiag.sources.interfaces import interface_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockdiag.model.query import Query
    from sockdiag.sources._procroot import ProcRoot
    from sockdiag.sources.reading import Reading
    from sockdiag.sources.system import System

# netid -> (module, function); all take (files, names, states) but the last three, which have one file each.
_INET = {
    "tcp": ("proc_net_tcp", "read_tcp"),
    "udp": ("proc_net_udp", "read_udp"),
    "udplite": ("proc_net_udp", "read_udp"),
    "raw": ("proc_net_raw", "read_raw"),
    "icmp": ("proc_net_raw", "read_raw"),
}


_EVERY_KERNEL = frozenset(("tcp", "udp", "raw", "unix", "netlink", "packet"))


def read(system: System, table: str, query: Query) -> Reading:
    """Read one table from /proc/net.

    Args:
        system: the system.
        table: netid of the table.
        query: which families and states of it.

    Raises:
        SourceUnavailable: no file lists it.
        SourceDenied: its file may not be read.
    """
    files = system.files
    reading: Reading
    if table in _INET:
        module, function = _INET[table]
        names = _names(table, query.families)
        reading = getattr(_module(module), function)(files, names, query.states)
        return _judged_inet(reading, files, table, len(names))
    if table == "unix":
        reading = _module("proc_net_unix").read_unix(files, query.states)
    elif table == "netlink":
        reading = _module("proc_net_netlink").read_netlink(files)
    elif table == "packet":
        reading = _module("proc_net_packet").read_packet(files, interface_names(files), query.states)
    else:
        raise SourceUnavailable(f"/proc/net/{table}", "no file of /proc lists this table")
    if not reading.sockets and reading.errors and isinstance(reading.errors[0], SourceError):
        raise reading.errors[0]
    return reading


def _names(table: str, families: tuple[str, ...]) -> list[str]:
    names = {"AF_INET": table, "AF_INET6": table + "6"}
    return [name for family, name in names.items() if not families or family in families]


def _module(name: str) -> Any:
    return __import__(f"sockdiag.sources.{name}", fromlist=[name])


def _judged_inet(reading: Reading, files: ProcRoot, table: str, asked: int) -> Reading:
    # That a kernel has no IPv6 is no failure. Where no file could be read the caller is to know.
    kept = tuple(e for e in reading.errors if not _without_ipv6(e, files, table))
    failed = [e for e in kept if isinstance(e, SourceError) and not isinstance(e, SourceTruncated)]
    if failed and len(failed) == asked - (len(reading.errors) - len(kept)):
        raise failed[0]
    return reading._replace(errors=kept)


def _without_ipv6(error: SourceError | ParseError, files: ProcRoot, table: str) -> bool:
    if not isinstance(error, SourceUnavailable) or error.errno != ENOENT or not error.source.endswith("6"):
        return False
    try:
        return table in files.names("/proc/net")
    except SourceError:
        return False


def protocols_in_use(system: System) -> frozenset[str]:
    """Tell for which tables the kernel has registered a protocol that counts its sockets, and counts any.

    Source: ``/proc/net/protocols``, columns protocol and sockets; per namespace.

    Returns:
        netids; those that every kernel has where the file cannot be read.
    """
    from sockdiag.sources.proc_net_protocols import read_protocols

    try:
        used = {row.name for row in read_protocols(system.files) if row.sockets}
    except (SourceError, ParseError):
        return _EVERY_KERNEL
    return frozenset(table for table, names in PROTO_NAMES.items() if any(name in used for name in names))
