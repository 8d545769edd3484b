"""`sockdiag doctor`: every finding on this host, worst first, each with advice."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.spec import Command, seconds
from sockdiag.defaults import INTERVAL_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.cli.env import Env
    from sockdiag.cli.invocation import Invocation
    from sockdiag.cli.spec import Args, Keys
    from sockdiag.model.trace_event import DropTrace
    from sockdiag.survey.diagnose import Diagnosis

TRACE = seconds(
    "trace",
    "Also trace drops for S seconds, and add the kernel's reasons to the findings. Needs root. The samples are S seconds apart "
    "unless --interval says otherwise.",
)
_LONGEST_TRACE_S = 3600.0


def run(env: Env, args: Args) -> int:
    """Show findings by cause, with advice."""
    from sockdiag.cli.invocation import Invocation
    from sockdiag.model.finding import Finding
    from sockdiag.render.document import Document
    from sockdiag.render.findings_text import doctor_lines

    this = Invocation(env, args)
    survey = this.survey
    found, trace = _diagnosed(this)
    merged = found.by_cause()
    traced = None
    if trace is not None and trace.drops is not None:
        from sockdiag.judging.traced import TracedFindings

        traced = TracedFindings(merged, trace.drops)
        merged, trace = traced.findings, trace._replace(drops=traced.drops)
    findings = list(this.ordered(merged, Finding))
    default = [*(["subject.netns"] if survey.everywhere else []), "verdict", "severity", "code", "summary"]
    columns, chosen = this.columns(Finding, default)
    table = this.table(columns, findings, chosen=chosen)
    verdict, whereabouts = this.verdict(found, findings), this.whereabouts()
    lines = None if chosen else lambda style: doctor_lines(verdict, style, whereabouts, trace, traced)
    keys: dict[str, object] = {"verdict": found.verdict, "interval_s": found.interval_s, "unknown": found.unknown}
    if trace is not None:
        keys["trace"] = trace
    document = Document(COMMAND.name, survey.provenance, table=table, table_key="findings", keys=keys, lines=lines)
    return this.finish(document, findings)


def _diagnosed(this: Invocation) -> tuple[Diagnosis[None], DropTrace | None]:
    """Diagnose the system, and trace what is dropped meanwhile."""
    args, survey = this.args, this.survey
    interval, length, codes, horizon = args[options.INTERVAL], args[TRACE], this.rules(), args[options.HORIZON]
    if length is None:
        return survey.diagnose(interval, codes=codes, horizon=horizon), None
    from sockdiag.errors import UsageError

    if not 0 < length <= _LONGEST_TRACE_S:
        raise UsageError(f"--trace takes more than 0 and at most {_LONGEST_TRACE_S:g} seconds")
    if not survey.system.files.live:
        raise UsageError("--trace and --root exclude each other: nothing happens in a capture")
    if survey.everywhere:
        raise UsageError("--trace takes one network namespace, not all")
    from sockdiag.survey.trace_beside import TraceBeside

    with TraceBeside(survey, length) as trace:
        found = survey.diagnose(max(length, INTERVAL_S) if interval is None else interval, codes=codes, horizon=horizon)
        return found, trace.found()


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.judging.judge import NotJudged
    from sockdiag.model.finding import Finding
    from sockdiag.model.trace_event import DropTrace

    return {
        "verdict": "str",
        "interval_s": "float | None",
        "findings": [Finding],
        "unknown": [NotJudged],
        "trace?": DropTrace,
    }


COMMAND = Command(
    run,
    name="doctor",
    help=(
        "A problem that one process causes on forty sockets is one finding. Each finding names the processes, the figures, the "
        "cause and the actions that would help. Advice follows from the figures: it names no sysctl that would not help.\n\n"
        "With --trace the kernel's own reasons for drops are evidence: each with the socket, its process, and how that was found (exact, "
        "address or unknown, as in 'sockdiag trace'). Drops that belong to no finding are listed apart. Where tracing is impossible, "
        "as without root, the findings are those without --trace, and a gap says why."
    ),
    options=(*options.SELECTION, *options.JUDGING, TRACE, *options.COMMON),
    examples=(
        ("doctor", "what is wrong now, from two samples, 1 s apart"),
        ("doctor --netns all", "the same in every network namespace"),
        ("doctor --trace 5", "with the kernel's reasons for what is dropped in five seconds"),
        ("doctor --interval 0", "levels and history only, from a single sample"),
    ),
    all_namespaces=True,
    many_hosts=True,
    document=document,
)
