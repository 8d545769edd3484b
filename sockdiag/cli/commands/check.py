"""`sockdiag check`: a monitoring plugin."""

from __future__ import annotations

from sockdiag.check.options import TIMEOUT_S, CheckOptions
from sockdiag.check.plugin import unknown, waited
from sockdiag.check.status import CHECK_MEANINGS, CHECK_UNKNOWN
from sockdiag.cli import options
from sockdiag.cli.catalog import summary
from sockdiag.cli.spec import Command, count, flag, number, text, texts
from sockdiag.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args
    from sockdiag.sources.system.machine import System


def run(env: Env, args: Args) -> int:
    """Sample, judge, and write a status line."""
    return write_answer(env, lambda: answer(env, args))


def write_answer(env: Env, answering: Callable[[], tuple[int, str]]) -> int:
    """Write the answer, or why there is no verdict; return the plugin status."""
    try:
        status, line = answering()
    except BaseException as error:
        status, line = CHECK_UNKNOWN, unknown(error, debug=bool(env.environ.get("SOCKDIAG_DEBUG")))
    try:
        env.write(line)
    except OSError:
        return CHECK_UNKNOWN  # what nobody can read is no verdict
    return status


def answer(env: Env, args: Args) -> tuple[int, str]:
    """Return the plugin status and what to write.

    Raises:
        SockdiagError: there is no verdict.
        Ended: a signal asks this process to end.
    """
    root = args[options.ROOT]

    def open_system() -> System:
        if root == "":
            raise UsageError("--root needs a folder or an archive")
        return env.open_system(root or "")

    return waited(check_options(args, env.environ), open_system, env.clock)


def check_options(args: Args, environ: Mapping[str, str]) -> CheckOptions:
    """Return what a command line asks.

    Raises:
        UsageError: it makes no sense.
    """
    from sockdiag.check.state import state_path
    from sockdiag.cli.survey_options import survey_options

    state = args[STATE] or ""
    return CheckOptions(
        survey=survey_options(args),
        captured=bool(args[options.ROOT]),
        rules=args[RULE],
        skip=args[SKIP],
        measures=args[MEASURE],
        warning=args[WARNING],
        critical=args[CRITICAL],
        timeout_s=args[TIMEOUT],
        interval_s=args[INTERVAL],
        horizon_s=args[options.HORIZON],
        state=state,
        own_state="" if state else state_path(environ),
        strict=args[STRICT],
        verbose=args[VERBOSE],
        debug=bool(environ.get("SOCKDIAG_DEBUG")),
    )


def _measures() -> tuple[str, ...]:
    from sockdiag.analysis.measures import MEASURES

    return tuple(MEASURES)


RULE = texts("rule", "Judge only these rules; may be repeated.", metavar="CODE,…", completion="rules")
SKIP = texts("skip", "Judge all but these rules; may be repeated.", metavar="CODE,…", completion="rules")
MEASURE = texts(
    "measure",
    "Compare a measure with the -w and -c that go with it; may be repeated.",
    metavar="NAME",
    completion=_measures,
)
WARNING = texts("warning", "Range of the measure outside which it is WARNING.", short="-w", metavar="RANGE")
CRITICAL = texts("critical", "Range of the measure outside which it is CRITICAL.", short="-c", metavar="RANGE")
TIMEOUT = number("timeout", "UNKNOWN if it takes longer.", short="-t", metavar="S", default=TIMEOUT_S)
INTERVAL = number("interval", "Look twice, S seconds apart, instead of comparing with the run before.", metavar="S")
STATE = text("state", "Where the run before is remembered.", metavar="FILE", completion="path")
STRICT = flag("strict", "UNKNOWN if a rule cannot tell; without it only if most cannot, or one that is named.")
VERBOSE = count("verbose", "A line a finding with advice; -vv also what is no alert, -vvv all figures.", short="-v")
VERSION = flag("version", "Show the version and exit.", short="-V")

COMMAND = Command(
    run,
    name="check",
    summary=summary("check"),
    help=(
        "Judges every rule, or those of --rule: findings of severity critical are CRITICAL, of severity warning WARNING. With "
        "--measure it compares measures with ranges instead; --rule adds rules to them. Whatever is no verdict is UNKNOWN, and said "
        "on standard output.\n\n"
        "What was lost, and how fast counters grow, is judged against the run before, which is remembered in a state file: for each "
        "command line, namespace and boot on its own. The first run has none and judges levels. Fewer than 5 losses raise no "
        "alert; an alert ends when its level is a tenth below the threshold.\n\n"
        "A range is [@]start:end: outside it is an alert, with @ inside it. 10 is 0:10, 10: has no end, ~:10 no start."
    ),
    options=(
        RULE,
        SKIP,
        MEASURE,
        WARNING,
        CRITICAL,
        options.WHERE,
        TIMEOUT,
        INTERVAL,
        options.HORIZON,
        STATE,
        STRICT,
        VERBOSE,
        VERSION,
        options.ROOT,
        options.SOURCE,
        options.NETNS,
        options.NUMERIC,
    ),
    examples=(
        ("check", "every rule, against the run before"),
        ("check --rule ACCEPT_QUEUE_FULL,ACCEPT_QUEUE_OVERFLOW -v", "two rules, with what to do"),
        ("check --measure tcp_mem.used_ratio -w 0.7 -c 0.9", "memory of TCP against its limit"),
        ("check --measure 'listener[:443].accept_queue_ratio' -w 0.5 -c 0.9", "the accept queue of a port"),
        ("check --measure Udp.RcvbufErrors -w 0 -c 100", "lost datagrams a second"),
    ),
    all_namespaces=True,
    statuses=CHECK_MEANINGS,
)
