"""The text of a run of ``check``: the status line, performance data, and the lines of -v."""

from __future__ import annotations

import time

from sockdiag.check.levels import badness_of, worst_first
from sockdiag.check.status import CHECK_CRITICAL, CHECK_UNKNOWN, CHECK_WARNING
from sockdiag.judging.subjects import process_name
from sockdiag.kernel.task_states import DISK_SLEEP, HALTED, ZOMBIE
from sockdiag.model.finding import INFO
from sockdiag.model.quantity import duration
from sockdiag.render.plugin_text import WORDS, perfdata, plugin_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.check.levels import Alert
    from sockdiag.check.run import Run
    from sockdiag.model.finding import Finding

# Number of rules without data, and of processes, that the status line names.
_NAMED = 3
# States in which a process does not serve its sockets.
_NOTABLE = (*HALTED, DISK_SLEEP, ZOMBIE)


def output(run: Run) -> str:
    """Return the whole text."""
    return plugin_output(run.status, "; ".join(_parts(run)), _data(run), _lines(run))


def _parts(run: Run) -> Iterator[str]:
    problem = run.state.problem if run.state is not None else ""
    first = run.blind and run.status == CHECK_UNKNOWN
    if first:
        yield problem
    texts = [(badness_of(m.status), m.summary()) for m in run.named_measures if m.status]
    texts += [(badness_of(a.status), _headline(run, a)) for a in worst_first(run.alerts) if a.status]
    texts.sort(key=lambda pair: -pair[0])
    if texts:
        yield texts[0][1] + (f" (and {len(texts) - 1} more)" if len(texts) > 1 else "")
    elif not run.lacks_data:
        yield _good(run)
    if run.not_sampled:
        yield f"some network namespaces were not sampled: {run.not_sampled}"
    if run.unknown:
        codes = list(dict.fromkeys(one.code for one in run.unknown))
        why = f" ({run.unknown[0].source}: {run.unknown[0].reason})" if run.lacks_data else ""
        yield f"not judged: {', '.join(codes[:_NAMED])}{_more(codes, _NAMED)}{why}"
    few = list(dict.fromkeys(a.finding.code for a in run.alerts if a.few))
    if few:
        yield f"below alert threshold: {', '.join(few)}"
    reset = list(dict.fromkeys(name for there in run.namespaces for name in there.reset))
    if reset:
        yield f"counter reset: {reset[0]}{_more(reset, 1)}"
    yield from _notes(run)
    if problem and not first:
        yield f"state not kept: {problem}"


def _more(names: list[str], shown: int) -> str:
    return f" and {len(names) - shown} more" if len(names) > shown else ""


def _good(run: Run) -> str:
    if run.request.measures:
        return ", ".join(m.summary() for m in run.measures)
    judged = len(run.request.codes) - len({one.code for one in run.unknown})
    seconds = run.namespaces[0].seconds if run.namespaces else None
    since = "" if seconds is None else f" in {duration(seconds)}"
    if run.levels_only:
        since = "; levels look fine, detecting losses takes two samples"
    where = f" in {_namespaces(len(run.namespaces))}" if run.survey.everywhere else ""
    return f"{judged} {'rule' if judged == 1 else 'rules'} checked, no findings{where}{since}"


def _notes(run: Run) -> Iterator[str]:
    notes = [there.note for there in run.namespaces if there.note]
    for note in dict.fromkeys(notes):
        n = notes.count(note)
        yield note if n == len(run.namespaces) else f"{note} in {n} of {_namespaces(len(run.namespaces))}"


def _namespaces(n: int) -> str:
    return f"{n} network namespace{'' if n == 1 else 's'}"


def _data(run: Run) -> list[str]:
    data = [m.datum() for m in run.measures]
    if run.request.codes:
        for name, status in (("critical", CHECK_CRITICAL), ("warning", CHECK_WARNING)):
            data.append(perfdata(name, sum(a.status == status for a in run.alerts), least=0))
    data.append(perfdata("time", round(time.monotonic() - run.began, 3), "s", least=0, most=run.options.timeout_s))
    return data


def _lines(run: Run) -> Iterator[str]:
    verbose = run.options.verbose
    if not verbose:
        return
    for m in run.named_measures:
        yield f"{WORDS[m.status]} {m.summary()}"
    for alert in worst_first(run.alerts):
        if alert.status or alert.few or verbose > 1:
            yield _line(run, alert)
            if verbose > 2:
                for name, e in alert.finding.evidence.items():
                    yield f"    {name}: {e.value} {e.unit}{'' if e.limit is None else f' of {e.limit}'} ({e.source})"
    for one in run.unknown:
        yield f"NOT JUDGED {one.code}: {one.source}: {one.reason}"
    if verbose > 1:
        for there in run.namespaces:
            for name in there.reset:
                yield f"COUNTER RESET {name}"
        for gap in run.survey.gaps:
            yield f"COULD NOT READ {gap.source}: {gap.reason}{f'; {gap.hint}' if gap.hint else ''}"
    if verbose > 2:
        yield from _whence(run)


def _whence(run: Run) -> Iterator[str]:
    for table, source in run.survey.sources.items():
        yield f"SOURCE {table}: {source or '-'}"
    if run.state is not None:
        yield f"STATE {run.state.path}"
    for there in run.namespaces:
        since = there.note if there.seconds is None else f"{duration(there.seconds)} ago"
        yield f"BASELINE {there.netns or '-'}: {since}"


def _headline(run: Run, alert: Alert) -> str:
    finding = alert.finding
    kept = ", still within the recovery margin" if alert.sustained else ""
    there = f" [netns {finding.subject.netns}]" if run.survey.everywhere and finding.subject.netns else ""
    return f"{finding.code}: {finding.summary}{_process(finding)}{kept}{there}"


def _process(finding: Finding) -> str:
    """Name the processes behind a finding, and what they are doing if that is no ordinary state."""
    names = []
    for one in finding.suspects:
        name = process_name(one.pid, one.comm)
        if not finding.summary.startswith(name):
            names.append(name if one.state not in _NOTABLE else f"{name}, {one.state}")
    return f" [{'; '.join(names[:_NAMED])}{_more(names, _NAMED)}]" if names else ""


def _line(run: Run, alert: Alert) -> str:
    finding = alert.finding
    word = WORDS[alert.status] if alert.status or finding.severity != INFO else "INFO"
    advice = " ".join(f"{one.action}{f' ({one.command})' if one.command else ''}" for one in finding.advice)
    few = " (below alert threshold)" if alert.few else ""
    return f"{word} {_headline(run, alert)}{few}{'. ' if advice else ''}{advice}"
