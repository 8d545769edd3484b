"""The table of docs/metrics.md, from the registry of measures and the declared families."""

from __future__ import annotations

from sockdiag.analysis.measures import all_measures
from sockdiag.analysis.metric_families import family_of
from sockdiag.judging import finding_metrics
from sockdiag.metrics import own as metrics_own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

BEGIN, END = "<!-- generated: begin -->\n", "<!-- generated: end -->\n"


def table() -> str:
    """Return the table as Markdown."""
    return "".join(_lines())


def _lines() -> Iterator[str]:
    yield "| metric | labels | kind | scope | measure for `check` | meaning |\n|---|---|---|---|---|---|\n"
    for family in (*finding_metrics.DECLARED, *metrics_own.DECLARED):
        yield f"| `{family.sample_name}` | {_names(family.labels)} | {family.kind} | | | {_cell(family.help)} |\n"
    for measure in all_measures():
        family = family_of(measure)
        yield (
            f"| `{family.sample_name}` | {_names(family.labels)} | {family.kind} | {measure.scope} | `{measure.name}` "
            f"| {_cell(measure.help)} |\n"
        )

    yield "\n| label | values |\n|---|---|\n"
    labels = {label.name: label for measure in all_measures() for label in measure.labels}
    for label in labels.values():
        yield f"| `{label.name}` | {_cell(label.help)} |\n"


def _names(labels: tuple[str, ...]) -> str:
    return ", ".join(f"`{label}`" for label in labels)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def page(text: str) -> str:
    """Return the page with its table regenerated."""
    before, _begin, rest = text.partition(BEGIN)
    _old, _end, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"
