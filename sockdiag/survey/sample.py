"""Look at everything that is judged, in one network namespace."""

from __future__ import annotations

import time

from sockdiag.model.query import PROC
from sockdiag.model.sample import Look
from sockdiag.survey.host import outer_sysctls, part
from sockdiag.survey.host_cache import CGROUPS, DESCRIPTORS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.filter.where import Where
    from sockdiag.model.provenance import Gap
    from sockdiag.model.qdisc import Qdisc
    from sockdiag.model.query import Query
    from sockdiag.survey.session import Session

# Tables whose sockets are judged.
TABLES = ("tcp", "mptcp", "udp", "udplite", "raw", "icmp", "unix", "netlink", "packet")

LIMITS = (
    "net.core.somaxconn",
    "net.core.rmem_default",
    "net.core.rmem_max",
    "net.core.netdev_max_backlog",
    "net.core.mem_pcpu_rsv",
    "net.ipv4.tcp_mem",
    "net.ipv4.udp_mem",
    "net.ipv4.tcp_max_orphans",
    "net.ipv4.tcp_max_tw_buckets",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ipfrag_high_thresh",
    "net.ipv6.ip6frag_high_thresh",
    "fs.file-nr",
)


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
    from sockdiag.sources.proc.mib import read_counters
    from sockdiag.sources.proc.net_protocols import read_protocols
    from sockdiag.sources.proc.net_sockstat import read_sockstat, read_sockstat6
    from sockdiag.sources.proc.net_softnet_stat import read_softnet_stat
    from sockdiag.sources.proc.net_stat_nf_conntrack import read_nf_conntrack_stat
    from sockdiag.sources.proc.sys_net import read_page_size

    files = session.system.files
    absent: dict[str, str] = {}
    at = time.monotonic()
    counters, gaps = read_counters(files)
    told = {mib_of(name).source for name in counters}
    for gap in gaps:
        session.note(gap)
        if gap.source not in told:
            absent[gap.source] = gap.reason
    if not session.own:
        counters = Counters({name: n for name, n in counters.values.items() if mib_of(name).scope == NETNS})
    softnet = part(session, lambda: read_softnet_stat(files), absent)
    sockets = list(session.sockets(query, where))
    for table in query.tables:
        source = session.sources.get(table)
        lacking = next((gap for gap in session.gaps if table in _tables(gap)), None)
        if source is None and lacking is not None:
            absent[table] = absent[f"skmem:{table}"] = lacking.reason
        elif lacking is not None:
            absent[f"some {table}"] = lacking.reason
        if source == PROC:
            absent[f"skmem:{table}"] = f"/proc/net/{table} does not show buffer sizes"
    descriptors = None
    limits = outer_sysctls(session, LIMITS)
    cgroups, unseen = session.once((CGROUPS, last))
    absent.update(unseen)
    if last:
        descriptors, unseen = session.once((DESCRIPTORS, None))
        absent.update(unseen)
    return Look(
        at,
        sockets,
        tables=dict(session.sources),
        counters=counters,
        limits=limits,
        sockstat=part(session, lambda: read_sockstat(files), absent),
        sockstat6=part(session, lambda: read_sockstat6(files), absent, optional=True),
        protocols=part(session, lambda: read_protocols(files), absent),
        softnet=softnet,
        conntrack=part(session, lambda: read_nf_conntrack_stat(files), absent, optional=True),
        qdiscs=_qdiscs(session, absent) if rates else None,
        cgroups=cgroups,
        descriptors=descriptors,
        page_size=read_page_size(files),
        netns=session.netns.inode,
        absent=absent,
    )


def _tables(gap: Gap) -> list[str]:
    # netlink:inet_diag_tcp+tcp6, netlink:unix_diag, /proc/net/udp6
    kind, _, path = gap.source.rpartition("/" if gap.source[:1] == "/" else ":")
    if kind not in {"netlink", "/proc/net"}:
        return []
    return [name.removesuffix("6") for name in path.removeprefix("inet_diag_").removesuffix("_diag").split("+")]


def _qdiscs(session: Session, absent: dict[str, str]) -> list[Qdisc] | None:
    if not session.system.files.live:
        return None
    from sockdiag.sources.netlink.rtnetlink_tc import read_queues
    from sockdiag.sources.system.interfaces import interface_names

    return part(session, lambda: read_queues(interface_names(session.system.files)), absent)
