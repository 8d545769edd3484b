"""Judge a system: take one sample or two of each network namespace, and return findings and verdicts."""

from __future__ import annotations

from sockdiag.defaults import HORIZON_S, INTERVAL_S
from sockdiag.errors import ArgumentError, UsageError
from sockdiag.judging.declared import TABLES, TWO_SAMPLES
from sockdiag.model.finding import PROCESS, SOCKET, badness
from sockdiag.model.provenance import Gap
from sockdiag.model.query import OWNERS, SKMEM
from sockdiag.model.record import LABEL, Record, field
from sockdiag.model.sysctl import HIDDEN_LIMITS
from sockdiag.survey.pacing import STANDING_AFTER, probed
from sockdiag.survey.per_namespace import in_each
from sockdiag.survey.sample import judged_query, tables_of, take_probe, take_sample
from sockdiag.survey.single_sockets import full_queues, receive_buffers, tcp_infos
from sockdiag.survey.workers import Pause
from sockdiag.typed import Typed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
    from typing import TypeVar

    from sockdiag.filter.where import Where
    from sockdiag.judging.case import Case
    from sockdiag.judging.judge import Judgement, NotJudged
    from sockdiag.model.finding import Finding
    from sockdiag.model.query import Query
    from sockdiag.model.sample import Sample
    from sockdiag.model.socket import Owner, Socket
    from sockdiag.sources.system.machine import System
    from sockdiag.survey.host_facts import HostFacts
    from sockdiag.survey.reader import SystemReader

    T = TypeVar("T")

_LONGEST_INTERVAL_S = 3600
_LONGEST_HORIZON_S = 86400


class Judging(Record):
    """How a diagnosis judges."""

    codes: tuple[str, ...] | None = field("Rules to run; None for all.", default=None, kind=LABEL)
    interval_s: float | None = field(
        "Seconds between two samples; None for a single sample, which shows levels only.", default=None
    )
    horizon_s: float = field("Seconds within which a trend that reaches its limit is a risk.", default=HORIZON_S)


class Diagnosis(Typed["T"]):
    """The findings in all namespaces that were judged.

    Attributes:
        findings: worst first; each subject names its namespace. A finding about the whole host is listed once.
        unknown: rules that lacked data, each listed once, even if it lacked data in several namespaces.
        rows: results of the examination (:class:`Examination`), namespace by namespace.
        seconds: time between the two samples; None for a single sample. Of several namespaces: of this process's own.
        longest_s: the longest such time of all namespaces.
        levels_only: there was a single sample, and some of the rules detect losses only by comparing two.
        rules: number of rules that were run.
    """

    __slots__ = ("findings", "levels_only", "longest_s", "rows", "rules", "seconds", "unknown")

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.unknown: list[NotJudged] = []
        self.rows: list[T] = []
        self.seconds: float | None = None
        self.longest_s: float | None = None
        self.levels_only = False
        self.rules = 0

    def __repr__(self) -> str:
        return f"<sockdiag.Diagnosis {self.verdict}: {len(self.findings)} findings, {len(self.unknown)} rules unknown>"

    @property
    def interval_s(self) -> float | None:
        """Time between the two samples, rounded for documents."""
        return None if self.seconds is None else round(self.seconds, 3)

    @property
    def verdict(self) -> str:
        """The worst verdict of all findings; unknown if none is worse, and a loss could have gone unseen."""
        return self.verdict_of(self.findings)

    def verdict_of(self, findings: Iterable[Finding]) -> str:
        """Return the worst verdict of some findings; unknown if none is worse, and a loss could have gone unseen."""
        from sockdiag.judging.judge import verdict_of

        return verdict_of(findings, self.unknown, self.rules, levels_only=self.levels_only)

    def by_cause(self) -> list[Finding]:
        """Return one finding per cause, as ``doctor`` shows them: forty sockets that one process neglects are one."""
        from sockdiag.judging.group import by_cause

        return by_cause(self.findings)

    def system(self) -> list[Finding]:
        """Return the findings that are not about a single socket."""
        return [finding for finding in self.findings if finding.subject.kind != SOCKET]


class Examination(Typed["T"]):
    """What a caller derives from the samples of one namespace, besides the findings.

    Attributes:
        before: the sample to compare with; None to judge levels only. If it is from an earlier run, suspicions that two
            distant samples cannot prove are confirmed by another sample.
        results: called with the case and the judgement; yields results, which must be picklable and should name their
            namespace (``case.netns``).
    """

    __slots__ = ("before", "results")

    def __init__(self, before: Sample | None, results: Callable[[Case, Judgement], Iterable[T]]) -> None:
        self.before = before
        self.results = results


if TYPE_CHECKING:
    # Takes the reader of a namespace, its sample, and the earlier sample (None if there is only one); called in the process
    # that took them.
    Examine = Callable[[SystemReader, Sample, Sample | None], Examination[T]]


def reporting(results: Callable[[Case, Judgement], Iterable[T]]) -> Examine[T]:
    """Return an examination that compares the two samples as they are, and yields *results*."""
    return lambda _there, _now, before: Examination(before, results)


def _nothing(_case: Case, _judgement: Judgement) -> Iterable[T]:
    return ()


class _JudgedNamespace(Typed["T"]):
    """The findings and results of one namespace, as they travel between processes."""

    __slots__ = ("findings", "own", "rows", "seconds", "unknown")

    def __init__(self, own: bool, seconds: float | None, judgement: Judgement, rows: list[T]) -> None:
        self.own = own
        self.seconds = seconds
        self.findings = judgement.findings
        self.unknown = judgement.unknown
        self.rows = rows


def judging(
    system: System, interval: float | None = None, horizon: float | None = None, codes: Iterable[str] | None = None
) -> Judging:
    """Validate how a system is to be judged.

    Args:
        system: the system.
        interval: seconds between two samples; 0 for a single one, and None for the default: 1 s, or the two samples that a
            capture holds, if it does.
        horizon: seconds within which a trend counts; None for the default.
        codes: the rules; None for all.

    Raises:
        UsageError: the interval or the horizon is out of range, or a code names no rule.
    """
    if interval is not None and not 0 <= interval <= _LONGEST_INTERVAL_S:
        raise ArgumentError(f"{{interval}} takes 0 to {_LONGEST_INTERVAL_S} seconds")
    horizon = HORIZON_S if horizon is None else horizon
    if not 0 < horizon <= _LONGEST_HORIZON_S:
        raise ArgumentError(f"{{horizon}} takes more than 0 and at most {_LONGEST_HORIZON_S} seconds")
    if interval and not system.files.live:
        if system.earlier is None:
            raise ArgumentError(
                "{interval} and {root} exclude each other: a capture has its own samples, or a single one"
            )
        system.moments = system.before(interval)
        interval = None
    if interval is None:
        interval = INTERVAL_S if system.files.live else system.recorded_s
    if codes is not None:
        from sockdiag.errors import unknown
        from sockdiag.judging.registry import RULES

        codes = tuple(codes)
        for code in codes:
            if code not in RULES:
                raise UsageError(unknown("rule", code, list(RULES), "'sockdiag rules' lists them"))
    return Judging(codes, interval or None, horizon)


def diagnose(
    survey: SystemReader,
    how: Judging,
    where: Where | None = None,
    tables: Collection[str] = TABLES,
    examine: Examine[T] | None = None,
    *,
    pace: Callable[[SystemReader], float | None] | None = None,
    needs: Collection[str] = (),
) -> Diagnosis[T]:
    """Sample every namespace that a survey covers, once or twice, and judge it.

    All namespaces are sampled over the same interval. The findings and counters of the host are judged only in this
    process's own namespace, and the owners of sockets are looked up once. The survey notes gaps and sources.

    Args:
        survey: covers one namespace or several.
        how: rules, interval and horizon, as validated by :func:`judging`.
        where: sockets to judge; counters, limits and processes are judged in any case.
        tables: tables to judge.
        examine: creates the examination of each namespace.
        pace: returns the interval of a namespace instead of that of *how*: None where *examine* has a sample of an earlier
            run to compare with.
        needs: parts of sockets to read besides those that rules judge (``sockdiag.model.query``).
    """
    query = judged_query(survey, where, tables)
    query = query._replace(needs=query.needs.union(needs))
    return _diagnose(survey, query, where, how, examine or reporting(_nothing), pace=pace)


def diagnose_samples(
    survey: SystemReader,
    now: Sample,
    before: Sample | None,
    between: Sequence[Sample],
    how: Judging,
    examine: Examine[T],
) -> Diagnosis[T]:
    """Judge a sample that was taken of one network namespace, by an earlier one and the probes in between.

    Args:
        survey: took them.
        now: the sample.
        before: the earlier one; None to judge levels only.
        between: probes.
        how: rules and horizon.
        examine: creates the examination.
    """
    from sockdiag.judging.registry import RULES

    codes = tuple(RULES if how.codes is None else how.codes)
    case, judgement = judge_sample(survey, now, before, how.horizon_s, codes, between)
    found: Diagnosis[T] = Diagnosis()
    found.rules = len(codes)
    _add(found, _judged(survey, case, judgement, examine(survey, now, before)))
    found.levels_only = before is None and any(code in TWO_SAMPLES for code in codes)
    found.findings.sort(key=badness)
    return found


def diagnose_query(
    survey: SystemReader, query: Query, codes: Iterable[str] | None = None, where: Where | None = None
) -> Diagnosis[None]:
    """Judge the sockets of a query and a filter from a single sample, by all rules or by those of *codes*."""
    tables = tuple(table for table in query.tables if table in TABLES)
    query = query._replace(needs=query.needs | {SKMEM}, tables=tables)
    codes = None if codes is None else tuple(codes)
    return _diagnose(survey, query, where, Judging(codes), reporting(_nothing), quiet=True)


def diagnose_socket(survey: SystemReader, socket: Socket, codes: Iterable[str] | None = None) -> list[Finding]:
    """Judge one socket from a single sample, by all rules or by those of *codes*, without findings about other sockets or the host.

    Rules that compare sockets (all of one process, all to one peer) see the socket's whole table.
    """
    if socket.netid not in TABLES:
        return []
    query = survey.query([SKMEM])._replace(tables=(socket.netid,))
    identity = "cookie" if socket.cookie is not None else "inode"
    wanted = getattr(socket, identity)

    def of_socket(_case: Case, judgement: Judgement) -> list[Finding]:
        return [
            hit.finding
            for hit in judgement.hits
            if any(batch.values(identity)[row] == wanted for batch, row in hit.rows)
        ]

    codes = None if codes is None else tuple(codes)
    return _diagnose(survey, query, None, Judging(codes), reporting(of_socket), quiet=True).rows


def _diagnose(
    survey: SystemReader,
    query: Query,
    where: Where | None,
    how: Judging,
    examine: Examine[T],
    *,
    quiet: bool = False,
    pace: Callable[[SystemReader], float | None] | None = None,
) -> Diagnosis[T]:
    """Judge the sockets of a query.

    Args:
        survey: covers one namespace or several.
        query: the sockets.
        where: filter to apply to them.
        how: rules, interval and horizon.
        examine: see :func:`diagnose`.
        quiet: note only gaps that affect these rules; a sample may read more than they need.
        pace: see :func:`diagnose`.
    """
    from sockdiag.judging.registry import RULES

    codes = tuple(RULES if how.codes is None else how.codes)

    def steps(there: SystemReader) -> Iterator[Pause | _JudgedNamespace[T]]:
        interval = how.interval_s if pace is None else pace(there)
        before, between = yield from first_sample(there, query, where, interval)
        now = take_sample(
            there.apart() if quiet else there, query, where, rates=pace is not None or interval is not None
        )
        if interval is not None:
            yield Pause()  # until all others have been sampled again
        examination = examine(there, now, before)
        if examination.before is before or examination.before is None:
            case, judgement = judge_sample(there, now, examination.before, how.horizon_s, codes, between)
        else:
            case, judgement, examination = yield from _since(there, now, examination)
        yield _judged(there, case, judgement, examination)

    def _since(
        there: SystemReader, now: Sample, examination: Examination[T]
    ) -> Generator[Pause, None, tuple[Case, Judgement, Examination[T]]]:
        earlier = examination.before
        assert earlier is not None

        def recall(later: Sample) -> Sample:
            nonlocal examination
            examination = examine(there, later, None)
            return examination.before or earlier

        case, judgement = yield from judge_since(there, query, where, now, earlier, recall, how.horizon_s, codes)
        return case, judgement, examination

    if survey.namespaces is not None:
        prepare(codes)
        if OWNERS in query.needs:
            survey.owners()  # scan here, or each worker scans on its own
    found: Diagnosis[T] = Diagnosis()
    found.rules = len(codes)
    two = any(code in TWO_SAMPLES for code in codes)
    for part in in_each(survey, steps):
        _add(found, part)
        found.levels_only = found.levels_only or (two and part.seconds is None)
    found.findings.sort(key=badness)
    return found


def first_sample(
    there: SystemReader, query: Query, where: Where | None, interval: float | None
) -> Generator[Pause, None, tuple[Sample | None, tuple[Sample, ...]]]:
    """Take the first of two samples and the probes, and pause until the second is due; nothing without an interval.

    Returns:
        The sample, and the probes.
    """
    if interval is None:
        return None, ()
    if there.system.moments:
        return _recorded(there, query, where)
    before = take_sample(there, query, where, last=False)
    probes = yield from _probes(there, query, where, before, interval)
    return before, probes


def _recorded(there: SystemReader, query: Query, where: Where | None) -> tuple[Sample, tuple[Sample, ...]]:
    """Return the first sample and the probes that a capture holds."""
    first, *later = map(there.at, there.system.moments)
    before = take_sample(first, query, where, last=False)
    probes: list[Sample] = []
    for number, moment in enumerate(later, 1):
        probes.append(take_probe(moment, query, where))
        if number == min(STANDING_AFTER, len(later)):
            note_turns(there, before, probes, moment.host)
    return before, tuple(probes)


def _probes(
    there: SystemReader, query: Query, where: Where | None, before: Sample, interval: float
) -> Generator[Pause, None, tuple[Sample, ...]]:
    """Take probes within an interval after a sample, and pause until its end."""
    probes: list[Sample] = []
    yield from probed(
        before.at,
        interval,
        lambda: probes.append(take_probe(there, query, where)),
        lambda: note_turns(there, before, probes, there.host),
    )
    return tuple(probes)


def judge_since(
    there: SystemReader,
    query: Query,
    where: Where | None,
    now: Sample,
    earlier: Sample,
    recall: Callable[[Sample], Sample],
    horizon: float,
    codes: Iterable[str],
) -> Generator[Pause, None, tuple[Case, Judgement]]:
    """Judge a sample by one of an earlier run; if that raises a suspicion, confirm it by a second sample of the present.

    The horizon is at least the time between the runs: a limit that is reached before the next one is a risk.

    Args:
        there: reads the namespace.
        query: the sockets of the samples.
        where: filter to apply to them.
        now: the sample.
        earlier: the sample of the earlier run.
        recall: called with the second sample, if there is one; returns that of the earlier run as it compares with it.
        horizon: seconds within which a trend counts.
        codes: the rules.
    """
    from sockdiag.judging.confirm import confirmed, suspicious

    horizon = max(horizon, now.at - earlier.at)
    case, judgement = judge_sample(there, now, earlier, horizon, codes)
    if not suspicious(case, judgement):
        return case, judgement
    probes = yield from _probes(there, query, where, now, INTERVAL_S)
    later = take_sample(there, query, where)
    of_present, present = judge_sample(there, later, now, horizon, codes, probes)
    case, since = judge_sample(there, later, recall(later), horizon, codes)
    return case, confirmed(since, present, of_present)


def note_turns(there: SystemReader, before: Sample, probes: Sequence[Sample], host: HostFacts) -> None:
    """Note how often the processes ran that hold queues which stand: whether they run on shows whether they can have read.

    *host* are the facts at the moment of the last probe.
    """
    from sockdiag.judging.service import standing_queues

    standing = standing_queues([before, *probes])
    if standing:
        owners, _gaps = there.host.owners(standing)
        probes[-1].turns = host.turns({owner.pid for some in owners.values() for owner in some or ()})


def prepare(codes: Iterable[str]) -> None:
    """Import what workers need once, before they are forked."""
    from sockdiag.judging.registry import load

    for code in codes:
        load(code)
    import sockdiag.judging.other_namespace
    import sockdiag.sources.netlink.rtnetlink_qdisc
    import sockdiag.sources.proc.mib
    import sockdiag.sources.proc.net_protocols
    import sockdiag.sources.proc.net_sockstat
    import sockdiag.sources.proc.net_stat_nf_conntrack
    import sockdiag.sources.proc.sys_net  # noqa: F401


def _judged(survey: SystemReader, case: Case, judgement: Judgement, examination: Examination[T]) -> _JudgedNamespace[T]:
    """Name owners, add to advice the namespace that it applies to, and take the results of the examination."""
    from sockdiag.judging.group import name_owners

    judgement.hits = name_owners(case, judgement.hits)
    if survey.place is not None:
        from sockdiag.judging.other_namespace import advise_there

        place = survey.place
        judgement.hits = [hit if hit.finding.subject.whole_host else advise_there(hit, place) for hit in judgement.hits]
    return _JudgedNamespace(survey.own, case.seconds, judgement, list(examination.results(case, judgement)))


def judge_sample(
    survey: SystemReader,
    now: Sample,
    before: Sample | None,
    horizon: float,
    codes: Iterable[str],
    between: Sequence[Sample] = (),
) -> tuple[Case, Judgement]:
    """Run rules on one sample or two of a namespace; in other namespaces, leave out findings about the host.

    Data that the rules lack is noted as gaps, one per missing source. Owners are not named.
    """
    from sockdiag.judging.case import Case
    from sockdiag.judging.judge import judge
    from sockdiag.sources.proc.net_route import read_ways

    label = survey.netns.label
    case = Case(
        now,
        before,
        horizon,
        lambda inodes: _owners(survey, inodes),
        tcp_infos(survey),
        label,
        between=between,
        states=survey.host.states,
        way=read_ways(survey.system.files),
        open_files=survey.host.open_files,
        turns=survey.host.turns,
        receive_buffer=receive_buffers(survey),
        full=full_queues(survey),
    )
    judgement = judge(case, codes)
    if not survey.own:
        judgement.hits = [hit for hit in judgement.hits if not hit.finding.subject.whole_host]
    _note_lacking(survey, judgement.unknown)
    return case, judgement


def _note_lacking(survey: SystemReader, unknown: Iterable[NotJudged]) -> None:
    """Note what rules lacked, with their names; a gap that the sample has noted gets them too, and is not repeated."""
    lacking: dict[Gap, list[str]] = {}
    for one in unknown:
        gap = next((gap for gap in survey.gaps if _explains(gap, one)), Gap(one.source, one.reason))
        lacking.setdefault(gap, []).append(one.code)
    for gap, codes in lacking.items():
        *first, last = codes
        hint = f"so {', '.join(first)} and {last} cannot be checked" if first else f"so {last} cannot be checked"
        hinted = gap._replace(hint=f"{gap.hint}; {hint}" if gap.hint else hint)
        if gap not in survey.gaps:
            survey.note(hinted)
        elif hint not in gap.hint:
            survey.gaps[survey.gaps.index(gap)] = hinted


def _explains(gap: Gap, lacking: NotJudged) -> bool:
    """Return whether a gap is why a rule lacked something."""
    part = lacking.part.removeprefix("some ").removeprefix("skmem:")
    if gap.reason == lacking.reason:
        return part in (gap.source, *tables_of(gap))
    # The limits that a namespace does not show are one gap.
    return gap.source == HIDDEN_LIMITS and part in gap.reason.replace(",", "").split()


def _add(found: Diagnosis[T], part: _JudgedNamespace[T]) -> None:
    for finding in part.findings:
        if finding.subject.kind == PROCESS and not finding.subject.sockets:
            # It is about the process as a whole: the same in every namespace that its sockets are in.
            anywhere = _nowhere(finding)
            place = next((i for i, f in enumerate(found.findings) if _nowhere(f) == anywhere), None)
            if place is not None:
                found.findings[place] = anywhere
                continue
        found.findings.append(finding)
    found.unknown += (one for one in part.unknown if one not in found.unknown)
    found.rows += part.rows
    if part.own:
        found.seconds = part.seconds
    if part.seconds is not None:
        found.longest_s = max(part.seconds, found.longest_s or 0.0)


def _nowhere(finding: Finding) -> Finding:
    return finding._replace(subject=finding.subject._replace(netns=None))


def _owners(survey: SystemReader, inodes: Collection[int]) -> Mapping[int, tuple[Owner, ...]]:
    owners, gaps = survey.host.owners(inodes)
    for gap in gaps:
        survey.note(gap)
    return owners
