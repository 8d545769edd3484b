"""`sockdiag rules`: what a finding means."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.catalog import summary
from sockdiag.cli.spec import Argument, Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Given
    from sockdiag.render.document import Style


def run(env: Env, given: Given) -> int:
    """Show the rules, or one with all that is known of it."""
    from sockdiag.errors import UsageError, unknown
    from sockdiag.judging.case import Rule
    from sockdiag.judging.registry import RULES, load
    from sockdiag.render.document import Document, Table
    from sockdiag.render.findings_text import rule_lines
    from sockdiag.survey.session import Session, choose_columns, ordered

    session = Session(env, given)
    codes = list(RULES)
    if given.code is not None:
        wanted = given.code.upper().replace("-", "_")
        if wanted not in RULES:
            raise UsageError(unknown("rule", given.code, codes, "'sockdiag rules' lists them"))
        codes = [wanted]
    rules = list(ordered((load(code).RULE for code in codes), session, Rule))
    columns, chosen = choose_columns(session, Rule, ["code", "severity", "verdicts", "meaning"])
    table = Table(columns, rules, chosen=chosen, header=not given.no_header)

    def lines(style: Style) -> Iterator[str]:
        yield from rule_lines(rules[0], style)

    one = given.code is not None and not chosen
    document = Document("rules", session.seen, table=table, table_key="rules", lines=lines if one else None)
    return session.show(document)


def document() -> dict[str, Any]:
    """Name the document's own keys."""
    from sockdiag.judging.case import Rule

    return {"rules": [Rule]}


COMMAND = Command(
    run,
    name="rules",
    summary=summary("rules"),
    arguments=(Argument("code", "A finding's code, as UDP_RECEIVE_BUFFER_FULL.", completion="rules"),),
    options=options.EVERYWHERE,
    examples=(
        ("rules", "all rules"),
        ("rules ACCEPT_QUEUE_OVERFLOW", "its meaning, the kernel's condition, thresholds and advice"),
    ),
    document=document,
)
