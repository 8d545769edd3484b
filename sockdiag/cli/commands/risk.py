"""`sockdiag risk`: sockets that drop data or are about to, and why."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.spec import Command, flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args, Keys
    from sockdiag.judging.case import Case
    from sockdiag.judging.judge import Judgement
    from sockdiag.model.finding import Finding, SocketRisk

_SHOWN = 40

ALL = flag("all", "Also show healthy sockets.")


def run(env: Env, args: Args) -> int:
    """Judge sockets, and the limits and processes that they depend on."""
    from sockdiag.cli.invocation import Invocation
    from sockdiag.model.finding import SocketRisk, SystemRisk
    from sockdiag.model.query import OWNERS, PARTS, SKMEM
    from sockdiag.render.document import Document
    from sockdiag.render.findings_text import risk_lines
    from sockdiag.survey.diagnose import diagnose, reporting

    this = Invocation(env, args)
    survey = this.survey
    found = diagnose(
        survey, this.judging(), survey.where, examine=reporting(_all_sockets if args[ALL] else _socket_risks)
    )
    rows = found.rows
    everywhere = survey.everywhere
    if everywhere:
        rows.sort(key=_badness)
    system = tuple(found.system())
    verdict, interval = found.verdict, found.interval_s
    whole = SystemRisk(found.verdict_of(system), system)
    keys = {"verdict": verdict, "interval_s": interval, "unknown": found.unknown, "system": whole}
    default = [
        *(["socket.netns"] if everywhere else []),
        "verdict",
        "socket.netid",
        "socket.state",
        "socket.local",
        "socket.peer",
        "findings.code",
        "findings.summary",
    ]
    columns, chosen = this.columns(SocketRisk, default)
    table = this.table(columns, this.ordered(rows, SocketRisk), chosen=chosen)
    findings = found.findings
    lines = None
    if not chosen and not args[ALL]:
        first, whereabouts = this.verdict(found, findings), this.whereabouts()
        lines = lambda style: risk_lines(first, style, whereabouts, _SHOWN)  # noqa: E731
    document = Document(
        COMMAND.name,
        survey.provenance,
        table=table,
        table_key="sockets",
        keys=keys,
        lines=lines,
        unasked=PARTS - {SKMEM, OWNERS},
    )
    return this.finish(document, findings)


def _badness(row: SocketRisk) -> Any:
    from sockdiag.model.finding import badness

    return badness(row.findings[0]) if row.findings else _HEALTHY


# Sorts after all sockets that have findings.
_HEALTHY = (99, 99, 0.0, 1.0)


def _all_sockets(case: Case, judgement: Judgement) -> list[SocketRisk]:
    return _socket_risks(case, judgement) + _healthy(case, judgement)


def _socket_risks(case: Case, judgement: Judgement) -> list[SocketRisk]:
    """Put the findings of each socket together; worst first, as the findings are."""
    from sockdiag.model.finding import SocketRisk, worst_verdict

    found: dict[tuple[int, int], list[Finding]] = {}
    batches: dict[int, Any] = {}
    for hit in judgement.hits:
        for batch, row in hit.rows:
            batches[id(batch)] = batch
            found.setdefault((id(batch), row), []).append(hit.finding)
    wanted: dict[int, list[int]] = {}
    for place, row in found:
        wanted.setdefault(place, []).append(row)
    sockets = {
        (place, row): socket
        for place, rows in wanted.items()
        for row, socket in zip(rows, batches[place].at(rows), strict=True)
    }
    held_by = case.all_holders(socket.inode for socket in sockets.values())
    risks = []
    for key, findings in found.items():
        socket = sockets[key]
        owners = held_by.get(socket.inode or 0)
        if owners:
            socket = socket._replace(processes=owners)
        risks.append(SocketRisk(socket, worst_verdict(f.verdict for f in findings), tuple(findings)))
    return risks


def _healthy(case: Case, judgement: Judgement) -> list[SocketRisk]:
    from sockdiag.model.finding import OK, SocketRisk

    with_findings = {(id(batch), row) for hit in judgement.hits for batch, row in hit.rows}
    healthy = [
        socket
        for batch in case.now.batches
        for row, socket in enumerate(batch.sockets())
        if (id(batch), row) not in with_findings
    ]
    held_by = case.all_holders(socket.inode for socket in healthy)
    return [
        SocketRisk(socket._replace(processes=held_by.get(socket.inode or 0) or socket.processes), OK, ())
        for socket in healthy
    ]


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.judging.judge import NotJudged
    from sockdiag.model.finding import SocketRisk, SystemRisk

    return {
        "verdict": "str",
        "interval_s": "float | None",
        "system": SystemRisk,
        "sockets": [SocketRisk],
        "unknown": [NotJudged],
    }


COMMAND = Command(
    run,
    name="risk",
    help=(
        "Verdicts: dropping (data was lost between the two samples), at_risk (the next burst, or the trend, will lose data), "
        "stalled (data waits, nothing is lost), leaking (sockets pile up that only their owner can free), unknown (a loss could "
        "have gone unseen), recovered (loss in the past, none now), ok. --interval 0 takes a single sample, which shows levels but no losses and no trends."
    ),
    options=(
        ALL,
        *options.JUDGING,
        *options.SELECTION,
        *options.COMMON,
    ),
    examples=(
        ("risk", "which sockets lose data now, or are about to"),
        ("risk --interval 0", "levels only, from a single sample"),
        (
            "risk --interval 5 --exit-code --fail-on warning",
            "for scripts: exit status 3 if there is a warning or worse",
        ),
    ),
    all_namespaces=True,
    many_hosts=True,
    document=document,
)
