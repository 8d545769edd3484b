"""A family of metrics: a quantity with its samples, ready to be written in any format."""

from __future__ import annotations

from sockdiag.model.record import GAUGE, LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Kind of a family that states a fact, with the value 1. The other kinds are those of ``model.record``.
INFO = "info"


class MetricFamily(Record):
    """A quantity and its samples. Source: the OpenMetrics specification, "MetricFamily"."""

    name: str = field("Name without the suffix that its kind gives to samples (_total, _info).", kind=LABEL)
    help: str = field("What it is, one sentence.", kind=LABEL)
    labels: tuple[str, ...] = field("Names of its labels.", default=(), kind=LABEL)
    kind: str = field("gauge, counter or info.", default=GAUGE, kind=LABEL)
    unit: str = field("Base unit that the name ends in, or empty.", default="", kind=LABEL)
    samples: tuple[tuple[tuple[str, ...], int | float], ...] = field(
        "Label values and value; what is unknown has no sample.", default=()
    )

    @property
    def sample_name(self) -> str:
        """Name of its samples."""
        return self.name + {"counter": "_total", INFO: "_info"}.get(self.kind, "")


class MetricSample(Record):
    """One sample of a family."""

    name: str = field("Name of the metric.", kind=LABEL)
    labels: dict[str, str] = field("Its labels.", kind=LABEL)
    value: int | float = field("Value.")
    kind: str = field("gauge, counter or info.", kind=LABEL)
    unit: str = field("Base unit, or empty.", kind=LABEL)


def samples(families: Iterable[MetricFamily]) -> Iterator[MetricSample]:
    """Yield the samples of families, one by one."""
    for family in families:
        for labels, value in family.samples:
            named = dict(zip(family.labels, labels, strict=True))
            yield MetricSample(family.sample_name, named, value, family.kind, family.unit)
