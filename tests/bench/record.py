"""Write what a benchmark measured as a dated page of docs/benchmarks, with the machine that it was measured on."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from sockdiag import __version__

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "docs" / "benchmarks"


class Machine(NamedTuple):
    """The machine and the versions of what ran on it; ``sockdiag`` names the commit."""

    cpu: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    ss: str
    sockdiag: str


class Cost(NamedTuple):
    """Medians of one command. A peak that is None was below what can be measured."""

    command: str
    wall_s: float
    cpu_s: float
    peak_mib: float | None


class Ratio(NamedTuple):
    """One question: times of ours divided by those of another command. None was not measured."""

    command: str
    other: str
    wall: float | None
    cpu: float | None
    target: float
    peak: float | None = None
    peak_target: float = 0.0


class Start(NamedTuple):
    """A start in an idle namespace: times divided by those of the bare interpreter. ss has no target."""

    command: str
    wall: float
    cpu: float
    target: float | None


class Run(NamedTuple):
    """What was measured with a number of sockets."""

    sockets: int
    runs: int
    costs: list[Cost]
    ratios: list[Ratio]


class Results(NamedTuple):
    """What one call of the benchmark measured."""

    starts: list[Start]
    runs: list[Run]
    failures: list[str]


def this_machine(ss: str = "ss") -> Machine:
    """Describe this machine."""
    return Machine(
        cpu=cpu_model(Path("/proc/cpuinfo").read_text()),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30),
        kernel=platform.release(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        ss=_output(ss, "-V").removeprefix("ss utility, "),
        sockdiag=f"{__version__}, commit {_output('git', '-C', str(PROJECT), 'describe', '--always', '--dirty')}",
    )


def cpu_model(cpuinfo: str) -> str:
    """Return the model in the text of /proc/cpuinfo; the architecture where it has none (arm64)."""
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return " ".join(found[1].split()) if found else platform.machine()


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def page(title: str, date: str, machine: Machine, results: Results) -> str:
    """Return the page of a run."""
    lines = [
        f"# {date}: {title}",
        "",
        "Established connections over loopback, in a network namespace of their own. [How to read this](README.md).",
        "",
        "| machine | |",
        "|---|---|",
        f"| CPU | {machine.cpu}, {machine.cores} cores |",
        f"| memory | {machine.memory_gib:.1f} GiB |",
        f"| kernel | {machine.kernel} |",
        f"| Python | {machine.python} |",
        f"| ss | {machine.ss} |",
        f"| sockdiag | {machine.sockdiag} |",
        "",
    ]
    if results.starts:
        lines += [
            "| start in an idle namespace | starts of the bare interpreter | in CPU time | target |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| `{one.command}` | {one.wall:.2f} | {one.cpu:.2f} | {one.target or ''} |" for one in results.starts
        ]
    for run in results.runs:
        lines += [
            "",
            f"## {run.sockets:,} sockets",
            "",
            f"Medians of {run.runs} runs (`ss -tanp` and `lsof`: one run).",
            "",
        ]
        lines += [
            "| command | against | wall ratio (target) | CPU ratio | peak MiB (target) |",
            "|---|---|---|---|---|",
        ]
        for ratio in run.ratios:
            peak = figure(ratio.peak, 0) + (f" ({ratio.peak_target:.0f})" if ratio.peak_target else "")
            lines.append(
                f"| {_code(ratio.command)} | {_code(ratio.other)} | {figure(ratio.wall)} ({ratio.target}) "
                f"| {figure(ratio.cpu)} | {peak} |"
            )
        lines += ["", "| command | wall s | CPU s | peak MiB |", "|---|---|---|---|"]
        for cost in run.costs:
            peak = "too small to measure" if cost.peak_mib is None else f"{cost.peak_mib:.0f}"
            lines.append(f"| {_code(cost.command)} | {cost.wall_s:.3f} | {cost.cpu_s:.3f} | {peak} |")
    if rows := growth(results.runs):
        lines += ["", "## Growth", "", *rows]
    lines += [f"\nFailed: {failure}" for failure in results.failures]
    return "\n".join(lines) + "\n"


def figure(value: float | None, digits: int = 3) -> str:
    """Write a figure that may not have been measured."""
    return "not measured" if value is None else f"{value:.{digits}f}"


def growth(runs: list[Run]) -> list[str]:
    """Return, per command, how many times its time is at the largest number of sockets what it is at a tenth of it."""
    by_size = {run.sockets: {cost.command: cost.wall_s for cost in run.costs} for run in runs}
    most = max(by_size, default=0)
    tenth = by_size.get(most // 10)
    if tenth is None:
        return []
    return [
        f"* {_code(command)}: {seconds / tenth[command]:.1f} times as long for {most:,} sockets as for {most // 10:,}"
        for command, seconds in by_size[most].items()
        if command in tenth
    ]


def index_row(title: str, date: str, name: str, machine: Machine, results: Results) -> str:
    """Return the row of a run in the table of runs."""
    run = results.runs[-1]
    wall = {cost.command: f"{cost.wall_s:.3f} s" for cost in run.costs}
    figures = " | ".join(
        wall.get(command, "not measured") for command in ("sockdiag states", "sockdiag list --ndjson", "ss -tan")
    )
    return f"| [{date}: {title}]({name}) | {machine.sockdiag} | {run.sockets:,} | {figures} |\n"


def write(title: str, results: Results, machine: Machine, folder: Path = FOLDER) -> Path:
    """Write the page of a run of today, its figures for programs, and its row in the folder's README; return the page's path."""
    date = time.strftime("%Y-%m-%d")
    path = folder / f"{date}-{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')}.md"
    path.write_text(page(title, date, machine, results), encoding="utf-8")
    path.with_suffix(".json").write_text(document(machine, results), encoding="utf-8")
    index = folder / "README.md"
    rows = index.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [row for row in rows if f"]({path.name})" not in row]
    index.write_text("".join([*kept, index_row(title, date, path.name, machine, results)]), encoding="utf-8")
    return path


def document(machine: Machine, results: Results) -> str:
    """Return what was measured as JSON, from which the plot is drawn."""
    found = {
        "machine": machine._asdict(),
        "starts": [start._asdict() for start in results.starts],
        "runs": [
            {
                "sockets": run.sockets,
                "runs": run.runs,
                "costs": [{name: _short(value) for name, value in cost._asdict().items()} for cost in run.costs],
            }
            for run in results.runs
        ],
    }
    return json.dumps(found, indent=1) + "\n"


def _short(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value


def _code(command: str) -> str:
    # In a cell of a table a bar needs a backslash, also between backticks.
    return "`" + command.replace("|", "\\|") + "`"
