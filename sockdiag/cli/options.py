"""Options that mean the same in every command, declared once."""

from __future__ import annotations

from sockdiag.cli.spec import Option, choice, flag, number, text, whole
from sockdiag.defaults import HORIZON_S, SOURCES

JSON = flag("json", "One JSON document.")
NDJSON = flag("ndjson", "One JSON object a line, a line a row.")
CSV = flag("csv", "Comma-separated values (RFC 4180) with a header.")
TABLE = text(
    "table",
    "Draw the table in a style of tabulate: grid, github, html, latex and others.",
    metavar="STYLE",
    completion="styles",
)
COLUMNS = text(
    "output",
    "Columns to show; +COL,… adds to the default ones. The manual page lists them, 'sockdiag fields' those of sockets.",
    short="-o",
    metavar="COL,…",
    completion="columns",
)
NO_HEADER = flag("no_header", "No heading line.", short="-H")
SORT = text("sort", "Order by a column; -COL for descending.", metavar="[-]COL", completion="columns")
LIMIT = whole("limit", "Show the first N rows only.", metavar="N")
NUMERIC = flag("numeric", "Resolve no names: users stay numbers.", short="-n")
COLOR = choice("color", "Use colours.", choices=("auto", "always", "never"), default="auto")
ROOT = text(
    "root",
    "Read a captured system instead of this one. DIR is a folder, or an archive of one, of /proc files and netlink answers.",
    metavar="DIR",
    completion="path",
)
SOURCE = choice(
    "source",
    "Where sockets come from. auto asks netlink and falls back to /proc, table by table.",
    choices=SOURCES,
    default=SOURCES[0],
)
NETNS = text(
    "netns",
    "Look at another network namespace, or at all. It is named by its name in /run/netns, the id of a process in it, or a path.",
    metavar="NAME|PID|PATH|all",
    completion="netns",
)
STRICT = flag("strict", "Exit with status 4 when something that was asked for could not be seen.")
WHERE = text(
    "where",
    "Only sockets that match: the ss filter language, extended to every field.",
    metavar="FILTER",
)
NETID = text("netid", "Only these tables, as tcp,udp or unix.", metavar="NETID,…", completion="netids")
INTERVAL = number(
    "interval",
    "Look twice, S seconds apart, for rates and trends; without it one look judges levels.",
    metavar="S",
)
HORIZON = number(
    "horizon",
    "A trend that reaches its limit within S seconds is a risk.",
    metavar="S",
    default=HORIZON_S,
)
EXIT_CODE = flag("exit_code", "Exit with status 3 when there are findings of at least --fail-on severity.")
FAIL_ON = choice(
    "fail_on",
    "Least severity for --exit-code.",
    choices=("critical", "warning", "info"),
    default="critical",
)

# What the shared options are about, in the order in which help and man pages show them.
JUDGING = (INTERVAL, HORIZON, EXIT_CODE, FAIL_ON)


class Renderer:
    """How an answer is written.

    Args:
        option: what asks for it; one with a value gives that to the function first.
        module: where the function is.
        function: turns a document and a style into pieces of text.
        document: it holds the whole document: its keys beside the rows, and rows within rows.
        records: it writes whole records where no columns are chosen.
        people: people read it: what concerns nobody is left out.
    """

    __slots__ = ("document", "function", "module", "option", "people", "records")

    def __init__(
        self,
        option: Option[bool] | Option[str | None] | None,
        module: str,
        function: str,
        *,
        document: bool = False,
        records: bool = False,
        people: bool = False,
    ) -> None:
        self.option = option
        self.module = module
        self.function = function
        self.document = document
        self.records = records
        self.people = people


SCREEN = Renderer(None, "sockdiag.render.table", "render_table", people=True)
RENDERERS = (
    Renderer(JSON, "sockdiag.render.json_text", "render_json", document=True, records=True),
    Renderer(NDJSON, "sockdiag.render.json_text", "render_ndjson", records=True),
    Renderer(CSV, "sockdiag.render.table", "render_csv"),
    Renderer(TABLE, "sockdiag.render.table", "grid", people=True),
)
FORMATS = tuple(renderer.option for renderer in RENDERERS if renderer.option is not None)
SHAPE = (COLUMNS, NO_HEADER, SORT, LIMIT)
# Which system is read, and how: `check` takes these too, and no other group.
SYSTEM = (ROOT, SOURCE, NETNS)
INPUT = (*SYSTEM, STRICT)
APPEARANCE = (NUMERIC, COLOR)
# Of every command that reads a system.
COMMON = (*FORMATS, *SHAPE, *INPUT, *APPEARANCE)
GROUPS = (
    ("Judging", JUDGING),
    ("Format", FORMATS),
    ("Rows and columns", SHAPE),
    ("Input", INPUT),
    ("Appearance", APPEARANCE),
)
