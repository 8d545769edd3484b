"""Write what a benchmark measured as a dated page of docs/benchmarks, with the machine that it was measured on."""

from __future__ import annotations

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


class Results(NamedTuple):
    """What one run of the benchmark measured."""

    connections: int
    sockets: int
    runs: int
    python_ms: float
    states_ms: float
    costs: list[Cost]
    ratios: list[Ratio]
    failures: list[str]


def this_machine() -> Machine:
    """Describe this machine."""
    return Machine(
        cpu=cpu_model(Path("/proc/cpuinfo").read_text()),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30),
        kernel=platform.release(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        ss=_output("ss", "-V").removeprefix("ss utility, "),
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
        f"{results.connections:,} connections over loopback, {results.sockets:,} sockets, in a network namespace of their own.",
        f"Medians of {results.runs} runs (`ss -tanp`: one run). [How to read this](README.md).",
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
        start_up(results),
        "",
        "| command | wall s | CPU s | peak MiB |",
        "|---|---|---|---|",
    ]
    for cost in results.costs:
        peak = "too small to measure" if cost.peak_mib is None else f"{cost.peak_mib:.0f}"
        lines.append(f"| {_code(cost.command)} | {cost.wall_s:.3f} | {cost.cpu_s:.3f} | {peak} |")
    lines += ["", "| command | against | wall ratio | CPU ratio | target (wall) |", "|---|---|---|---|---|"]
    for ratio in results.ratios:
        figures = " | ".join("not measured" if one is None else f"{one:.3f}" for one in (ratio.wall, ratio.cpu))
        lines.append(f"| {_code(ratio.command)} | {_code(ratio.other)} | {figures} | {ratio.target} |")
    lines += [f"\nFailed: {failure}" for failure in results.failures]
    return "\n".join(lines) + "\n"


def start_up(results: Results) -> str:
    """Return the sentence of the start-up times."""
    ratio = results.states_ms / results.python_ms
    times = (
        f"`python -c pass` {results.python_ms:.1f} ms, `sockdiag states` {results.states_ms:.1f} ms, ratio {ratio:.1f}"
    )
    return f"Start-up in an idle namespace: {times}."


def index_row(title: str, date: str, name: str, machine: Machine, results: Results) -> str:
    """Return the row of a run in the table of runs."""
    wall = {cost.command: f"{cost.wall_s:.3f} s" for cost in results.costs}
    figures = " | ".join(
        wall.get(command, "not measured") for command in ("sockdiag states", "sockdiag list --ndjson", "ss -tan")
    )
    return f"| [{date}: {title}]({name}) | {machine.sockdiag} | {results.sockets:,} | {figures} |\n"


def write(title: str, results: Results, folder: Path = FOLDER) -> Path:
    """Write the page of a run of today, and its row in the folder's README; return the page's path."""
    date, machine = time.strftime("%Y-%m-%d"), this_machine()
    path = folder / f"{date}-{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')}.md"
    known = path.exists()
    path.write_text(page(title, date, machine, results), encoding="utf-8")
    if not known:
        with (folder / "README.md").open("a", encoding="utf-8") as index:
            index.write(index_row(title, date, path.name, machine, results))
    return path


def _code(command: str) -> str:
    # In a cell of a table a bar needs a backslash, also between backticks.
    return "`" + command.replace("|", "\\|") + "`"
