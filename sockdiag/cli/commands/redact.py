"""`sockdiag redact`: give away a capture without the names and addresses in it."""

from __future__ import annotations

from sockdiag.cli import exit as status
from sockdiag.cli import options
from sockdiag.cli.spec import Command, argument, flag, required, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.cli.env import Env
    from sockdiag.cli.invocation import Invocation
    from sockdiag.cli.spec import Args, Keys

CAPTURE = required("capture", "The capture: a folder or an archive, or a recorded moment, DIR@TIME.", completion="path")
OUT = argument(
    "out", "A new folder, or a new archive if it ends in .tar.gz or .tgz. Not with --verify.", completion="path"
)
MAPPING = text(
    "mapping",
    "File with the key and the pseudonyms: if it exists, they are used again. By default a new file beside OUT, OUT.mapping.",
    metavar="FILE",
    completion="path",
)
VERIFY = flag("verify", "Search CAPTURE, which was redacted, for anything that the mapping replaces.")
FORCE = flag("force", "Replace the archive OUT if it exists. A folder is never replaced.")
# Parts and leftovers that are named on standard error.
_MOST_NAMED = 10


def run(env: Env, args: Args) -> int:
    """Redact a capture, or search one for leftovers."""
    from sockdiag.cli.invocation import Invocation
    from sockdiag.errors import UsageError

    this = Invocation(env, args)
    if not args[CAPTURE]:
        raise UsageError("redact needs a capture")
    if args[VERIFY]:
        if args[OUT] is not None or args[FORCE]:
            raise UsageError("--verify takes a capture and writes nothing")
        return _verify(this)
    return _redact(this)


def _redact(this: Invocation) -> int:
    from sockdiag.errors import UsageError
    from sockdiag.render.document import Document
    from sockdiag.survey.redact import RedactionSummary, parts, redact_capture

    args = this.args
    columns, chosen = this.columns(RedactionSummary)
    out = args[OUT]
    if not out:
        raise UsageError("redact needs the name of a new folder or archive")
    now = this.survey.system.clock()
    made, left_out = redact_capture(args[CAPTURE], out, args[MAPPING], now, force=args[FORCE])
    warn_left_out(this, [(part.path, part.reason) for part in parts(left_out)], left_out.count)
    rows = this.ordered([made], RedactionSummary)
    table = this.table(columns, rows, chosen=chosen)
    keys = {"left_out": parts(left_out), "leftovers": []}
    return this.show(Document(COMMAND.name, this.survey.provenance, keys=keys, table=table, table_key="redactions"))


def warn_left_out(this: Invocation, left_out: list[tuple[str, str]], count: int) -> None:
    """Say on standard error what a redacted capture lacks."""
    from sockdiag.render.escape import printable

    for path, reason in left_out[:_MOST_NAMED]:
        this.env.warn(f"left out {printable(path)}: {printable(reason)}")
    if count > _MOST_NAMED:
        this.env.warn(f"left out {count - _MOST_NAMED} more parts")


def _verify(this: Invocation) -> int:
    from sockdiag.render.document import Document
    from sockdiag.sources.redaction.leftovers import Leftover
    from sockdiag.survey.redact import default_mapping
    from sockdiag.survey.redaction_check import leftovers_of

    args = this.args
    columns, chosen = this.columns(Leftover)
    found = leftovers_of(args[CAPTURE], args[MAPPING] or default_mapping(args[CAPTURE]))
    table = this.table(columns, this.ordered(found, Leftover), chosen=chosen)
    keys: dict[str, list[object]] = {"left_out": [], "redactions": []}
    shown = this.show(Document(COMMAND.name, this.survey.provenance, keys=keys, table=table, table_key="leftovers"))
    return shown or (status.FINDINGS if found else status.OK)


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.sources.redaction.leftovers import Leftover
    from sockdiag.survey.redact import PartLeftOut, RedactionSummary

    return {"redactions": [RedactionSummary], "left_out": [PartLeftOut], "leftovers": [Leftover]}


COMMAND = Command(
    run,
    name="redact",
    help=(
        "Writes the capture with pseudonyms for addresses, host names, users, processes, command lines, paths, cgroups, units, containers and "
        "devices. Subnets, the class of an address, ports, lengths and columns stay, so that every command says of it what it says of "
        "the capture. What is not known here is left out, and named.\n\n"
        "The mapping says what became what, and its key makes the pseudonyms: keep it, and give it to nobody. With --mapping the pseudonyms "
        "are the same for several captures.\n\n"
        "--verify searches a redacted capture for anything that the mapping replaces, however it is written, and for names that are no "
        "pseudonyms; it says where, not what."
    ),
    options=(
        VERIFY,
        MAPPING,
        FORCE,
        *(o for o in options.FILES if o not in (options.ROOT, options.NETNS)),
    ),
    arguments=(CAPTURE, OUT),
    examples=(
        ("redact case.tar.gz given.tar.gz", "what can be given away, and the mapping in given.tar.gz.mapping"),
        ("redact case2.tar.gz given2.tar.gz --mapping given.tar.gz.mapping", "the same pseudonyms for another host"),
        ("redact /srv/record@03:00 given.tar.gz", "a recorded moment, and the one before it"),
        ("redact --verify given.tar.gz", "search for leftovers: exit status 3 if there are any"),
    ),
    document=document,
    statuses={
        **{code: meaning for code, meaning in status.MEANINGS.items() if code not in (status.FINDINGS, status.PARTIAL)},
        status.FINDINGS: "With --verify: there are leftovers.",
    },
)
