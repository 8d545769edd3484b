"""`sockdiag check`: a monitoring plugin."""

from __future__ import annotations

from sockdiag.check.answer import CheckAnswer
from sockdiag.check.options import TIMEOUT_S, CheckOptions
from sockdiag.check.plugin import unknown, waited
from sockdiag.check.status import CHECK_MEANINGS, CHECK_UNKNOWN
from sockdiag.cli import options
from sockdiag.cli.spec import Command, count, flag, seconds, text, texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args
    from sockdiag.sources.system.machine import System


def run(env: Env, args: Args) -> int:
    """Sample, judge and write a status line."""
    return write_answer(env, lambda: answer(env, args))


def write_answer(env: Env, answering: Callable[[], CheckAnswer]) -> int:
    """Write the answer, or the reason why there is no verdict; return the plugin status."""
    try:
        found = answering()
    except BaseException as error:
        try:
            text = unknown(error, debug=bool(env.environ.get("SOCKDIAG_DEBUG")))
        except Exception:  # even the modules that word it cannot be loaded: no descriptors, no memory, a broken disk
            text = f"SOCKDIAG UNKNOWN - {type(error).__name__}\n"
        found = CheckAnswer(CHECK_UNKNOWN, text)
    try:
        env.write(found.text)
    except OSError:
        found.lost()
        return CHECK_UNKNOWN  # a verdict that could not be written is no verdict
    found.arrived()
    return found.status


def answer(env: Env, args: Args) -> CheckAnswer:
    """Run the check that a command line asks for.

    Raises:
        SockdiagError: no verdict could be reached.
        Ended: a signal asked this process to end.
    """
    from sockdiag.cli.survey_options import load_modules, one_root

    modules = load_modules(args, env.environ)

    def open_system() -> System:
        return env.open_system(one_root(args) or "", modules)

    return waited(check_options(args, env.environ), open_system, env.clock)


def check_options(args: Args, environ: Mapping[str, str]) -> CheckOptions:
    """Turn a command line into the options of a check.

    Raises:
        UsageError: the options contradict each other, or a value is invalid.
    """
    from sockdiag.check.state import state_path
    from sockdiag.cli.survey_options import survey_options

    state = args[STATE] or ""
    return CheckOptions(
        survey=survey_options(args),
        captured=bool(args[options.ROOT]),
        rules=args[options.RULE],
        skip=args[options.SKIP],
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


MEASURE = texts(
    "measure",
    "Compare a measure with the ranges of the -w and -c that follow or precede it. May be repeated.",
    metavar="NAME",
    completion=_measures,
)
WARNING = texts("warning", "Range outside which the measure is WARNING.", short="-w", metavar="RANGE")
CRITICAL = texts("critical", "Range outside which the measure is CRITICAL.", short="-c", metavar="RANGE")
TIMEOUT = seconds("timeout", "Report UNKNOWN if the check takes longer.", short="-t", default=TIMEOUT_S)
INTERVAL = seconds(
    "interval", "Take two samples, S seconds apart, instead of comparing with the last run; 0 never takes a second one."
)
STATE = text("state", "Keep the baseline for the next run in FILE.", metavar="FILE", completion="path")
STRICT = flag(
    "strict",
    "Report UNKNOWN if any rule lacks data. By default, do so only if a loss could have gone unseen, or if most rules, or one "
    "named with --rule, lack data.",
)
VERBOSE = count(
    "verbose",
    "Print one line per finding, with advice; -vv adds findings below the alert level, -vvv all figures.",
    short="-v",
)
VERSION = flag("version", "Show the version and exit.", short="-V")

COMMAND = Command(
    run,
    name="check",
    help=(
        "Checks all rules, or those of --rule: a finding of severity critical is CRITICAL, one of severity warning is WARNING. "
        "With --measure, it compares measures with ranges instead; --rule then adds rules. Anything that prevents a verdict is "
        "reported as UNKNOWN, on standard output.\n\n"
        "Losses and the growth of counters are compared with the last run, which a state file keeps for each command line, "
        "namespace and boot. The first run takes two samples, 1 s apart. If a queue held something in both runs, another sample "
        "a second later confirms it. The state file is replaced only after the status line has been written: if that fails, the "
        "next run reports the same losses again. Fewer than 5 losses raise no alert; an alert ends when its level is 10 % below "
        "the threshold.\n\n"
        "A range is [@]start:end. A value outside it raises an alert; with @, a value inside it does. 10 means 0:10, 10: has "
        "no end, ~:10 no start."
    ),
    options=(
        options.RULE,
        options.SKIP,
        MEASURE,
        WARNING,
        CRITICAL,
        *options.SELECTION,
        TIMEOUT,
        INTERVAL,
        options.HORIZON,
        STATE,
        STRICT,
        VERBOSE,
        VERSION,
        *options.SYSTEM,
        options.NUMERIC,
    ),
    examples=(
        ("check", "every rule, compared with the last run"),
        ("check --rule ACCEPT_QUEUE_FULL,ACCEPT_QUEUE_OVERFLOW -v", "two rules, with advice"),
        ("check --measure tcp_mem.used_ratio -w 0.7 -c 0.9", "memory of TCP against its limit"),
        ("check --measure 'listener[:443].accept_queue_ratio' -w 0.5 -c 0.9", "the accept queue of a port"),
        ("check --measure Udp.RcvbufErrors -w 0 -c 100", "lost datagrams per second"),
    ),
    all_namespaces=True,
    statuses=CHECK_MEANINGS,
)
