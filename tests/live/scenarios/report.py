"""What a campaign found, as text: a line for each condition, matrices and misses."""

from __future__ import annotations

import os
import sys
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sockdiag.model.finding import VERDICTS
from tests.live.world.namespace import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.live.scenarios.campaign import Run
    from tests.live.scenarios.condition import Condition

DOCS = PROJECT / "docs" / "verdicts.md"
_BEGIN, _END = "<!-- campaign -->\n", "<!-- /campaign -->\n"
_STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")


def progress(condition: Condition, runs: Sequence[Run]) -> None:
    """Print a line for a condition that has been examined, and one for each kind of mistake."""
    wrong = [run for run in runs if run.wrong or not run.valid]
    print(
        f"{'wrong' if wrong else 'right':6} {condition.name} ({condition.verdict}): {len(runs)} runs", file=sys.stderr
    )
    seen: Counter[tuple[str, ...]] = Counter()
    for run in wrong:
        key = (run.mode, *(run.wrong or ("not valid: " + str(run.lost),)))
        seen[key] += 1
        if seen[key] == 1:
            print(f"       {run.mode}: {'; '.join(key[1:])}{'' if run.valid else ' (not valid)'}", file=sys.stderr)
            for line in run.told[:4]:
                print(f"           {line[:230]}", file=sys.stderr)
    sys.stderr.flush()


def report(conditions: Sequence[Condition], runs: Sequence[Run]) -> str:
    """Return matrices and misses, as Markdown."""
    labels = {c.name: c.verdict for c in conditions}
    valid = [run for run in runs if run.valid]
    parts = [_summary(conditions, runs, valid)]
    parts += [
        f"### {mode[0].upper()}{mode[1:]}\n\n{_matrix([run for run in valid if run.mode == mode], labels)}"
        for mode in dict.fromkeys(run.mode for run in valid)
    ]
    reasons = {c.name: c.why for c in conditions if c.why}
    parts.append("### Misses\n\n" + "\n".join(_misses(valid, reasons)))
    unproven = Counter(run.condition for run in runs if not run.valid)
    if unproven:
        names = ", ".join(f"{name} ({count} runs)" for name, count in sorted(unproven.items()))
        parts.append(f"Not counted, because the condition was not what its label says or could not be made: {names}.")
    return "\n\n".join(parts) + "\n"


def _summary(conditions: Sequence[Condition], runs: Sequence[Run], valid: Sequence[Run]) -> str:
    healthy = {c.name for c in conditions if c.healthy}
    right = sum(run.right for run in valid)
    alarms = sum(run.condition in healthy and not run.right for run in valid)
    share = 100 * right / max(len(valid), 1)
    return (
        f"{datetime.now(UTC).date()}, Linux {os.uname().release.partition('-')[0]}: {len(conditions)} conditions, {len(healthy)} of them healthy; {len(runs)} runs, {len(valid)} of which count: "
        f"{right} right ({share:.1f} %), {alarms} false alarms in {sum(r.condition in healthy for r in valid)} runs "
        f"of healthy conditions. Culprit not named: {_count(valid, 'culprit')}; wrong advice: {_count(valid, 'advice')}."
    )


def _count(runs: Sequence[Run], word: str) -> int:
    return sum(any(text.startswith(word) for text in run.wrong) for run in runs)


def _matrix(runs: Sequence[Run], labels: dict[str, str]) -> str:
    columns = [c for c in (*VERDICTS, *_STATES, "failed") if any(run.said == c for run in runs)]
    rows = [v for v in VERDICTS if any(labels[run.condition] == v for run in runs)]
    counts = Counter((labels[run.condition], run.said) for run in runs)
    wrong = Counter(labels[run.condition] for run in runs if not run.right)
    lines = [
        "| condition \\ said | " + " | ".join(columns) + " | wrong |",
        "|---" * (len(columns) + 2) + "|",
    ]
    for row in rows:
        cells = [str(counts[row, column] or " ") for column in columns]
        lines.append(f"| {row} | " + " | ".join(cells) + f" | {wrong[row] or ' '} |")
    return "\n".join(lines)


def _misses(runs: Iterable[Run], reasons: dict[str, str]) -> Iterable[str]:
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for run in runs:
        if run.wrong:
            found.setdefault((run.condition, run.wrong), []).append(run.mode)
    for (condition, wrong), modes in sorted(found.items()):
        where = ", ".join(f"{mode} ({n})" if n > 1 else mode for mode, n in Counter(modes).items())
        why = f" Label: {reasons[condition]}." if condition in reasons else ""
        yield f"* {condition}: {'; '.join(wrong)}. {where[0].upper()}{where[1:]}.{why}"


def document(text: str) -> None:
    """Put a report into docs/verdicts.md in place of the last one."""
    whole = DOCS.read_text(encoding="utf-8")
    head, _, rest = whole.partition(_BEGIN)
    DOCS.write_text(f"{head}{_BEGIN}{text}{_END}{rest.partition(_END)[2]}", encoding="utf-8")
