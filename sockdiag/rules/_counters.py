"""Counters of loss: how the rules about a whole namespace judge them."""

from __future__ import annotations

from sockdiag.judging.case import Hit, counted, per_second
from sockdiag.model.finding import DROPPING, NAMESPACE, Finding, Subject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Rule
    from sockdiag.model.finding import Advice, Evidence


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
) -> Iterator[Hit]:
    """Yield a finding if counters grew between the samples.

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

    Raises:
        Unseen: none of the counters could be read.
    """
    case.need_counters(*names)
    lost = case.sum_moved(*names) if lost is None else lost
    if not lost or lost < 0:
        return
    evidence = {name.removeprefix("TcpExt."): case.counter_evidence(name) for name in names if case.moved(name)}
    said = f"{counted(lost, noun)} {what}{per_second(case.rate(lost))}"
    yield Hit(
        Finding(
            rule.code,
            rule.severity,
            Subject(NAMESPACE, about),
            said,
            {**evidence, **(more or {})},
            None,
            None,
            advice,
            DROPPING,
        )
    )
