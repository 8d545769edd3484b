"""Compare two systems: captures, or this host."""

from __future__ import annotations

import os
import time

from sockdiag.analysis.socket_diff import SideOfSockets, SocketComparison
from sockdiag.analysis.system_diff import apart, compare_counters, compare_limits
from sockdiag.judging.finding_diff import Judged, compare_findings
from sockdiag.model.batch import Batch
from sockdiag.model.difference import COUNTER_KIND, FINDING_KIND, LIMIT_KIND, SOCKET_KIND, ComparedSide
from sockdiag.model.provenance import Gap
from sockdiag.survey.host import sysctls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from sockdiag.model.counters import Counters
    from sockdiag.model.difference import CounterDifference, FindingDifference, LimitDifference
    from sockdiag.model.socket import Owner
    from sockdiag.model.sysctl import Sysctls
    from sockdiag.survey.diagnose import Diagnosis, Judging
    from sockdiag.survey.reader import SystemReader
    from sockdiag.survey.survey import Survey

LIVE = "live"


class SideReading:
    """What was read of one side.

    Attributes:
        side: its identity.
        sockets: its sockets.
        counters: its event counters.
        limits: its sysctls.
        judged: its findings.
        monotonic: seconds of its boot's clock, 0 if a capture does not tell.
        gaps: what could not be read.
    """

    __slots__ = ("counters", "gaps", "judged", "limits", "monotonic", "side", "sockets")

    def __init__(
        self,
        side: ComparedSide,
        sockets: SideOfSockets,
        counters: Counters | None,
        limits: Sysctls | None,
        judged: Judged | None,
    ) -> None:
        self.side = side
        self.sockets = sockets
        self.counters = counters
        self.limits = limits
        self.judged = judged
        self.monotonic = 0.0
        self.gaps: tuple[Gap, ...] = ()


class SystemComparison:
    """Two sides and what differs between them.

    Attributes:
        before: A.
        after: B.
        apart: why counters, cookies and process ids cannot be compared; "" if they can.
        seconds: time between the two, if both tell when they were read.
        sockets: the differences of sockets.
        counters: the counters that differ.
        limits: the sysctls that differ.
        findings: the findings that appeared, vanished or changed.
        gaps: what could not be compared.
    """

    def __init__(self, before: SideReading, after: SideReading) -> None:
        self.before = before.side
        self.after = after.side
        self.apart = apart(before.side, after.side)
        self.seconds = _seconds(before, after, self.apart)
        self.gaps: list[Gap] = []
        for name, reading in (("A", before), ("B", after)):
            self.gaps += (gap._replace(source=f"{name}: {gap.source}") for gap in reading.gaps)
        namespaces = (before.side.netns, after.side.netns)
        self.netns_differ = not self.apart and None not in namespaces and namespaces[0] != namespaces[1]
        self.sockets = SocketComparison(before.sockets, same_boot=not self.apart)
        self.sockets.compare(after.sockets)
        self.counters: list[CounterDifference] = []
        self.limits: list[LimitDifference] = []
        self.findings: list[FindingDifference] = []
        if before.counters is not None and after.counters is not None:
            self.counters = list(
                compare_counters(
                    before.counters,
                    after.counters,
                    apart=self.apart,
                    netns_differ=self.netns_differ,
                    seconds=self.seconds,
                )
            )
        if before.limits is not None and after.limits is not None:
            self.limits, lacking = compare_limits(before.limits, after.limits)
            self._lacking("/proc/sys", "sysctl", lacking, "one side does not show")
        if before.judged is not None and after.judged is not None:
            self.findings, undecided = compare_findings(before.judged, after.judged)
            self._lacking("findings", "rule", undecided, "one side lacks the data of")

    def _lacking(self, source: str, noun: str, names: list[str], reason: str) -> None:
        if names:
            shown = ", ".join(names[:_NAMED])
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            plural = noun if len(names) == 1 else f"{noun}s"
            self.gaps.append(Gap(source, f"{plural} that {reason}, and that are not compared: {shown}{more}"))


_NAMED = 6


def _seconds(before: SideReading, after: SideReading, apart: str) -> float | None:
    if not apart and before.monotonic and after.monotonic:
        return after.monotonic - before.monotonic  # no clock that is set
    if before.side.at is None or after.side.at is None:
        return None
    return after.side.at - before.side.at


def read_side(survey: Survey, name: str, how: Judging, kinds: Collection[str]) -> SideReading:
    """Read one side: the sockets last, because they take longest and the counters are of one moment.

    Args:
        survey: reads the system.
        name: what the user called it.
        how: how it is judged.
        kinds: what is compared.
    """
    from sockdiag.sources.proc.mib import read_counters, read_more_counters

    files = survey.system.files
    judged = _judged(survey, how) if FINDING_KIND in kinds else None
    counters = None
    if COUNTER_KIND in kinds:
        counters, gaps = read_counters(files)
        more, gaps_of_more = read_more_counters(files)
        counters = counters.joined(more)
        for gap in (*gaps, *gaps_of_more):
            survey.note(gap)
    limits = sysctls(survey) if LIMIT_KIND in kinds else None
    sockets = _sockets(survey) if SOCKET_KIND in kinds else SideOfSockets(_nobody)
    provenance = survey.provenance()
    host = provenance.host
    side = ComparedSide(
        name,
        host.hostname,
        host.kernel,
        host.boot_id,
        survey.netns.inode,
        _time(survey),
        None if judged is None else judged.interval_s,
        len(sockets) if SOCKET_KIND in kinds else None,
    )
    reading = SideReading(side, sockets, counters, limits, judged)
    reading.monotonic = survey.system.monotonic()
    reading.gaps = tuple(survey.gaps)
    return reading


def _time(survey: SystemReader) -> float | None:
    # A capture that does not tell its time has the clock of the reader.
    return None if survey.system.clock is time.time and not survey.system.files.live else survey.started


def _judged(survey: Survey, how: Judging) -> Judged:
    from sockdiag.survey.diagnose import diagnose

    found: Diagnosis[None] = diagnose(survey, how, survey.where)
    return Judged(tuple(found.by_cause()), tuple(one.code for one in found.unknown), found.interval_s)


def _sockets(survey: SystemReader) -> SideOfSockets:
    scan = survey.owners()
    owners, nobody = scan.owners, None if scan.gaps else ()

    def owners_of(inode: int) -> tuple[Owner, ...] | None:
        return owners.get(inode) or nobody

    side = SideOfSockets(owners_of)
    where = survey.where
    reader = os.getpid() if survey.system.files.live else survey.system.reader
    for batch in survey.batches(survey.query((), where), where):
        side.add(batch if reader is None else _without(batch, reader))
    return side


def _without(batch: Batch, reader: int) -> Batch:
    """Leave out the netlink socket of the process that reads sockets with it."""
    if not batch.size or batch.values("netid")[0] != "netlink":
        return batch
    return Batch.of([socket for socket in batch.sockets() if socket.local.port != reader])


def _nobody(_inode: int) -> tuple[()]:
    return ()
