"""Look at everything that is judged, in one network namespace."""

from __future__ import annotations

import time

from sockdiag.cli.host import part
from sockdiag.cli.hostwide import DESCRIPTORS
from sockdiag.cli.hostwide import LIMITS as HIDDEN
from sockdiag.errors import SourceError, SourceUnavailable
from sockdiag.model.gap import Gap
from sockdiag.model.look import Look
from sockdiag.model.query import PROC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from sockdiag.cli.session import Session
    from sockdiag.filter.where import Where
    from sockdiag.model.conntrack import Conntrack
    from sockdiag.model.qdisc import Qdisc
    from sockdiag.model.query import Query
    from sockdiag.model.sysctl import Sysctls

    Part = TypeVar("Part")

# Tables whose sockets are judged.
TABLES = ("tcp", "mptcp", "udp", "udplite", "raw", "icmp", "unix", "netlink", "packet")

LIMITS = (
    "net.core.somaxconn", "net.core.rmem_default", "net.core.rmem_max", "net.core.netdev_max_backlog",
    "net.core.mem_pcpu_rsv", "net.ipv4.tcp_mem", "net.ipv4.udp_mem", "net.ipv4.tcp_max_orphans",
    "net.ipv4.tcp_max_tw_buckets", "net.ipv4.tcp_syncookies", "net.ipv4.tcp_tw_reuse", "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports", "net.ipv4.ipfrag_high_thresh", "net.ipv6.ip6frag_high_thresh",
    "fs.file-nr",
)  # fmt: skip


def take(session: Session, query: Query, where: Where | None = None, *, last: bool, rates: bool) -> Look:
    """Look once. Counters come first, so that what happens while sockets are listed counts for the next look.

    Args:
        session: the run.
        query: which sockets.
        where: filter of these.
        last: it is the look that is judged: read limits and processes too.
        rates: two looks are compared: read what only tells by a difference.
    """
    from sockdiag.model.counters import Counters, mib_of
    from sockdiag.model.record import NETNS
    from sockdiag.sources.counters import read_counters
    from sockdiag.sources.proc_net_protocols import read_protocols
    from sockdiag.sources.proc_net_sockstat import read_sockstat, read_sockstat6
    from sockdiag.sources.proc_net_softnet_stat import read_softnet_stat
    from sockdiag.sources.sysctl_net import read_page_size

    files = session.system.files
    absent: dict[str, str] = {}
    at = time.monotonic()
    counters, gaps = read_counters(files)
    for gap in gaps:
        session.note(gap)
    if not session.own:
        counters = Counters({name: n for name, n in counters.values.items() if mib_of(name).scope == NETNS})
    if not counters:
        absent["counters"] = gaps[0].reason if gaps else "there are none"
    softnet = part(session, lambda: read_softnet_stat(files))
    if softnet is None:
        absent["softnet"] = "/proc/net/softnet_stat cannot be read"
    sockets = list(session.sockets(query, where))
    for table in query.tables:
        source = session.sources.get(table)
        if source is None:
            named = [g for g in session.gaps if g.source in (f"netlink:{table}", f"/proc/net/{table}")]
            if named:
                absent[table] = absent[f"skmem:{table}"] = named[0].reason
        elif source == PROC:
            absent[f"skmem:{table}"] = f"/proc/net/{table} does not show buffer sizes"
    descriptors = None
    limits = _limits(session)
    if last:
        descriptors, unseen = session.once((DESCRIPTORS, None))
        absent.update(unseen)
    return Look(
        at, sockets, tables=dict(session.sources), counters=counters, limits=limits,
        sockstat=part(session, lambda: read_sockstat(files)), sockstat6=_optional(lambda: read_sockstat6(files)),
        protocols=part(session, lambda: read_protocols(files)), softnet=softnet, conntrack=_conntrack(session),
        qdiscs=_qdiscs(session) if rates else None, descriptors=descriptors, page_size=read_page_size(files), absent=absent,
    )  # fmt: skip


def _optional(read: Callable[[], Part]) -> Part | None:
    try:
        return read()
    except SourceUnavailable:
        return None


def _limits(session: Session) -> Sysctls:
    """Read the limits; those that only the host's own namespace shows are read there, where it can be found and entered."""
    from sockdiag.model.sysctl import Sysctls
    from sockdiag.sources.sysctl_net import read_sysctls

    files = session.system.files
    found = read_sysctls(files, LIMITS)
    there = session.once((HIDDEN, tuple(found.hidden))) if found.hidden and files.live else {}
    if there:
        missing = {name: why for name, why in found.missing.items() if name not in there}
        still = [name for name in found.hidden if name not in there]
        found = Sysctls({**found.values, **there}, missing, still, found.errors)
    for gap in found.gaps():
        session.note(gap)
    return found


def _conntrack(session: Session) -> Conntrack | None:
    from sockdiag.errors import ParseError
    from sockdiag.sources.proc_stat_nf_conntrack import read_nf_conntrack_stat

    try:
        return read_nf_conntrack_stat(session.system.files)
    except SourceUnavailable:
        return None  # not loaded: nothing is tracked
    except (SourceError, ParseError) as error:
        session.note(Gap.from_error(error))
        return None


def _qdiscs(session: Session) -> list[Qdisc] | None:
    if not session.system.files.live:
        return None
    from sockdiag.sources.rtnetlink_qdisc import read_qdiscs

    return part(session, read_qdiscs)
