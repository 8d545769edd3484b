"""`sockdiag rules`: what a finding means."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.spec import Command, argument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args, Keys
    from sockdiag.render.document import Style


CODE = argument("code", "Code of a finding, such as UDP_RECEIVE_BUFFER_FULL.", completion="rules")


def run(env: Env, args: Args) -> int:
    """List the rules, or describe one in full."""
    from sockdiag.cli.invocation import Invocation
    from sockdiag.errors import UsageError, unknown
    from sockdiag.judging.case import Rule
    from sockdiag.judging.registry import RULES, load
    from sockdiag.render.document import Document
    from sockdiag.render.findings_text import rule_lines

    this = Invocation(env, args)
    code = args[CODE]
    codes = list(RULES)
    if code is not None:
        wanted = code.upper().replace("-", "_")
        if wanted not in RULES:
            raise UsageError(unknown("rule", code, codes, "'sockdiag rules' lists them"))
        codes = [wanted]
    rules = list(this.ordered((load(one).RULE.text for one in codes), Rule))
    columns, chosen = this.columns(Rule, ["code", "severity", "meaning"])
    table = this.table(columns, rules, chosen=chosen)

    def lines(style: Style) -> Iterator[str]:
        yield from rule_lines(rules[0], style)

    one = code is not None and not chosen
    document = Document(
        COMMAND.name, this.survey.provenance, table=table, table_key="rules", lines=lines if one else None
    )
    return this.show(document)


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.judging.case import Rule

    return {"rules": [Rule]}


COMMAND = Command(
    run,
    name="rules",
    arguments=(CODE,),
    options=options.REFERENCE,
    examples=(
        ("rules", "all rules"),
        ("rules ACCEPT_QUEUE_OVERFLOW", "its meaning, the kernel's condition, thresholds and advice"),
    ),
    document=document,
)
