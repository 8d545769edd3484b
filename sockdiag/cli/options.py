"""Options that mean the same in every command, declared once."""

from __future__ import annotations

from sockdiag.cli.spec import CHOICE, FLOAT, INT, TEXT, Option

JSON = Option("json", "One JSON document.")
NDJSON = Option("ndjson", "One JSON object a line, a line a row.")
CSV = Option("csv", "Comma-separated values (RFC 4180) with a header.")
TABLE = Option(
    "table",
    "Draw the table in a style of tabulate: grid, github, html, latex and others.",
    kind=TEXT,
    metavar="STYLE",
    completion="styles",
)
COLUMNS = Option(
    "output",
    "Columns to show; +COL,… adds to the default ones. The manual page lists them, 'sockdiag fields' those of sockets.",
    kind=TEXT,
    short="-o",
    metavar="COL,…",
    completion="columns",
)
NO_HEADER = Option("no_header", "No heading line.", short="-H")
SORT = Option("sort", "Order by a column; -COL for descending.", kind=TEXT, metavar="[-]COL", completion="columns")
LIMIT = Option("limit", "Show the first N rows only.", kind=INT, metavar="N")
NUMERIC = Option("numeric", "Resolve no names: users stay numbers.", short="-n")
COLOR = Option("color", "Use colours.", kind=CHOICE, choices=("auto", "always", "never"), default="auto")
ROOT = Option(
    "root",
    "Read a captured system instead of this one. DIR is a folder, or an archive of one, of /proc files and netlink answers.",
    kind=TEXT,
    metavar="DIR",
    completion="path",
)
SOURCE = Option(
    "source",
    "Where sockets come from. auto asks netlink and falls back to /proc, table by table.",
    kind=CHOICE,
    choices=("auto", "netlink", "proc"),
    default="auto",
)
NETNS = Option(
    "netns",
    "Look at another network namespace, or at all. It is named by its name in /run/netns, the id of a process in it, or a path.",
    kind=TEXT,
    metavar="NAME|PID|PATH|all",
    completion="netns",
)
STRICT = Option("strict", "Exit with status 4 when something that was asked for could not be seen.")
WHERE = Option(
    "where",
    "Only sockets that match: the ss filter language, extended to every field.",
    kind=TEXT,
    metavar="FILTER",
)
NETID = Option("netid", "Only these tables, as tcp,udp or unix.", kind=TEXT, metavar="NETID,…", completion="netids")
INTERVAL = Option(
    "interval",
    "Look twice, S seconds apart, for rates and trends; without it one look judges levels.",
    kind=FLOAT,
    metavar="S",
)
HORIZON = Option(
    "horizon",
    "A trend that reaches its limit within S seconds is a risk.",
    kind=FLOAT,
    metavar="S",
    default=10.0,
)
EXIT_CODE = Option("exit_code", "Exit with status 3 when there are findings of at least --fail-on severity.")
FAIL_ON = Option(
    "fail_on",
    "Least severity for --exit-code.",
    kind=CHOICE,
    choices=("critical", "warning", "info"),
    default="critical",
)

# What the shared options are about, in the order in which help and man pages show them.
JUDGING = (INTERVAL, HORIZON, EXIT_CODE, FAIL_ON)
# How an answer is written, and the function that does it; an option with a value is given that first.
RENDERERS = (
    (JSON, "sockdiag.render.json_text", "render_json"),
    (NDJSON, "sockdiag.render.json_text", "render_ndjson"),
    (CSV, "sockdiag.render.table", "render_csv"),
    (TABLE, "sockdiag.render.table", "grid"),
)
FORMATS = tuple(option for option, _module, _function in RENDERERS)
SHAPE = (COLUMNS, NO_HEADER, SORT, LIMIT)
INPUT = (ROOT, SOURCE, NETNS, STRICT)
LOOKS = (NUMERIC, COLOR)
EVERYWHERE = (*FORMATS, *SHAPE, *INPUT, *LOOKS)
GROUPS = (("Judging", JUDGING), ("Format", FORMATS), ("Rows and columns", SHAPE), ("Input", INPUT), ("Looks", LOOKS))
