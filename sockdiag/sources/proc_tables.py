"""Which file of /proc/net lists which table."""

from __future__ import annotations

from sockdiag.errors import ParseError, SourceError, SourceUnavailable
from sockdiag.kernel.proto_ops import PROTO_NAMES
from sockdiag.sources.interfaces import interface_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockdiag.model.query import Query
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
    if table in _INET:
        module, function = _INET[table]
        names = _names(table, query.families)
        reading: Reading = getattr(_module(module), function)(files, names, query.states)
    elif table == "unix":
        reading = _module("proc_net_unix").read_unix(files, query.states)
    elif table == "netlink":
        reading = _module("proc_net_netlink").read_netlink(files)
    elif table == "packet":
        reading = _module("proc_net_packet").read_packet(files, interface_names(files), query.states)
    else:
        raise SourceUnavailable(f"/proc/net/{table}", "no file of /proc lists this table")
    return _judged(reading)


def _names(table: str, families: tuple[str, ...]) -> list[str]:
    names = {"AF_INET": table, "AF_INET6": table + "6"}
    return [name for family, name in names.items() if not families or family in families]


def _module(name: str) -> Any:
    return __import__(f"sockdiag.sources.{name}", fromlist=[name])


def _judged(reading: Reading) -> Reading:
    # Nothing at all could be read: that is the caller's to know. One of two files absent: a kernel without IPv6.
    failed = [e for e in reading.errors if isinstance(e, SourceError)]
    if not failed:
        return reading
    if not reading.sockets and len(failed) == len(reading.errors):
        raise failed[0]
    kept = [e for e in reading.errors if isinstance(e, ParseError) or not isinstance(e, SourceUnavailable)]
    return reading._replace(errors=tuple(kept))


def protocols_in_use(system: System) -> frozenset[str] | None:
    """Tell for which tables the kernel has registered a protocol that counts its sockets, and counts any.

    Source: ``/proc/net/protocols``, columns protocol and sockets; per namespace.

    Returns:
        netids, or None where the file cannot be read.
    """
    from sockdiag.sources.proc_net_protocols import read_protocols

    try:
        used = {row.name for row in read_protocols(system.files) if row.sockets}
    except (SourceError, ParseError):
        return None
    return frozenset(table for table, names in PROTO_NAMES.items() if any(name in used for name in names))
