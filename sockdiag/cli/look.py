"""Look at everything that is judged, once or twice, and judge it."""

from __future__ import annotations

import time

from sockdiag.cli.exit import FINDINGS, OK, PARTIAL
from sockdiag.cli.host import outer_sysctls, part
from sockdiag.errors import SourceError, SourceUnavailable, UsageError
from sockdiag.model.finding import at_least
from sockdiag.model.gap import Gap
from sockdiag.model.look import Look
from sockdiag.model.query import PROC, SKMEM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from typing import TypeVar

    from sockdiag.cli.session import Session
    from sockdiag.filter.where import Where
    from sockdiag.model.conntrack import Conntrack
    from sockdiag.model.descriptors import Descriptors
    from sockdiag.model.finding import Finding
    from sockdiag.model.qdisc import Qdisc
    from sockdiag.model.query import Query
    from sockdiag.model.socket import Owner, Socket
    from sockdiag.render.document import Document
    from sockdiag.rules._base import Case
    from sockdiag.rules._judge import Judgement

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

# Processes with fewer of their descriptors in use than this are not looked into.
_CROWDED = 0.8


def take(session: Session, query: Query, *, last: bool, rates: bool) -> Look:
    """Look once. Counters come first, so that what happens while sockets are listed counts for the next look.

    Args:
        session: the run.
        query: which sockets.
        last: it is the look that is judged: read limits and processes too.
        rates: two looks are compared: read what only tells by a difference.
    """
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
    if not counters:
        absent["counters"] = gaps[0].reason if gaps else "there are none"
    softnet = part(session, lambda: read_softnet_stat(files))
    if softnet is None:
        absent["softnet"] = "/proc/net/softnet_stat cannot be read"
    sockets = list(session.sockets(query))
    for table in query.tables:
        source = session.sources.get(table)
        if source is None:
            named = [g for g in session.gaps if g.source in (f"netlink:{table}", f"/proc/net/{table}")]
            if named:
                absent[table] = absent[f"skmem:{table}"] = named[0].reason
        elif source == PROC:
            absent[f"skmem:{table}"] = f"/proc/net/{table} does not show buffer sizes"
    descriptors = None
    limits = outer_sysctls(session, LIMITS)
    if last:
        descriptors = _descriptors(session, absent)
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
    from sockdiag.sources.interfaces import interface_names
    from sockdiag.sources.rtnetlink_tc import read_queues

    return part(session, lambda: read_queues(interface_names(session.system.files)))


def _descriptors(session: Session, absent: dict[str, str]) -> Mapping[int, Descriptors] | None:
    from sockdiag.sources.proc_pid_limits import read_crowded

    try:
        found, gaps = read_crowded(session.system.files, _CROWDED)
    except SourceError as error:
        absent["descriptors"] = error.reason
        return None
    for gap in gaps:
        session.note(gap)
        absent["some descriptors"] = gap.reason
    return found


def check_interval(session: Session) -> None:
    """Refuse intervals and horizons that make no sense.

    Raises:
        UsageError: they do not.
    """
    interval = session.given.interval
    if interval is not None and not 0 < interval <= 3600:
        raise UsageError("--interval takes more than 0 and at most 3600 seconds")
    if not 0 < session.given.horizon <= 86400:
        raise UsageError("--horizon takes more than 0 and at most 86400 seconds")
    if interval is not None and not session.system.files.live:
        raise UsageError("--interval and --root exclude each other: a capture holds one look")


def observe(session: Session, where: Where | None = None, tables: Collection[str] = TABLES) -> Case:
    """Look once, or twice --interval seconds apart.

    Args:
        session: the run.
        where: which sockets.
        tables: which tables are judged.

    Raises:
        UsageError: the interval or the horizon makes no sense.
    """
    from sockdiag.kernel.tcp_states import HASHED_STATES

    check_interval(session)
    query = session.query([SKMEM], where)
    query = query._replace(tables=tuple(t for t in query.tables if t in tables), states=query.states & HASHED_STATES)
    interval = session.given.interval
    before = None
    if interval is not None:
        before = take(session, query, last=False, rates=True)
        time.sleep(max(0.0, interval - (time.monotonic() - before.at)))
    now = take(session, query, last=True, rates=interval is not None)
    return case_of(session, now, before)


def case_of(session: Session, now: Look, before: Look | None) -> Case:
    """Put two looks, or one, to the rules."""
    from sockdiag.rules._base import Case

    return Case(now, before, session.given.horizon, _owners(session), _silence(session))


def about(session: Session, socket: Socket) -> list[Finding]:
    """Judge one socket by what one look shows; findings about others, or about the host, are left out.

    Rules that compare sockets (all of one process, all towards one peer) see the whole table that it is in.
    """
    if socket.netid not in TABLES:
        return []
    identity = "cookie" if socket.cookie is not None else "inode"
    wanted = getattr(socket, identity)
    return [
        hit.finding
        for hit in some(session, session.query()._replace(tables=(socket.netid,))).hits
        if any(batch.values(identity)[row] == wanted for batch, row in hit.rows)
    ]


def some(session: Session, query: Query, codes: Iterable[str] | None = None) -> Judgement:
    """Judge the sockets of a query by what one look shows, by all rules or by those of *codes*."""
    from sockdiag.cli.options import HORIZON
    from sockdiag.rules._base import Case

    tables = tuple(table for table in query.tables if table in TABLES)
    query = query._replace(needs=query.needs | {SKMEM}, tables=tables)
    gaps = list(session.gaps)
    now = take(session, query, last=True, rates=False)
    # A look reads more than these rules may need; judged() says what they lack.
    session.gaps[:] = gaps
    return judged(session, Case(now, None, HORIZON.default, _owners(session), _silence(session)), codes)


def _silence(session: Session) -> Callable[[Socket], tuple[int | None, int | None]] | None:
    if not session.system.files.live or session.given.source == PROC:
        return None

    def silence(socket: Socket) -> tuple[int | None, int | None]:
        from sockdiag.errors import ParseError
        from sockdiag.sources.inet_one import read_one

        try:
            found, _errors = read_one(session.system, socket)
        except (SourceError, ParseError):
            return None, None
        info = None if found is None else found.tcp_info
        return (None, None) if info is None else (info.last_data_recv_ms, info.last_data_sent_ms)

    return silence


def _owners(session: Session) -> Callable[[Collection[int]], Mapping[int, tuple[Owner, ...]]]:
    def owners(inodes: Collection[int]) -> Mapping[int, tuple[Owner, ...]]:
        from sockdiag.sources.proc_pid_fd import scan_owners

        scan = scan_owners(session.system.files, set(inodes), numeric=bool(session.given.numeric))
        for gap in scan.gaps:
            session.note(gap)
        return {inode: scan.owners.get(inode) for inode in inodes}

    return owners


def judged(session: Session, case: Case, codes: Iterable[str] | None = None) -> Judgement:
    """Run all rules, or some, and name owners; what could not be told is noted as gaps, one for each thing that is missing."""
    from sockdiag.rules._group import name_owners
    from sockdiag.rules._judge import judge

    judgement = judge(case) if codes is None else judge(case, codes)
    judgement.hits = name_owners(case, judgement.hits)
    missing: dict[tuple[str, str], list[str]] = {}
    for one in judgement.unknown:
        missing.setdefault((one.source, one.reason), []).append(one.code)
    for (source, reason), lacking in missing.items():
        session.note(Gap(source, reason, hint=f"unknown therefore: {', '.join(lacking)}"))
    return judgement


def finish(session: Session, document: Document, findings: Iterable[Finding]) -> int:
    """Show a document and choose the exit status: 3 with --exit-code and findings of --fail-on severity or worse."""
    status = session.show(document)
    given = session.given
    if given.exit_code and status in (OK, PARTIAL) and any(at_least(f.severity, given.fail_on) for f in findings):
        return FINDINGS
    return status
