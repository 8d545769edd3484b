"""Turn measures into metric families, with a number of samples that a monitoring system can bear."""

from __future__ import annotations

from sockdiag.analysis.measures import all_measures, combined, values
from sockdiag.model.metric_family import MetricFamily
from sockdiag.model.record import BYTES, COUNTER, HOST, NETNS, RATIO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from sockdiag.analysis.measures import Facts, Measure
    from sockdiag.analysis.measures.measure import Labels, Value

# Label value for the sum of the rest. No table has this name.
OTHER = "other"


def family_of(measure: Measure) -> MetricFamily:
    """Return the family of a measure, without samples."""
    unit = measure.unit if measure.unit in (BYTES, RATIO) else ""
    return MetricFamily(measure.metric, measure.help, tuple(label.name for label in measure.labels), measure.kind, unit)


def families(facts: Facts, top: int, scopes: Collection[str] = (NETNS, HOST)) -> Iterator[MetricFamily]:
    """Yield the family of every measure that has a value.

    Args:
        facts: the sample.
        top: number of listeners, UDP ports or devices to show one by one.
        scopes: scopes to show.
    """
    for measure in all_measures():
        if measure.scope in scopes:
            samples = tuple((labels, value) for labels, value in shown(measure, facts, top) if value is not None)
            if samples:
                yield family_of(measure)._replace(samples=samples)


def placed(families: Iterable[MetricFamily], netns: str) -> Iterator[MetricFamily]:
    """Label families with the network namespace that they were read in."""
    for family in families:
        samples = tuple(((netns, *labels), value) for labels, value in family.samples)
        yield family._replace(labels=(NETNS, *family.labels), samples=samples)


def joined(parts: Iterable[Iterable[MetricFamily]]) -> list[MetricFamily]:
    """Merge the families of several namespaces, in the order of the measures."""
    found: dict[str, MetricFamily] = {}
    for part in parts:
        for family in part:
            known = found.get(family.name)
            found[family.name] = family if known is None else known._replace(samples=known.samples + family.samples)
    return [found[measure.metric] for measure in all_measures() if measure.metric in found]


def shown(measure: Measure, facts: Facts, top: int) -> Iterable[tuple[Labels, Value]]:
    """Return the values of a measure; if it has many sets of labels, the first ones, and the rest as ``other``.

    For a counter the rest is left out: its sum would fall as sets of labels leave it, which a monitoring system would take
    for a reset. The sets that are left out have counted least.
    """
    found = values(measure, "", facts)
    if not measure.many or len(found) <= top:
        return found
    if measure.kind == COUNTER:
        return found[:top]
    other = combined(measure, (value for _labels, value in found[top:]))
    return [*found[:top], ((OTHER,) * len(measure.labels), other)]
