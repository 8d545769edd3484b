"""Run commands and take their wall time, CPU time and peak memory, their whole process trees included."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import NamedTuple


class Cost(NamedTuple):
    """What one run cost.

    Attributes:
        wall_s: from its start until it ended.
        cpu_s: user and system time, of all processes that it waited for.
        peak_kb: ru_maxrss of the largest of its processes; what is below :meth:`Runner.floor` cannot be told.
        status: exit status.
    """

    wall_s: float
    cpu_s: float
    peak_kb: int
    status: int


class Runner:
    """Runs commands in this process's namespaces."""

    def __init__(self) -> None:
        self._errors = tempfile.NamedTemporaryFile(prefix="sockdiag-bench-")  # noqa: SIM115 - kept until close()
        # In the environment of the commands Python uses and writes byte code.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("runner.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            bufsize=0,
        )

    def run(self, command: list[str], output: str = os.devnull) -> Cost:
        """Run a command, its standard output to *output*."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\0".join([output, self._errors.name, *command]).encode() + b"\n")
        wall, cpu, peak, status = self._process.stdout.readline().split()
        return Cost(float(wall), float(cpu), int(peak), int(status))

    def errors(self) -> str:
        """Return the last line that the last command wrote to standard error."""
        lines = Path(self._errors.name).read_text(errors="replace").splitlines()
        return lines[-1] if lines else ""

    def floor(self) -> int:
        """Return the peak memory that even ``true`` shows, in KiB."""
        return self.run(["true"]).peak_kb

    def close(self) -> None:
        """End."""
        self._process.communicate()
        self._errors.close()


def middle(costs: list[Cost]) -> Cost:
    """Return the median of each figure."""
    return Cost(
        median(cost.wall_s for cost in costs),
        median(cost.cpu_s for cost in costs),
        int(median(cost.peak_kb for cost in costs)),
        max(cost.status for cost in costs),
    )
