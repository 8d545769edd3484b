"""Counters of loss: how the rules about a whole namespace are declared and how they judge."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit
from sockdiag.judging.magnitude import THRESHOLDS, beyond_guard, severity_of, share_of
from sockdiag.model.counter_table import known_counter
from sockdiag.model.counters import mib_of
from sockdiag.model.finding import CRITICAL, DROPPING, NAMESPACE, Evidence, Finding, Subject
from sockdiag.model.quantity import counted, rate, share

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from sockdiag.judging.case import Case, Rule, Threshold
    from sockdiag.model.finding import Advice


# Files that every kernel has.
_ALWAYS = ("/proc/net/snmp", "/proc/net/netstat", "/proc/net/dev")


def counter_rule(
    code: str,
    meaning: str,
    condition: str,
    names: tuple[str, ...],
    passed: tuple[str, ...],
    advice: tuple[str, ...],
    guarded: tuple[Threshold, ...] = (),
    *,
    severity: str = CRITICAL,
    verdicts: tuple[str, ...] = (DROPPING,),
    beside: tuple[str, ...] = (),
    **more: Any,
) -> DeclaredRule:
    """Declare a rule that judges counters of a namespace by their share of the traffic.

    Args:
        code: its name.
        meaning: what a finding means.
        condition: when the kernel counts.
        names: the counters; the kernel functions are those of the table of counters.
        passed: counters of the traffic of which they are a share.
        advice: what it may advise.
        guarded: the volume below which nothing is found (:func:`~sockdiag.judging.magnitude.guard`).
        severity: the worst that it gives.
        verdicts: those that it gives.
        beside: other counters that it reads.
        more: other members of the declaration.
    """
    counters = tuple(dict.fromkeys((*names, *passed, *beside)))
    # A kernel without IPv6 has no snmp6, without IPsec no xfrm_stat, and so on: only what every kernel has is needed.
    sources = tuple(dict.fromkeys(mib_of(name).source for name in counters))
    always = [source for source in sources if source in _ALWAYS]
    return DeclaredRule(
        code,
        severity,
        verdicts,
        meaning,
        condition,
        _functions(names),
        names,
        tuple(always[:1]),
        (*guarded, *THRESHOLDS),
        advice,
        tuple(source for source in sources if source not in always[:1]),
        counters=counters,
        **more,
    )


def _functions(names: tuple[str, ...]) -> str:
    found: dict[str, None] = {}
    for name in names:
        row = known_counter(name)
        if row is not None:
            found.update(dict.fromkeys(row.function.split(", ")))
    return ", ".join(name for name in found if name != "none")


def judge_by_share(
    rule: Rule,
    names: tuple[str, ...],
    passed: tuple[str, ...],
    about: str,
    noun: str,
    what: str,
    advice: tuple[Advice, ...],
    *,
    of: str,
) -> Callable[[Case], Iterator[Hit]]:
    """Return the ``judge(case)`` of a rule that has one finding: its counters grew by more than it declares as harmless.

    Args:
        rule: the rule, which has one verdict.
        names: the counters; their sum is what was lost.
        passed: counters of the traffic of which they are a share.
        about: name of the subject.
        noun: what was lost, in the singular.
        what: what became of it.
        advice: what to do.
        of: what the share is one of, in the plural.
    """
    (verdict,) = rule.verdicts

    def judge(case: Case) -> Iterator[Hit]:
        """Judge the counters against the traffic."""
        yield from lost_in_interval(
            case,
            rule,
            names,
            about,
            noun,
            what,
            advice,
            passed=case.sum_moved(*passed),
            of=of,
            guarded=True,
            verdict=verdict,
        )

    return judge


def lost_in_interval(
    case: Case,
    rule: Rule,
    names: tuple[str, ...],
    about: str,
    noun: str,
    what: str,
    advice: tuple[Advice, ...],
    more: dict[str, Evidence] | None = None,
    lost: int | None = None,
    passed: int | None = None,
    *,
    of: str = "",
    cause: str = "",
    guarded: bool = False,
    verdict: str = DROPPING,
    severity: str | None = None,
) -> Iterator[Hit]:
    """Yield a finding if counters grew between the samples; its severity follows the share and the rate.

    Args:
        case: the samples.
        rule: the rule that the finding belongs to.
        names: the counters; their sum is what was lost, unless *lost* is given.
        about: name of the subject.
        noun: what was lost, in the singular.
        what: what became of it.
        advice: what to do.
        more: further evidence.
        lost: how much was lost, where the counters count some packets twice.
        passed: how much got through in the same time; None if that is unknown.
        of: what the share is one of, in the plural.
        cause: why it happens.
        guarded: nothing is found below the volume that the rule declares.
        verdict: that of the finding.
        severity: that of the finding; None to work it out.

    Raises:
        Unseen: none of the counters could be read.
    """
    if not any(name in case.now.counters for name in names):
        if _is_there(case, mib_of(names[0]).source):
            return
        case.need_counters(*names)
    lost = case.sum_moved(*names) if lost is None else lost
    if not lost or lost < 0 or (guarded and not beyond_guard(case, rule, lost, passed)):
        return
    evidence = {name.removeprefix("TcpExt."): case.counter_evidence(name) for name in names if case.moved(name)}
    ratio = share_of(lost, passed)
    if ratio is not None:
        evidence["share"] = Evidence(round(ratio, 4), "ratio", None, "", "netns")
    per_s = case.rate(lost)
    figures = ", ".join(
        text
        for text in (
            rate(per_s) if per_s is not None else "",
            f"{share(ratio)} of {of}" if ratio is not None and of else "",
        )
        if text
    )
    yield Hit(
        Finding(
            rule.code,
            severity or severity_of(lost, passed, case.seconds, rule.severity),
            Subject(NAMESPACE, about),
            f"{counted(lost, noun)} {what}" + (f" ({figures})" if figures else ""),
            {**evidence, **(more or {})},
            None,
            None,
            advice,
            verdict,
            cause,
            per_s if verdict == DROPPING else None,
        )
    )


def _is_there(case: Case, source: str) -> bool:
    """Return whether a file was read, or is one that a kernel may lack: then this kernel does not count such events."""
    if source not in _ALWAYS:
        return True
    return any(mib_of(name).source == source for name in case.now.counters.values)


def steady(case: Case, name: str) -> bool:
    """Return whether a counter moved throughout the interval, rather than in one burst; True where no probes were taken.

    A load generator that ends, or a scan of a few ports, is a burst. A service that is down is not.
    """
    values = [sample.counters.get(name) for sample in (case.before, *case.between, case.now) if sample is not None]
    if len(values) < _PROBED or None in values:
        return True
    moves = sum(values[at] != values[at + 1] for at in range(len(values) - 1))
    return moves > (len(values) - 1) / 2


# Both samples and two probes.
_PROBED = 4
