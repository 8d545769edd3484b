"""`sockdiag history`: when findings came and went in a recording, and what became of sockets."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.spec import Command, argument, required, text, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args, Keys
    from sockdiag.model.record import Record

FOLDER = required("folder", "The recording's folder.", metavar="DIR", completion="path")
FILTER = argument(
    "filter", "Show these sockets, by a filter as for --where, and the findings about them.", metavar="FILTER"
)
SINCE = text("since", "Begin at this moment, as replay --at takes it. By default at the first.", metavar="TIME")
UNTIL = text("until", "End at this moment. By default at the last.", metavar="TIME")
MOMENTS = whole("moments", "Look at N moments, evenly.", metavar="N", default=60)

_FINDINGS = ("began_at", "ended_at", "judged", "severity", "code", "summary")
_SOCKETS = (
    "netid",
    "state",
    "local",
    "peer",
    "first_at",
    "age_s",
    "ended",
    "recv_q_first",
    "recv_q_max",
    "recv_q_last",
    "send_q_max",
    "memory_max",
)
_MOST = 100_000


def run(env: Env, args: Args) -> int:
    """Judge moments one after the other, and show what changed."""
    from sockdiag.cli.invocation import Invocation
    from sockdiag.errors import UsageError
    from sockdiag.render.document import Document
    from sockdiag.sources.recordings.folder import is_recording, not_a_recording
    from sockdiag.sources.recordings.reader import RecordingReader
    from sockdiag.survey.history import FindingHistory, SocketHistory, look_back, picked, rfc3339

    folder, where = args[FOLDER], args[FILTER] or ""
    if not 2 <= args[MOMENTS] <= _MOST:
        raise UsageError(f"--moments takes 2 to {_MOST}")
    if not is_recording(folder):
        raise not_a_recording(folder)
    recording = RecordingReader(folder)
    newest = recording.newest_readable()
    at = "last" if newest is recording.moments[-1] else f"@{newest.wall!r}"
    this = Invocation(env, args.replaced(options.ROOT, (f"{folder}@{at}",)))
    record: type[Record] = SocketHistory if where else FindingHistory
    columns, chosen = this.columns(record, _SOCKETS if where else _FINDINGS)
    moments = picked(recording, args[SINCE] or "", args[UNTIL] or "last", args[MOMENTS])
    found = look_back(recording, moments, this.rules(), where)
    for error in found.unread[:3]:
        env.warn(str(error))
    if found.more:
        env.warn(f"only the first {len(found.sockets)} sockets are shown")
    looked = found.moments or moments
    remark = f"{len(found.moments)} moments judged of {len(recording.moments)}, {rfc3339(looked[0].wall)} to {rfc3339(looked[-1].wall)}"
    keys: dict[str, object] = {
        "first_at": rfc3339(looked[0].wall),
        "last_at": rfc3339(looked[-1].wall),
        "recorded": len(recording.moments),
        "judged": len(found.moments),
        "unread": len(found.unread),
    }
    if where:
        keys["findings"] = found.findings
        rows = this.ordered(found.sockets, SocketHistory)
        table = this.table(columns, rows, chosen=chosen, remarks=(remark,))
        return this.show(
            Document(COMMAND.name, this.survey.provenance, table=table, table_key="sockets", keys=keys), answered=True
        )
    ordered = this.ordered(found.findings, FindingHistory)
    table = this.table(columns, ordered, chosen=chosen, remarks=(remark,))
    keys["sockets"] = []
    return this.show(
        Document(COMMAND.name, this.survey.provenance, table=table, table_key="findings", keys=keys), answered=True
    )


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.survey.history import FindingHistory, SocketHistory

    return {
        "first_at": "str",
        "last_at": "str",
        "recorded": "int",
        "judged": "int",
        "unread": "int",
        "findings*": [FindingHistory],
        "sockets*": [SocketHistory],
    }


COMMAND = Command(
    run,
    name="history",
    help=(
        "Moments are judged one after the other, each compared with the one before it, so that no loss between them is missed. A finding that came "
        "and went between two judged moments without a loss is not seen: --moments N looks more closely, --since and --until at a part.\n\n"
        "With a filter, the sockets that it selects: since when they are there, how their queues and their memory grew, and whether they ended."
    ),
    options=(SINCE, UNTIL, MOMENTS, *options.RULES, *options.REFERENCE),
    arguments=(FOLDER, FILTER),
    examples=(
        ("history /srv/record", "when findings came and went"),
        ("history /srv/record --since -10m --moments 120", "every moment of ten minutes"),
        ("history /srv/record 'sport = :443 and state = established'", "what became of connections"),
    ),
    document=document,
)
