"""One rule for people."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sockdiag.render.document import Style


def rule_lines(rule: Any, style: Style) -> Iterator[str]:
    """Yield all that is known of a rule."""
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
