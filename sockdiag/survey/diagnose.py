"""Judge one network namespace or all of them, from one look or two."""

from __future__ import annotations

from sockdiag.cli.exit import FINDINGS, OK, PARTIAL
from sockdiag.errors import SourceError, UsageError
from sockdiag.model.finding import PROCESS, SOCKET, UNKNOWN, at_least, badness, worst_verdict
from sockdiag.model.provenance import Gap
from sockdiag.model.query import OWNERS as NEEDS_OWNERS
from sockdiag.model.query import PROC, SKMEM
from sockdiag.survey.host_cache import OWNERS
from sockdiag.survey.per_namespace import in_each
from sockdiag.survey.sample import TABLES, take
from sockdiag.survey.workers import Rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from typing import Any

    from sockdiag.filter.where import Where
    from sockdiag.judging.case import Case
    from sockdiag.judging.judge import Judgement, NotJudged
    from sockdiag.model.finding import Finding
    from sockdiag.model.query import Query
    from sockdiag.model.sample import Look
    from sockdiag.model.socket import Owner, Socket
    from sockdiag.render.document import Document
    from sockdiag.survey.session import Session

    Rows = Callable[[Case, Judgement], Iterable[Any]]
    Earlier = Callable[[Session, Look, Look | None], Look | None]


class Verdicts:
    """What the rules said of all that was looked at.

    Attributes:
        findings: worst first; each subject has its namespace. One of the whole host is there once.
        unknown: rules that could not tell, those of several namespaces once.
        rows: what was asked for beside findings, the namespaces in order.
        seconds: time between the two looks; None where there was one.
    """

    __slots__ = ("findings", "rows", "seconds", "unknown")

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.unknown: list[NotJudged] = []
        self.rows: list[Any] = []
        self.seconds: float | None = None

    @property
    def interval_s(self) -> float | None:
        """The time between the two looks as documents tell it."""
        return None if self.seconds is None else round(self.seconds, 3)

    def verdict(self, findings: Iterable[Finding] | None = None) -> str:
        """Return the worst verdict of findings, all unless told; unknown where a rule could not tell, if none is worse."""
        verdicts = [f.verdict for f in (self.findings if findings is None else findings)]
        return worst_verdict([*verdicts, UNKNOWN] if self.unknown else verdicts)

    def system(self) -> list[Finding]:
        """Return the findings that are about no single socket."""
        return [finding for finding in self.findings if finding.subject.kind != SOCKET]


class _Part:
    """What one namespace comes to; it travels between processes."""

    __slots__ = ("findings", "own", "rows", "seconds", "unknown")

    def __init__(self, session: Session, case: Case, judgement: Judgement, rows: list[Any]) -> None:
        self.own = session.own
        self.findings = judgement.findings
        self.unknown = judgement.unknown
        self.rows = rows
        self.seconds = case.seconds


def verdicts(
    session: Session,
    where: Where | None = None,
    tables: Collection[str] = TABLES,
    *,
    codes: Iterable[str] | None = None,
    rows: Rows | None = None,
    earlier: Earlier | None = None,
) -> Verdicts:
    """Look at one network namespace, or with --netns all at each, once or twice --interval seconds apart, and judge it.

    This is what a command calls that judges; gaps and sources are noted with the session. With --netns all the looks
    of all namespaces are taken over the same interval. What is the host's (its findings, its counters) is judged in this
    process's own namespace alone; who owns the sockets is looked up once.

    Args:
        session: the run; its command line has --interval and --horizon (``options.JUDGING``).
        where: which sockets; counters, limits and processes are looked at all the same.
        tables: which tables are judged.
        codes: the rules; all of them unless told.
        rows: is called with the looks and the judgement of each namespace, in the process that looked at it, for what is
            wanted beside the findings: rows, figures. They must be picklable, and should carry their namespace
            (``socket.netns``, ``case.netns``).
        earlier: is called in that process before, with the session of the namespace, its look and the first of two or
            None, and returns the look to compare with: that of a run before.

    Raises:
        UsageError: the interval or the horizon makes no sense.
    """
    from sockdiag.kernel.tcp_states import HASHED_STATES

    check_interval(session)
    query = session.query([SKMEM], where)
    query = query._replace(tables=tuple(t for t in query.tables if t in tables), states=query.states & HASHED_STATES)
    return _judge(session, query, where, session.given.interval, session.given.horizon, codes, rows, earlier=earlier)


def some(session: Session, query: Query, codes: Iterable[str] | None = None) -> Verdicts:
    """Judge the sockets of a query by what one look shows, by all rules or by those of *codes*."""
    from sockdiag.cli.options import HORIZON

    tables = tuple(table for table in query.tables if table in TABLES)
    query = query._replace(needs=query.needs | {SKMEM}, tables=tables)
    return _judge(session, query, None, None, HORIZON.default, codes, None, quiet=True)


def about(session: Session, socket: Socket) -> list[Finding]:
    """Judge one socket by what one look shows; findings about others, or about the host, are left out.

    Rules that compare sockets (all of one process, all towards one peer) see the whole table that it is in.
    """
    if socket.netid not in TABLES:
        return []
    identity = "cookie" if socket.cookie is not None else "inode"
    wanted = getattr(socket, identity)

    def its_own(_case: Case, judgement: Judgement) -> list[Finding]:
        return [
            hit.finding
            for hit in judgement.hits
            if any(batch.values(identity)[row] == wanted for batch, row in hit.rows)
        ]

    from sockdiag.cli.options import HORIZON

    query = session.query([SKMEM])._replace(tables=(socket.netid,))
    return _judge(session, query, None, None, HORIZON.default, None, its_own, quiet=True).rows


def finish(session: Session, document: Document, findings: Iterable[Finding]) -> int:
    """Show a document and choose the exit status: 3 with --exit-code and findings of --fail-on severity or worse."""
    status = session.show(document)
    given = session.given
    if given.exit_code and status in (OK, PARTIAL) and any(at_least(f.severity, given.fail_on) for f in findings):
        return FINDINGS
    return status


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


def _judge(
    session: Session,
    query: Query,
    where: Where | None,
    interval: float | None,
    horizon: float,
    codes: Iterable[str] | None,
    rows: Rows | None,
    *,
    quiet: bool = False,
    earlier: Earlier | None = None,
) -> Verdicts:
    from sockdiag.judging.registry import RULES

    chosen = tuple(RULES if codes is None else codes)
    rates = interval is not None or earlier is not None

    def steps(there: Session) -> Iterator[Rest | _Part]:
        before = None
        if interval is not None:
            before = take(there, query, where, last=False, rates=True)
            yield Rest(before.at + interval)
        gaps = list(there.gaps)
        now = take(there, query, where, last=True, rates=rates)
        if interval is not None:
            yield Rest()  # until all others were looked at again
        if quiet:
            # A look reads more than these rules may need; what they lack is told below.
            there.gaps[:] = gaps
        if earlier is not None:
            before = earlier(there, now, before)
        yield _judged(there, now, before, horizon, chosen, rows)

    if session.everywhere is not None:
        prepare(chosen, rates=rates)
        if NEEDS_OWNERS in query.needs:
            session.owners()  # before there are others who would look, too
    session.hostwide.quiet = quiet
    found = Verdicts()
    for part in in_each(session, steps):
        _add(found, part)
    found.findings.sort(key=badness)
    return found


def prepare(codes: Iterable[str], *, rates: bool) -> None:
    """Import what the workers need, once."""
    from sockdiag.judging.registry import load

    for code in codes:
        load(code)
    import sockdiag.judging.other_namespace
    import sockdiag.sources.proc.mib
    import sockdiag.sources.proc.net_protocols
    import sockdiag.sources.proc.net_sockstat
    import sockdiag.sources.proc.net_stat_nf_conntrack
    import sockdiag.sources.proc.sys_net

    if rates:
        import sockdiag.sources.netlink.rtnetlink_tc  # noqa: F401


def _judged(session: Session, now: Any, before: Any, horizon: float, codes: Iterable[str], rows: Rows | None) -> _Part:
    """Run rules, name owners, and say where advice is for; what could not be told is noted as gaps."""
    from sockdiag.judging.group import name_owners

    case, judgement = judged_alone(session, now, before, horizon, codes)
    judgement.hits = name_owners(case, judgement.hits)
    if session.place is not None:
        from sockdiag.judging.other_namespace import advise_there

        place = session.place
        judgement.hits = [hit if hit.finding.subject.whole_host else advise_there(hit, place) for hit in judgement.hits]
    return _Part(session, case, judgement, [] if rows is None else list(rows(case, judgement)))


def judged_alone(
    session: Session, now: Look, before: Look | None, horizon: float, codes: Iterable[str]
) -> tuple[Case, Judgement]:
    """Run rules on a look, or two of the same namespace, and leave out what belongs to the host, where that is another's.

    What could not be told is noted as gaps, one for each thing that is missing. Owners are not named.
    """
    from sockdiag.judging.case import Case
    from sockdiag.judging.judge import judge

    label = session.netns.label
    case = Case(now, before, horizon, lambda inodes: _owners(session, inodes), _silence(session), label)
    judgement = judge(case, codes)
    if not session.own:
        judgement.hits = [hit for hit in judgement.hits if not hit.finding.subject.whole_host]
    missing: dict[tuple[str, str], list[str]] = {}
    for one in judgement.unknown:
        missing.setdefault((one.source, one.reason), []).append(one.code)
    for (source, reason), lacking in missing.items():
        session.note(Gap(source, reason, hint=f"unknown therefore: {', '.join(lacking)}"))
    return case, judgement


def _add(found: Verdicts, part: _Part) -> None:
    for finding in part.findings:
        if finding.subject.kind == PROCESS and not finding.subject.sockets:
            # Of the process as a whole: it says the same wherever its sockets are.
            anywhere = finding._replace(subject=finding.subject._replace(netns=None))
            place = next((i for i, f in enumerate(found.findings) if _nowhere(f) == anywhere), None)
            if place is not None:
                found.findings[place] = anywhere
                continue
        found.findings.append(finding)
    found.unknown += (one for one in part.unknown if one not in found.unknown)
    found.rows += part.rows
    if part.own:
        found.seconds = part.seconds


def _nowhere(finding: Finding) -> Finding:
    return finding._replace(subject=finding.subject._replace(netns=None))


def _owners(session: Session, inodes: Collection[int]) -> Mapping[int, tuple[Owner, ...]]:
    found: Mapping[int, tuple[Owner, ...]] = session.once((OWNERS, inodes))
    return found


def _silence(session: Session) -> Callable[[Socket], tuple[int | None, int | None]] | None:
    if not session.system.files.live or session.given.source == PROC:
        return None

    def silence(socket: Socket) -> tuple[int | None, int | None]:
        from sockdiag.errors import ParseError
        from sockdiag.sources.netlink.inet_lookup import read_one

        try:
            found, _errors = read_one(session.system, socket)
        except (SourceError, ParseError):
            return None, None
        info = None if found is None else found.tcp_info
        return (None, None) if info is None else (info.last_data_recv_ms, info.last_data_sent_ms)

    return silence
