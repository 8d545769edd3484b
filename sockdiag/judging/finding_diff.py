"""Tell which findings appeared and vanished between two diagnoses."""

from __future__ import annotations

from sockdiag.judging.declared import TWO_SAMPLES
from sockdiag.model.difference import APPEARED, CHANGED, VANISHED, FindingDifference
from sockdiag.model.finding import DROPPING, badness
from sockdiag.model.record import LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from typing import Any

    from sockdiag.model.finding import Finding


class Judged(Record):
    """What was found on one side of a comparison."""

    findings: tuple[Finding, ...] = field("One per cause, worst first.")
    unknown: tuple[str, ...] = field("Rules that lacked data.", default=(), kind=LABEL)
    interval_s: float | None = field("Seconds between its samples; null for a single one.", default=None)


def compare_findings(before: Judged, after: Judged) -> tuple[list[FindingDifference], list[str]]:
    """Compare the findings of two sides.

    Returns:
        The differences, worst first, and the rules whose findings could not be compared because one side lacks what they need.
    """
    olds, news = _by_identity(before.findings), _by_identity(after.findings)
    found: list[FindingDifference] = []
    undecided: set[str] = set()
    for key, new in news.items():
        old = olds.get(key)
        if old is None:
            if _can_tell(new, before):
                found.append(FindingDifference(APPEARED, None, new.severity, new))
            else:
                undecided.add(new.code)
        elif old.severity != new.severity:
            found.append(FindingDifference(CHANGED, old.severity, new.severity, new))
    for key, old in olds.items():
        if key not in news:
            if _can_tell(old, after):
                found.append(FindingDifference(VANISHED, old.severity, None, old))
            else:
                undecided.add(old.code)
    found.sort(key=lambda one: badness(one.finding))
    return found, sorted(undecided)


def _can_tell(finding: Finding, other: Judged) -> bool:
    """Return whether a side that has no such finding would show it."""
    if finding.code in other.unknown:
        return False
    return other.interval_s is not None or finding.code not in TWO_SAMPLES or finding.verdict != DROPPING


def _by_identity(findings: Iterable[Finding]) -> dict[Any, Finding]:
    found: dict[Any, Finding] = {}
    for finding in findings:
        # Of several findings alike (two processes of one name) the worst, which comes first, stands for all.
        found.setdefault(identity_of(finding), finding)
    return found


def identity_of(finding: Finding) -> Any:
    """Return what is the same of a finding that is found again, also when its service was restarted."""
    subject = finding.subject
    # Process ids, inodes and cookies change when a service is restarted, and the finding is the same.
    return finding.code, subject.kind, subject.name, subject.netid, subject.local, subject.peer, subject.comm


def appeared(differences: Iterable[FindingDifference], severities: Collection[str]) -> Iterator[FindingDifference]:
    """Yield the findings that appeared or changed and have one of some severities now."""
    for one in differences:
        if one.change != VANISHED and one.after in severities:
            yield one
