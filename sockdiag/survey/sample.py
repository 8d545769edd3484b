"""Take a sample: read everything that rules judge, once, in one network namespace."""

from __future__ import annotations

from sockdiag.judging.declared import SYSCTLS_READ, TABLES
from sockdiag.model.query import PROC
from sockdiag.model.sample import Sample
from sockdiag.survey.collection import NETSTAT
from sockdiag.survey.host import outer_sysctls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from typing import TypeVar

    from sockdiag.filter.where import Where
    from sockdiag.model.batch import Batch
    from sockdiag.model.drop_rule import DropRule
    from sockdiag.model.provenance import Gap
    from sockdiag.model.qdisc import Qdisc
    from sockdiag.model.query import Query
    from sockdiag.model.route import Neighbour, NeighbourTable
    from sockdiag.survey.reader import SystemReader

    T = TypeVar("T")

_WITHOUT_BUFFERS = (PROC, NETSTAT)
# Tables that may hold hundreds of thousands of connections.
_CONNECTED = ("tcp", "mptcp", "sctp", "dccp")


def take_sample(
    survey: SystemReader,
    query: Query | None = None,
    where: Where | None = None,
    *,
    last: bool = True,
    rates: bool = True,
) -> Sample:
    """Read everything that rules judge. Counters come first: events while sockets are read count for the next sample.

    Args:
        survey: reads the namespace.
        query: the sockets; by default all that are judged.
        where: filter to apply to them.
        last: the sample is the one to judge: read limits and processes too.
        rates: two samples will be compared: read what is only useful as a difference.
    """
    from sockdiag.model.counters import Counters, mib_of
    from sockdiag.model.packed import packed
    from sockdiag.model.record import NETNS
    from sockdiag.model.sysctl import Sysctls
    from sockdiag.sources.proc.mib import read_counters, read_more_counters
    from sockdiag.sources.proc.net_protocols import read_protocols
    from sockdiag.sources.proc.net_sockstat import read_sockstat, read_sockstat6
    from sockdiag.sources.proc.net_softnet_stat import read_softnet_stat
    from sockdiag.sources.proc.net_stat_nf_conntrack import read_nf_conntrack_stat
    from sockdiag.sources.proc.sys_net import read_page_size

    if query is None:
        query = judged_query(survey, where)
    files = survey.system.files
    absent: dict[str, str] = {}
    at = survey.system.monotonic()
    counters, gaps = read_counters(files)
    more, gaps_of_more = read_more_counters(files)
    counters, gaps = counters.joined(more), [*gaps, *gaps_of_more]
    read = {mib_of(name).source for name in counters}
    for gap in gaps:
        survey.note(gap)
        if gap.source not in read:
            absent[gap.source] = gap.reason
    if not survey.own:
        counters = Counters({name: n for name, n in counters.values.items() if mib_of(name).scope == NETNS})
    softnet = survey.attempt(lambda: read_softnet_stat(files), absent)
    sockets = list(packed(survey.batches(query, where)))
    _note_tables(survey, query, {batch.values("netid")[0] for batch in sockets}, absent)
    limits = outer_sysctls(survey, SYSCTLS_READ) if last else Sysctls({})
    cgroups, unseen, gaps_of_cgroups = survey.host.cgroups(last=last)
    _take_over(survey, absent, unseen, gaps_of_cgroups)
    descriptors = None
    if last:
        descriptors, unseen, gaps_of_processes = survey.host.processes_near_limit()
        _take_over(survey, absent, unseen, gaps_of_processes)
    return Sample(
        at,
        sockets,
        tables=dict(survey.sources),
        counters=counters,
        limits=limits,
        sockstat=survey.attempt(lambda: read_sockstat(files), absent),
        sockstat6=survey.attempt(lambda: read_sockstat6(files), absent, optional=True),
        protocols=survey.attempt(lambda: read_protocols(files), absent),
        softnet=softnet,
        conntrack=survey.attempt(lambda: read_nf_conntrack_stat(files), absent, optional=True),
        qdiscs=_qdiscs(survey, absent) if rates else None,
        unanswering=_unanswering(survey, absent),
        neighbour_tables=_neighbour_tables(survey, absent),
        drop_rules=firewall_drops(survey, absent) if rates else None,
        cgroups=cgroups,
        descriptors=descriptors,
        page_size=read_page_size(files),
        netns=survey.netns.inode,
        filtered=where is not None or bool(survey.options.netids),
        absent=absent,
    )


def take_probe(survey: SystemReader, query: Query, where: Where | None = None) -> Sample:
    """Read what shows between two samples whether queues are served; it takes a few milliseconds whatever the number of connections.

    Args:
        survey: reads the namespace; what the probe cannot read is not noted, because the samples note it.
        query: the sockets of the samples; of connection-oriented IP tables only the listeners are read.
        where: filter to apply to them.

    Returns:
        A sample with sockets and the counters of ``/proc/net/snmp`` and ``/proc/net/snmp6``; other parts are absent.
    """
    from sockdiag.errors import ParseError, SourceError
    from sockdiag.kernel.tcp_states import LISTEN
    from sockdiag.model.counters import Counters
    from sockdiag.model.sysctl import Sysctls
    from sockdiag.sources.proc.mib import read_snmp, read_snmp6

    there = survey.apart()
    at = survey.system.monotonic()
    counters = Counters({})
    for read in (read_snmp, read_snmp6):
        try:
            counters = counters.joined(read(there.system.files))
        except (SourceError, ParseError):
            continue
    sockets: list[Batch] = []
    for connected in (False, True):
        tables = tuple(table for table in query.tables if (table in _CONNECTED) == connected)
        states = query.states & (1 << LISTEN) if connected else query.states
        if tables and states:
            sockets += there.batches(query._replace(tables=tables, states=states), where)
    return Sample(at, sockets, tables={}, counters=counters, limits=Sysctls({}))


def judged_query(survey: SystemReader, where: Where | None = None, tables: Collection[str] = TABLES) -> Query:
    """Build the query of a sample: the tables that are judged, with memory, in the states that the kernel hashes."""
    from sockdiag.kernel.tcp_states import HASHED_STATES
    from sockdiag.model.query import SKMEM

    query = survey.query([SKMEM], where)
    return query._replace(
        tables=tuple(table for table in query.tables if table in tables), states=query.states & HASHED_STATES
    )


def _take_over(survey: SystemReader, absent: dict[str, str], unseen: Mapping[str, str], gaps: Iterable[Gap]) -> None:
    for gap in gaps:
        survey.note(gap)
    absent.update(unseen)


def _note_tables(survey: SystemReader, query: Query, seen: Collection[str], absent: dict[str, str]) -> None:
    for table in query.tables:
        source = survey.sources.get(table)
        gaps = [gap for gap in survey.gaps if table in tables_of(gap)]
        if source in _WITHOUT_BUFFERS:
            # /proc has all sockets of a table that netlink does not answer for, but not their buffers.
            unanswered = next((gap for gap in gaps if gap.source.startswith("netlink:")), None)
            if unanswered is not None:
                gaps.remove(unanswered)
            if table in seen:
                place = f"/proc/net/{table}" if source == PROC else source
                sizes = f"{place} does not show buffer sizes"
                absent[f"skmem:{table}"] = sizes if unanswered is None else unanswered.reason
        if gaps and source is None:
            absent[table] = absent[f"skmem:{table}"] = gaps[0].reason
        elif gaps:
            absent[f"some {table}"] = gaps[0].reason


def tables_of(gap: Gap) -> list[str]:
    """Return the socket tables that a gap is about."""
    # netlink:inet_diag_tcp+tcp6, netlink:unix_diag, /proc/net/udp6
    kind, _, path = gap.source.rpartition("/" if gap.source[:1] == "/" else ":")
    if kind not in {"netlink", "/proc/net"}:
        return []
    return [name.removesuffix("6") for name in path.removeprefix("inet_diag_").removesuffix("_diag").split("+")]


def _unanswering(survey: SystemReader, absent: dict[str, str]) -> list[Neighbour] | None:
    from sockdiag.sources.netlink.rtnetlink_neighbours import read_unanswering
    from sockdiag.sources.system.interfaces import interface_names

    system = survey.system
    return survey.attempt(
        lambda: if_captured(lambda: read_unanswering(interface_names(system.files), system.netlink)), absent
    )


def _neighbour_tables(survey: SystemReader, absent: dict[str, str]) -> list[NeighbourTable] | None:
    from sockdiag.sources.netlink.rtnetlink_neighbours import read_neighbour_tables

    return survey.attempt(lambda: if_captured(lambda: read_neighbour_tables(survey.system.netlink)), absent)


def if_captured(read: Callable[[], T]) -> T | None:
    """Call a function that reads something over netlink; None if it is a capture that was taken without it, which is no gap."""
    from sockdiag.errors import NotCaptured

    try:
        return read()
    except NotCaptured:
        return None


def firewall_drops(survey: SystemReader, absent: dict[str, str] | None = None) -> list[DropRule] | None:
    """Read the firewall rules that count and drop; None where they cannot be read, which takes CAP_NET_ADMIN."""
    from sockdiag.errors import SourceDenied
    from sockdiag.sources.system.modules import has_nf_tables

    if not has_nf_tables(survey.system.files):
        return None
    from sockdiag.sources.netlink.nfnetlink_nft import read_drop_rules

    def read() -> list[DropRule] | None:
        try:
            return if_captured(lambda: read_drop_rules(survey.system.netlink))
        except SourceDenied:
            return None  # root alone may read them: that is no gap in what was asked for

    return survey.attempt(read, absent, optional=True)


def _qdiscs(survey: SystemReader, absent: dict[str, str]) -> list[Qdisc] | None:
    from sockdiag.sources.netlink.rtnetlink_qdisc import read_qdiscs
    from sockdiag.sources.system.interfaces import interface_names

    system = survey.system
    return survey.attempt(
        lambda: if_captured(lambda: read_qdiscs(interface_names(system.files), system.netlink)), absent
    )
