"""Measures of a run: their values or rates, and the statuses that follow from their ranges."""

from __future__ import annotations

from sockdiag.analysis.measures import MAX, Facts, find, missing, value, values
from sockdiag.check.levels import status_of
from sockdiag.check.request import BoundedMeasure
from sockdiag.check.status import CHECK_CRITICAL, CHECK_OK, CHECK_UNKNOWN, CHECK_WARNING
from sockdiag.model.counters import U32, mib_of
from sockdiag.model.quantity import amount, rate
from sockdiag.model.record import HOST, Record, field
from sockdiag.render.plugin_text import number, perfdata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sockdiag.model.sample import Sample

# Measures in the performance data if none are named: distances from limits, and losses.
USUAL = (
    "tcp_mem.used_ratio",
    "udp_mem.used_ratio",
    "tcp_orphans.used_ratio",
    "conntrack.used_ratio",
    "files.used_ratio",
    "listener.accept_queue_ratio",
    "udp.receive_buffer_ratio",
    "states[tcp,ESTABLISHED]",
    "states[tcp,CLOSE_WAIT]",
    "states[tcp,TIME_WAIT]",
    "Tcp.RetransSegs",
    "TcpExt.ListenDrops",
    "Udp.RcvbufErrors",
)

# Prefixes of counters, and of measures, whose counters wrap at 32 bits.
_MIBS = {"softnet": "softnet_stat", "conntrack": "nf_conntrack"}


class Taken(Record):
    """A measure in one namespace; it is sent between processes."""

    value: float | None = field("Its value; for a rate its growth; None is unknown.", default=None)
    seconds: float | None = field("For a rate, the time in which it grew.", default=None)
    why: str = field("Why it is unknown.", default="")


class Measured(Record):
    """The value and status of a measure in this run."""

    bounded: BoundedMeasure = field("The measure and its ranges.")
    value: float | None = field("Its value, for a rate per second; None is unknown.")
    why: str = field("Why it is unknown.")
    status: int = field("Plugin status.")
    sustained: bool = field("It has the status only because the last run had.")

    def summary(self) -> str:
        """Return the measure, its value and the range that it violates."""
        bounded = self.bounded
        if self.value is None:
            return f"{bounded.text} is unknown: {self.why}"
        text = f"{bounded.text} is {_figure(bounded, self.value)}"
        bounds = {CHECK_WARNING: bounded.warning, CHECK_CRITICAL: bounded.critical}.get(self.status)
        if bounds is None:
            return text
        flag = "-w" if self.status == CHECK_WARNING else "-c"
        return f"{text} ({flag} {bounds.text}{', still within the recovery margin' if self.sustained else ''})"

    def datum(self) -> str:
        """Return it as performance data."""
        bounded = self.bounded
        measure = bounded.measure
        ratio = measure.unit == "ratio" and not bounded.is_rate
        return perfdata(
            f"{bounded.text}_per_s" if bounded.is_rate else bounded.text,
            self.value,
            "" if bounded.is_rate else measure.unit,
            "" if bounded.warning is None else bounded.warning.text,
            "" if bounded.critical is None else bounded.critical.text,
            0,
            1 if ratio else None,
        )


def _figure(bounded: BoundedMeasure, value: float) -> str:
    unit = bounded.measure.unit
    if bounded.is_rate:
        return rate(value, unit)
    # A ratio is written as its ranges are.
    return number(round(value, 4)) if unit == "ratio" else amount(value, unit.removeprefix("count"))


def usual() -> tuple[BoundedMeasure, ...]:
    """Return the measures of the performance data if none are named."""
    return tuple(BoundedMeasure(text, *find(text), None, None) for text in USUAL)


def alert_name(one: BoundedMeasure) -> str:
    """Name a measure among the alerts."""
    return f"measure {one.text}"


def taken(wanted: Iterable[BoundedMeasure], now: Sample, before: Sample | None) -> list[Taken]:
    """Take measures of a sample: values of gauges, and the growth of counters since the earlier sample."""
    wanted = list(wanted)
    facts = Facts(now)
    past = None if before is None else Facts(before)
    # Sums over sockets leave out sockets that had drops and have been closed since.
    alive = past
    if before is not None and any(one.measure.cumulative for one in wanted):
        from sockdiag.check.baseline import still_there

        alive = Facts(still_there(before, now))
    seconds = None if before is None else max(now.at - before.at, 1e-6)
    return [
        _growth(one, facts, alive if one.measure.cumulative else past, seconds) if one.is_rate else _level(one, facts)
        for one in wanted
    ]


def measured(one: BoundedMeasure, parts: list[Taken], raised: Mapping[str, int]) -> Measured:
    """Combine the values of a measure in all namespaces, and compare the result with its ranges.

    Args:
        one: the measure.
        parts: its value in each namespace, this process's own first; for a measure of the host only that one counts.
        raised: alerts of the last run.
    """
    parts = parts[:1] if one.measure.scope == HOST else parts
    lacking = next((part.why for part in parts if part.value is None and part.why), "")
    known = [part for part in parts if part.value is not None]
    # A namespace without listeners has no queue, which is not unknown; a value that could not be read is.
    if not known or lacking:
        return Measured(one, None, lacking or "nothing here has this measure", CHECK_UNKNOWN, False)
    totals = [part.value for part in known if part.value is not None]
    if one.is_rate:
        total = sum(part.value / (part.seconds or 1e-6) for part in known if part.value is not None)
    else:
        total = max(totals) if one.measure.combine == MAX else sum(totals)
    grown = sum(totals) if one.is_rate else None
    status, sustained = status_of(total, one.warning, one.critical, raised.get(alert_name(one), CHECK_OK), grown)
    return Measured(one, total, "", status, sustained)


def _level(one: BoundedMeasure, facts: Facts) -> Taken:
    found = value(one.measure, one.key, facts)
    return Taken(found, None, "" if found is not None else missing(one.measure, facts) or _labelled(one, facts))


def _labelled(one: BoundedMeasure, facts: Facts) -> str:
    # Either nothing has such labels, so nothing is missing, or something has and its value is unknown.
    return "not reported by the kernel" if values(one.measure, one.key, facts) else ""


def _growth(one: BoundedMeasure, facts: Facts, past: Facts | None, seconds: float | None) -> Taken:
    now = dict(values(one.measure, one.key, facts))
    if not now:
        return Taken(why=missing(one.measure, facts))
    lacking = missing(one.measure, facts)
    if past is None or (lacking and None in now.values()):
        return Taken(why=lacking or "a rate needs two samples")
    before = dict(values(one.measure, one.key, past))
    lacking = missing(one.measure, past)
    grown = 0.0
    for labels, is_now in now.items():
        was = before.get(labels)
        if was is None and one.measure.cumulative and not lacking:
            was = 0  # no socket of these labels had refused anything
        if is_now is None or was is None:
            return Taken(why=missing(one.measure, facts) or lacking or "not present in the earlier sample")
        change = is_now - was
        if change < 0 and _wraps(one) and change + U32 < U32 // 2:
            change += U32
        if change < 0:
            return Taken(why="counter reset since the earlier sample")
        grown += change
    return Taken(grown, seconds)


def _wraps(one: BoundedMeasure) -> bool:
    prefix = one.measure.name.partition(".")[0]
    return mib_of(f"{_MIBS.get(prefix, prefix)}.").wraps_at == U32
