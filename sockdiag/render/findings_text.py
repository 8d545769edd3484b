"""Findings on screens: the verdict, findings in one line each, findings in full, and rules."""

from __future__ import annotations

from shlex import quote

from sockdiag.judging.traced import TRACED
from sockdiag.model.finding import (
    AT_RISK,
    CRITICAL,
    DROPPING,
    INFO,
    OK,
    PROCESS,
    RECOVERED,
    SEVERITIES,
    SOCKET,
    UNKNOWN,
    WARNING,
    Finding,
)
from sockdiag.model.quantity import amount, counted, duration, rate, span
from sockdiag.render.cells import endpoint
from sockdiag.render.escape import printable, width
from sockdiag.render.evidence_text import figure
from sockdiag.render.suspects import listed, sentence
from sockdiag.render.wrap import TableLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from typing import TypeGuard

    from sockdiag.judging.case import Rule, Threshold
    from sockdiag.judging.traced import TracedFindings
    from sockdiag.model.address import Endpoint
    from sockdiag.model.trace_event import DropTrace, TracedDrop
    from sockdiag.render.document import Style
    from sockdiag.render.suspects import Whereabouts

_BOLD, _RED, _YELLOW, _GREEN, _CYAN = "1", "1;31", "33", "32", "36"
_VERDICT_COLORS = {DROPPING: _RED, OK: _GREEN, RECOVERED: _CYAN, UNKNOWN: _CYAN, AT_RISK: _YELLOW}
_SEVERITY_COLORS = {CRITICAL: _RED, WARNING: _YELLOW, INFO: _CYAN}
_NOUNS = {CRITICAL: ("critical", "critical"), WARNING: ("warning", "warnings"), INFO: ("note", "notes")}

# Width of the labels of a finding in full.
_LABEL = 9


class Verdict:
    """A verdict and its foundations, for the first line of a screen.

    Args:
        word: the verdict.
        findings: the findings that the screen counts.
        interval_s: time between the samples; None for a single sample.
        longest_s: the longest such time, if there are several namespaces.
        rules: number of rules that were run.
        unchecked: the rules among them that lacked data: code, part of the system, and reason.
        live: another sample could be taken: the system is no capture.
    """

    __slots__ = ("findings", "interval_s", "live", "longest_s", "rules", "unchecked", "word")

    def __init__(
        self,
        word: str,
        findings: Sequence[Finding],
        interval_s: float | None,
        rules: int,
        unchecked: Iterable[tuple[str, str, str]] = (),
        *,
        live: bool = True,
        longest_s: float | None = None,
    ) -> None:
        self.word = word
        self.findings = findings
        self.interval_s = interval_s
        self.longest_s = longest_s
        self.rules = rules
        self.unchecked = {code: (part, reason) for code, part, reason in unchecked}
        self.live = live


def verdict_lines(verdict: Verdict, style: Style) -> Iterator[str]:
    """Yield the verdict, the number of findings by severity, and the rules and samples behind it."""
    checked = counted(verdict.rules, "rule") + " checked"
    if verdict.unchecked:
        checked = f"{verdict.rules - len(verdict.unchecked)} of {checked}"
    word = style.paint(verdict.word, _VERDICT_COLORS.get(verdict.word, _YELLOW))
    if verdict.findings:
        yield f"{word}  {problems(verdict.findings)} ({checked}, {_samples(verdict)})\n"
    else:
        yield f"{word}  {checked}, no findings ({_samples(verdict)})\n"
    alike: dict[str, tuple[dict[str, None], list[str]]] = {}
    for code, (part, reason) in verdict.unchecked.items():
        parts, codes = alike.setdefault(reason, ({}, []))
        parts[part] = None
        codes.append(code)
    for reason, (parts, codes) in alike.items():
        yield f"not checked: {', '.join(codes)} ({printable(', '.join(parts))}: {printable(reason)})\n"


def problems(findings: Iterable[Finding]) -> str:
    """Count findings by severity: ``3 problems: 1 critical, 2 warnings; 1 note``."""
    counts = dict.fromkeys(SEVERITIES, 0)
    for finding in findings:
        counts[finding.severity] += 1
    notes = counts.pop(INFO)
    n = sum(counts.values())
    text = counted(n, "problem") if n else "no problems"
    if n:
        text += ": " + ", ".join(counted(k, *_NOUNS[severity]) for severity, k in counts.items() if k)
    return f"{text}; {counted(notes, *_NOUNS[INFO])}" if notes else text


def _samples(verdict: Verdict) -> str:
    if verdict.interval_s is not None:
        return f"two samples, {span(verdict.interval_s, verdict.longest_s)} apart"
    fine = "levels look fine, " if verdict.word == UNKNOWN else ""
    hint = "; try --interval 1" if verdict.live else ""
    return f"single sample: {fine}detecting losses takes two samples{hint}"


def severity_text(finding: Finding, style: Style, space: int = 0) -> str:
    """Format the severity of a finding."""
    return style.paint(finding.severity, _SEVERITY_COLORS[finding.severity]) + " " * (space - len(finding.severity))


def is_about_now(finding: Finding) -> bool:
    """Return whether a finding is more than a note about the past."""
    return finding.severity != INFO or finding.verdict not in (UNKNOWN, RECOVERED)


def finding_line(finding: Finding, style: Style, whereabouts: Whereabouts) -> str:
    """Format a finding in one line: severity, verdict, code, and who, where and what."""
    head = f"{severity_text(finding, style, 8)}  {finding.verdict:<9}  {style.paint(finding.code, _BOLD)}"
    return f"{head}  {sentence(finding, whereabouts)}\n"


def risk_lines(verdict: Verdict, style: Style, whereabouts: Whereabouts, shown: int) -> Iterator[str]:
    """Yield the risk screen: the verdict, and each finding in one line, at most *shown* of them."""
    yield from verdict_lines(verdict, style)
    if verdict.findings:
        yield "\n"
    yield from finding_lines(verdict.findings, style, whereabouts, shown)


def finding_lines(findings: Sequence[Finding], style: Style, whereabouts: Whereabouts, shown: int) -> Iterator[str]:
    """Yield findings in one line each, at most *shown* of them, and how many more there are."""
    for finding in findings[:shown]:
        yield finding_line(finding, style, whereabouts)
    if len(findings) > shown:
        more = len(findings) - shown
        yield f"{more} more: --json lists all, {whereabouts.command('sockdiag doctor')} groups them by cause\n"


def doctor_lines(
    verdict: Verdict,
    style: Style,
    whereabouts: Whereabouts,
    trace: DropTrace | None = None,
    traced: TracedFindings | None = None,
) -> Iterator[str]:
    """Yield the doctor's screen: the verdict, each finding in full, and what a trace shows that belongs to none."""
    yield from verdict_lines(verdict, style)
    for finding in verdict.findings:
        yield "\n"
        yield from finding_block(finding, style, whereabouts, () if traced is None else traced.drops_of(finding))
    if trace is not None and traced is not None:
        from sockdiag.render.trace_text import unexplained_lines

        yield from unexplained_lines(trace, traced.unexplained(), style)


def finding_block(
    finding: Finding, style: Style, whereabouts: Whereabouts, drops: Sequence[TracedDrop] = ()
) -> Iterator[str]:
    """Yield a finding in full: headline, suspects, peer, evidence, traced drops, cause, actions, and where to read on."""
    yield f"{severity_text(finding, style)}  {finding.verdict}  {style.paint(finding.code, _BOLD)}\n"
    yield f"  {printable(finding.summary)}\n"
    subject = finding.subject
    yield from _entries("process", listed(finding.suspects), style)
    if subject.kind == SOCKET and subject.local is not None:
        yield from _entries("socket", [f"{subject.netid} {endpoint(subject.local)}"], style)
    yield from _entries("peer", [endpoint(peer) for peer in [subject.peer] if _is_peer(peer)], style)
    yield from _entries("namespace", list(filter(None, [whereabouts.title(subject.netns)])), style)
    if finding.cause:
        yield from _entries("cause", [printable(finding.cause)], style)
    yield from _entries("evidence", _evidence(finding, {f"{TRACED}{drop.reason}" for drop in drops}), style)
    if drops:
        from sockdiag.render.trace_text import drop_texts

        yield from _entries("traced", drop_texts(drops), style)
    for advice in finding.advice:
        yield from _entries("action", list(filter(None, map(printable, (advice.action, advice.why)))), style)
        if advice.command:
            yield command_line(printable(advice.command), _LABEL + 6)
    more = [whereabouts.command(inspect, subject.netns) for inspect in [_inspect(finding)] if inspect]
    yield from _entries("more", [f"sockdiag rules {finding.code}"], style)
    for command in more:
        yield command_line(command, _LABEL + 4)


def command_line(command: str, indent: int) -> str:
    """Write a command to paste on a line of its own, which is not wrapped."""
    return TableLine(f"{' ' * indent}{command}\n")


def next_command(finding: Finding, whereabouts: Whereabouts) -> str:
    """Return the command to run next: the one that mends it if there is one, otherwise one that shows more."""
    for advice in finding.advice:
        if advice.command:
            return printable(advice.command)
    subject = finding.subject
    return whereabouts.command(_inspect(finding) or _listing(finding) or "sockdiag doctor", subject.netns)


def _inspect(finding: Finding) -> str:
    subject = finding.subject
    if subject.kind != SOCKET:
        return ""
    if subject.inode:
        return f"sockdiag inspect inode:{subject.inode}"
    return f"sockdiag inspect cookie:{subject.cookie:x}" if subject.cookie else ""


def _listing(finding: Finding) -> str:
    subject = finding.subject
    if subject.kind == PROCESS and subject.pid is not None and subject.sockets:
        state = f" and state = {quote(subject.state.lower().replace('_', '-'))}" if subject.state else ""
        return f"sockdiag list --where 'pid = {subject.pid}{state}'"
    if _is_peer(subject.peer):
        return f"sockdiag list --where 'dst {endpoint(subject.peer)}' -o +processes"
    return ""


def _is_peer(peer: Endpoint | None) -> TypeGuard[Endpoint]:
    """Return whether it is the other end of a connection: an address that is not the wildcard."""
    return peer is not None and isinstance(peer.address, str) and bool(peer.address.strip("0.:"))


def _evidence(finding: Finding, elsewhere: Collection[str] = ()) -> list[str]:
    names = {name: printable(name) for name in finding.evidence if name not in elsewhere}
    space = max(map(width, names.values()), default=0)
    rows = [f"{text}{' ' * (space - width(text))}  {figure(finding.evidence[name])}" for name, text in names.items()]
    if finding.loss_per_s:
        rows.append(f"{'losing':<{space}}  {rate(finding.loss_per_s)}")
    if finding.eta_s:  # 0: it is full, as the other figures show
        rows.append(f"{'full in':<{space}}  {duration(finding.eta_s)} at the measured rate")
    return rows


def _entries(label: str, texts: Sequence[str], style: Style) -> Iterator[str]:
    """Yield lines with one label before the first."""
    for text in texts:
        yield f"  {style.paint(label, _BOLD) if label else ''}{' ' * (_LABEL - len(label))}  {text}\n"
        label = ""


def bound(threshold: Threshold) -> str:
    """Write a threshold by the unit that its name ends in; ``_once`` behind it is another value of the same."""
    name = threshold.name.removesuffix("_once")
    if name.endswith("per_s"):
        return rate(threshold.value)
    for ending, unit in (("ratio", "ratio"), ("share", "ratio"), ("_bytes", "bytes"), ("_ms", "ms"), ("_s", "s")):
        if name.endswith(ending):
            return amount(threshold.value, unit)
    return f"{threshold.value:g}"


def rule_lines(rule: Rule, style: Style) -> Iterator[str]:
    """Yield the full description of a rule."""
    yield f"{style.paint(rule.code, _BOLD)}\n\n"
    yield f"{rule.meaning}\n\n"
    yield from _entries("severity", [f"at worst {rule.severity}"], style)
    yield from _entries("verdict", [" or ".join(rule.verdicts)], style)
    yield from _entries("kernel", [rule.condition, f"Source: {rule.source}"], style)
    yield from _entries("reads", rule.reads, style)
    yield from _entries("threshold", [f"{t.name} {bound(t)}: {t.why}" for t in rule.thresholds], style)
    yield from _entries("action", rule.advice, style)
