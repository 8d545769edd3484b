"""`sockdiag capture`: save everything that the other commands read."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.spec import Command, flag, required, seconds, text
from sockdiag.defaults import INTERVAL_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args, Keys
    from sockdiag.sources.redaction.mapping_file import MappingFile

PATH = required(
    "path",
    "A new folder, or a new archive if it ends in .tar.gz, .tgz or .tar.zst.",
    metavar="FILE|DIR",
    completion="path",
)
INTERVAL = seconds(
    "interval",
    "Take two samples, S seconds apart, so that losses and rates can be judged later. 0: a single sample.",
    default=INTERVAL_S,
)
REDACT = flag(
    "redact",
    "Write pseudonyms for addresses, names, command lines and paths, and the mapping beside it: see sockdiag redact.",
)
MAPPING = text(
    "mapping",
    "With --redact: file with the key and the pseudonyms; if it exists, they are used again. By default FILE.mapping.",
    metavar="FILE",
    completion="path",
)
FROM = text(
    "from_",
    "Convert what others sent (all that --root takes: a sosreport, saved text of ss, …), or a recorded moment, DIR@TIME, to a capture, "
    "instead of taking one.",
    metavar="BUNDLE",
    completion="path",
)
FORCE = flag("force", "Replace the archive if it exists. A folder is never replaced.")


def run(env: Env, args: Args) -> int:
    """Take a capture, and tell its size."""
    from sockdiag.cli.invocation import Invocation
    from sockdiag.errors import UsageError
    from sockdiag.render.document import Document
    from sockdiag.survey.capture import CaptureSummary, convert_capture, take_capture
    from sockdiag.survey.diagnose import judging
    from sockdiag.version import __version__

    # Whoever takes a capture wants to know how the host is, and not to change it.
    bundle = args[FROM]
    args = args.replaced(options.MODULES, "never")
    if bundle is not None:
        if not bundle:
            raise UsageError("--from needs a file or a folder")
        if args.given(INTERVAL):
            raise UsageError("--interval and --from exclude each other: a bundle has the moments that it has")
    this = Invocation(env, args if bundle is None else args.replaced(options.ROOT, (bundle,)))
    survey = this.survey
    if not args[PATH]:
        raise UsageError("capture needs the name of a new folder or archive")
    redacted = _mapping(args)
    if redacted is not None and args[FROM]:
        raise UsageError("--redact and --from exclude each other: 'sockdiag redact' redacts what was converted")
    shown = ["path", "size_bytes", "moments", "interval_s", "processes", "namespaces"]
    columns, chosen = this.columns(CaptureSummary, shown if redacted is None else [*shown, "mapping"])
    how_made = f"sockdiag {__version__} capture"
    if args[FROM]:
        made = convert_capture(survey, args[PATH], force=args[FORCE], how=f"{how_made} --from")
    else:
        how = judging(survey.system, args[INTERVAL])
        made = take_capture(survey, args[PATH], how.interval_s, force=args[FORCE], how=how_made, redacted=redacted)
    rows = this.ordered([made], CaptureSummary)
    table = this.table(columns, rows, chosen=chosen)
    return this.show(Document(COMMAND.name, survey.provenance, table=table, table_key="captures"))


def _mapping(args: Args) -> MappingFile | None:
    from sockdiag.errors import UsageError
    from sockdiag.sources.redaction.mapping_file import MappingFile
    from sockdiag.survey.redact import default_mapping

    given = args[MAPPING]
    if not args[REDACT]:
        if given is not None:
            raise UsageError("--mapping is of --redact")
        return None
    return MappingFile(given or default_mapping(args[PATH]), reuse=given is not None)


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.survey.capture import CaptureSummary

    return {"captures": [CaptureSummary]}


COMMAND = Command(
    run,
    name="capture",
    help=(
        "The capture holds the files of /proc and /sys that commands read and the kernel's netlink answers, raw, in one pass, at two "
        "moments and with light probes between them. With --root FILE every command answers from it.\n\n"
        "It names processes with their command lines, users, addresses, routes, cgroups and the counters of this host: whoever gets it sees "
        "them; --redact writes pseudonyms instead. Names of open files, environments and TCP-MD5 keys are left out. The file can be read by its owner only.\n\n"
        "It loads no kernel module, and gets its name when it is whole. Without root, what may not be read is a gap."
    ),
    options=(
        INTERVAL,
        REDACT,
        MAPPING,
        FROM,
        FORCE,
        *(o for o in options.COMMON if o not in (options.ROOT, options.SOURCE, options.MODULES, options.NUMERIC)),
    ),
    arguments=(PATH,),
    examples=(
        ("capture case.tar.gz", "save everything, from two samples, 1 s apart"),
        ("capture case.tar.gz --interval 10", "for rare losses"),
        ("capture case.tar.gz --redact", "with pseudonyms, and the mapping in case.tar.gz.mapping"),
        ("capture case --netns web", "the network namespace 'web', in a folder"),
        ("capture case.tar.gz --netns all", "every network namespace"),
    ),
    all_namespaces=True,
    document=document,
)
