"""A question to the sources: tables, families, states, and the costly parts of a socket."""

from __future__ import annotations

from sockdiag.defaults import SOURCES
from sockdiag.kernel.families import IP_TABLES, OTHER_TABLES
from sockdiag.kernel.tcp_states import ALL_STATES
from sockdiag.model.record import Record, field

# Order of tables in results. Names are the model's netids.
TABLES = (*IP_TABLES, *OTHER_TABLES)

AUTO, NETLINK, PROC = SOURCES

# Parts of a socket that are asked for only on demand (Field.needs).
SKMEM = "skmem"  # INET_DIAG_SKMEMINFO and its likes
TCP_INFO = "tcp_info"  # INET_DIAG_INFO: takes the socket lock, so read apart (kernel lock_sock_fast())
INET = "inet"  # CONG, TOS, TCLASS, VEGASINFO
OWNERS = "owners"  # /proc/*/fd
CGROUP = "cgroup"  # id -> path
DETAILS = "details"  # UNIX_DIAG_VFS and UNIX_DIAG_ICONS
PARTS = frozenset((SKMEM, TCP_INFO, INET, OWNERS, CGROUP, DETAILS))


class Query(Record):
    """A question to the sources.

    Sources apply ``tables``, ``families`` and ``states`` before anything is decoded; ``needs`` names the
    parts, of those above, that the answer must have.
    """

    tables: tuple[str, ...] = field("Tables to read, of TABLES.", default=TABLES)
    families: tuple[str, ...] = field("AF_INET, AF_INET6: which of them for IP tables; empty is both.", default=())
    states: int = field("Mask of 1 << state.", default=ALL_STATES)
    needs: frozenset[str] = field("Parts needed, of the names above.", default=frozenset())
    source: str = field("auto, netlink or proc.", default=AUTO)
    bytecode: bytes = field(
        "INET_DIAG bytecode for the kernel to leave out what is not wanted; the answer may hold more than it lets pass.",
        default=b"",
    )
