"""Screens of findings."""

from __future__ import annotations

from sockdiag.model.finding import AT_RISK, DROPPING, INFO, OK, RECOVERED, UNKNOWN, WARNING, Finding
from sockdiag.render.cells import cell
from sockdiag.render.escape import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from sockdiag.model.finding import Evidence
    from sockdiag.render.document import Style


_BOLD, _RED, _YELLOW, _GREEN, _CYAN = "1", "1;31", "33", "32", "36"
_COLORS = {DROPPING: _RED, AT_RISK: _YELLOW, OK: _GREEN, RECOVERED: _CYAN, UNKNOWN: _CYAN}


def verdict_text(verdict: str, style: Style) -> str:
    """Format a verdict."""
    return style.paint(verdict, _COLORS.get(verdict, _YELLOW))


def headline(verdict: str, interval_s: float | None, style: Style) -> str:
    """Format the verdict and the samples that it is based on."""
    seen = "single sample: detecting losses takes two (--interval 1)"
    if interval_s is None and verdict == UNKNOWN:
        seen = "single sample: levels look fine; detecting losses takes two samples (--interval 1)"
    if interval_s is not None:
        seen = f"two samples, {interval_s:.3g} s apart"
    return f"{verdict_text(verdict, style)}  {seen}\n"


def finding_lines(finding: Finding, style: Style, *, everywhere: bool = False) -> Iterator[str]:
    """Yield a finding in one line, and its subject; if *everywhere*, with the network namespace."""
    subject = finding.subject
    process = f"{cell(subject.comm)}({subject.pid})"
    # The summary of a finding about a process begins with its name.
    named = subject.pid is None or printable(finding.summary).startswith(f"{process}: ")
    who = "" if named else f"  [{process}]"
    if everywhere and subject.netns is not None:
        who += f"  [netns {printable(subject.netns)}]"
    color = "" if finding.severity == INFO else _YELLOW if finding.severity == WARNING else _RED
    code = style.paint(finding.code, color) if color else finding.code
    yield f"{verdict_text(finding.verdict, style)}  {code}  {printable(finding.summary)}{who}\n"


def risk_lines(
    verdict: str,
    interval_s: float | None,
    findings: Iterable[Finding],
    style: Style,
    shown: int,
    *,
    everywhere: bool = False,
) -> Iterator[str]:
    """Yield the risk screen.

    Args:
        verdict: the worst verdict.
        interval_s: time between the samples; None for a single sample.
        findings: worst first; a finding about many sockets is listed once.
        style: width and colours.
        shown: number of findings to show.
        everywhere: they are from several network namespaces.
    """
    yield headline(verdict, interval_s, style)
    listed = list(findings)
    if listed:
        yield "\n"
    for finding in listed[:shown]:
        yield from finding_lines(finding, style, everywhere=everywhere)
    if len(listed) > shown:
        yield f"{len(listed) - shown} more: --json lists all, sockdiag doctor groups them by cause\n"


def doctor_lines(
    verdict: str, interval_s: float | None, findings: Iterable[Finding], style: Style, *, everywhere: bool = False
) -> Iterator[str]:
    """Yield the doctor's screen: each finding with its figures and advice."""
    yield headline(verdict, interval_s, style)
    for finding in findings:
        yield "\n"
        yield from finding_lines(finding, style, everywhere=everywhere)
        for name, evidence in finding.evidence.items():
            yield f"    {printable(name)}: {_figure(evidence)}\n"
        if finding.eta_s is not None:
            yield f"    full in {finding.eta_s:.3g} s at the measured rate\n"
        for advice in finding.advice:
            yield f"  {style.paint('->', _BOLD)} {printable(advice.action)}\n"
            if advice.command:
                yield f"       {printable(advice.command)}\n"
            if advice.why:
                yield f"     {printable(advice.why)}\n"
        yield f"     sockdiag rules {finding.code}\n"


# Units that are written as words.
_PLURALS = ("bytes", "pages", "sockets", "connections", "packets", "files", "ports")


def _figure(evidence: Evidence) -> str:
    text = cell(evidence.value)
    if evidence.limit is not None:
        text += f" of {cell(evidence.limit)}"
    unit = evidence.unit.removeprefix("count").strip()
    if evidence.value == 1 and evidence.limit is None and unit in _PLURALS:
        unit = unit.removesuffix("s")
    if unit:
        text += f" {printable(unit)}"
    source = f"  ({printable(evidence.source)})" if evidence.source else ""
    host = ", whole host" if evidence.scope == "host" else ""
    return f"{text}{host}{source}"


def rule_lines(rule: Any, style: Style) -> Iterator[str]:
    """Yield the full description of a rule."""
    yield f"{style.paint(rule.code, '1')}  {rule.severity}; {', '.join(rule.verdicts)}\n\n"
    yield f"{rule.meaning}\n"
    yield f"\n{style.paint('KERNEL', '1')}\n  {rule.condition}\n  {rule.source}\n"
    yield f"\n{style.paint('READS', '1')}\n"
    for name in rule.reads:
        yield f"  {name}\n"
    if rule.thresholds:
        yield f"\n{style.paint('THRESHOLDS', '1')}\n"
        for threshold in rule.thresholds:
            yield f"  {threshold.name} {threshold.value:g}: {threshold.why}\n"
    if rule.advice:
        yield f"\n{style.paint('ADVICE', '1')}\n"
        for text in rule.advice:
            yield f"  {text}\n"
