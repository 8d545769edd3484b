"""The kernel's MIB counters as measures, by their kernel names."""

from __future__ import annotations

from sockdiag.analysis.measures.measure import Facts, Measure, count
from sockdiag.analysis.path_table import ARRIVED, LOSS, PASSED, SIGN, STEPS
from sockdiag.model.counter_table import meaning_of
from sockdiag.model.counters import GAUGES, MIBS, mib_of
from sockdiag.model.record import COUNTER, GAUGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.analysis.measures.measure import Labels, Value
    from sockdiag.analysis.path_table import Item

# MIBs whose counters are one number per namespace; those of the others have rows.
_PLAIN = tuple(mib.prefix for mib in MIBS.values() if mib.source.startswith(("/proc/net/snmp", "/proc/net/netstat")))


def is_counter(name: str) -> bool:
    """Return whether a name can be that of a counter: a known prefix, a dot and a name."""
    prefix, _, rest = name.partition(".")
    return bool(rest) and prefix in MIBS


def counter_measure(name: str, help: str = "") -> Measure:
    """Make the measure of a counter.

    Args:
        name: the kernel's name, such as Udp.RcvbufErrors.
        help: its meaning.
    """

    def read(facts: Facts) -> Iterator[tuple[Labels, Value]]:
        yield (), facts.sample.counters.get(name)

    mib = mib_of(name)
    said = help or meaning_of(name)
    said = f"{said[0].upper()}{said[1:]} ({name} of {mib.source})." if said else f"{name} of {mib.source}."
    return count(name, said, read, ("counters",), kind=GAUGE if name in GAUGES else COUNTER, scope=mib.scope)


def _meaning_of(item: Item) -> str:
    meaning = item.meaning or meaning_of(item.name)
    return (
        f"{meaning}; {item.within} counts them too"
        if item.within and not item.within.startswith("sockets.")
        else meaning
    )


def _declared() -> Iterator[Measure]:
    seen = set()
    for step in STEPS:
        for item in step.items:
            if (
                item.role in (ARRIVED, PASSED, LOSS, SIGN)
                and item.name.partition(".")[0] in _PLAIN
                and item.name not in seen
            ):
                seen.add(item.name)
                yield counter_measure(item.name, _meaning_of(item))


MEASURES = tuple(_declared())
