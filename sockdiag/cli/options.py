"""Options that mean the same in every command, declared once."""

from __future__ import annotations

from sockdiag.cli.spec import Option, choice, flag, seconds, text, texts, whole
from sockdiag.defaults import HORIZON_S, INTERVAL_S, LOAD_MODULES, LOAD_MODULES_VARIABLE, SOURCES

JSON = flag("json", "Print one JSON document.")
NDJSON = flag("ndjson", "Print one JSON object per row (newline-delimited).")
CSV = flag("csv", "Print comma-separated values (RFC 4180) with a header.")
TABLE = text(
    "table",
    "Draw the table in a style of tabulate: grid, github, html, latex and others.",
    metavar="STYLE",
    completion="styles",
)
TEMPLATE = text(
    "format",
    "Format each row by TEMPLATE: {{NAME}} is a column of -o, \\t a tab. Example: '{{netid}} {{local}}'.",
    metavar="TEMPLATE",
)
COLUMNS = text(
    "output",
    "Show these columns; +COL,… adds to the default ones. The manual page lists them; 'sockdiag fields' explains those of sockets.",
    short="-o",
    metavar="COL,…",
    completion="columns",
)
NO_HEADER = flag("no_header", "Print no heading line.", short="-H")
SORT = text("sort", "Sort by a column; -COL for descending order.", metavar="[-]COL", completion="columns")
LIMIT = whole("limit", "Show only the first N rows.", metavar="N")
NUMERIC = flag("numeric", "Do not resolve names: show users as numbers.", short="-n")
COLOR = choice("color", "Use colours.", choices=("auto", "always", "never"), default="auto")
NO_PAGER = flag("no_pager", "Do not show long screens in a pager.")
ROOT = texts(
    "root",
    "Read a capture instead of this system, or what others sent: a sosreport or supportconfig, a copied /proc tree, saved text of ss or netstat, "
    "a dump of ss -D. A folder, an archive or a file. Several hosts: repeated, a folder of captures, or a pattern in quotes.",
    metavar="DIR",
    completion="path",
)
SOURCE = choice(
    "source",
    "Read sockets by netlink or from /proc. auto asks netlink and falls back to /proc, table by table.",
    choices=SOURCES,
    default=SOURCES[0],
)
NETNS = text(
    "netns",
    "Inspect another network namespace, or all of them: a name in /run/netns, the PID of a process in it, or a path.",
    metavar="NAME|PID|PATH|all",
    completion="netns",
)
MODULES = choice(
    "load_modules",
    "Ask the kernel as ss does, which makes it load the modules that answer, or ask only those that are loaded and read /proc "
    f"instead of the others (default: {LOAD_MODULES[0]}, or what {LOAD_MODULES_VARIABLE} says).",
    choices=LOAD_MODULES,
)
STRICT = flag("strict", "Exit with status 4 if anything that was requested could not be read.")
WHERE = texts(
    "where",
    "Select sockets by a filter in the language of ss, extended to every field. If repeated, all filters must match.",
    metavar="FILTER",
)
NETID = texts(
    "netid",
    "Read only these tables, such as tcp,udp or unix. May be repeated.",
    metavar="NETID,…",
    completion="netids",
)
INTERVAL = seconds(
    "interval",
    f"Take two samples, S seconds apart, to detect losses and trends (default: {INTERVAL_S:g}). 0: a single sample, levels only.",
)
HORIZON = seconds("horizon", "Report a trend as a risk if it reaches its limit within S seconds.", default=HORIZON_S)
RULE = texts("rule", "Check only these rules. May be repeated.", metavar="CODE,…", completion="rules")
SKIP = texts("skip", "Check all rules except these. May be repeated.", metavar="CODE,…", completion="rules")
EXIT_CODE = flag("exit_code", "Exit with status 3 if there are findings of at least --fail-on severity.")
FAIL_ON = choice(
    "fail_on",
    "Minimum severity for --exit-code.",
    choices=("critical", "warning", "info"),
    default="critical",
)

# Groups of shared options, in the order in which help and man pages show them.
# The sockets that are read.
SELECTION = (WHERE, NETID)
# Of every command that judges: the rules, and how.
RULES = (RULE, SKIP)
JUDGING = (*RULES, INTERVAL, HORIZON, EXIT_CODE, FAIL_ON)
# Of those that judge a single sample, which has no trends.
JUDGING_LEVELS = (*RULES, EXIT_CODE, FAIL_ON)


class Renderer:
    """The function that writes documents in one format, and what the format can hold.

    Args:
        option: the option that selects it. If it takes a value, the function gets that first. None for the default.
        module: module that holds the function.
        function: name of the function, which turns a document and a style into pieces of text.
        document: it holds the whole document: its keys beside the rows, and rows within rows.
        records: it writes whole records if no columns are chosen.
        people: it is for people to read: what does not apply here is left out.
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
    Renderer(TEMPLATE, "sockdiag.render.template", "template", people=True),
)
FORMATS = tuple(renderer.option for renderer in RENDERERS if renderer.option is not None)
SHAPE = (COLUMNS, NO_HEADER, SORT, LIMIT)
# Which system is read, and how: `check` takes these too, and no other group.
SYSTEM = (ROOT, NETNS, SOURCE, MODULES)
INPUT = (ROOT, NETNS, STRICT, SOURCE, MODULES)
APPEARANCE = (NUMERIC, COLOR, NO_PAGER)
# Options of every command that reads a system.
COMMON = (*FORMATS, *SHAPE, *INPUT, *APPEARANCE)
# Of commands that read no sockets, and show no users.
FILES = tuple(option for option in COMMON if option not in (SOURCE, MODULES, NUMERIC))
# Of commands whose answer does not depend on the system.
REFERENCE = (*FORMATS, *SHAPE, COLOR, NO_PAGER)
GROUPS = (
    ("Sockets", SELECTION),
    ("Judging", JUDGING),
    ("Format", FORMATS),
    ("Rows and columns", SHAPE),
    ("Input", INPUT),
    ("Appearance", APPEARANCE),
)
