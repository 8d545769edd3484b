"""Compare sockdiag with ss, and with the least that must be done, on N loopback sockets in a network namespace.

    make bench                                       # N=200000 sockets
    make bench N=10000,100000,200000,1000000         # the whole table, and how it grows; half an hour
    make bench N=10000 SS=/opt/iproute2/misc/ss      # another ss than the installed one
    make bench ARGS="--only states,risk --runs 9"
    make bench N=200000 ARGS="--record 'before the rebuild'"    # a dated page in docs/benchmarks, too
    make bench N=2000 ARGS="--equal"                 # only whether the answers are right

Prints what was measured, ratios of medians, and the targets beside them; no verdict. Exit status 1 if something could
not run or gave a wrong answer.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2])]

from tests.bench import record  # noqa: E402 - run as a script
from tests.bench.answers import wrong_answers  # noqa: E402
from tests.bench.connections import Connections, allow_many, tcp_inuse  # noqa: E402
from tests.bench.measure import Cost, Runner, middle  # noqa: E402
from tests.bench.questions import (  # noqa: E402
    BARE,
    BESIDE,
    FEW,
    PIPELINE,
    PYTHON,
    QUESTIONS,
    SS,
    STARTS,
    Question,
)
from tests.live.world.netdev import link_up, unshare_network  # noqa: E402

SOCKDIAG = str(Path(sys.executable).with_name("sockdiag"))
START_RUNS = 21
DEFAULT = "200000"
# From here on, each command takes so long that it is run once.
MILLION = 900_000
Words = tuple[str, ...]


class Programs:
    """Where the programs of a command are; the C loop is compiled, if there is a compiler.

    Attributes:
        paths: by the first word of a command; those that are not there are missing.
    """

    def __init__(self, ss: str, folder: Path) -> None:
        self.paths = {SS: ss, PYTHON: sys.executable, "sockdiag": SOCKDIAG, "sh": "/bin/sh"}
        bare = folder / BARE
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is not None:
            subprocess.run([compiler, "-O2", "-o", bare, Path(__file__).with_name("bare.c")], check=True)
            self.paths[BARE] = str(bare)
        for name in ("netstat", "lsof"):
            if (path := shutil.which(name)) is not None:
                self.paths[name] = path

    def words(self, command: Words) -> list[str] | None:
        """Return a command with the path of its program; None if that is not there."""
        path = self.paths.get(command[0])
        return None if path is None else [path, *command[1:]]


class Bench:
    """Runs commands, and remembers what failed."""

    def __init__(self, programs: Programs) -> None:
        self.programs = programs
        self.runner = Runner()
        self.failures: list[str] = []

    def run(self, command: Words, statuses: tuple[int, ...] = (0,)) -> Cost | None:
        """Run a command; one that fails is remembered. None if it is not installed."""
        words = self.programs.words(command)
        if words is None:
            return None
        cost = self.runner.run(words)
        if cost.status not in statuses:
            self.fail(f"{name_of(command)}: exit status {cost.status}: {self.runner.errors()}")
        return cost._replace(status=0 if cost.status in statuses else cost.status)

    def renew(self) -> None:
        """Run what follows in the namespace that this process has entered since."""
        self.runner.close()
        self.runner = Runner()

    def fail(self, what: str) -> None:
        """Remember and print a failure, once."""
        if what not in self.failures:
            self.failures.append(what)
            say(f"FAILED: {what}")


def enter_namespace() -> None:
    """Enter a new network namespace, with room for many connections."""
    unshare_network()
    link_up("lo")
    allow_many()


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


def name_of(command: Words) -> str:
    """Write a command for people."""
    if command == PIPELINE:
        return "ss -tan | awk … | sort | uniq -c"
    return " ".join(command)


def ours(question: Question) -> Words:
    """Return our command of a question."""
    return ("sockdiag", *question.ours)


def start_up(bench: Bench) -> list[record.Start]:
    """Measure how long starts take where there is nothing to show, beside the bare interpreter's."""
    commands: list[Words] = [(PYTHON, "-c", "pass"), *(words for words, _target in STARTS)]
    costs: dict[Words, list[Cost]] = {command: [] for command in commands}
    for _ in range(START_RUNS):
        for command in commands:
            cost = bench.run(command, (0, 3) if "check" in command else (0,))
            assert cost is not None
            costs[command].append(cost)
    base = middle(costs[commands[0]])
    say(
        f"Start-up in an idle namespace, medians of {START_RUNS}: the bare interpreter takes {base.wall_s * 1000:.1f} ms"
    )
    found = []
    for command, (_words, target) in zip(commands[1:], STARTS, strict=True):
        one = middle(costs[command])
        start = record.Start(name_of(command), one.wall_s / base.wall_s, one.cpu_s / base.cpu_s, target)
        found.append(start)
        say(f"  {start.command:40} {start.wall:6.2f} ({start.cpu:.2f} in CPU time)  target {target or 'none'}")
    return found


def asked(only: str) -> list[Question]:
    """Return the questions whose command begins with one of the words of --only; all if there are none."""
    wanted = tuple(word.strip() for word in only.split(",") if word.strip())
    return [question for question in QUESTIONS if not wanted or " ".join(question.ours).startswith(wanted)]


def compare(
    bench: Bench, questions: list[Question], sockets: int, runs: int
) -> tuple[list[record.Cost], list[record.Ratio]]:
    """Ask both programs each question, in turn, and print medians and ratios."""
    least = bench.runner.floor()
    commands: dict[Words, tuple[int, ...]] = {}
    for question in questions:
        if not question.slow or sockets <= FEW:
            commands.setdefault(question.theirs, (0,))
        commands[ours(question)] = question.statuses
    for command in BESIDE:
        if command[0] != "lsof" or sockets <= FEW:
            commands[command] = (0,)
    costs: dict[Words, list[Cost]] = {}
    slow = {question.theirs for question in questions if question.slow} | {("lsof", "-nP", "-iTCP")}
    for number in range(runs):
        for command, statuses in commands.items():
            if number and command in slow:
                continue
            cost = bench.run(command, statuses)
            if cost is not None:
                costs.setdefault(command, []).append(cost)
    medians = {name: middle(runs) for name, runs in costs.items() if not any(cost.status for cost in runs)}
    kept = []
    say(f"\nMedians of {runs} runs, in turn; a peak below {least / 1024:.0f} MiB cannot be told:")
    for command, cost in medians.items():
        peak = cost.peak_kb / 1024 if cost.peak_kb > least else None
        kept.append(record.Cost(name_of(command), cost.wall_s, cost.cpu_s, peak))
        shown = f"<{least / 1024:.0f}" if peak is None else f"{peak:.0f}"
        say(f"  {name_of(command):40} {cost.wall_s:8.3f} s wall {cost.cpu_s:8.3f} s CPU {shown:>5} MiB peak")
    say(
        "\nRatios of wall time (of CPU time), ours to theirs, and peak memory, each with its target at 200,000 sockets:"
    )
    ratios = [_ratio(question, medians) for question in questions]
    for ratio in ratios:
        say(
            f"  {ratio.command:40} {record.figure(ratio.wall):>7} ({record.figure(ratio.cpu)})  target {ratio.target}"
            f"   {record.figure(ratio.peak, 0)} of {ratio.peak_target:.0f} MiB   {ratio.other}"
        )
    return kept, ratios


def _ratio(question: Question, medians: dict[Words, Cost]) -> record.Ratio:
    mine, other = medians.get(ours(question)), medians.get(question.theirs)
    wall = cpu = None
    bound = question.peak_mib or 0.0
    if mine is not None and other is not None:
        cpu = mine.cpu_s / other.cpu_s / question.samples
        wall = mine.wall_s / other.wall_s if question.samples == 1 else cpu
        if question.peak_ratio is not None:
            bound = question.peak_ratio * other.peak_kb / 1024
    return record.Ratio(
        name_of(ours(question)),
        name_of(question.theirs),
        wall,
        cpu,
        question.wall,
        None if mine is None else mine.peak_kb / 1024,
        bound,
    )


def main() -> int:
    """Make the connections, measure, clean up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("n", nargs="?", default=os.environ.get("N") or DEFAULT, help="sockets; several, with commas")
    parser.add_argument("--runs", type=int, default=5, help="runs of each command")
    parser.add_argument("--only", default="", help="questions that begin with one of these words, with commas")
    parser.add_argument("--equal", action="store_true", help="compare answers, and measure nothing")
    parser.add_argument("--record", metavar="TITLE", help="write a dated page with the results to docs/benchmarks, too")
    given = parser.parse_args()
    sizes = [int(word) for word in given.n.split(",")]
    ss = os.environ.get("SS") or shutil.which("ss")
    if os.geteuid() or ss is None:
        print("needs root, to make a network namespace, and ss", file=sys.stderr)
        return 1
    os.environ["SS"] = ss
    enter_namespace()
    folders = [str(Path(__file__).parents[2] / "sockdiag"), sysconfig.get_path("purelib")]
    subprocess.run([sys.executable, "-m", "compileall", "-q", *folders], check=False, stderr=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory(prefix="sockdiag-bench-") as folder:
        # What check keeps for its next run.
        os.environ["XDG_STATE_HOME"] = folder
        bench = Bench(Programs(ss, Path(folder)))
        starts = [] if given.equal else start_up(bench)
        found = []
        for size in sizes:
            if found:
                # The connections of the last size leave half of their ends in TIME_WAIT.
                enter_namespace()
                bench.renew()
            with Connections(size // 2) as connections:
                sockets = tcp_inuse()
                say(f"\n{sockets:,} sockets in {connections.seconds:.1f} s")
                # A million rows of JSON are more than this program should hold.
                if sockets < MILLION:
                    for problem in wrong_answers(bench.programs.words, bench.runner, sockets):
                        bench.fail(problem)
                if not given.equal:
                    runs = given.runs if sockets < MILLION else 1
                    costs, ratios = compare(bench, asked(given.only), sockets, runs)
                    found.append(record.Run(sockets, runs, costs, ratios))
                begin = time.monotonic()
            say(f"\nClosed in {time.monotonic() - begin:.1f} s; {tcp_inuse()} sockets left")
            if given.record and found:
                # After each size: the largest may never end.
                results = record.Results(starts, found, bench.failures)
                say(f"Written: {record.write(given.record, results, record.this_machine(ss))}")
        for line in record.growth(found):
            say(line)
        bench.runner.close()
    if bench.failures:
        say("Not all could run: see FAILED above.")
    return bool(bench.failures)


if __name__ == "__main__":
    sys.exit(main())
