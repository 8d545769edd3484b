"""`sockdiag check`: a monitoring plugin."""

from __future__ import annotations

from sockdiag.check.plugin import TIMEOUT_S, run_given
from sockdiag.cli import options
from sockdiag.cli.catalog import summary
from sockdiag.cli.exit import CHECK_MEANINGS
from sockdiag.cli.spec import COUNT, FLOAT, LIST, TEXT, Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Given


def run(env: Env, given: Given) -> int:
    """Look, judge, and write a status line."""
    return run_given(env, given)


def _measures() -> tuple[str, ...]:
    from sockdiag.analysis.measures import MEASURES

    return tuple(MEASURES)


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
        Option("rule", "Judge only these rules; may be repeated.", kind=LIST, metavar="CODE,…", completion="rules"),
        Option("skip", "Judge all but these rules; may be repeated.", kind=LIST, metavar="CODE,…", completion="rules"),
        Option(
            "measure",
            "Compare a measure with the -w and -c that go with it; may be repeated.",
            kind=LIST,
            metavar="NAME",
            completion=_measures,
        ),
        Option("warning", "Range of the measure outside which it is WARNING.", kind=LIST, short="-w", metavar="RANGE"),
        Option(
            "critical", "Range of the measure outside which it is CRITICAL.", kind=LIST, short="-c", metavar="RANGE"
        ),
        options.WHERE,
        Option("timeout", "UNKNOWN if it takes longer.", kind=FLOAT, short="-t", metavar="S", default=TIMEOUT_S),
        Option(
            "interval",
            "Look twice, S seconds apart, instead of comparing with the run before.",
            kind=FLOAT,
            metavar="S",
        ),
        options.HORIZON,
        Option("state", "Where the run before is remembered.", kind=TEXT, metavar="FILE", completion="path"),
        Option("strict", "UNKNOWN if a rule cannot tell; without it only if most cannot, or one that is named."),
        Option(
            "verbose",
            "A line a finding with advice; -vv also what is no alert, -vvv all figures.",
            kind=COUNT,
            short="-v",
        ),
        Option("version", "Show the version and exit.", short="-V"),
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
    everywhere=True,
    statuses=CHECK_MEANINGS,
)
