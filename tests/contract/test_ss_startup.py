"""`sockdiag ss` starts in a few milliseconds, because of what it does not import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_PROJECT = Path(__file__).parents[2]
_RUN = "import sys; from sockdiag.cli.main import run; code = run(['sockdiag', 'ss', *sys.argv[1:]]); "
_HEAVY = {
    "typer",
    "re",
    "enum",
    "json",
    "dataclasses",
    "typing",
    "pathlib",
    "socket",
    "ipaddress",
    "logging",
    "subprocess",
    "inspect",
    "functools",
    "collections",
    "contextlib",
    "textwrap",
    "shutil",
    "datetime",
    "ctypes",
    "pyroute2",
    "psutil",
    "tabulate",
    "rich",
    "argparse",
}
# Longest allowed start, in starts of the bare interpreter.
_RATIO = 2.5


def environment() -> dict[str, str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COVERAGE", "COV_"))}
    return {**env, "PYTHONPATH": str(_PROJECT)}


@pytest.mark.parametrize("line", ["-tan", "", "-l", "-s", "-xa", "-ua sport = 53", "-tanp", "-h", "-V"])
def test_nothing_heavy_is_imported(line: str) -> None:
    code = _RUN + "sys.stderr.write('\\n@' + ' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, *line.split()], env=environment(), capture_output=True, text=True, check=True
    )
    modules = set(done.stderr.rpartition("@")[2].split())
    assert "sockdiag.ss.main" in modules
    assert not modules & _HEAVY
    assert not [name for name in modules if name.startswith("sockdiag.cli.") and name.endswith("typer_app")]


def _cheapest(code: str, *args: str) -> float:
    """Return the CPU time of the cheapest of several runs; time that other programs take is no part of it."""
    best = float("inf")
    for _ in range(15):
        process = subprocess.Popen([sys.executable, "-c", code, *args], env=environment(), stdout=subprocess.DEVNULL)
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        best = min(best, usage.ru_utime + usage.ru_stime)
    return best


@pytest.mark.alone
def test_start_up_ratio() -> None:
    """Measured against the bare interpreter in the same minute; a busy machine, whose caches are cold, gets five tries."""
    ratios = []
    for _ in range(5):
        ratios.append(_cheapest(_RUN + "sys.exit(code)", "-tl") / _cheapest("pass"))
        if ratios[-1] <= _RATIO:
            return
    raise AssertionError(f"start-up is {min(ratios):.2f} times the bare interpreter's, allowed are {_RATIO}")
