"""Turn findings and measures into plugin statuses, with a minimum of losses and with hysteresis."""

from __future__ import annotations

from binascii import crc32

from sockdiag.check.status import CHECK_CRITICAL, CHECK_OK, CHECK_UNKNOWN, CHECK_WARNING
from sockdiag.model.finding import CRITICAL, DROPPING, SOCKET, WARNING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sockdiag.judging.case import Case, Hit
    from sockdiag.model.alert_range import AlertRange
    from sockdiag.model.finding import Finding

# Fewer losses between two samples raise no alert; an alert that was raised lasts until there are none.
LEAST_EVENTS = 5
# An alert that a level raised lasts until the level is below the threshold by this share.
MARGIN = 0.1
# The same of a share of the traffic: of 500 segments, 5 % are 25, give or take five.
WIDE_MARGIN = 0.5

_STATUS = {CRITICAL: CHECK_CRITICAL, WARNING: CHECK_WARNING}
# A known problem is reported even if something else is unknown.
_BADNESS = {CHECK_OK: 0, CHECK_UNKNOWN: 1, CHECK_WARNING: 2, CHECK_CRITICAL: 3}
_EVENTS = ("count", "packets", "attempts", "segments")


def worst(statuses: Iterable[int]) -> int:
    """Return the worst of plugin statuses."""
    return max(statuses, key=_BADNESS.__getitem__, default=CHECK_OK)


def badness_of(status: int) -> int:
    """Return a number that orders statuses by how bad they are."""
    return _BADNESS[status]


def alert_name(finding: Finding) -> str:
    """Name an alert; the name is the same in every run."""
    about = finding.subject
    # A process may change its name and the number of its sockets and still be the same process.
    who = about.cookie or about.inode or (about.pid, about.name, about.local, about.peer)
    return f"{finding.code} {crc32(repr((about.kind, about.netid, about.state, who)).encode()):08x}"


class Alert:
    """A finding and its plugin status.

    Attributes:
        finding: the finding.
        status: the plugin status; 0 if it raises no alert.
        few: it raises no alert only because its losses are few.
        sustained: it raises an alert only because the last run raised it.
    """

    __slots__ = ("few", "finding", "status", "sustained")

    def __init__(self, finding: Finding, status: int, *, few: bool = False, sustained: bool = False) -> None:
        self.finding = finding
        self.status = status
        self.few = few
        self.sustained = sustained


def events(finding: Finding) -> int | None:
    """Return the number of losses behind a finding; None if it is not about losses between two samples."""
    if finding.verdict != DROPPING:
        return None
    found = [
        e.value
        for name, e in finding.evidence.items()
        if e.unit in _EVENTS and isinstance(e.value, int) and not name.endswith("_packets")
    ]
    return max(found, default=None)


def alerts_of(hits: Iterable[Hit], raised: Mapping[str, int], *, guarded: bool) -> list[Alert]:
    """Assign statuses to findings.

    Args:
        hits: the findings of the rules.
        raised: alerts of the last run.
        guarded: few losses raise no alert.
    """
    hits = list(hits)
    # What has effects is no matter of a few packets.
    causes = {hit.finding.effect_of for hit in hits}
    found = []
    for hit in hits:
        finding = hit.finding
        status = _STATUS.get(finding.severity, CHECK_OK)
        count = events(finding)
        before = raised.get(alert_name(finding), CHECK_OK)
        few = bool(guarded and status and count is not None and count < LEAST_EVENTS and not before)
        few = few and finding.code not in causes
        found.append(Alert(finding, CHECK_OK if few else status, few=few))
    return found


def sustained(
    case: Case, alerts: list[Alert], raised: Mapping[str, int], codes: Iterable[str], present: Case | None = None
) -> list[Alert]:
    """Keep alerts whose level, or trend, or share is not clearly below the threshold that raised them.

    Args:
        case: the samples.
        alerts: alerts of this run.
        raised: alerts of the last run, by name.
        codes: rules to judge by.
        present: the samples that findings about sockets come from, if not those of *case*.

    Returns:
        The alerts of this run, some of them with their status of the last run.
    """
    now = {alert_name(a.finding): a.status for a in alerts}
    fading = {name: status for name, status in raised.items() if now.get(name, CHECK_OK) < status}
    # Keep the order of the codes, so that the text does not change from run to run.
    again = [code for code in codes if any(name.partition(" ")[0] == code for name in fading)]
    if not again:
        return alerts
    kept: dict[str, Alert] = {}
    for hit in _nearly(case, again, present):
        name = alert_name(hit.finding)
        status = min(_STATUS.get(hit.finding.severity, CHECK_OK), fading.get(name, CHECK_OK))
        if status > now.get(name, CHECK_OK):
            kept.setdefault(name, Alert(hit.finding, status, sustained=True))
    return [a for a in alerts if alert_name(a.finding) not in kept] + list(kept.values())


def _nearly(case: Case, codes: list[str], present: Case | None) -> Iterator[Hit]:
    """Yield what is nearly an alert: levels by a small margin, shares of traffic, which vary by chance, by a wide one."""
    from sockdiag.judging.group import name_owners
    from sockdiag.judging.judge import judge

    for one in (case, *(() if present is None else (present,))):
        for hit in name_owners(one, judge(one.relaxed(1 - MARGIN), codes).hits):
            if hit.finding.verdict != DROPPING:
                yield hit
    for hit in name_owners(case, judge(case.relaxed(1 - WIDE_MARGIN), codes).hits):
        if hit.finding.headroom_ratio is None and hit.finding.subject.kind != SOCKET:
            yield hit


def worst_first(alerts: list[Alert]) -> list[Alert]:
    """Sort alerts, worst first, the largest loss among equals, and merge those of one process with one problem."""
    from sockdiag.judging.case import Hit
    from sockdiag.judging.group import by_cause
    from sockdiag.model.finding import badness

    alike: dict[tuple[int, bool, bool], list[Hit]] = {}
    for alert in alerts:
        alike.setdefault((alert.status, alert.few, alert.sustained), []).append(Hit(alert.finding))
    found = [
        Alert(finding, status, few=few, sustained=kept)
        for (status, few, kept), hits in alike.items()
        for finding in by_cause(hit.finding for hit in hits)
    ]
    return sorted(found, key=lambda a: (-badness_of(a.status), a.few, badness(a.finding)))


def status_of(
    value: float, warning: AlertRange | None, critical: AlertRange | None, raised: int, events: float | None
) -> tuple[int, bool]:
    """Compare a measure with its ranges.

    Args:
        value: the value of the measure.
        warning: range, or None.
        critical: range, or None.
        raised: its status in the last run.
        events: the number of events behind a rate; None if it is not a rate.

    Returns:
        The status, and whether it is sustained although the value alone would not raise it.
    """
    plain = CHECK_OK
    kept = CHECK_OK
    for status, bounds in ((CHECK_WARNING, warning), (CHECK_CRITICAL, critical)):
        if bounds is None:
            continue
        # A bound of 0 means that every event counts.
        few = events is not None and 0 < events < LEAST_EVENTS and bounds.end > 0 and value > bounds.end
        if bounds.alerts(value) and not (few and not bounds.inside):
            plain = status
        if raised >= status and raised != CHECK_UNKNOWN and bounds.alerts(value, held=True):
            kept = status
    return (kept, True) if kept > plain else (plain, False)
