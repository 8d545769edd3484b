"""Named measures: the one registry behind ``metrics`` and ``check --measure``.

How to use it::

    measure, key = find("listener[:443].accept_queue_ratio")   # UsageError, with the closest name, if there is none
    facts = Facts(sample)                                       # one for all measures of a sample
    values(measure, key, facts)                                 # [(("tcp", "0.0.0.0:443"), 0.25)]
    value(measure, key, facts)                                  # 0.25; None is unknown, never 0
    missing(measure, facts)                                     # why it is unknown, if a part of the sample is missing

``measure.needs`` names the parts of a sample that it is computed from, so that a caller reads only those.
"""

from __future__ import annotations

from sockdiag.analysis.measures import _host, _mib, _path, _queues, _sockets
from sockdiag.analysis.measures.measure import MAX, SUM, Facts, Label, Measure, snake
from sockdiag.errors import UsageError, nearest, unknown
from sockdiag.kernel.tcp_states import state_number
from sockdiag.model.counters import mib_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sockdiag.analysis.measures.measure import Labels, Value

__all__ = [
    "MAX",
    "MEASURES",
    "SUM",
    "Facts",
    "Label",
    "Measure",
    "all_measures",
    "find",
    "missing",
    "snake",
    "value",
    "values",
]

# Every measure that has a family in `metrics`, by name. Other counters can be addressed by name too.
MEASURES: Mapping[str, Measure] = {
    measure.name: measure for module in (_sockets, _host, _queues, _path, _mib) for measure in module.MEASURES
}


def all_measures() -> tuple[Measure, ...]:
    """Return every measure that ``metrics`` shows, in its order."""
    return tuple(MEASURES.values())


def find(text: str, counters: Iterable[str] = ()) -> tuple[Measure, str]:
    """Find the measure that a text addresses.

    Args:
        text: ``NAME``, ``NAME[KEY]`` or ``FAMILY[KEY].REST``; a NAME may be that of any kernel counter. A KEY is one value
            of a label, or several separated by commas: ``states[CLOSE_WAIT]``, ``states[tcp,AF_INET6,LISTEN]``,
            ``listener[:443].accept_queue_ratio``, ``device[eth0].receive_drops``.
        counters: the counters that this kernel has; if empty, any name with a known prefix is accepted.

    Returns:
        The measure and the key; "" if there is none.

    Raises:
        UsageError: there is no such measure, or it has no such label value.
    """
    name, key = _taken_apart(text)
    measure = MEASURES.get(name)
    known = list(counters)
    if measure is None and _mib.is_counter(name) and (not known or name in known):
        measure = _mib.counter_measure(name)
    if measure is None:
        raise UsageError(unknown("measure", name, [*MEASURES, *known], "docs/metrics.md lists them"))
    if key and not measure.labels:
        raise UsageError(f"'{name}' is a single number and takes no [{key}]")
    words = [word for label in measure.labels for word in label.words]
    if key and all(label.words for label in measure.labels):
        for word in _words(key):
            if not any(_is(word, one) for one in words):
                raise UsageError(
                    unknown(f"value of {' or '.join(label.name for label in measure.labels)}", word, words)
                )
    return measure, key


def values(measure: Measure, key: str, facts: Facts) -> list[tuple[Labels, Value]]:
    """Return the values of a measure that a key selects, one per set of labels.

    Args:
        measure: the measure.
        key: the key from :func:`find`. A part ``:443`` means any address with that port.
        facts: the sample.

    Returns:
        Label values and value; a value of None is unknown. Empty if nothing has such labels.
    """
    wanted = _words(key)
    found: dict[Labels, Value] = {}
    for labels, value in measure.read(facts):
        if all(any(_is(word, label) for label in labels) for word in wanted):
            found[labels] = combined(measure, (found[labels], value)) if labels in found else value
    return list(found.items())


def value(measure: Measure, key: str, facts: Facts) -> Value:
    """Return the values that a key selects as one: the sum, or the maximum where sums make no sense (``measure.combine``).

    Returns:
        The value; None if it is unknown, because a part of the sample could not be read (:func:`missing` has the reason),
        or because nothing has such labels and that does not make it 0.
    """
    found = [value for _labels, value in values(measure, key, facts)]
    if not found:
        return None if missing(measure, facts) else measure.empty
    return combined(measure, found)


def combined(measure: Measure, found: Iterable[Value]) -> Value:
    """Combine several values of a measure; if one is unknown, so is the result."""
    known = []
    for value in found:
        if value is None:
            return None
        known.append(value)
    return max(known) if measure.combine == MAX else sum(known)


def missing(measure: Measure, facts: Facts) -> str:
    """Return the parts of the sample that a measure lacks, with reasons; "" if none is known to be missing.

    They include tables that were read only in part: their counts are lower bounds.
    """
    sample = facts.sample
    said = []
    for need in measure.needs:
        table = need.removeprefix("skmem:")
        keys = [need, table, f"some {table}", *_SOURCES.get(need, ())]
        if need == "counters":
            keys.append(mib_of(measure.name).source or "/proc/net/dev")
        why = next((sample.absent[key] for key in keys if key in sample.absent), "")
        if (
            not why
            and need == "counters"
            and measure.name not in MEASURES
            and sample.counters.get(measure.name) is None
        ):
            near = nearest(measure.name, sample.counters)
            said.append("this kernel does not report it" + (f"; did you mean '{near}'?" if near else ""))
        if not why and need in ("sockstat", "protocols", "softnet", "qdiscs") and getattr(sample, need) is None:
            why = "not read"
        if why:
            said.append(f"{need}: {why}")
    return "; ".join(said)


# Names of the parts of a sample among its absent parts.
_SOURCES = {
    "sockstat": ("/proc/net/sockstat",),
    "sockstat6": ("/proc/net/sockstat6",),
    "protocols": ("/proc/net/protocols",),
    "softnet": ("/proc/net/softnet_stat",),
    "conntrack": ("/proc/net/stat/nf_conntrack",),
    "qdiscs": ("rtnetlink:RTM_GETQDISC",),
}


def _taken_apart(text: str) -> tuple[str, str]:
    before, bracket, rest = text.partition("[")
    if not bracket:
        return text.strip(), ""
    key, end, after = rest.rpartition("]")
    if not end or not key.strip():
        raise UsageError(f"'{text}': a measure is NAME, NAME[LABEL] or FAMILY[LABEL].REST")
    return (before + after).strip(), key.strip()


def _words(key: str) -> list[str]:
    return [word.strip() for word in key.split(",") if word.strip()]


def _is(word: str, label: str) -> bool:
    # States may be spelled in every way that --where accepts.
    if word == label or state_number(word) == state_number(label) is not None:
        return True
    # ":443" is a port of any address; a unix name may end in anything.
    return word[:1] == ":" and word[1:].isdecimal() and label[:1] not in ("/", "@") and label.endswith(word)
