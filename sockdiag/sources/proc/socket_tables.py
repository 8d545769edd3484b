"""Read each table from the file of /proc/net that lists it."""

from __future__ import annotations

from errno import ENOENT

from sockdiag.errors import ParseError, SourceError, SourceTruncated, SourceUnavailable
from sockdiag.kernel.families import IP_TABLES, OTHER_TABLES
from sockdiag.sources.system.interfaces import interface_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.model.query import Query
    from sockdiag.sources.reading import Reading
    from sockdiag.sources.system.machine import System
    from sockdiag.sources.system.proc_root import ProcRoot

# netid -> function of sources.proc.inet; all take (files, names, states).
_INET = {"tcp": "read_tcp", "udp": "read_udp", "udplite": "read_udp", "raw": "read_raw", "icmp": "read_raw"}

# Tables whose protocol never calls sock_prot_inuse_add(): net/vmw_vsock/af_vsock.c.
_UNCOUNTED = frozenset(("vsock",))

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
        from sockdiag.sources.proc import inet

        names = _names(table, query.families)
        reading = getattr(inet, _INET[table])(files, names, query.states)
        return _judged_inet(reading, files, table, len(names))
    if table == "unix":
        from sockdiag.sources.proc.net_unix import read_unix

        reading = read_unix(files, query.states)
    elif table == "netlink":
        from sockdiag.sources.proc.net_netlink import read_netlink

        reading = read_netlink(files)
    elif table == "packet":
        from sockdiag.sources.proc.net_packet import read_packet

        reading = read_packet(files, interface_names(files), query.states)
    else:
        raise SourceUnavailable(f"/proc/net/{table}", "no file of /proc lists this table")
    if not reading.sockets and reading.errors and isinstance(reading.errors[0], SourceError):
        raise reading.errors[0]
    return reading


def _names(table: str, families: tuple[str, ...]) -> list[str]:
    names = {"AF_INET": table, "AF_INET6": table + "6"}
    return [name for family, name in names.items() if not families or family in families]


def _judged_inet(reading: Reading, files: ProcRoot, table: str, asked: int) -> Reading:
    # A kernel without IPv6 is no failure. If no file at all could be read, the caller must know.
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
    """Find the tables for which the kernel has registered a protocol that counts its sockets, and counts any.

    Source: ``/proc/net/protocols``, columns protocol and sockets; per namespace.

    Returns:
        netids; those that every kernel has where the file cannot be read.
    """
    from sockdiag.sources.proc.net_protocols import read_used

    try:
        used = read_used(system.files)
    except (SourceError, ParseError):
        return _EVERY_KERNEL
    return frozenset(netid for netid, names in _protos().items() if any(name in used for name in names))


def uncounted(system: System, table: str) -> bool:
    """Return whether a table may have sockets that its protocol does not count: it is registered."""
    from sockdiag.sources.proc.net_protocols import read_protocols

    if table not in _UNCOUNTED:
        return False
    try:
        rows = read_protocols(system.files)
    except (SourceError, ParseError):
        return True
    return any(row.name in _protos()[table] for row in rows)


def _protos() -> dict[str, tuple[str, ...]]:
    return {
        **{netid: protocol.protos for netid, protocol in IP_TABLES.items()},
        **{netid: family.protos for netid, family in OTHER_TABLES.items() if netid is not None},
    }
