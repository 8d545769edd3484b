"""`sockdiag doctor`: every finding on this host, worst first, each with advice."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.spec import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args, Keys


def run(env: Env, args: Args) -> int:
    """Show findings by cause, with advice."""
    from sockdiag.cli.invocation import Invocation
    from sockdiag.model.finding import Finding
    from sockdiag.render.document import Document
    from sockdiag.render.findings_text import doctor_lines

    this = Invocation(env, args)
    survey = this.survey
    found = survey.diagnose(args[options.INTERVAL], codes=this.rules(), horizon=args[options.HORIZON])
    findings = list(this.ordered(found.by_cause(), Finding))
    default = [*(["subject.netns"] if survey.everywhere else []), "verdict", "severity", "code", "summary"]
    columns, chosen = this.columns(Finding, default)
    table = this.table(columns, findings, chosen=chosen)
    verdict, whereabouts = this.verdict(found, findings), this.whereabouts()
    lines = None if chosen else lambda style: doctor_lines(verdict, style, whereabouts)
    keys = {"verdict": found.verdict, "interval_s": found.interval_s, "unknown": found.unknown}
    document = Document(COMMAND.name, survey.provenance, table=table, table_key="findings", keys=keys, lines=lines)
    return this.finish(document, findings)


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.judging.judge import NotJudged
    from sockdiag.model.finding import Finding

    return {"verdict": "str", "interval_s": "float | None", "findings": [Finding], "unknown": [NotJudged]}


COMMAND = Command(
    run,
    name="doctor",
    help=(
        "A problem that one process causes on forty sockets is one finding. Each finding names the processes, the figures, the "
        "cause and the actions that would help. Advice follows from the figures: it names no sysctl that would not help."
    ),
    options=(*options.SELECTION, *options.JUDGING, *options.COMMON),
    examples=(
        ("doctor", "what is wrong now, from two samples, 1 s apart"),
        ("doctor --netns all", "the same in every network namespace"),
        ("doctor --interval 0", "levels and history only, from a single sample"),
    ),
    all_namespaces=True,
    many_hosts=True,
    document=document,
)
