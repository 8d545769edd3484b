"""`sockdiag doctor`: every finding on this host, worst first, each with what to do."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.catalog import summary
from sockdiag.cli.spec import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Given


def run(env: Env, given: Given) -> int:
    """Show findings by cause, with advice."""
    from sockdiag.judging.group import by_cause
    from sockdiag.model.finding import Finding
    from sockdiag.render.document import Document, Table
    from sockdiag.render.findings_text import doctor_lines
    from sockdiag.survey.diagnose import finish, verdicts
    from sockdiag.survey.session import Session, choose_columns, ordered

    session = Session(env, given)
    found = verdicts(session)
    findings = list(ordered(by_cause(found.findings), session, Finding))
    verdict, everywhere = found.verdict(), session.everywhere is not None
    default = [*(["subject.netns"] if everywhere else []), "verdict", "severity", "code", "summary"]
    columns, chosen = choose_columns(session, Finding, default)
    table = Table(columns, findings, chosen=chosen, header=not given.no_header)
    interval = found.interval_s
    lines = None if chosen else lambda style: doctor_lines(verdict, interval, findings, style, everywhere=everywhere)
    keys = {"verdict": verdict, "interval_s": interval}
    document = Document("doctor", session.seen, table=table, table_key="findings", keys=keys, lines=lines)
    return finish(session, document, findings)


def document() -> dict[str, Any]:
    """Name the document's own keys."""
    from sockdiag.model.finding import Finding

    return {"verdict": "str", "interval_s": "float | None", "findings": [Finding]}


COMMAND = Command(
    run,
    name="doctor",
    summary=summary("doctor"),
    help=(
        "What one process brings about at forty sockets is one finding. Advice follows from the figures: no sysctl is named "
        "that would not help. --interval tells what is lost now from what was lost some time since boot."
    ),
    options=(*options.JUDGING, *options.EVERYWHERE),
    examples=(("doctor --interval 2", "what is wrong now"), ("doctor", "levels and history, at once")),
    everywhere=True,
    document=document,
)
