r"""Write metric families as text: OpenMetrics 1.0, and the older Prometheus text format 0.0.4.

The two differ in the name of a counter: OpenMetrics names the family without ``_total``. The older format, the only one
that promtool and node_exporter's textfile collector read, gives it the name of its samples. Label values are untrusted:
control characters are escaped as everywhere (``render.escape``), then ``\``, ``"`` and newline as the formats demand.
"""

from __future__ import annotations

from sockdiag.model.metric_family import INFO
from sockdiag.model.record import GAUGE
from sockdiag.render.escape import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sockdiag.model.metric_family import MetricFamily


def openmetrics(families: Iterable[MetricFamily]) -> Iterator[str]:
    """Yield the lines of the OpenMetrics format. Source: the OpenMetrics specification 1.0.0, "Text format"."""
    for family in families:
        yield f"# TYPE {family.name} {family.kind}\n"
        if family.unit:
            yield f"# UNIT {family.name} {family.unit}\n"
        yield f"# HELP {family.name} {_escaped(family.help)}\n"
        yield from _samples(family)
    yield "# EOF\n"


def prometheus_text(families: Iterable[MetricFamily]) -> Iterator[str]:
    """Yield the lines of the text format 0.0.4, without timestamps. Source: Prometheus, "Exposition formats"."""
    for family in families:
        name = family.sample_name
        yield f"# HELP {name} {_help(family.help)}\n# TYPE {name} {GAUGE if family.kind == INFO else family.kind}\n"
        yield from _samples(family)


def _samples(family: MetricFamily) -> Iterator[str]:
    name = family.sample_name
    for labels, value in family.samples:
        pairs = ",".join([f'{label}="{_escaped(text)}"' for label, text in zip(family.labels, labels, strict=True)])
        yield f"{name}{{{pairs}}} {value!r}\n" if pairs else f"{name} {value!r}\n"


def _help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _escaped(text: str) -> str:
    return _help(label_text(text)).replace('"', '\\"')


def label_text(text: str) -> str:
    """Return a label value as all formats show it, before the format's own escapes."""
    return text if text.isascii() and text.isprintable() and "\\" not in text else printable(text)


# Integers of the format are signed 64-bit; the kernel's counters are unsigned.
_MOST = (1 << 63) - 1


def influx(families: Iterable[MetricFamily], at: float) -> Iterator[str]:
    """Yield one line per sample: the metric is the measurement, labels are sorted tags, the value is the field ``value``.

    Source: InfluxDB, "Line protocol". A tag without a value is left out, as the format demands.

    Args:
        families: the families to write.
        at: time of every line, in seconds since the epoch.
    """
    nanoseconds = round(at * 1e9)
    for family in families:
        for labels, value in family.samples:
            tags = [f",{label}={_tag(text)}" for label, text in sorted(zip(family.labels, labels, strict=True)) if text]
            yield f"{family.sample_name}{''.join(tags)} value={_number(value)} {nanoseconds}\n"


def _number(value: float) -> str:
    if isinstance(value, int):
        return f"{value}i" if value <= _MOST else repr(float(value))
    return repr(value)


def _tag(text: str) -> str:
    # The format cannot express a backslash before an escaped character, or at the end.
    shown = label_text(text).replace("\\", "%5C")
    return shown.replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")
