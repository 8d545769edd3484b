"""`sockdiag listeners`: accept and SYN queues."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.spec import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockdiag.analysis.listeners import Listener
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args, Keys
    from sockdiag.judging.case import Case
    from sockdiag.judging.judge import Judgement
    from sockdiag.model.record import Record


# What a narrow terminal leaves out first.
SPARE = ("socket.netid", "syn_queue", "accept_queue_ratio", "socket.netns")


def run(env: Env, args: Args) -> int:
    """Show listeners and the findings about them."""
    from sockdiag.analysis.listeners import TABLES, Listener
    from sockdiag.cli.invocation import Invocation
    from sockdiag.judging.declared import RULES_OF
    from sockdiag.model.quantity import share
    from sockdiag.model.query import OWNERS, PARTS, SKMEM
    from sockdiag.model.record import RATIO
    from sockdiag.render.document import Document
    from sockdiag.render.table import cells, fitting, is_number, spare_headings
    from sockdiag.survey.diagnose import diagnose, reporting

    this = Invocation(env, args)
    survey = this.survey
    found = diagnose(survey, this.judging(RULES_OF["listeners"]), survey.where, TABLES, reporting(_listeners))
    findings, everywhere = found.findings, survey.everywhere
    found.rows.sort(key=lambda one: (-(one.drops_in_interval or 0), -(one.accept_queue_ratio or 0), -(one.drops or 0)))
    rows = this.ordered(found.rows, Listener)
    default = [
        "socket.netid",
        "socket.local",
        "accept_queue",
        "accept_queue_limit",
        "accept_queue_ratio",
        "syn_queue",
        "drops",
        "drops_in_interval",
        "socket.processes",
    ]
    if found.seconds is None:
        default.remove("drops_in_interval")
    if everywhere:
        default.insert(0, "socket.netns")
    columns, chosen = this.columns(Listener, default)
    table = this.table(columns, list(rows), chosen=chosen, spare=SPARE)

    def lines(style: Any) -> Any:
        headings = [entry.field.header for entry in table.columns] if table.header else []
        shown = [
            [share(entry.get(row)) for row in table.records()] if entry.field.unit == RATIO else column
            for entry, column in zip(table.columns, cells(table), strict=True)
        ]
        right = [is_number(entry) for entry in table.columns]
        yield from fitting(headings, shown, right, style, spare_headings(table))

    keys = {"verdict": found.verdict, "interval_s": found.interval_s, "findings": findings}
    document = Document(
        COMMAND.name,
        survey.provenance,
        table=table,
        table_key="listeners",
        keys=keys,
        lines=lines,
        below=this.below(findings, past=True),
        unasked=PARTS - {SKMEM, OWNERS},
    )
    return this.finish(document, findings)


def _listeners(case: Case, _judgement: Judgement) -> list[Listener]:
    """Return all listeners, with findings or without."""
    from sockdiag.judging.listeners import listeners_seen

    found = listeners_seen(case)
    held_by = case.all_holders(listener.socket.inode for listener in found)
    named = []
    for listener in found:
        owners = held_by.get(listener.socket.inode or 0)
        socket = listener.socket._replace(processes=owners) if owners else listener.socket
        named.append(listener._replace(socket=socket))
    return named


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.analysis.listeners import Listener
    from sockdiag.model.finding import Finding

    return {"verdict": "str", "interval_s": "float | None", "findings": [Finding], "listeners": [Listener]}


def rows() -> tuple[type[Record], ...]:
    """Name the record of the rows."""
    from sockdiag.analysis.listeners import Listener

    return (Listener,)


COMMAND = Command(
    run,
    name="listeners",
    help=(
        "A queue holds one connection more than its limit, which is the smaller of the backlog passed to listen(2) and of "
        "somaxconn at that time. DROPS are the listener's own: attempts refused since it was created, each retry included."
    ),
    options=(*options.JUDGING, *options.SELECTION, *options.COMMON),
    examples=(
        ("listeners", "the fullest queues first"),
        ("listeners --interval 5 --netid tcp", "which TCP listeners refuse connections within five seconds"),
    ),
    all_namespaces=True,
    many_hosts=True,
    document=document,
    rows=rows,
)
