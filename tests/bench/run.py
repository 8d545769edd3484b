"""Compare sockdiag with ss on N established loopback connections in a network namespace of its own.

    make bench                                  # N=100000: 200,000 sockets
    make bench N=2000
    make bench ARGS="--runs 9 --no-ss-owners"
    make bench N=200000 ARGS="--record 'before the rebuild'"    # a dated page in docs/benchmarks, too

Prints what was measured, ratios of medians, and the targets beside them; no verdict. Exit status 1 if something could
not run or gave a wrong answer.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

sys.path[:0] = [str(Path(__file__).parents[2])]

from tests.bench import record  # noqa: E402 - run as a script
from tests.bench.connections import Connections, allow_many, tcp_inuse  # noqa: E402
from tests.bench.measure import Cost, Runner, middle  # noqa: E402
from tests.live.world.netdev import link_up, unshare_network  # noqa: E402

SOCKDIAG = str(Path(sys.executable).with_name("sockdiag"))
PIPELINE = ["sh", "-c", "ss -tan | awk 'NR > 1 { print $1 }' | sort | uniq -c"]
LIST = ["ss", "-tan"]
BUFFERS = ["ss", "-tanm"]
OWNERS = ["ss", "-tanp"]
START_RUNS = 21
START_TARGET = 9
MEMORY_TARGET_KB = 40 * 1024


class Question(NamedTuple):
    """One thing asked of both programs; *target* bounds the ratio of their wall times."""

    ours: list[str]
    theirs: list[str]
    target: float


QUESTIONS = (
    Question(["states"], PIPELINE, 0.2),
    Question(["states", "--exact"], PIPELINE, 0.5),
    Question(["states", "--by", "port"], PIPELINE, 0.5),
    Question(["list", "--ndjson"], LIST, 1.5),
    Question(["risk"], BUFFERS, 1.5),
    Question(["states", "--by", "process"], OWNERS, 0.1),
    Question(["list", "--ndjson", "-o", "+processes"], OWNERS, 0.1),
)


class Bench:
    """Runs commands, and remembers what failed."""

    def __init__(self) -> None:
        self.runner = Runner()
        self.failures: list[str] = []

    def run(self, command: list[str]) -> Cost:
        """Run a command; one that fails is remembered."""
        cost = self.runner.run(command)
        if cost.status:
            self.fail(f"{name_of(command)}: exit status {cost.status}: {self.runner.errors()}")
        return cost

    def fail(self, what: str) -> None:
        """Remember and print a failure, once."""
        if what not in self.failures:
            self.failures.append(what)
            say(f"FAILED: {what}")

    def check_answers(self, sockets: int) -> None:
        """Compare what sockdiag says with what was made: a fast wrong answer is none."""
        with tempfile.NamedTemporaryFile(prefix="sockdiag-bench-") as file:
            for options in ((), ("--exact",)):
                command = [SOCKDIAG, "states", "--json", *options]
                self.runner.run(command, file.name)
                found = tcp_states(Path(file.name).read_bytes())
                if found != {"ESTABLISHED": sockets}:
                    self.fail(f"{name_of(command)}: {found}, not {sockets} ESTABLISHED")
            command = [SOCKDIAG, "list", "--ndjson"]
            self.runner.run(command, file.name)
            with open(file.name, "rb") as lines:
                rows = sum(is_tcp(line) for line in lines)
            if rows != sockets:
                self.fail(f"{name_of(command)}: {rows} rows, not {sockets}")


def tcp_states(document: bytes) -> dict[str, int]:
    """Return the count of each TCP state in the output of `sockdiag states --json`; none if it is not that."""
    try:
        return {row["state"]: row["count"] for row in json.loads(document)["states"] if row["netid"] == "tcp"}
    except (ValueError, KeyError, TypeError):
        return {}


def is_tcp(line: bytes) -> bool:
    """Tell whether a line of `sockdiag list --ndjson` is a TCP socket."""
    try:
        return bool(json.loads(line)["netid"] == "tcp")
    except (ValueError, KeyError, TypeError):
        return False


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


def name_of(command: list[str]) -> str:
    """Write a command for people."""
    if command is PIPELINE:
        return "ss -tan | awk … | sort | uniq -c"
    return " ".join(["sockdiag" if word is SOCKDIAG else word for word in command])


def start_up(bench: Bench) -> tuple[float, float]:
    """Measure how long the bare interpreter takes, and `states` where there is nothing to count; in milliseconds."""
    bare, ours = [sys.executable, "-c", "pass"], [SOCKDIAG, "states"]
    costs: dict[bool, list[Cost]] = {False: [], True: []}
    for _ in range(START_RUNS):
        for which in (False, True):
            costs[which].append(bench.run(ours if which else bare))
    base, full = middle(costs[False]), middle(costs[True])
    say(f"Start-up in an idle namespace, medians of {START_RUNS}:")
    say(f"  {sys.executable} -c pass: {base.wall_s * 1000:.1f} ms")
    say(
        f"  sockdiag states: {full.wall_s * 1000:.1f} ms, ratio {full.wall_s / base.wall_s:.1f} (target {START_TARGET})"
    )
    return base.wall_s * 1000, full.wall_s * 1000


def compare(bench: Bench, runs: int, ss_owners: bool) -> tuple[list[record.Cost], list[record.Ratio]]:
    """Ask both programs each question, in turn, and print medians and ratios."""
    least = bench.runner.floor()
    ours = [question.ours for question in QUESTIONS]
    costs: dict[str, list[Cost]] = {}
    for number in range(runs):
        commands = [[SOCKDIAG, *options] for options in ours] + [PIPELINE, LIST, BUFFERS]
        for command in [*commands, OWNERS] if ss_owners and not number else commands:
            costs.setdefault(name_of(command), []).append(bench.run(command))
    medians = {name: middle(runs) for name, runs in costs.items() if not any(cost.status for cost in runs)}
    say(f"\nMedians of {runs} runs, in turn (ss -tanp once); a peak below {least / 1024:.0f} MiB cannot be told:")
    kept: list[record.Cost] = []
    for name, cost in medians.items():
        peak = f"{cost.peak_kb / 1024:.0f}" if cost.peak_kb > least else f"<{least / 1024:.0f}"
        kept.append(record.Cost(name, cost.wall_s, cost.cpu_s, cost.peak_kb / 1024 if cost.peak_kb > least else None))
        say(f"  {name:40} {cost.wall_s:8.3f} s wall {cost.cpu_s:8.3f} s CPU {peak:>5} MiB peak")
    say("\nRatios of wall time (of CPU time), ours to theirs; targets are of wall time, at 200,000 sockets:")
    ratios: list[record.Ratio] = []
    for question in QUESTIONS:
        name, other = name_of([SOCKDIAG, *question.ours]), name_of(question.theirs)
        wall = cpu = None
        figures = "not measured"
        if name in medians and other in medians:
            one, two = medians[name], medians[other]
            wall, cpu = one.wall_s / two.wall_s, one.cpu_s / two.cpu_s
            figures = f"{wall:6.3f} ({cpu:.3f})"
        ratios.append(record.Ratio(name, other, wall, cpu, question.target))
        say(f"  {name:40} {figures:>15}  target {question.target}  of {other}")
    if (states := medians.get("sockdiag states")) is not None:
        say(f"  peak memory of sockdiag states: {states.peak_kb / 1024:.1f} MiB, target {MEMORY_TARGET_KB // 1024}")
    return kept, ratios


def main() -> int:
    """Make the connections, measure, clean up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("n", nargs="?", type=int, default=int(os.environ.get("N") or 100_000), help="connections")
    parser.add_argument("--runs", type=int, default=5, help="runs of each command")
    parser.add_argument("--no-ss-owners", action="store_true", help="leave ss -tanp out (25 s at 200,000 sockets)")
    parser.add_argument("--record", metavar="TITLE", help="write a dated page with the results to docs/benchmarks, too")
    given = parser.parse_args()
    if os.geteuid():
        print("needs root, to make a network namespace", file=sys.stderr)
        return 1
    unshare_network()
    link_up("lo")
    allow_many()
    folders = [str(Path(__file__).parents[2] / "sockdiag"), sysconfig.get_path("purelib")]
    subprocess.run([sys.executable, "-m", "compileall", "-q", *folders], check=False, stderr=subprocess.DEVNULL)
    bench = Bench()
    python_ms, states_ms = start_up(bench)
    with Connections(given.n) as connections:
        sockets = tcp_inuse()
        say(f"\n{sockets} sockets ({given.n} connections) in {connections.seconds:.1f} s")
        bench.check_answers(sockets)
        costs, ratios = compare(bench, given.runs, not given.no_ss_owners)
        begin = time.monotonic()
    say(f"\nClosed in {time.monotonic() - begin:.1f} s; {tcp_inuse()} sockets left")
    bench.runner.close()
    if given.record:
        results = record.Results(given.n, sockets, given.runs, python_ms, states_ms, costs, ratios, bench.failures)
        say(f"Written: {record.write(given.record, results)}")
    if bench.failures:
        say("Not all could run: see FAILED above.")
    return bool(bench.failures)


if __name__ == "__main__":
    sys.exit(main())
