"""Measures of a run: their values, or how fast they grow, and what follows from their ranges."""

from __future__ import annotations

from sockdiag.analysis.measures import Facts, find, missing, values
from sockdiag.cli.checking.asked import Bounded
from sockdiag.cli.checking.levels import status_of
from sockdiag.cli.exit import CHECK_CRITICAL, CHECK_OK, CHECK_UNKNOWN, CHECK_WARNING
from sockdiag.model.counters import U32, mib_of
from sockdiag.model.record import Record, field
from sockdiag.render.plugin_text import number, perfdata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sockdiag.model.look import Look

# What is drawn where no measure is named: how near the limits are, and what is lost.
USUAL = (
    "tcp_mem.used_ratio", "udp_mem.used_ratio", "tcp_orphans.used_ratio", "conntrack.used_ratio", "files.used_ratio",
    "listener.accept_queue_ratio", "udp.receive_buffer_ratio", "states[tcp,ESTABLISHED]", "states[tcp,CLOSE_WAIT]",
    "states[tcp,TIME_WAIT]", "Tcp.RetransSegs", "TcpExt.ListenDrops", "Udp.RcvbufErrors",
)  # fmt: skip


class Measured(Record):
    """A measure of this run."""

    bounded: Bounded = field("The measure and its ranges.")
    value: float | None = field("Its value, of a rate a second; None is unknown.")
    why: str = field("Why it is unknown.")
    status: int = field("Plugin status.")
    held: bool = field("It has the status because it had it before.")

    @property
    def alert_name(self) -> str:
        """Its name among the alerts."""
        return f"measure {self.bounded.text}"

    def said(self) -> str:
        """Say what it is."""
        bounded = self.bounded
        if self.value is None:
            return f"{bounded.text} is not known: {self.why}"
        unit = {"bytes": " bytes", "s": " s"}.get(bounded.measure.unit, "")
        text = f"{bounded.text} is {number(round(self.value, 6))}{unit}{' a second' if bounded.is_rate else ''}"
        bounds = {CHECK_WARNING: bounded.warning, CHECK_CRITICAL: bounded.critical}.get(self.status)
        if bounds is None:
            return text
        flag = "-w" if self.status == CHECK_WARNING else "-c"
        return f"{text} ({flag} {bounds.text}{', not clearly better yet' if self.held else ''})"

    def datum(self) -> str:
        """Write it as performance data."""
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


def usual() -> tuple[Bounded, ...]:
    """Return what is drawn where no measure is named."""
    return tuple(Bounded(text, *find(text), None, None) for text in USUAL)


def measured(
    wanted: Iterable[Bounded], now: Look, before: Look | None, seconds: float | None, raised: Mapping[str, int]
) -> list[Measured]:
    """Take measures of a look, and of counters what they grew by since the look before.

    Args:
        wanted: the measures.
        now: the look.
        before: the earlier one, or None.
        seconds: the time between the two.
        raised: alerts of the run before.
    """
    facts = Facts(now)
    past = None if before is None else Facts(before)
    return [_measured(one, facts, past, seconds, raised) for one in wanted]


def _measured(
    one: Bounded, facts: Facts, past: Facts | None, seconds: float | None, raised: Mapping[str, int]
) -> Measured:
    value, grown, why = _level(one, facts) if not one.is_rate else _growth(one, facts, past)
    rate = grown / seconds if grown is not None and seconds else None
    result = Measured(one, rate if one.is_rate else value, why, CHECK_OK, False)
    if result.value is None:
        return result._replace(status=CHECK_UNKNOWN)
    status, held = status_of(result.value, one.warning, one.critical, raised.get(result.alert_name, CHECK_OK), grown)
    return result._replace(status=status, held=held)


def _level(one: Bounded, facts: Facts) -> tuple[float | None, float | None, str]:
    from sockdiag.analysis.measures import value

    found = value(one.measure, one.key, facts)
    return found, None, "" if found is not None else missing(one.measure, facts) or "nothing here has it"


def _growth(one: Bounded, facts: Facts, past: Facts | None) -> tuple[None, float | None, str]:
    now = dict(values(one.measure, one.key, facts))
    if not now:
        return None, None, missing(one.measure, facts) or "nothing here has it"
    if past is None:
        return None, None, "it takes two looks"
    before = dict(values(one.measure, one.key, past))
    lacking = missing(one.measure, past)
    grown = 0.0
    for labels, value in now.items():
        was = before.get(labels)
        if was is None and one.measure.cumulative and not lacking:
            was = 0  # no socket of these labels had refused anything
        if value is None or was is None:
            return None, None, missing(one.measure, facts) or lacking or "not there at the look before"
        change = value - was
        if change < 0 and _wraps(one) and change + U32 < U32 // 2:
            change += U32
        if change < 0:
            return None, None, "set to zero since the look before"
        grown += change
    return None, grown, ""


def _wraps(one: Bounded) -> bool:
    prefix = {"softnet": "softnet_stat", "conntrack": "nf_conntrack", "qdisc": "qdisc"}.get(
        one.measure.name.partition(".")[0], one.measure.name
    )
    return mib_of(prefix).wraps_at == U32
