"""Families of metrics from measures, with as many samples as a monitoring system should be given."""

from __future__ import annotations

from sockdiag.analysis.measures import all_measures, combined, values
from sockdiag.model.metric_family import MetricFamily
from sockdiag.model.record import BYTES, COUNTER, HOST, NETNS, RATIO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from sockdiag.analysis.measures import Facts, Measure
    from sockdiag.analysis.measures.measure import Labels, Value

# Label value of what is not shown one by one. No table has this name.
OTHER = "other"


def family_of(measure: Measure) -> MetricFamily:
    """Return the family of a measure, without samples."""
    unit = measure.unit if measure.unit in (BYTES, RATIO) else ""
    return MetricFamily(measure.metric, measure.help, tuple(label.name for label in measure.labels), measure.kind, unit)


def families(facts: Facts, top: int, scopes: Collection[str] = (NETNS, HOST)) -> Iterator[MetricFamily]:
    """Yield the family of every measure that has a value.

    Args:
        facts: the sample.
        top: how many listeners, UDP ports or devices are shown one by one.
        scopes: whose numbers are shown.
    """
    for measure in all_measures():
        if measure.scope in scopes:
            samples = tuple((labels, value) for labels, value in shown(measure, facts, top) if value is not None)
            if samples:
                yield family_of(measure)._replace(samples=samples)


def placed(families: Iterable[MetricFamily], netns: str) -> Iterator[MetricFamily]:
    """Say of families in which network namespace they were seen."""
    for family in families:
        samples = tuple(((netns, *labels), value) for labels, value in family.samples)
        yield family._replace(labels=(NETNS, *family.labels), samples=samples)


def joined(parts: Iterable[Iterable[MetricFamily]]) -> list[MetricFamily]:
    """Put the families of several namespaces together, in the order of the measures."""
    found: dict[str, MetricFamily] = {}
    for part in parts:
        for family in part:
            known = found.get(family.name)
            found[family.name] = family if known is None else known._replace(samples=known.samples + family.samples)
    return [found[measure.metric] for measure in all_measures() if measure.metric in found]


def shown(measure: Measure, facts: Facts, top: int) -> Iterable[tuple[Labels, Value]]:
    """Return the values of a measure; of one that has many sets of labels the first ones, and the rest as ``other``.

    The rest of a counter is left out: as sets of labels come and go from it, its sum would fall, which a monitoring system
    takes for a counter that began anew. What is left out has counted least.
    """
    found = values(measure, "", facts)
    if not measure.many or len(found) <= top:
        return found
    if measure.kind == COUNTER:
        return found[:top]
    other = combined(measure, (value for _labels, value in found[top:]))
    return [*found[:top], ((OTHER,) * len(measure.labels), other)]
