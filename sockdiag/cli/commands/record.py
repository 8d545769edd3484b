"""`sockdiag record`: keep one moment after the other, to look back."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.spec import Command, required, seconds, text, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args, Keys

FOLDER = required(
    "folder", "The recording's folder. It is made if it does not exist.", metavar="DIR", completion="path"
)
EVERY = seconds("every", "Record a moment every S seconds.", default=5.0)
KEEP = seconds(
    "keep", "Delete what is older, in whole segments; with a unit, such as 24h or 7d. By default nothing is too old."
)
MAX_SIZE = text(
    "max_size",
    "Delete the oldest segments when all take more, such as 1G. By default there is no bound.",
    metavar="SIZE",
)
COUNT = whole("count", "Stop after N moments.", metavar="N")

_LEAST_S, _LONGEST_S = 0.1, 86400.0
_LEAST_SIZE = 1 << 20


def run(env: Env, args: Args) -> int:
    """Record until a signal ends it, or as many moments as asked for."""
    from sockdiag.cli.invocation import Invocation
    from sockdiag.cli.running import lasts
    from sockdiag.errors import UsageError
    from sockdiag.render.document import Document
    from sockdiag.sources.recordings.writer import RecordingWriter
    from sockdiag.survey.record import Recorder, RecordingSummary
    from sockdiag.version import __version__

    every, keep, count = args[EVERY], args[KEEP], args[COUNT]
    if not args[FOLDER]:
        raise UsageError("record needs the name of a folder")
    if not _LEAST_S <= every <= _LONGEST_S:
        raise UsageError(f"--every takes {_LEAST_S:g} to {_LONGEST_S:g} seconds")
    if keep is not None and keep < every:
        raise UsageError("--keep takes at least the time of --every")
    if count is not None and count < 1:
        raise UsageError("--count takes 1 or more moments")
    size = _size(args[MAX_SIZE])
    # A recorder looks on for days, and does not change what it looks at.
    this = Invocation(env, args.replaced(options.MODULES, "never"))
    columns, chosen = this.columns(RecordingSummary)
    writer = RecordingWriter(args[FOLDER], keep_s=keep, max_bytes=size)
    lasts()
    env.unwatch()
    try:
        recorder = Recorder(this.survey, writer, every, env.warn, f"sockdiag {__version__} record")
        recorder.run(count)
        rows = this.ordered([recorder.summary()], RecordingSummary)
    finally:
        writer.close()
    table = this.table(columns, rows, chosen=chosen)
    return this.show(Document(COMMAND.name, this.survey.provenance, table=table, table_key="recordings"), answered=True)


def _size(text: str | None) -> int | None:
    from sockdiag.errors import UsageError
    from sockdiag.filter.quantity import parse_quantity
    from sockdiag.model.record import BYTES

    if text is None:
        return None
    try:
        size = int(parse_quantity(text, BYTES))
    except ValueError as error:
        raise UsageError(f"--max-size: {error}") from None
    if size < _LEAST_SIZE:
        raise UsageError("--max-size takes at least 1M")
    return size


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.survey.record import RecordingSummary

    return {"recordings": [RecordingSummary]}


COMMAND = Command(
    run,
    name="record",
    help=(
        "Each moment is what a capture of one moment holds: every table, counter and limit, and the processes with their sockets. What has not "
        "changed since the moment before is not stored again. 'replay' runs any reading command on a moment; 'history' shows what came and "
        "went.\n\n"
        "It runs until a signal ends it. Whenever it is killed, only the moment that it was writing is lost. While the disk is full it says so "
        "and waits; older moments are deleted for their age and for the size of all, never for want of room. One recorder writes to a folder at a "
        "time.\n\n"
        "On hosts with many descriptors, the processes are read less often than the rest, so that this takes 0.4% of a CPU. The folder holds what "
        "a capture holds, and can be read by its owner only."
    ),
    options=(
        EVERY,
        KEEP,
        MAX_SIZE,
        COUNT,
        *(o for o in options.COMMON if o not in (options.ROOT, options.SOURCE, options.MODULES, options.NUMERIC)),
    ),
    arguments=(FOLDER,),
    examples=(
        ("record /srv/record --keep 24h --max-size 1G", "a moment every 5 s, for a day"),
        ("record case --every 1s --count 60", "a minute, closely"),
    ),
    document=document,
)
