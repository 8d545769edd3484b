"""The rules, and the measures with their ranges, that a command line of ``check`` names."""

from __future__ import annotations

from binascii import crc32

from sockdiag.errors import UsageError
from sockdiag.judging.declared import TWO_SAMPLES
from sockdiag.judging.registry import selected
from sockdiag.model.alert_range import AlertRange
from sockdiag.model.record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sockdiag.analysis.measures import Measure
    from sockdiag.check.options import CheckOptions

MOST_TIMEOUT_S = 3600


class BoundedMeasure(Record):
    """A measure and its ranges."""

    text: str = field("The measure as the user named it.")
    measure: Measure = field("The measure.")
    key: str = field("Key that selects a part of it.")
    warning: AlertRange | None = field("Range of -w.")
    critical: AlertRange | None = field("Range of -c.")

    @property
    def is_rate(self) -> bool:
        """Whether it is shown per second."""
        return self.measure.kind == "counter" or self.measure.cumulative


class CheckRequest(Record):
    """The rules and measures to check."""

    codes: tuple[str, ...] = field("Rules to judge by.")
    named: bool = field("The user named them one by one.")
    measures: tuple[BoundedMeasure, ...] = field("Measures to compare.")
    question: str = field("Digest of everything that a baseline depends on.")

    @property
    def compares(self) -> bool:
        """Whether any part of it needs an earlier sample."""
        return bool(self.codes) or any(one.is_rate for one in self.measures)

    @property
    def needs_two_samples(self) -> bool:
        """Whether a single sample cannot answer it."""
        return any(code in TWO_SAMPLES for code in self.codes) or any(one.is_rate for one in self.measures)

    def tables(self, known: Iterable[str]) -> tuple[str, ...]:
        """Return the known tables that must be read."""
        if self.codes:
            return tuple(known)
        needs = {need.removeprefix("skmem:") for one in self.measures for need in one.measure.needs}
        return tuple(table for table in known if table in needs)


def check_request(options: CheckOptions) -> CheckRequest:
    """Parse the rules, measures and ranges of a run.

    Raises:
        UsageError: a rule or measure does not exist, or a range is invalid.
    """
    measures = _measures(options.measures, options.warning, options.critical)
    # A service that is defined for a measure checks that measure and no rules.
    judges = bool(options.rules) or not measures
    codes = selected(options.rules, options.skip) if judges else ()
    ranges = [(one.text, *("" if r is None else r.text for r in (one.warning, one.critical))) for one in measures]
    # A run with --interval does not report losses before its first sample: the next run without it must.
    pair = bool(options.interval_s)
    survey = options.survey
    # Keep this order and these values, or an upgrade of the program loses every baseline.
    where = survey.where[0] if len(survey.where) == 1 else survey.where or None
    tables = (survey.tables,) if survey.netids else ()
    texts = (codes, ranges, where, survey.source, options.horizon_s, survey.netns == "all", pair, *tables)
    return CheckRequest(
        codes, bool(options.rules), measures, f"{crc32(repr(texts).encode('utf-8', 'surrogateescape')):08x}"
    )


def check_times(options: CheckOptions) -> None:
    """Validate -t and --interval.

    Raises:
        UsageError: a value is out of range.
    """
    if not 0 < options.timeout_s <= MOST_TIMEOUT_S:
        raise UsageError(f"-t takes more than 0 and at most {MOST_TIMEOUT_S} seconds")
    if options.interval_s is not None and options.interval_s >= options.timeout_s:
        raise UsageError(f"--interval {options.interval_s:g} must be shorter than -t {options.timeout_s:g}")


def _measures(names: Sequence[str], warnings: Sequence[str], criticals: Sequence[str]) -> tuple[BoundedMeasure, ...]:
    if not names and (warnings or criticals):
        raise UsageError("-w and -c are ranges of a measure: name it with --measure before them")
    if len(warnings) > len(names) or len(criticals) > len(names):
        raise UsageError("a measure takes one -w and one -c")
    if not names:
        return ()
    from sockdiag.analysis.measures import find

    found = []
    for i, text in enumerate(names):
        measure, key = find(text)
        bounds = [
            _range(flag, texts[i] if i < len(texts) else "") for flag, texts in (("-w", warnings), ("-c", criticals))
        ]
        found.append(BoundedMeasure(text.strip(), measure, key, *bounds))
    return tuple(found)


def _range(flag: str, text: str) -> AlertRange | None:
    if not text:
        return None
    try:
        return AlertRange(text)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from None


def paired(order: Iterable[tuple[str, object]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Assign ranges to the measures of a command line.

    A measure takes the ranges that follow it. If there is one range per measure before or after all measures, they are
    assigned in order: Icinga writes each option as a list, and cannot interleave them.

    Args:
        order: name and value of each option, in the order of the command line.

    Returns:
        One -w and one -c per measure; "" if it has none.

    Raises:
        UsageError: a range precedes all measures, or a measure has two of one kind.
    """
    given = list(order)
    return _ranges(given, "warning"), _ranges(given, "critical")


def _ranges(given: Sequence[tuple[str, object]], kind: str) -> tuple[str, ...]:
    measures = [i for i, (name, _value) in enumerate(given) if name == "measure"]
    ranges = [(i, str(value)) for i, (name, value) in enumerate(given) if name == kind]
    if measures and len(ranges) == len(measures) and (ranges[-1][0] < measures[0] or measures[-1] < ranges[0][0]):
        return tuple(text for _i, text in ranges)
    found = [""] * len(measures)
    for i, text in ranges:
        of = sum(at < i for at in measures) - 1
        if of < 0:
            raise UsageError("-w and -c are ranges of a measure: name it with --measure before them")
        if found[of]:
            raise UsageError("a measure takes one -w and one -c")
        found[of] = text
    return tuple(found)
