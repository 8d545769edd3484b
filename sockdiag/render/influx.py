"""Families of metrics in InfluxDB's line protocol, as telegraf reads it."""

from __future__ import annotations

from sockdiag.render.exposition import label_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sockdiag.model.family import Family

# Integers have 64 bits and a sign; the kernel's counters have none.
_MOST = (1 << 63) - 1


def influx(families: Iterable[Family], at: float) -> Iterator[str]:
    """Yield a line a sample: the metric is the measurement, labels are tags, sorted, and the value is the field ``value``.

    Source: InfluxDB, "Line protocol". A tag without a value is left out, as the format demands.

    Args:
        families: what to write.
        at: seconds since the epoch, the time of every line.
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
    # There is no way to write a backslash that stands before what is escaped, or at the end.
    shown = label_text(text).replace("\\", "%5C")
    return shown.replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")
