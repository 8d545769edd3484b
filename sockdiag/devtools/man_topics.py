"""Man pages that are not about a command of the catalog: ss, the filter language, the rules, the fields."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sockdiag.devtools.roff import Page
from sockdiag.filter import comparisons, manual
from sockdiag.filter.states import StateSets, single_words
from sockdiag.filter.tree import CONNECTIVES, OPERATORS, PREDICATES
from sockdiag.judging.registry import RULES, load
from sockdiag.kernel.tcp_states import STATE_NAMES
from sockdiag.model.fields import ALIASES, catalogue, record_class
from sockdiag.model.finding import VERDICT_MEANINGS
from sockdiag.render.findings_text import bound
from sockdiag.ss import usage

if TYPE_CHECKING:
    from collections.abc import Iterable

TOPICS = [("sockdiag-filter", 7), ("sockdiag-rules", 7), ("sockdiag-fields", 7)]
_DEVIATIONS = Path(__file__).parents[2] / "docs" / "ss-compat.md"


def ss_page() -> Page:
    """Build sockdiag-ss(1), from the options of ``sockdiag ss`` and the table of differences."""
    from sockdiag.cli.catalog import SS_SUMMARY

    page = Page("sockdiag-ss", 1, SS_SUMMARY[0].lower() + SS_SUMMARY[1:].rstrip("."))
    page.heading("SYNOPSIS")
    page.synopsis("sockdiag ss", "[OPTION]... [state STATE | exclude STATE]... [FILTER]")
    page.heading("DESCRIPTION")
    page.paragraph(usage.SUMMARY)
    page.paragraph(
        "The options, the filter language, the bytes on standard output and the exit status are those of ss 7.1 of iproute2. "
        "A symbolic link named ss that points to sockdiag behaves like 'sockdiag ss'."
    )
    page.heading("OPTIONS")
    for title, options in usage.GROUPS:
        page.subheading(title)
        for name, value, meaning in options:
            page.item(usage.spelled(name, "").strip(), _sentence(meaning), value)
    page.subheading("Words of the options")
    from sockdiag.ss.tables import FAMILY_NAMES

    page.item("", f"One of {_listed(FAMILY_NAMES)}.", "FAMILY")
    page.item("", f"One of {_listed(usage.table_words())}.", "TABLE")
    page.item("", f"One of {_listed(usage.state_words(old=False))}. sockdiag-filter(7) lists the states.", "STATE")
    page.item("", "See sockdiag-filter(7).", "FILTER")
    page.heading("DEVIATIONS")
    page.paragraph("It differs from ss in these ways.")
    for identity, theirs, ours, why in deviations():
        page.item(identity, (f"With ss: {theirs}. " if theirs else "") + f"Here: {ours}. Why: {why}.")
    page.heading("EXIT STATUS")
    for code, meaning in usage.STATUSES.items():
        page.item(str(code), meaning)
    page.heading("ENVIRONMENT")
    for variable, meaning in usage.VARIABLES.items():
        page.item(variable, meaning)
    page.heading("EXAMPLES")
    for line, what in usage.EXAMPLES:
        page.example(line, what)
    page.see_also([("sockdiag", 1), ("sockdiag-list", 1), ("sockdiag-filter", 7), ("ss", 8), ("sock_diag", 7)])
    return page


def deviations() -> list[tuple[str, str, str, str]]:
    """Read the table of deviations of docs/ss-compat.md: identity, what ss does, what sockdiag does, why."""
    found = []
    for line in _DEVIATIONS.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip().replace("`", "") for cell in line.replace("\\|", "\0").strip("|").split("|")]
        if len(cells) == 5 and cells[0].partition("-")[2].isdecimal():
            found.append((cells[0], cells[1], cells[2], cells[3]))
    return found


def filter_page() -> Page:
    """Build sockdiag-filter(7), from the tables of the grammar.

    Raises:
        ValueError: the manual and the grammar have different words.
    """
    if set(manual.PREDICATES) != set(PREDICATES):
        raise ValueError("filter/manual.py does not explain the words of filter/tree.py")
    page = Page("sockdiag-filter", 7, "the filter language of sockdiag")
    page.heading("DESCRIPTION")
    for text in manual.INTRODUCTION:
        page.paragraph(text)
    page.heading("WORDS")
    for word, (operand, meaning) in manual.PREDICATES.items():
        page.item(word, meaning, operand)
    page.heading("OPERANDS")
    for form, meaning in manual.HOSTS:
        page.item("", meaning, form)
    page.heading("OPERATORS")
    for symbol in dict.fromkeys(OPERATORS.values()):
        words = [word for word, meant in OPERATORS.items() if meant == symbol]
        page.item(words[0], f"Also spelled {_listed(words[1:])}.")
    page.item("~, !~", "In --where: a text matches a shell pattern, or does not. =~ is the same as ~.")
    page.heading("CONNECTIVES")
    for kind in ("not", "and", "or"):
        others = [word for word, meant in CONNECTIVES.items() if meant == kind and word != kind]
        page.item(kind, f"Also spelled {_listed(others)}.")
    _states(page)
    page.heading("SS READING")
    page.paragraph("'sockdiag ss' does the following as ss does it, and --where does not:")
    for text in manual.SS_DIFFERENCES:
        page.item("*", text)
    page.heading("WHERE READING")
    for text in manual.WHERE:
        page.paragraph(text)
    page.subheading("Numbers")
    for unit, suffixes in manual.QUANTITIES:
        page.item(unit, suffixes)
    page.subheading("Short names")
    for alias, name in ALIASES.items():
        page.item(alias, name)
    page.subheading("Fields with few words")
    for name, few in comparisons.WORDS.items():
        page.item(name, f"One of {_listed(few)}.")
    page.heading("EXAMPLES")
    for line, what in manual.EXAMPLES:
        page.example(line, what)
    page.see_also([("sockdiag", 1), ("sockdiag-list", 1), ("sockdiag-ss", 1), ("sockdiag-fields", 7), ("ss", 8)])
    return page


def _states(page: Page) -> None:
    sets = StateSets()
    page.heading("STATES")
    singles = {word: sets.mask(word) or 0 for word in single_words()}
    for word, mask in singles.items():
        kernel = next((name for n, name in enumerate(STATE_NAMES) if mask >> n & 1), "")
        others = [other for other in sets.words if sets.mask(other) == mask and other != word and other not in singles]
        page.item(word, f"{kernel}." + (f" Also spelled {_listed(others)}." if others else ""))
    for word, mask in sets.named.items():
        within = [single for single, bit in singles.items() if mask & bit]
        without = [single for single in singles if single not in within]
        shorter = f"All but {_listed(without)}." if len(without) < len(within) else f"{_listed(within)}."
        page.item(word, shorter if without else "All.")


def rules_page() -> Page:
    """Build sockdiag-rules(7), from the registry of rules."""
    page = Page("sockdiag-rules", 7, "what the findings of sockdiag mean")
    page.heading("DESCRIPTION")
    page.paragraph(
        "The commands risk, listeners, doctor, check and metrics judge by these rules. A finding has the code of its rule, "
        "a severity, a verdict and the figures that it is based on. 'sockdiag rules CODE' shows the same as this page."
    )
    page.heading("VERDICTS")
    for verdict, meaning in VERDICT_MEANINGS.items():
        page.item(verdict, meaning)
    page.heading("RULES")
    for code in RULES:
        rule = load(code).RULE
        page.item(code, rule.meaning)
        page.more(f"Severity: at worst {rule.severity}. Verdicts: {', '.join(rule.verdicts)}.")
        page.more(f"Kernel: {rule.condition}")
        page.more(f"Source: {rule.source}.")
        for threshold in rule.thresholds:
            page.more(f"Threshold: {threshold.name} {bound(threshold)}: {threshold.why}.")
        if rule.advice:
            page.more(f"Advice: {'; '.join(rule.advice)}.")
    page.heading("EXAMPLES")
    page.example("rules ACCEPT_QUEUE_OVERFLOW", "one rule")
    page.example("doctor --json", "findings, for a program")
    page.see_also(
        [("sockdiag", 1), *((f"sockdiag-{n}", 1) for n in ("risk", "listeners", "doctor", "check", "metrics", "rules"))]
    )
    return page


def fields_page() -> Page:
    """Build sockdiag-fields(7), from the catalogue of fields."""
    page = Page("sockdiag-fields", 7, "the fields of a socket in sockdiag")
    page.heading("DESCRIPTION")
    page.paragraph(
        "Each field is a column of 'sockdiag list', a key of its JSON, and a word of --where (sockdiag-filter(7)). 'sockdiag "
        "fields NAME' shows the same as this page. A value that the kernel did not report is null in JSON and - in tables, never 0."
    )
    page.heading("FIELDS")
    in_group = ""
    for entry in catalogue():
        top = entry.name.partition(".")[0]
        if "." not in entry.name and record_class(entry.field) is not None:
            page.subheading(entry.name)
            in_group = entry.name
        elif in_group and top != in_group:
            page.subheading("Others")
            in_group = ""
        page.item(entry.name, entry.field.help)
        facts = [
            (name, value)
            for name, value in (
                ("unit", entry.field.unit),
                ("kernel", entry.field.kernel),
                ("read from", "; ".join(entry.field.sources)),
                ("words", ", ".join(entry.field.words)),
                ("looked up on demand", ", ".join(sorted(entry.needs))),
            )
            if value
        ]
        if facts:
            page.more("; ".join(f"{name}: {value}" for name, value in facts))
    page.heading("EXAMPLES")
    page.example("fields skmem.rcvbuf", "one field")
    page.example("list -o netid,local,skmem.rmem_alloc,skmem.rcvbuf --sort -skmem.rmem_alloc", "columns of your choice")
    page.see_also([("sockdiag", 1), ("sockdiag-fields", 1), ("sockdiag-list", 1), ("sockdiag-filter", 7)])
    return page


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
