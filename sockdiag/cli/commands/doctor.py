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
    verdict, everywhere = found.verdict, survey.everywhere
    default = [*(["subject.netns"] if everywhere else []), "verdict", "severity", "code", "summary"]
    columns, chosen = this.columns(Finding, default)
    table = this.table(columns, findings, chosen=chosen)
    interval = found.interval_s
    lines = None if chosen else lambda style: doctor_lines(verdict, interval, findings, style, everywhere=everywhere)
    keys = {"verdict": verdict, "interval_s": interval, "unknown": found.unknown}
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
        "One cause is one finding, even where it shows at forty sockets of a process. Advice follows from the figures: it "
        "names no sysctl that would not help. --interval separates losses that go on from those of some time since boot."
    ),
    options=(*options.SELECTION, *options.JUDGING, *options.COMMON),
    examples=(("doctor --interval 2", "what is wrong now"), ("doctor", "levels and history, at once")),
    all_namespaces=True,
    document=document,
)
