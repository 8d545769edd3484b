"""What a start imports: nothing that its question does not need."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from sockdiag.cli.main import run
try:
    status = run(["sockdiag", *sys.argv[1:]])
finally:
    names = sorted(sys.modules)
    print(*names, file=sys.stderr)
"""

NEVER = {"typer", "pyroute2", "psutil", "tabulate", "rich", "click", "pydantic", "dataclasses", "asyncio", "logging"}


def modules(*words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, *words], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["states"],
        ["list"],
        ["list", "--csv"],
        ["states", "--where", "state = listening"],
        ["limits"],
        ["metrics"],
    ],
    ids=" ".join,
)
def test_plain_commands_import_nothing_heavy(words: list[str]) -> None:
    """No plain command imports a runtime dependency."""
    assert modules(*words) & NEVER == set()


def test_version_imports_next_to_nothing() -> None:
    """--version imports neither the sources nor the model of sockets."""
    assert not {name for name in modules("--version") if name.startswith(("sockdiag.sources", "sockdiag.model"))}


def test_states_imports_no_regular_expressions() -> None:
    """The commands of cron jobs stay clear of what costs more than the answer."""
    assert modules("states") & {"re", "enum", "typing", "inspect", "subprocess", "socket"} == set()


def test_check_leaves_the_engine_to_its_child() -> None:
    """The process that keeps the deadline parses the command line, and imports nothing that only the answer needs."""
    assert (
        modules("check") & {"sockdiag.survey.reader", "sockdiag.survey.diagnose", "sockdiag.render.document"} == set()
    )
